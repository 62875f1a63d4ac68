//! A proven hold, in doubt or not, with the command running or about to run.

use super::action::{Action, StopWhy};
use super::event::Event;
use super::outcome::Outcome;
use super::renewing::Renewals;
use super::running::Run;
use super::settings::Settings;
use super::settling::Settling;
use super::state::{Moment, State};
use super::stopping::Stopping;
use crate::clock::Instant;
use crate::lease::Tenure;

/// The command may run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holding {
    run: Run,
    /// The tree was seen empty before the command's own end was heard of.
    empty: bool,
}

impl Holding {
    /// Arms the guardian, then starts the command, in this order (P4).
    pub(super) fn begin(moment: &mut Moment<'_>, tenure: Tenure) -> State {
        let renewals = Renewals::new(tenure);
        moment.order(Action::Arm(renewals.deadline()));
        Self::start(moment, Run::new(renewals))
    }

    /// Starts the command; the guardian is armed.
    pub(super) fn start(moment: &mut Moment<'_>, run: Run) -> State {
        moment.order(Action::Start);
        State::Holding(Self { run, empty: false })
    }

    pub(super) const fn in_doubt(&self) -> bool {
        self.run.renewals.in_doubt()
    }

    pub(super) const fn run(&self) -> &Run {
        &self.run
    }

    pub(super) fn wake_at(&self, settings: &Settings) -> Instant {
        self.run.wake_at(settings)
    }

    pub(super) fn due(mut self, moment: &mut Moment<'_>) -> Option<State> {
        if let Some(why) = self.run.overdue(moment) {
            return Some(Stopping::gracefully(moment, self.run, why, None));
        }
        let ordered = self.run.renewals.renew_if_due(moment);
        ordered.then_some(State::Holding(self))
    }

    pub(super) fn hear(mut self, moment: &mut Moment<'_>, event: Event) -> State {
        match event {
            Event::Renewed { asked_at, rate } => self.run.renewed(moment, asked_at, rate),
            Event::RenewalUnanswered => self.run.renewal_unanswered(moment),
            Event::RenewalLost(why) => return Stopping::lost(moment, self.run, why),
            Event::StopDue => return Stopping::by_guardian(moment, self.run),
            Event::NotNeeded => moment.order(Action::LetGo),
            Event::GuardianLost => return Stopping::unguarded(moment, self.run, None),
            Event::StopAsked => {
                return Stopping::gracefully(moment, self.run, StopWhy::Operator, None);
            }
            Event::MachineGoes { kill_by } => {
                return Stopping::leaving(moment, self.run, kill_by, None);
            }
            // What the terminal sent, the command has got too: once is enough. Of one that is only about
            // to be born nobody knows whether it has: twice is better than not at all.
            Event::Signal {
                number,
                from_terminal,
            } if !from_terminal || self.run.started_at.is_none() => {
                moment.order(Action::Forward(number));
            }
            Event::CommandStarted { .. } => {
                // The first report counts: a later one cannot lengthen `--run-timeout`.
                self.run.started_at.get_or_insert(moment.now);
                self.empty = false;
            }
            Event::TreeEmpty => self.empty = true,
            Event::CommandExited(end) => {
                self.run.end = Some(end);
                return self.command_ended(moment, Outcome::Completed(end));
            }
            Event::CommandNotStarted { errno } => {
                return self.command_ended(moment, Outcome::NotStarted { errno });
            }
            _ => {}
        }
        State::Holding(self)
    }

    fn command_ended(self, moment: &mut Moment<'_>, outcome: Outcome) -> State {
        let settling = Settling::begin(moment, self.run, outcome);
        if self.empty {
            settling.tree_empty(moment)
        } else {
            State::Settling(settling)
        }
    }
}
