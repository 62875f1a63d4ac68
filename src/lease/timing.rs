//! The time-outs of one lease, derived from its time to live and refused when they cannot work.
//!
//! The rules are DESIGN section 4. Assumption: the rates of our clock and of the store's differ by at
//! most `drift`. Consequence: a lease asked for at `t` is certainly still ours until
//! `t + ttl * (1 - drift)`. Knob: `--max-drift`. Cost: the command is stopped that much earlier when
//! the store goes silent.

use std::fmt;
use std::time::Duration;

/// The smallest time to live.
pub const SMALLEST_TTL: Duration = Duration::from_secs(2);
/// The largest time to live.
pub const LARGEST_TTL: Duration = Duration::from_secs(24 * 60 * 60);
/// The time to live when none is given.
pub const DEFAULT_TTL: Duration = Duration::from_secs(30);
/// The clock drift allowed for when none is given: chrony slews a clock by at most 8.3 %.
pub const DEFAULT_DRIFT: f64 = 0.10;
/// Below this the margin does not cover an overloaded machine: worth a warning.
pub const COMFORTABLE_TTL: Duration = Duration::from_secs(10);
/// An attempt takes no longer than this, however long the lease: a store that has not answered by then
/// is asked again, and nobody waits hours for a command that has ended.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(10);
const SMALLEST_MARGIN: Duration = Duration::from_millis(250);

/// What the user may set; everything else follows from the time to live.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TimingOptions {
    /// Time to live, measured by the store from when it handles a request. Default 30s. Too small:
    /// a busy machine loses leases; too large: a crashed holder keeps others out that long.
    pub ttl: Option<Duration>,
    /// From one renewal's sending to the next. Default ttl/5. Too small: load on the store; too
    /// large: too few attempts before the command has to stop.
    pub renew_every: Option<Duration>,
    /// From the stop signal to SIGKILL when the lease cannot be renewed or leasectl has died.
    /// Default ttl/6. Too small: the command cannot tidy up; too large: it is stopped early.
    pub expiry_grace: Option<Duration>,
    /// How much two clocks' rates may differ, 0 to 0.5. Default 0.10.
    pub max_drift: Option<f64>,
}

/// A set of time-outs that work together. All spans are measured on our boot clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    ttl: Duration,
    drift: f64,
    margin: Duration,
    expiry_grace: Duration,
    renew_every: Duration,
    attempt: Duration,
}

/// Why a set of time-outs was refused, with the arithmetic.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TimingError {
    /// Below [`SMALLEST_TTL`].
    #[error("--ttl {} is too small; the smallest is {}", Span(*.0), Span(SMALLEST_TTL))]
    TtlTooSmall(Duration),
    /// Above [`LARGEST_TTL`].
    #[error("--ttl {} is too large; the largest is {}", Span(*.0), Span(LARGEST_TTL))]
    TtlTooLarge(Duration),
    /// Outside 0 to 0.5, or not a number.
    #[error("--max-drift {0} is out of range; it is a fraction from 0 to 0.5")]
    DriftOutOfRange(f64),
    /// One attempt has to end before the next renewal is due.
    #[error(
        "--renew-every {} leaves no time for an attempt, which may take {} (a tenth of the ttl); \
         raise --renew-every or lower --ttl",
        Span(.0.renew_every), Span(.0.attempt)
    )]
    RenewTooOften(Timing),
    /// Two whole attempts have to fit between a missed renewal and the stop signal.
    #[error(
        "--renew-every {} is too long for --ttl {}: the stop signal is sent after {} ({}), which \
         leaves {} after a renewal, less than two attempts of {}; lower --renew-every or raise --ttl",
        Span(.0.renew_every), Span(.0.ttl), Span(.0.stop_after()), Arithmetic(*.0),
        Span(.0.stop_after().saturating_sub(.0.renew_every)), Span(.0.attempt)
    )]
    RenewTooSeldom(Timing),
    /// Stopping may not eat half of the lease.
    #[error(
        "--expiry-grace {} is too long for --ttl {}: with the margin of {} it takes {}, and half of \
         what is left after drift is {}; raise --ttl or lower --expiry-grace",
        Span(.0.expiry_grace), Span(.0.ttl), Span(.0.margin),
        Span(.0.expiry_grace.saturating_add(.0.margin)), Span(.0.dead_after() / 2)
    )]
    GraceTooLong(Timing),
}

impl Timing {
    /// Derives the time-outs and checks that they work together.
    ///
    /// # Errors
    /// [`TimingError`] names the values that do not fit and prints the arithmetic.
    pub fn new(options: TimingOptions) -> Result<Self, TimingError> {
        let ttl = options.ttl.unwrap_or(DEFAULT_TTL);
        if ttl < SMALLEST_TTL {
            return Err(TimingError::TtlTooSmall(ttl));
        }
        if ttl > LARGEST_TTL {
            return Err(TimingError::TtlTooLarge(ttl));
        }
        let drift = options.max_drift.unwrap_or(DEFAULT_DRIFT);
        if !(0.0..=0.5).contains(&drift) {
            return Err(TimingError::DriftOutOfRange(drift));
        }
        let timing = Self {
            ttl,
            drift,
            margin: (ttl / 15).max(SMALLEST_MARGIN),
            expiry_grace: options.expiry_grace.unwrap_or(ttl / 6),
            renew_every: options.renew_every.unwrap_or(ttl / 5),
            attempt: (ttl / 10).min(LONGEST_ATTEMPT),
        };
        timing.check()
    }

    fn check(self) -> Result<Self, TimingError> {
        if self.attempt >= self.renew_every {
            return Err(TimingError::RenewTooOften(self));
        }
        // The grace is checked first: with a hopeless grace the stop instant means nothing.
        if self.expiry_grace.saturating_add(self.margin) >= self.dead_after() / 2 {
            return Err(TimingError::GraceTooLong(self));
        }
        if self.stop_after() < self.renew_every.saturating_add(self.attempt * 2) {
            return Err(TimingError::RenewTooSeldom(self));
        }
        Ok(self)
    }

    /// The time to live that is asked for.
    #[must_use]
    pub const fn ttl(&self) -> Duration {
        self.ttl
    }

    /// The clock drift that is allowed for.
    #[must_use]
    pub const fn drift(&self) -> f64 {
        self.drift
    }

    /// From sending a request to the instant at which every process has to be gone.
    #[must_use]
    pub fn dead_after(&self) -> Duration {
        self.ttl.mul_f64(1.0 - self.drift)
    }

    /// From sending a request to SIGKILL.
    #[must_use]
    pub fn kill_after(&self) -> Duration {
        self.dead_after().saturating_sub(self.margin)
    }

    /// From sending a request to the stop signal.
    #[must_use]
    pub fn stop_after(&self) -> Duration {
        self.kill_after().saturating_sub(self.expiry_grace)
    }

    /// From SIGKILL to the instant at which every process has to be gone.
    #[must_use]
    pub const fn margin(&self) -> Duration {
        self.margin
    }

    /// From the stop signal to SIGKILL when the lease is running out.
    #[must_use]
    pub const fn expiry_grace(&self) -> Duration {
        self.expiry_grace
    }

    /// From one renewal's sending to the next, while all is well.
    #[must_use]
    pub const fn renew_every(&self) -> Duration {
        self.renew_every
    }

    /// The longest one attempt may take, connecting and signing in included; and in doubt, from one
    /// attempt to the next.
    #[must_use]
    pub const fn attempt(&self) -> Duration {
        self.attempt
    }
}

struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whole milliseconds: nobody chooses finer ones, and the arithmetic stays readable.
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        write!(
            f,
            "{}",
            humantime::format_duration(Duration::from_millis(millis))
        )
    }
}

struct Arithmetic(Timing);

impl fmt::Display for Arithmetic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timing = &self.0;
        let drift = timing.ttl.saturating_sub(timing.dead_after());
        write!(
            f,
            "{} - drift {} - margin {} - expiry grace {}",
            Span(timing.ttl),
            Span(drift),
            Span(timing.margin),
            Span(timing.expiry_grace)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn near(left: Duration, right: f64) {
        assert!(
            (left.as_secs_f64() - right).abs() < 0.006,
            "{left:?} is not {right} s"
        );
    }

    /// The table of DESIGN section 4.
    #[test]
    fn the_published_table_holds() {
        for (ttl, dead, kill, stop, renew, attempt) in [
            (2.0, 1.80, 1.55, 1.22, 0.4, 0.2),
            (4.0, 3.60, 3.33, 2.67, 0.8, 0.4),
            (15.0, 13.5, 12.5, 10.0, 3.0, 1.5),
            (30.0, 27.0, 25.0, 20.0, 6.0, 3.0),
            (60.0, 54.0, 50.0, 40.0, 12.0, 6.0),
        ] {
            let options = TimingOptions {
                ttl: Some(secs(ttl)),
                ..TimingOptions::default()
            };
            let timing = Timing::new(options).unwrap();
            near(timing.dead_after(), dead);
            near(timing.kill_after(), kill);
            near(timing.stop_after(), stop);
            near(timing.renew_every(), renew);
            near(timing.attempt(), attempt);
        }
    }

    fn refusal(options: TimingOptions) -> String {
        Timing::new(options).unwrap_err().to_string()
    }

    #[test]
    fn impossible_settings_are_refused_with_the_arithmetic() {
        let ttl = Some(secs(10.0));
        let none = TimingOptions::default();
        assert_eq!(
            refusal(TimingOptions {
                ttl: Some(secs(1.0)),
                ..none
            }),
            "--ttl 1s is too small; the smallest is 2s"
        );
        assert_eq!(
            refusal(TimingOptions {
                ttl: Some(secs(90_000.0)),
                ..none
            }),
            "--ttl 1day 1h is too large; the largest is 1day"
        );
        for drift in [0.6, -0.1, f64::NAN] {
            let text = refusal(TimingOptions {
                max_drift: Some(drift),
                ..none
            });
            assert!(text.ends_with("it is a fraction from 0 to 0.5"), "{text}");
        }
        assert_eq!(
            refusal(TimingOptions {
                ttl,
                renew_every: Some(secs(1.0)),
                ..none
            }),
            "--renew-every 1s leaves no time for an attempt, which may take 1s (a tenth of the ttl); \
             raise --renew-every or lower --ttl"
        );
        assert_eq!(
            refusal(TimingOptions {
                ttl,
                renew_every: Some(secs(5.0)),
                ..none
            }),
            "--renew-every 5s is too long for --ttl 10s: the stop signal is sent after 6s 666ms \
             (10s - drift 1s - margin 666ms - expiry grace 1s 666ms), which leaves 1s 666ms after a \
             renewal, less than two attempts of 1s; lower --renew-every or raise --ttl"
        );
        assert_eq!(
            refusal(TimingOptions {
                ttl,
                expiry_grace: Some(secs(9.0)),
                ..none
            }),
            "--expiry-grace 9s is too long for --ttl 10s: with the margin of 666ms it takes 9s 666ms, \
             and half of what is left after drift is 4s 500ms; raise --ttl or lower --expiry-grace"
        );
    }
}
