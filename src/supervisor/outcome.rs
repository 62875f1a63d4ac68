//! How a run ended. Which number leasectl exits with is decided on a higher floor.

use super::action::StopWhy;
use super::event::{AskedBy, CommandEnd, Fatal};
use crate::lease::{LostWhy, OutcomeWord, RefusedWhy};

/// How a run ended. What the command's main process did is
/// [`Supervisor::command_end`](super::Supervisor::command_end), for every outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The command ended by itself.
    Completed(CommandEnd),
    /// Somebody else has the lease; nothing was run.
    Refused(RefusedWhy),
    /// The lease was lost, or could not be guarded any longer; the command was stopped.
    Lost {
        /// In which way.
        why: LossReason,
    },
    /// `--run-timeout` was reached.
    TimedOut,
    /// Handed over because somebody asked.
    Asked(AskedBy),
    /// The tree could not be shown dead (P5).
    NotShownDead,
    /// The store could not be reached; nothing was run.
    Unreachable,
    /// The command could not be started.
    NotStarted {
        /// Why (errno(3)).
        errno: i32,
    },
    /// The `acquired` hook failed; the command was not started.
    NotPrepared(Unprepared),
    /// The store answered something that asking again cannot mend; nothing was run.
    Failed(Fatal),
    /// A signal ended the wait for the lease; nothing was run.
    Interrupted(i32),
}

impl Outcome {
    /// The word for it in events and records.
    #[must_use]
    pub const fn word(&self) -> OutcomeWord {
        match self {
            Self::Completed(_) => OutcomeWord::Completed,
            Self::Refused(_) => OutcomeWord::Refused,
            Self::Lost { .. } => OutcomeWord::Lost,
            Self::TimedOut => OutcomeWord::TimedOut,
            Self::Asked(AskedBy::Operator) => OutcomeWord::Operator,
            Self::Asked(AskedBy::ScheduledEvent) => OutcomeWord::ScheduledEvent,
            Self::NotShownDead => OutcomeWord::NotShownDead,
            Self::Unreachable => OutcomeWord::Unreachable,
            Self::NotStarted { .. } | Self::NotPrepared(_) => OutcomeWord::NotStarted,
            Self::Failed(_) => OutcomeWord::Invalid,
            Self::Interrupted(_) => OutcomeWord::Interrupted,
        }
    }

    /// The outcome of a run that is stopped for this reason, `own` being how the command had already
    /// ended by itself. A loss is always told; any other reason came too late to matter then.
    pub(super) const fn of_stop(why: StopWhy, own: Option<Self>) -> Self {
        match (why, own) {
            (StopWhy::Lost(why), _) => Self::Lost {
                why: LossReason::Store(why),
            },
            (StopWhy::NotRenewed, _) => Self::Lost {
                why: LossReason::NotRenewed,
            },
            (_, Some(own)) => own,
            (StopWhy::RunTimeout, None) => Self::TimedOut,
            (StopWhy::Operator, None) => Self::Asked(AskedBy::Operator),
            (StopWhy::ScheduledEvent, None) => Self::Asked(AskedBy::ScheduledEvent),
            // The last three come with an end of their own, so only the guardian's death is left.
            (
                StopWhy::Internal | StopWhy::Leftovers | StopWhy::Hook | StopWhy::Interrupted,
                None,
            ) => Self::Lost {
                why: LossReason::GuardianDied,
            },
        }
    }
}

/// In which way the `acquired` hook failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unprepared {
    /// It ended in another way than with exit code 0.
    Ended(CommandEnd),
    /// It could not be started (errno(3)).
    NotStarted {
        /// Why.
        errno: i32,
    },
    /// It did not end in time.
    TooSlow,
}

/// In which way a lease was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossReason {
    /// The store said so.
    Store(LostWhy),
    /// Renewals went unanswered until the command had to be stopped.
    NotRenewed,
    /// The guardian died, and nothing runs unguarded.
    GuardianDied,
}
