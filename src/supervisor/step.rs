//! The door to the machine: the order in which deadlines and events are looked at, and nothing else.

use super::action::{Action, StopWhy};
use super::event::{CommandEnd, Event};
use super::outcome::Outcome;
use super::seeking::Seeking;
use super::settings::Settings;
use super::state::{Moment, Phase, State};
use crate::clock::Instant;
use crate::lease::Tenure;

/// Decides about one run, from seeking the lease to having given it back.
#[derive(Debug)]
pub struct Supervisor {
    settings: Settings,
    state: State,
}

impl Supervisor {
    /// A run that begins at `now`; `--wait` is counted from here.
    #[must_use]
    pub const fn new(settings: Settings, now: Instant) -> Self {
        Self {
            settings,
            state: State::Seeking(Seeking::new(now)),
        }
    }

    /// Takes note of an event at `now`, and of every deadline that has passed, and says what to do.
    ///
    /// `now` is read on the boot clock when the event is handed in and never goes back.
    #[must_use]
    pub fn step(&mut self, now: Instant, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        let mut moment = Moment {
            now,
            settings: &self.settings,
            actions: &mut actions,
        };
        let mut state = self.state;
        if !event.comes_before_deadlines() {
            state = settle_accounts(state, &mut moment);
        }
        state = state.hear(&mut moment, event);
        self.state = settle_accounts(state, &mut moment);
        actions
    }

    /// When to call [`step`](Self::step) with [`Event::Tick`]; [`Instant::NEVER`] when there is
    /// nothing to wake for.
    #[must_use]
    pub fn wake_at(&self) -> Instant {
        self.state.wake_at(&self.settings)
    }

    /// Whether [`Action::Finish`] has been ordered.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.state, State::Done(_))
    }

    /// How long the hold may be acted on, as known now; `None` before a start under one.
    #[must_use]
    pub fn tenure(&self) -> Option<Tenure> {
        self.state.run().map(|run| run.renewals.tenure())
    }

    /// The state, for messages.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.state.phase()
    }

    /// How the command's main process ended, once that is known.
    #[must_use]
    pub fn command_end(&self) -> Option<CommandEnd> {
        self.state.run().and_then(|run| run.end)
    }

    /// Why the tree is being stopped, while it is.
    #[must_use]
    pub const fn stop_why(&self) -> Option<StopWhy> {
        match &self.state {
            State::Stopping(stopping) => Some(stopping.why()),
            _ => None,
        }
    }

    /// How the run ended, once it is over.
    #[must_use]
    pub const fn outcome(&self) -> Option<Outcome> {
        match &self.state {
            State::Done(done) => Some(done.outcome()),
            _ => None,
        }
    }
}

/// Acts on every deadline that has passed. Ends, because acting on one moves it ahead or leaves the
/// state it belongs to.
fn settle_accounts(mut state: State, moment: &mut Moment<'_>) -> State {
    while let Some(next) = state.due(moment) {
        state = next;
    }
    state
}
