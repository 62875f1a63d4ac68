//! The tree is gone; the lease is given back. Nothing is renewed any more.

use super::action::{Action, Note};
use super::event::Event;
use super::outcome::Outcome;
use super::running::Run;
use super::settings::Settings;
use super::state::{Done, Moment, State};
use super::stopping::asks_to_end;
use crate::clock::Instant;

/// How often a release is tried. Too few: others wait for the lease to run out; too many: leasectl
/// hangs on a store that is gone, after the work is done.
const TRIES: u8 = 3;

/// A release is under way. Whatever comes of it, the outcome stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Releasing {
    run: Run,
    outcome: Outcome,
    tries: u8,
    /// When the last attempt was ordered.
    ordered: Instant,
    in_flight: bool,
}

impl Releasing {
    /// Gives the lease back if the store may still think that it is ours.
    pub(super) fn begin(moment: &mut Moment<'_>, run: Run, outcome: Outcome) -> State {
        if run.renewals.lost() {
            return Done::finish(moment, run, outcome);
        }
        moment.order(Action::Release(outcome));
        State::Releasing(Self {
            run,
            outcome,
            tries: 1,
            ordered: moment.now,
            in_flight: true,
        })
    }

    pub(super) const fn run(&self) -> &Run {
        &self.run
    }

    pub(super) fn wake_at(&self, settings: &Settings) -> Instant {
        if self.in_flight {
            Instant::NEVER
        } else {
            self.again_at(settings)
        }
    }

    fn again_at(&self, settings: &Settings) -> Instant {
        self.ordered + settings.timing.attempt()
    }

    pub(super) fn due(mut self, moment: &mut Moment<'_>) -> Option<State> {
        if self.in_flight || moment.now < self.again_at(moment.settings) {
            return None;
        }
        // We may have slept past the instant at which trying was still worth it.
        if moment.now >= self.run.renewals.tenure().dead() {
            return Some(self.give_up(moment));
        }
        moment.order(Action::Release(self.outcome));
        self.tries += 1;
        self.ordered = moment.now;
        self.in_flight = true;
        Some(State::Releasing(self))
    }

    pub(super) fn hear(mut self, moment: &mut Moment<'_>, event: Event) -> State {
        match event {
            Event::Released { certain: true } => Done::finish(moment, self.run, self.outcome),
            // An unknown release counts as still held (P8), so it is asked for again: giving back
            // twice is harmless, and nobody can get the lease sooner otherwise.
            Event::Released { certain: false } if self.in_flight => {
                let in_time = self.again_at(moment.settings) < self.run.renewals.tenure().dead();
                if self.tries == TRIES || !in_time {
                    return self.give_up(moment);
                }
                self.in_flight = false;
                State::Releasing(self)
            }
            // The work is done and its outcome stands: whoever asks now does not want to wait for the
            // store. What it has not confirmed runs out by itself.
            Event::Signal { number, .. } if asks_to_end(number) => self.give_up(moment),
            _ => State::Releasing(self),
        }
    }

    fn give_up(self, moment: &mut Moment<'_>) -> State {
        moment.note(Note::ReleaseUncertain);
        Done::finish(moment, self.run, self.outcome)
    }
}
