//! What `Holding`, `Settling` and `Stopping` know of the run, and what the first two have in common:
//! the same renewals, and the same reasons to stop.

use super::action::{Action, Note, StopWhy};
use super::event::CommandEnd;
use super::renewing::Renewals;
use super::settings::Settings;
use super::state::Moment;
use crate::clock::Instant;

/// A command that was ordered to start under a hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) renewals: Renewals,
    /// When the command's start was heard of.
    pub(super) started_at: Option<Instant>,
    /// How its main process ended.
    pub(super) end: Option<CommandEnd>,
}

impl Run {
    pub(super) const fn new(renewals: Renewals) -> Self {
        Self {
            renewals,
            started_at: None,
            end: None,
        }
    }

    /// When `--run-timeout` is reached.
    fn timeout_at(&self, settings: &Settings) -> Instant {
        match (self.started_at, settings.run_timeout) {
            (Some(started_at), Some(longest)) => started_at + longest,
            _ => Instant::NEVER,
        }
    }

    /// The first of the deadlines that mean the same in `Holding` and in `Settling`.
    pub(super) fn wake_at(&self, settings: &Settings) -> Instant {
        let renew = self.renewals.next_at(&settings.timing);
        let stop = self.renewals.tenure().stop();
        stop.min(self.timeout_at(settings)).min(renew)
    }

    /// The reason to stop that lies in the time alone. The lease comes first: its end decides how
    /// much grace there is.
    pub(super) fn overdue(&self, moment: &Moment<'_>) -> Option<StopWhy> {
        if moment.now >= self.renewals.tenure().stop() {
            Some(StopWhy::NotRenewed)
        } else if moment.now >= self.timeout_at(moment.settings) {
            Some(StopWhy::RunTimeout)
        } else {
            None
        }
    }

    /// What an answer to a renewal means while nothing is being stopped.
    pub(super) fn renewed(&mut self, moment: &mut Moment<'_>, asked_at: Instant, rate: f64) {
        let answered = self.renewals.answered(moment.now, asked_at, rate);
        if answered.moved {
            moment.order(Action::Arm(self.renewals.deadline()));
        }
        if answered.doubt_ended {
            moment.note(Note::DoubtEnded);
        }
    }

    /// What no answer to a renewal means while nothing is being stopped: the deadline stands (P8).
    pub(super) fn renewal_unanswered(&mut self, moment: &mut Moment<'_>) {
        if self.renewals.unanswered() {
            let stop = self.renewals.tenure().stop();
            moment.note(Note::Doubt { stop });
        }
    }
}
