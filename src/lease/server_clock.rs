//! The store's clock beside ours, from one renewal to the next (DESIGN section 4).
//!
//! Assumption: the rates of the two clocks differ by at most the drift that is allowed for. Consequence: between
//! two renewals the store's clock advances by no less than the time from the first answer to the second
//! question, and by no more than that from the first question to the second answer. What lies outside, drift
//! allowed for, is a jump. Knob: `--max-drift`. Cost of a false alarm: a warning, and a deadline that is
//! nearer until the next renewal.

use std::time::Duration;

use crate::clock::Instant;

/// What a store's clock shows, since any beginning of its own. Only ever compared with another reading of the
/// same clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerTime(Duration);

impl ServerTime {
    /// The time `micros` microseconds after the beginning.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(Duration::from_micros(micros))
    }
}

/// One reading, and when it was asked for and heard on our boot clock.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Read before the request was sent.
    pub asked_at: Instant,
    /// Read after the answer had come.
    pub heard_at: Instant,
    /// What the store's clock showed in between.
    pub shown: ServerTime,
}

/// The store's clock, as it was read last.
#[derive(Debug, Default)]
pub struct ServerClock {
    last: Option<Reading>,
    pace: Pace,
    /// The largest jump since the pace changed last.
    largest: Duration,
}

/// What the store's clock has done that no two clocks of about the same rate do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jump {
    /// How far it was set, at least.
    pub by: Duration,
    /// Forward, so that leases end early; otherwise back, so that they last longer.
    pub forward: bool,
    /// How many times as fast as ours it has run; 1 when it was set back.
    pub rate: f64,
}

/// So many times as far, and a jump is no longer what a clock that runs fast or slow does between two renewals.
const FURTHER: u32 = 3;

/// How the store's clock goes beside ours, as of the last renewals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// As ours does.
    #[default]
    Steady,
    /// It has jumped once.
    Jumped {
        /// Forward, otherwise back.
        forward: bool,
    },
    /// It has jumped the same way with each of the last renewals: it is not set, it goes wrong.
    Runs {
        /// Too fast, otherwise too slow.
        fast: bool,
    },
}

impl ServerClock {
    /// Takes a reading; says whether the clock has jumped since the one before.
    pub fn read(&mut self, reading: Reading, drift: f64) -> Option<Jump> {
        let before = self.last.replace(reading)?;
        let shortest = reading.asked_at.since(before.heard_at);
        let longest = reading.heard_at.since(before.asked_at);
        let (from, to) = (before.shown.0, reading.shown.0);
        let advance = to.saturating_sub(from);
        if advance > longest.mul_f64(1.0 + drift) {
            // Nobody knows when in between it was set: counted over the shortest time that it can have taken,
            // but for answers that took so long that the time says nothing.
            let took = shortest.max(longest / 2).max(Duration::from_nanos(1));
            return Some(Jump {
                by: advance - longest,
                forward: true,
                rate: advance.as_secs_f64() / took.as_secs_f64(),
            });
        }
        let back = advance < shortest.mul_f64(1.0 - drift) || to < from;
        back.then(|| Jump {
            by: (shortest + from).saturating_sub(to),
            forward: false,
            rate: 1.0,
        })
    }

    /// How the clock goes, where that is news after a renewal with which it has jumped or not. What goes on as it
    /// was told is none.
    pub fn news(&mut self, jump: Option<Jump>) -> Option<Pace> {
        let before = self.pace;
        let Some(Jump { by, forward, .. }) = jump else {
            self.pace = Pace::Steady;
            return matches!(before, Pace::Runs { .. }).then_some(Pace::Steady);
        };
        let same_way = match before {
            Pace::Steady => false,
            Pace::Jumped { forward: way } | Pace::Runs { fast: way } => way == forward,
        };
        let again = same_way && by <= self.largest * FURTHER;
        (self.pace, self.largest) = if again {
            (Pace::Runs { fast: forward }, self.largest.max(by))
        } else {
            (Pace::Jumped { forward }, by)
        };
        (!again || self.pace != before).then_some(self.pace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRIFT: f64 = 0.1;

    /// Asked and heard in milliseconds of ours, and what was shown in milliseconds of the store's.
    fn reading(asked: u64, heard: u64, shown: u64) -> Reading {
        Reading {
            asked_at: Instant::from_nanos(asked * 1_000_000),
            heard_at: Instant::from_nanos(heard * 1_000_000),
            shown: ServerTime::from_micros(shown * 1_000),
        }
    }

    fn after(first: Reading, second: Reading) -> Option<Jump> {
        let mut clock = ServerClock::default();
        assert_eq!(
            clock.read(first, DRIFT),
            None,
            "of one reading nothing is known"
        );
        clock.read(second, DRIFT)
    }

    #[test]
    fn clocks_of_about_the_same_rate_do_not_jump() {
        for shown in [5_401, 6_000, 6_599] {
            let second = reading(6_000, 6_000, 1_000 + shown);
            assert_eq!(after(reading(0, 0, 1_000), second), None, "{shown}");
        }
    }

    #[test]
    fn a_clock_that_jumps_with_each_renewal_runs_fast_or_slow() {
        let jump = |forward, millis| {
            let by = Duration::from_millis(millis);
            let rate = 1.5;
            Some(Jump { by, forward, rate })
        };
        let (forward, back) = (
            Pace::Jumped { forward: true },
            Pace::Jumped { forward: false },
        );
        let mut clock = ServerClock::default();
        for (jump, news) in [
            (None, None),
            (jump(true, 1_000), Some(forward)),
            (jump(true, 900), Some(Pace::Runs { fast: true })),
            (jump(true, 100), None),
            (jump(true, 3_000), None),
            // That is more than it does by itself.
            (jump(true, 3_600_000), Some(forward)),
            (jump(false, 1_000), Some(back)),
            (jump(false, 1_000), Some(Pace::Runs { fast: false })),
            (None, Some(Pace::Steady)),
            (None, None),
            (jump(false, 1_000), Some(back)),
            (None, None),
        ] {
            assert_eq!(clock.news(jump), news, "{jump:?}");
        }
    }

    #[test]
    fn a_slow_answer_is_no_jump() {
        // The store may have read its clock at any instant between question and answer.
        for shown in [3_000, 6_000, 9_000] {
            let (first, second) = (reading(0, 3_000, 0), reading(6_000, 9_000, shown));
            assert_eq!(after(first, second), None, "{shown}");
        }
    }

    #[test]
    fn a_step_forward_makes_the_clock_a_fast_one() {
        let jump = after(reading(0, 0, 0), reading(6_000, 6_000, 18_000)).unwrap();
        assert!(jump.forward);
        assert_eq!(jump.by, Duration::from_secs(12));
        assert!((jump.rate - 3.0).abs() < 1e-9, "{jump:?}");
        let blurred = after(reading(0, 5_000, 0), reading(6_000, 10_000, 20_000)).unwrap();
        assert!((blurred.rate - 4.0).abs() < 1e-9, "{blurred:?}");
    }

    #[test]
    fn a_step_back_makes_it_no_slower() {
        for shown in [1_000, 5_000] {
            let jump = after(reading(0, 0, 3_600_000), reading(6_000, 6_000, shown)).unwrap();
            assert!(!jump.forward && jump.rate == 1.0, "{jump:?}");
            assert_eq!(jump.by, Duration::from_millis(3_606_000 - shown));
        }
        let stands_still = after(reading(0, 0, 9), reading(6_000, 6_000, 9)).unwrap();
        assert_eq!(stands_still.by, Duration::from_secs(6));
    }
}
