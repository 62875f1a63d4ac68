//! The one clock decisions are made on, and its twin that tests turn by hand.
//!
//! Decisions use `CLOCK_BOOTTIME`: it never steps and it keeps running while the machine sleeps, so a
//! deadline that passed during a suspend is seen as passed on resume. `CLOCK_MONOTONIC` stops in a
//! suspend and would keep a command alive on a lease that has long gone to somebody else. The wall
//! clock ([`WallTime`]) is only ever printed (DESIGN section 4).

use std::fmt;
use std::ops::Add;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point on the boot clock: nanoseconds since this machine was started, suspends included.
///
/// Comparable only with instants of the same boot of the same machine; it never crosses a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(u64);

impl Instant {
    /// An instant that is never reached: the deadline of a hold that has none.
    pub const NEVER: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after boot.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since boot; `u64::MAX` for [`Instant::NEVER`].
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The span since `earlier`, zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This instant moved back by `span`, not past the start of the boot clock.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(span)))
    }
}

/// Saturates at [`Instant::NEVER`], so that "never plus a grace" stays never.
impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanos(span)))
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// Something that knows what time it is.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The present instant on the boot clock.
    fn now(&self) -> Instant;
    /// The present wall-clock time, for people.
    fn wall(&self) -> WallTime;
}

/// The machine's boot clock (`CLOCK_BOOTTIME`, clock_gettime(2)).
#[derive(Clone, Copy, Debug, Default)]
pub struct BootClock;

impl Clock for BootClock {
    fn now(&self) -> Instant {
        // The call fails only for an unknown clock, and Linux has had this one since 2.6.39. Were it
        // to fail, time must look as late as it can: every deadline has passed, nothing fails open.
        let Ok(at) = clock_gettime(ClockId::CLOCK_BOOTTIME) else {
            return Instant::NEVER;
        };
        let seconds = u64::try_from(at.tv_sec()).unwrap_or(0);
        let fraction = u64::try_from(at.tv_nsec()).unwrap_or(0);
        Instant(
            seconds
                .saturating_mul(1_000_000_000)
                .saturating_add(fraction),
        )
    }

    fn wall(&self) -> WallTime {
        WallTime(SystemTime::now())
    }
}

/// A clock that stands still until a test moves it.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that shows `nanos` nanoseconds since boot.
    #[must_use]
    pub fn at(nanos: u64) -> Self {
        Self(AtomicU64::new(nanos))
    }

    /// Moves the clock forward.
    pub fn advance(&self, span: Duration) {
        self.0.fetch_add(nanos(span), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        Instant(self.0.load(Ordering::SeqCst))
    }

    fn wall(&self) -> WallTime {
        WallTime(SystemTime::UNIX_EPOCH + Duration::from_nanos(self.0.load(Ordering::SeqCst)))
    }
}

/// A wall-clock time, printed as RFC 3339 in UTC with milliseconds; nothing is decided by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WallTime(SystemTime);

impl WallTime {
    /// This time moved by `span`.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.checked_add(span).unwrap_or(self.0))
    }

    /// The span since `earlier`, zero when `earlier` is later (wall clocks step).
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.duration_since(earlier.0).unwrap_or_default()
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn unix_millis(self) -> u64 {
        let span = self
            .0
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
    }

    /// The time `millis` milliseconds after the start of 1970.
    #[must_use]
    pub fn from_unix_millis(millis: u64) -> Self {
        let span = Duration::from_millis(millis);
        Self(
            SystemTime::UNIX_EPOCH
                .checked_add(span)
                .unwrap_or(SystemTime::UNIX_EPOCH),
        )
    }
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // humantime refuses years past 9999; a clock that far off still has to be printable.
        let last = Self::from_unix_millis(253_402_300_799_999);
        write!(
            f,
            "{}",
            humantime::format_rfc3339_millis((*self).min(last).0)
        )
    }
}

impl Serialize for WallTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WallTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_rfc3339(&text)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

/// A random factor from `1 - part` to `1 + part`, by which a span is varied so that a fleet does not knock in
/// step.
#[must_use]
pub fn spread(part: f64) -> f64 {
    let mut byte = [128];
    // Without randomness the middle will do: only politeness depends on it.
    getrandom::fill(&mut byte).ok();
    1.0 - part + f64::from(byte[0]) / 256.0 * 2.0 * part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_clock_runs_forward() {
        let first = BootClock.now();
        assert!(first.as_nanos() > 0);
        assert!(BootClock.now() >= first);
    }

    #[test]
    fn never_stays_never() {
        assert_eq!(Instant::NEVER + Duration::from_secs(5), Instant::NEVER);
        assert_eq!(
            Instant::from_nanos(5).since(Instant::from_nanos(9)),
            Duration::ZERO
        );
    }

    #[test]
    fn the_manual_clock_moves_only_by_hand() {
        let clock = ManualClock::at(10);
        assert_eq!(clock.now(), Instant::from_nanos(10));
        clock.advance(Duration::from_nanos(5));
        assert_eq!(clock.now(), Instant::from_nanos(15));
    }

    #[test]
    fn wall_time_is_printed_in_utc_with_milliseconds() {
        let time = WallTime::from_unix_millis(1_772_330_406_012);
        assert_eq!(time.to_string(), "2026-03-01T02:00:06.012Z");
        let read: WallTime = serde_json::from_str("\"2026-03-01T02:00:06.012Z\"").unwrap();
        assert_eq!(read, time);
        assert_eq!(
            WallTime::from_unix_millis(u64::MAX / 2).to_string(),
            "9999-12-31T23:59:59.999Z"
        );
    }

    #[test]
    fn a_spread_is_a_part_either_way() {
        let factors: Vec<f64> = (0..1_000).map(|_| spread(0.2)).collect();
        assert!(factors.iter().all(|factor| (0.8..=1.2).contains(factor)));
        assert!(factors.iter().any(|factor| *factor < 0.9));
        assert!(factors.iter().any(|factor| *factor > 1.1));
    }
}
