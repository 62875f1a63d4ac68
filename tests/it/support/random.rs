//! Random choices that can be had again: the seed is printed, and `LEASECTL_TEST_SEED` sets it.

use std::env;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use libtest_mimic::Trial;

/// The variable with the seed.
const SEED: &str = "LEASECTL_TEST_SEED";

pub(crate) fn trials() -> Vec<Trial> {
    trials![the_same_seed_chooses_the_same, every_choice_is_made]
}

/// A sequence of random numbers (SplitMix64).
#[derive(Debug)]
pub(crate) struct Random {
    seed: u64,
    state: u64,
}

impl Random {
    /// The seed of the environment, else one from the clock.
    pub(crate) fn new() -> Self {
        let seed = match env::var(SEED) {
            Ok(text) => text
                .parse()
                .unwrap_or_else(|error| panic!("{SEED}={text}: {error}")),
            Err(_) => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| u64::from(since.subsec_nanos()) ^ since.as_secs()),
        };
        Self::from_seed(seed)
    }

    const fn from_seed(seed: u64) -> Self {
        Self { seed, state: seed }
    }

    /// How to get the same choices again, for messages.
    pub(crate) fn again(&self) -> String {
        format!("{SEED}={}", self.seed)
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True once in `times`, on average.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// A span below `end`.
    pub(crate) fn span(&mut self, end: Duration) -> Duration {
        Duration::from_micros(self.below(u64::try_from(end.as_micros()).unwrap_or(u64::MAX)))
    }

    /// One of `some`.
    pub(crate) fn one<T: Copy>(&mut self, some: &[T]) -> Option<T> {
        let end = u64::try_from(some.len()).ok().filter(|end| *end > 0)?;
        some.get(usize::try_from(self.below(end)).ok()?).copied()
    }
}

fn the_same_seed_chooses_the_same() {
    let mut both = [Random::from_seed(7), Random::from_seed(7)];
    let [first, second] = both.each_mut().map(|random| {
        (0..20)
            .map(|_| random.below(1_000_000))
            .collect::<Vec<u64>>()
    });
    assert_eq!(first, second);
    assert_ne!(first[0], Random::from_seed(8).below(1_000_000));
    assert_eq!(Random::from_seed(7).again(), "LEASECTL_TEST_SEED=7");
}

fn every_choice_is_made() {
    let mut random = Random::from_seed(1);
    let mut seen = [0; 3];
    for _ in 0..300 {
        seen[random.one(&[0, 1, 2]).unwrap()] += 1;
        assert!(random.span(Duration::from_millis(2)) < Duration::from_millis(2));
    }
    assert!(seen.iter().all(|&times| times > 60), "{seen:?}");
    assert_eq!(random.one::<u8>(&[]), None);
    assert!((0..200).any(|_| random.once_in(10)));
}
