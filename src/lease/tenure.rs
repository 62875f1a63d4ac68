//! The one place where time becomes a decision.

use std::time::Duration;

use super::Timing;
use crate::clock::Instant;

/// How long we may act on a hold.
///
/// `asked_at` was read *before* the bytes of the answered request were sent, on the boot clock. The
/// store began counting no earlier than that, so on our side the hold ends `ttl` less the drift
/// allowance after `asked_at`, whatever the network did. Were the instant read after the answer, a
/// reply delayed by four seconds would make us believe in four seconds that the store has already
/// given to someone else (P3).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tenure {
    asked_at: Instant,
    timing: Timing,
    ends: bool,
    /// How many times as fast as ours the store's clock was last seen to run.
    rate: f64,
}

impl Tenure {
    /// The tenure of a hold that was asked for at `asked_at`. With `ttl` `None` the hold ends with
    /// its last process and there is no deadline.
    ///
    /// The deadline is counted with the time to live that was asked for: a store that grants more
    /// does no harm, and one that claims to grant less breaks its contract and is not believed.
    #[must_use]
    pub fn new(asked_at: Instant, ttl: Option<Duration>, timing: Timing) -> Self {
        Self {
            asked_at,
            timing,
            ends: ttl.is_some(),
            rate: 1.0,
        }
    }

    /// When every process has to be gone.
    #[must_use]
    pub fn dead(&self) -> Instant {
        self.at(self.dead_after())
    }

    /// When SIGKILL of the tree begins.
    #[must_use]
    pub fn kill(&self) -> Instant {
        self.at(self.kill_after())
    }

    /// When the stop signal is sent. Of the little that a fast clock leaves, the grace takes no more than
    /// half: the rest is for the renewals that may show that the clock was only set.
    #[must_use]
    pub fn stop(&self) -> Instant {
        let kill = self.kill_after();
        let grace = match self.rate > 1.0 {
            true => self.timing.expiry_grace().min(kill / 2),
            false => self.timing.expiry_grace(),
        };
        self.at(kill.saturating_sub(grace))
    }

    /// When the next renewal is due, while all is well. A hold that ends with its process is renewed
    /// too: no deadline moves, but its store may find out that it is a hold no longer, because
    /// somebody removed the lock file (P9).
    #[must_use]
    pub fn renew(&self) -> Instant {
        self.asked_at + self.at_its_rate(self.timing.renew_every())
    }

    /// A span of ours, in which a clock as fast as the store's has advanced by `span`.
    #[must_use]
    pub fn at_its_rate(&self, span: Duration) -> Duration {
        span.div_f64(self.rate)
    }

    /// Whether there is room for one attempt before the command would have to stop again (P4).
    #[must_use]
    pub fn may_start(&self, now: Instant) -> bool {
        now + self.timing.attempt() <= self.stop()
    }

    /// The later of the two askings: a late answer to an early renewal cannot shorten a tenure. What does is
    /// a clock of the store's that has run `rate` times as fast as ours meanwhile: it may go on like that.
    #[must_use]
    pub fn extended(self, asked_at: Instant, rate: f64) -> Self {
        if asked_at < self.asked_at {
            return self;
        }
        let rate = if rate.is_finite() {
            rate.max(1.0)
        } else {
            f64::MAX
        };
        Self {
            asked_at,
            rate,
            ..self
        }
    }

    fn dead_after(&self) -> Duration {
        self.at_its_rate(self.timing.dead_after())
    }

    fn kill_after(&self) -> Duration {
        self.dead_after().saturating_sub(self.timing.margin())
    }

    fn at(&self, after: Duration) -> Instant {
        if self.ends {
            self.asked_at + after
        } else {
            Instant::NEVER
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::TimingOptions;

    fn tenure(ttl: Option<Duration>) -> Tenure {
        let timing = Timing::new(TimingOptions::default()).unwrap();
        Tenure::new(Instant::from_nanos(1_000_000_000), ttl, timing)
    }

    #[test]
    fn the_end_is_counted_from_the_asking() {
        let tenure = tenure(Some(Duration::from_secs(30)));
        assert_eq!(tenure.dead(), Instant::from_nanos(28_000_000_000));
        assert_eq!(tenure.kill(), Instant::from_nanos(26_000_000_000));
        assert_eq!(tenure.stop(), Instant::from_nanos(21_000_000_000));
        assert!(tenure.may_start(Instant::from_nanos(18_000_000_000)));
        assert!(!tenure.may_start(Instant::from_nanos(18_000_000_001)));
    }

    #[test]
    fn an_earlier_asking_shortens_nothing() {
        let first = tenure(Some(Duration::from_secs(30)));
        assert_eq!(first.extended(Instant::from_nanos(5), 3.0), first);
        let second = first.extended(Instant::from_nanos(2_000_000_000), 1.0);
        assert!(second.dead() > first.dead());
    }

    #[test]
    fn a_fast_clock_brings_every_instant_nearer_but_the_time_to_kill_in() {
        let asked_at = Instant::from_nanos(2_000_000_000);
        let fast = tenure(Some(Duration::from_secs(30))).extended(asked_at, 3.0);
        assert_eq!(fast.renew(), Instant::from_nanos(4_000_000_000));
        assert_eq!(fast.dead(), Instant::from_nanos(11_000_000_000));
        assert_eq!(fast.kill(), Instant::from_nanos(9_000_000_000));
        assert_eq!(fast.stop(), Instant::from_nanos(5_500_000_000));
        // Whoever renews it at the usual rate has the usual time again.
        let asked_at = Instant::from_nanos(4_000_000_000);
        assert_eq!(
            fast.extended(asked_at, 1.0).stop(),
            Instant::from_nanos(24_000_000_000)
        );
        for absurd in [f64::INFINITY, f64::NAN, 1e300] {
            let over = fast.extended(asked_at, absurd);
            assert!(
                over.kill() <= asked_at + Duration::from_nanos(1),
                "{absurd}"
            );
        }
    }

    #[test]
    fn a_hold_that_ends_with_its_process_has_no_deadline() {
        let tenure = tenure(None);
        assert_eq!(tenure.dead(), Instant::NEVER);
        assert_eq!(
            tenure.renew(),
            Instant::from_nanos(7_000_000_000),
            "and is looked after"
        );
        assert!(tenure.may_start(Instant::from_nanos(u64::MAX / 2)));
    }
}
