//! A clock that runs a little faster or slower than the true one.

use leasectl::clock::Instant;

const MILLION: u128 = 1_000_000;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    base: u64,
    since: u64,
    /// Ticks in a million true ones.
    rate: u64,
}

impl Pace {
    pub(crate) const fn new(base: u64, rate: u64) -> Self {
        Self {
            base,
            since: 0,
            rate,
        }
    }

    /// What it shows at the true time `now`.
    pub(crate) fn at(&self, now: u64) -> Instant {
        let passed = u128::from(now.saturating_sub(self.since)) * u128::from(self.rate) / MILLION;
        Instant::from_nanos(self.base + u64::try_from(passed).unwrap())
    }

    /// The first true time at which it shows `instant`.
    pub(crate) fn when(&self, instant: Instant) -> u64 {
        if instant == Instant::NEVER {
            return u64::MAX;
        }
        let ticks = u128::from(instant.as_nanos().saturating_sub(self.base)) * MILLION;
        let true_ticks = ticks.div_ceil(u128::from(self.rate));
        self.since
            .saturating_add(u64::try_from(true_ticks).unwrap_or(u64::MAX))
    }

    /// The span in which it advances by `ticks`.
    pub(crate) fn lasts(&self, ticks: u64) -> u64 {
        u64::try_from(u128::from(ticks) * MILLION / u128::from(self.rate)).unwrap()
    }

    /// Shows the same at `until` as at `now`.
    pub(crate) fn stand_still(&mut self, now: u64, until: u64) {
        self.base = self.at(now).as_nanos();
        self.since = until;
    }
}
