//! When a hold is renewed, and what an answer, no answer and a loss do to it (DESIGN section 4).

use super::action::{Action, Deadline};
use super::state::Moment;
use crate::clock::Instant;
use crate::lease::{Tenure, Timing};

/// A hold's tenure and the renewals that move it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Renewals {
    tenure: Tenure,
    /// When the last renewal was ordered.
    ordered: Option<Instant>,
    in_flight: bool,
    in_doubt: bool,
    lost: bool,
}

/// What a good answer to a renewal changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answered {
    /// The deadline is another now.
    pub(super) moved: bool,
    /// We were in doubt and no longer are.
    pub(super) doubt_ended: bool,
}

impl Renewals {
    pub(super) const fn new(tenure: Tenure) -> Self {
        Self {
            tenure,
            ordered: None,
            in_flight: false,
            in_doubt: false,
            lost: false,
        }
    }

    pub(super) const fn tenure(&self) -> Tenure {
        self.tenure
    }

    pub(super) const fn in_doubt(&self) -> bool {
        self.in_doubt
    }

    /// Whether the store has said that the hold is over.
    pub(super) const fn lost(&self) -> bool {
        self.lost
    }

    /// The guardian's deadline while all is well.
    pub(super) fn deadline(&self) -> Deadline {
        Deadline {
            stop: self.tenure.stop(),
            kill: self.tenure.kill(),
        }
    }

    /// When the next renewal is to be sent; never while one is unanswered or when it is over.
    pub(super) fn next_at(&self, timing: &Timing) -> Instant {
        if self.in_flight || self.lost {
            return Instant::NEVER;
        }
        match self.ordered {
            None => self.tenure.renew(),
            // In doubt an attempt starts this often whether the one before timed out or failed at once.
            Some(ordered) if self.in_doubt => ordered + self.tenure.at_its_rate(timing.attempt()),
            // The second instant matters only for an answer that moved nothing: it must not make us
            // ask again without a pause.
            Some(ordered) => {
                let pause = self.tenure.at_its_rate(timing.attempt());
                self.tenure.renew().max(ordered + pause)
            }
        }
    }

    /// Orders a renewal when one is due; says whether it was.
    pub(super) fn renew_if_due(&mut self, moment: &mut Moment<'_>) -> bool {
        let at = self.next_at(&moment.settings.timing);
        // A renewal that is never due stays so even when the clock has failed and shows "never".
        if at == Instant::NEVER || moment.now < at {
            return false;
        }
        self.ordered = Some(moment.now);
        self.in_flight = true;
        moment.order(Action::Renew);
        true
    }

    /// A renewal that was sent at `asked_at` was answered: it goes on, by a clock that ran at this rate.
    pub(super) fn answered(&mut self, now: Instant, asked_at: Instant, rate: f64) -> Answered {
        // After a known loss no answer can bring the hold back (P10).
        if self.lost {
            return Answered {
                moved: false,
                doubt_ended: false,
            };
        }
        // An instant in the future cannot have been read before the request was sent (P3).
        let extended = self.tenure.extended(asked_at.min(now), rate);
        let moved = extended != self.tenure;
        self.tenure = extended;
        // An attempt is asked for after it was ordered. What was asked for earlier is the late answer
        // to an attempt given up long ago: its own instant counts, and the one that is still in
        // flight stays in flight.
        let current = self.ordered.is_none_or(|ordered| asked_at >= ordered);
        if current {
            self.in_flight = false;
        }
        let doubt_ended = self.in_doubt && (current || moved);
        self.in_doubt &= !doubt_ended;
        Answered { moved, doubt_ended }
    }

    /// The renewal in flight went unanswered. The deadline stands (P8). Says whether doubt begins.
    pub(super) fn unanswered(&mut self) -> bool {
        let begins = self.in_flight && !self.in_doubt && !self.lost;
        self.in_doubt |= begins;
        self.in_flight = false;
        begins
    }

    /// The store has said that the hold is over.
    pub(super) fn lose(&mut self) {
        self.lost = true;
        self.in_flight = false;
    }
}
