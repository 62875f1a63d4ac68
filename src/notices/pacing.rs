//! How long until the service is asked again. No I/O and no clock.

use std::time::Duration;

use super::client::Trouble;

/// Between two requests while all is well: what Microsoft recommends. Longer eats into the half minute that a
/// Preempt gives; shorter takes from the five requests a second that the machine has.
pub(super) const POLL: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(10);
/// After an answer that will not soon be another one.
const LONG: Duration = Duration::from_secs(60);
const WHILE_UPDATING: Duration = Duration::from_secs(2);

/// How long it waits now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pacing {
    every: Duration,
}

impl Default for Pacing {
    fn default() -> Self {
        Self { every: POLL }
    }
}

impl Pacing {
    /// After a good answer: back by a fifth.
    pub(super) fn after_good(&mut self) -> Duration {
        self.every = (self.every * 4 / 5).max(POLL);
        self.every
    }

    /// After trouble.
    pub(super) fn after(&mut self, trouble: &Trouble) -> Duration {
        match trouble {
            Trouble::Misunderstood { .. } | Trouble::NotHere(_) => LONG,
            Trouble::Updating => WHILE_UPDATING,
            Trouble::TooOften { retry_after } => {
                let longer = self.longer();
                retry_after.map_or(longer, |wanted| wanted.min(LONG).max(longer))
            }
            Trouble::Failing(_) | Trouble::Garbled(_) => self.longer(),
            Trouble::Silent(_) => POLL,
        }
    }

    fn longer(&mut self) -> Duration {
        self.every = (self.every * 2).min(LONGEST);
        self.every
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(spans: &[Duration]) -> Vec<u64> {
        spans.iter().map(Duration::as_secs).collect()
    }

    #[test]
    fn trouble_slows_down_and_good_answers_speed_up_again() {
        let mut pacing = Pacing::default();
        let failing = Trouble::Failing(500);
        let waits: Vec<_> = (0..5).map(|_| pacing.after(&failing)).collect();
        assert_eq!(seconds(&waits), [2, 4, 8, 10, 10]);
        assert_eq!(pacing.after_good(), Duration::from_secs(8));
        for _ in 0..20 {
            pacing.after_good();
        }
        assert_eq!(pacing, Pacing::default());
    }

    #[test]
    fn a_stated_patience_is_kept_up_to_a_minute() {
        let wait = |seconds| {
            let retry_after = Some(Duration::from_secs(seconds));
            Pacing::default().after(&Trouble::TooOften { retry_after })
        };
        assert_eq!(seconds(&[wait(0), wait(7), wait(3600)]), [2, 7, 60]);
    }

    #[test]
    fn silence_and_refusals_have_their_own_pace() {
        let mut pacing = Pacing::default();
        let waits = [
            pacing.after(&Trouble::Silent(String::new())),
            pacing.after(&Trouble::NotHere(404)),
            pacing.after(&Trouble::Updating),
        ];
        assert_eq!(seconds(&waits), [1, 60, 2]);
        assert_eq!(pacing, Pacing::default());
    }
}
