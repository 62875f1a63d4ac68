//! Whether a further run follows, and after which pause (`--restart`, DESIGN section 7). Pure, like the
//! rest of this folder.

use std::time::Duration;

use super::event::AskedBy;
use super::outcome::{LossReason, Outcome};

/// The pause before the second run; it doubles with each further one.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// The pause does not grow beyond this. A run that has lasted as long begins the count anew: it is no
/// command that fails at once.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// `--restart`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// One run.
    Never,
    /// After a loss, and after a hand-over.
    OnLost,
    /// Also after the command has ended by itself, or was stopped by `--run-timeout`.
    Always,
}

/// The runs of one process.
#[derive(Clone, Copy, Debug)]
pub struct Restarts {
    policy: Restart,
    pause: Duration,
}

impl Restarts {
    /// Before the first run.
    #[must_use]
    pub const fn new(policy: Restart) -> Self {
        Self {
            policy,
            pause: SHORTEST_PAUSE,
        }
    }

    /// The pause before the next run; `None` when none follows. `ran`: how long the command ran; `ttl`:
    /// one of these is left to others after a hand-over.
    ///
    /// What asking again cannot mend (no such program, no permission, a failed hook, a tree that may
    /// still live) ends the process, so that whoever watches it learns of it.
    #[must_use]
    pub fn after(
        &mut self,
        outcome: Outcome,
        ran: Option<Duration>,
        ttl: Duration,
    ) -> Option<Duration> {
        let follows = match outcome {
            Outcome::Lost { .. } => self.policy != Restart::Never,
            // The start gate was shut: the lease had run out by then.
            Outcome::NotStarted { errno: libc::ETIME } => self.policy != Restart::Never,
            Outcome::Completed(_) | Outcome::TimedOut => self.policy == Restart::Always,
            Outcome::Asked(AskedBy::Operator) => {
                return (self.policy != Restart::Never).then_some(ttl);
            }
            // It does not queue before the machine is known to stay.
            Outcome::Asked(AskedBy::ScheduledEvent) => self.policy != Restart::Never,
            Outcome::Refused(_)
            | Outcome::NotShownDead
            | Outcome::Unreachable
            | Outcome::NotStarted { .. }
            | Outcome::NotPrepared(_)
            | Outcome::Failed(_)
            | Outcome::Interrupted(_) => false,
        };
        if !follows {
            return None;
        }
        if ran.is_some_and(|ran| ran >= LONGEST_PAUSE) {
            self.pause = SHORTEST_PAUSE;
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        Some(pause)
    }
}

impl Outcome {
    /// Whether the lease was lost to the store or to time, and not to the guardian's death.
    #[must_use]
    pub const fn lost_the_lease(&self) -> bool {
        matches!(
            self,
            Self::Lost {
                why: LossReason::Store(_) | LossReason::NotRenewed
            }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::{LostWhy, RefusedWhy};
    use crate::supervisor::{CommandEnd, Unprepared};

    const TTL: Duration = Duration::from_secs(30);

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    const ENDED: Outcome = Outcome::Completed(CommandEnd::Exited(0));
    const LOST: Outcome = Outcome::Lost {
        why: LossReason::Store(LostWhy::Taken),
    };

    #[test]
    fn the_pause_doubles_to_a_minute_and_a_long_run_begins_anew() {
        let mut restarts = Restarts::new(Restart::Always);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            pauses.push(restarts.after(ENDED, Some(secs(1)), TTL).unwrap().as_secs());
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(restarts.after(ENDED, Some(secs(60)), TTL), Some(secs(1)));
        assert_eq!(restarts.after(LOST, None, TTL), Some(secs(2)));
    }

    #[test]
    fn each_policy_goes_on_after_what_it_says() {
        let asked = Outcome::Asked(AskedBy::Operator);
        for (outcome, on_lost, always) in [
            (LOST, true, true),
            (
                Outcome::Lost {
                    why: LossReason::GuardianDied,
                },
                true,
                true,
            ),
            (Outcome::NotStarted { errno: libc::ETIME }, true, true),
            (asked, true, true),
            (ENDED, false, true),
            (Outcome::Completed(CommandEnd::Killed(9)), false, true),
            (Outcome::TimedOut, false, true),
            (Outcome::Asked(AskedBy::ScheduledEvent), true, true),
            (Outcome::NotShownDead, false, false),
            (Outcome::NotStarted { errno: 2 }, false, false),
            (Outcome::NotPrepared(Unprepared::TooSlow), false, false),
            (Outcome::Refused(RefusedWhy::Held), false, false),
            (Outcome::Unreachable, false, false),
            (Outcome::Interrupted(15), false, false),
        ] {
            for (policy, follows) in [
                (Restart::Never, false),
                (Restart::OnLost, on_lost),
                (Restart::Always, always),
            ] {
                let pause = Restarts::new(policy).after(outcome, None, TTL);
                assert_eq!(pause.is_some(), follows, "{policy:?} {outcome:?}");
            }
        }
        let pause = Restarts::new(Restart::OnLost).after(asked, None, TTL);
        assert_eq!(pause, Some(TTL), "others get one ttl");
    }
}
