//! A proven hold under which the `acquired` hook runs, as a part of the guarded tree. The command has
//! not been ordered, and is not unless the hook ends well and in time.

use std::time::Duration;

use super::action::{Action, StopWhy};
use super::event::{CommandEnd, Event};
use super::holding::Holding;
use super::outcome::{Outcome, Unprepared};
use super::renewing::Renewals;
use super::running::Run;
use super::settings::Settings;
use super::settling::Settling;
use super::state::{Moment, State};
use super::stopping::Stopping;
use crate::clock::Instant;
use crate::lease::Tenure;

/// The hook has this long (INTERFACES, "Hooks"), measured from its order. Too small: a slow mount or a
/// warm-up fails the start; too large: everybody waits for a hook that hangs.
const LONGEST_HOOK: Duration = Duration::from_secs(10);

/// The hook runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Preparing {
    run: Run,
    until: Instant,
}

impl Preparing {
    /// Arms the guardian, then starts the hook, in this order: it runs under the lease like the
    /// command (P4).
    pub(super) fn begin(moment: &mut Moment<'_>, tenure: Tenure) -> State {
        let renewals = Renewals::new(tenure);
        moment.order(Action::Arm(renewals.deadline()));
        moment.order(Action::Prepare);
        State::Preparing(Self {
            run: Run::new(renewals),
            until: moment.now + LONGEST_HOOK,
        })
    }

    pub(super) const fn run(&self) -> &Run {
        &self.run
    }

    pub(super) fn wake_at(&self, settings: &Settings) -> Instant {
        self.run.wake_at(settings).min(self.until)
    }

    pub(super) fn due(mut self, moment: &mut Moment<'_>) -> Option<State> {
        if let Some(why) = self.run.overdue(moment) {
            return Some(Stopping::gracefully(moment, self.run, why, None));
        }
        if moment.now >= self.until {
            let own = Outcome::NotPrepared(Unprepared::TooSlow);
            return Some(Stopping::at_once(moment, self.run, StopWhy::Hook, own));
        }
        let ordered = self.run.renewals.renew_if_due(moment);
        ordered.then_some(State::Preparing(self))
    }

    pub(super) fn hear(mut self, moment: &mut Moment<'_>, event: Event) -> State {
        match event {
            Event::Renewed { asked_at, rate } => self.run.renewed(moment, asked_at, rate),
            Event::RenewalUnanswered => self.run.renewal_unanswered(moment),
            Event::RenewalLost(why) => return Stopping::lost(moment, self.run, why),
            Event::StopDue => return Stopping::by_guardian(moment, self.run),
            Event::GuardianLost => return Stopping::unguarded(moment, self.run, None),
            Event::StopAsked => {
                return Stopping::gracefully(moment, self.run, StopWhy::Operator, None);
            }
            Event::MachineGoes { kill_by } => {
                return Stopping::leaving(moment, self.run, kill_by, None);
            }
            // As while the lease is being waited for: nobody wants the command any more. The hook is in
            // a group of its own, so that a key of the terminal has not reached it.
            Event::Signal { number, .. } => {
                let own = Some(Outcome::Interrupted(number));
                return Stopping::gracefully(moment, self.run, StopWhy::Interrupted, own);
            }
            Event::Prepared(CommandEnd::Exited(0)) => return self.start(moment),
            Event::Prepared(end) => return self.fail(moment, Unprepared::Ended(end)),
            Event::CommandNotStarted { errno } => {
                return self.fail(moment, Unprepared::NotStarted { errno });
            }
            _ => {}
        }
        State::Preparing(self)
    }

    fn start(self, moment: &mut Moment<'_>) -> State {
        if self.run.renewals.tenure().may_start(moment.now) {
            return Holding::start(moment, self.run);
        }
        // P4: what is left of the lease is too little to start anything under it.
        Stopping::gracefully(moment, self.run, StopWhy::NotRenewed, None)
    }

    /// What the hook left behind is no daemon of a command's: it goes, whatever `--leftovers` says.
    fn fail(self, moment: &Moment<'_>, why: Unprepared) -> State {
        State::Settling(Settling::before_stopping(
            moment,
            self.run,
            Outcome::NotPrepared(why),
        ))
    }
}
