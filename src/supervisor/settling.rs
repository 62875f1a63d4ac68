//! The command's main process has ended; what it left behind goes on under the lease.

use super::action::{Action, StopWhy};
use super::event::Event;
use super::outcome::Outcome;
use super::releasing::Releasing;
use super::running::Run;
use super::settings::{Leftovers, Settings};
use super::state::{Moment, State};
use super::stopping::Stopping;
use crate::clock::Instant;

/// Leftovers get a moment to end by themselves; then `--leftovers` decides (DESIGN section 3).
#[derive(Clone, Copy, Debug)]
pub(super) struct Settling {
    run: Run,
    /// How the command ended; kept unless the lease is lost.
    outcome: Outcome,
    /// What is decided then.
    leftovers: Leftovers,
    /// When the leftovers' own time is over; never once `--leftovers wait` has decided.
    until: Instant,
}

impl Settling {
    pub(super) fn begin(moment: &Moment<'_>, run: Run, outcome: Outcome) -> Self {
        Self {
            run,
            outcome,
            leftovers: moment.settings.leftovers,
            until: moment.now + moment.settings.leftovers_settle,
        }
    }

    /// As [`begin`](Self::begin), but what is left is stopped in any case.
    pub(super) fn before_stopping(moment: &Moment<'_>, run: Run, outcome: Outcome) -> Self {
        Self {
            leftovers: Leftovers::Stop,
            ..Self::begin(moment, run, outcome)
        }
    }

    pub(super) const fn run(&self) -> &Run {
        &self.run
    }

    pub(super) fn wake_at(&self, settings: &Settings) -> Instant {
        self.run.wake_at(settings).min(self.until)
    }

    pub(super) fn due(mut self, moment: &mut Moment<'_>) -> Option<State> {
        if let Some(why) = self.run.overdue(moment) {
            return Some(self.stop(moment, why));
        }
        if self.until != Instant::NEVER && moment.now >= self.until {
            return Some(self.decide(moment));
        }
        let ordered = self.run.renewals.renew_if_due(moment);
        ordered.then_some(State::Settling(self))
    }

    fn decide(mut self, moment: &mut Moment<'_>) -> State {
        match self.leftovers {
            Leftovers::Stop => self.stop_leftovers(moment),
            Leftovers::Wait => {
                self.until = Instant::NEVER;
                State::Settling(self)
            }
            // The one stated exception to P1 and P5: the lease is given back while these go on.
            Leftovers::Leave => {
                moment.order(Action::LetGo);
                Releasing::begin(moment, self.run, self.outcome)
            }
        }
    }

    pub(super) fn hear(mut self, moment: &mut Moment<'_>, event: Event) -> State {
        match event {
            Event::Renewed { asked_at, rate } => self.run.renewed(moment, asked_at, rate),
            Event::RenewalUnanswered => self.run.renewal_unanswered(moment),
            Event::RenewalLost(why) => return Stopping::lost(moment, self.run, why),
            Event::StopDue => return Stopping::by_guardian(moment, self.run),
            Event::GuardianLost => {
                return Stopping::unguarded(moment, self.run, Some(self.outcome));
            }
            Event::StopAsked => return self.stop(moment, StopWhy::Operator),
            Event::MachineGoes { kill_by } => {
                return Stopping::leaving(moment, self.run, kill_by, Some(self.outcome));
            }
            // There is no command left to pass it on to. Whoever waits for leftovers has had enough;
            // the other two policies act within the settle time anyway.
            Event::Signal { .. } if self.leftovers == Leftovers::Wait => {
                return self.stop_leftovers(moment);
            }
            Event::TreeEmpty => return self.tree_empty(moment),
            _ => {}
        }
        State::Settling(self)
    }

    pub(super) fn tree_empty(self, moment: &mut Moment<'_>) -> State {
        Releasing::begin(moment, self.run, self.outcome)
    }

    fn stop_leftovers(self, moment: &mut Moment<'_>) -> State {
        moment.order(Action::NameLeftovers);
        self.stop(moment, StopWhy::Leftovers)
    }

    fn stop(self, moment: &mut Moment<'_>, why: StopWhy) -> State {
        Stopping::gracefully(moment, self.run, why, Some(self.outcome))
    }
}
