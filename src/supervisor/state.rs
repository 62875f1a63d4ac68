//! Which states there are, and what all of them have in common.

use super::action::{Action, Note};
use super::event::Event;
use super::holding::Holding;
use super::outcome::Outcome;
use super::preparing::Preparing;
use super::releasing::Releasing;
use super::running::Run;
use super::seeking::Seeking;
use super::settings::Settings;
use super::settling::Settling;
use super::stopping::Stopping;
use crate::clock::Instant;

/// The state of a run, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No hold.
    Seeking,
    /// A proven hold; the `acquired` hook runs.
    Preparing,
    /// A proven hold; the command may run.
    Holding,
    /// As [`Holding`](Self::Holding), but the last renewal went unanswered.
    Doubting,
    /// The command has ended; what it left behind may go on.
    Settling,
    /// The tree is being stopped; never undone (P10).
    Stopping,
    /// The tree is gone; the lease is being given back.
    Releasing,
    /// Over.
    Done,
}

/// The state of a run. A plain value: a transition makes the next one out of it.
#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    Seeking(Seeking),
    Preparing(Preparing),
    Holding(Holding),
    Settling(Settling),
    Stopping(Stopping),
    Releasing(Releasing),
    Done(Done),
}

impl State {
    /// The state after an event.
    pub(super) fn hear(self, moment: &mut Moment<'_>, event: Event) -> Self {
        match self {
            Self::Seeking(seeking) => seeking.hear(moment, event),
            Self::Preparing(preparing) => preparing.hear(moment, event),
            Self::Holding(holding) => holding.hear(moment, event),
            Self::Settling(settling) => settling.hear(moment, event),
            Self::Stopping(stopping) => stopping.hear(moment, event),
            Self::Releasing(releasing) => releasing.hear(moment, event),
            Self::Done(done) => done.hear(moment, event),
        }
    }

    /// The state after the most pressing deadline that has passed; `None` when none has.
    pub(super) fn due(self, moment: &mut Moment<'_>) -> Option<Self> {
        match self {
            Self::Seeking(seeking) => seeking.due(moment),
            Self::Preparing(preparing) => preparing.due(moment),
            Self::Holding(holding) => holding.due(moment),
            Self::Settling(settling) => settling.due(moment),
            Self::Stopping(stopping) => stopping.due(moment),
            Self::Releasing(releasing) => releasing.due(moment),
            Self::Done(_) => None,
        }
    }

    /// The first deadline that has not been acted on.
    pub(super) fn wake_at(&self, settings: &Settings) -> Instant {
        match self {
            Self::Seeking(seeking) => seeking.wake_at(),
            Self::Preparing(preparing) => preparing.wake_at(settings),
            Self::Holding(holding) => holding.wake_at(settings),
            Self::Settling(settling) => settling.wake_at(settings),
            Self::Stopping(stopping) => stopping.wake_at(settings),
            Self::Releasing(releasing) => releasing.wake_at(settings),
            Self::Done(_) => Instant::NEVER,
        }
    }

    pub(super) const fn phase(&self) -> Phase {
        match self {
            Self::Seeking(_) => Phase::Seeking,
            Self::Preparing(_) => Phase::Preparing,
            Self::Holding(holding) if holding.in_doubt() => Phase::Doubting,
            Self::Holding(_) => Phase::Holding,
            Self::Settling(_) => Phase::Settling,
            Self::Stopping(_) => Phase::Stopping,
            Self::Releasing(_) => Phase::Releasing,
            Self::Done(_) => Phase::Done,
        }
    }

    /// What is known of the run; `None` when nothing was started.
    pub(super) const fn run(&self) -> Option<&Run> {
        match self {
            Self::Seeking(_) => None,
            Self::Preparing(preparing) => Some(preparing.run()),
            Self::Holding(holding) => Some(holding.run()),
            Self::Settling(settling) => Some(settling.run()),
            Self::Stopping(stopping) => Some(stopping.run()),
            Self::Releasing(releasing) => Some(releasing.run()),
            Self::Done(done) => done.run.as_ref(),
        }
    }
}

/// The end. Reached only through [`Done::finish`] and [`Done::without_a_run`], which order the one
/// `Finish`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done {
    outcome: Outcome,
    run: Option<Run>,
}

impl Done {
    pub(super) fn finish(moment: &mut Moment<'_>, run: Run, outcome: Outcome) -> State {
        moment.order(Action::Finish(outcome));
        State::Done(Self {
            outcome,
            run: Some(run),
        })
    }

    pub(super) fn without_a_run(moment: &mut Moment<'_>, outcome: Outcome) -> State {
        moment.order(Action::Finish(outcome));
        State::Done(Self { outcome, run: None })
    }

    pub(super) const fn outcome(&self) -> Outcome {
        self.outcome
    }

    fn hear(self, moment: &mut Moment<'_>, event: Event) -> State {
        // Nothing follows the end, except that a grant which nobody wants any more is given back.
        if self.run.is_none() && matches!(event, Event::Granted { .. }) {
            moment.order(Action::Release(self.outcome));
        }
        State::Done(self)
    }
}

/// One call of `step`: when it is, what was asked for, and what has been ordered so far.
pub(super) struct Moment<'a> {
    pub(super) now: Instant,
    pub(super) settings: &'a Settings,
    pub(super) actions: &'a mut Vec<Action>,
}

impl Moment<'_> {
    pub(super) fn order(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(super) fn note(&mut self, note: Note) {
        self.order(Action::Note(note));
    }
}
