//! The words for how a run ended, which records, events and hooks share.

use serde::{Deserialize, Serialize};

/// How a run ended, in words that scripts and dashboards rely on (INTERFACES, `outcome`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeWord {
    /// The command ended by itself.
    Completed,
    /// Somebody else had the lease; nothing was run.
    Refused,
    /// The lease was lost or not renewed in time.
    Lost,
    /// `--run-timeout` was reached.
    TimedOut,
    /// An operator asked for the lease.
    Operator,
    /// The machine was about to go away.
    ScheduledEvent,
    /// The command's tree could not be shown dead.
    NotShownDead,
    /// The store could not be reached; nothing was run.
    Unreachable,
    /// The command could not be started.
    NotStarted,
    /// Usage, configuration or permission; nothing was run.
    Invalid,
    /// A signal ended the wait for the lease.
    Interrupted,
    /// Nobody wrote how it ended.
    Vanished,
}

impl OutcomeWord {
    /// The word itself.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Refused => "refused",
            Self::Lost => "lost",
            Self::TimedOut => "timed_out",
            Self::Operator => "operator",
            Self::ScheduledEvent => "scheduled_event",
            Self::NotShownDead => "not_shown_dead",
            Self::Unreachable => "unreachable",
            Self::NotStarted => "not_started",
            Self::Invalid => "invalid",
            Self::Interrupted => "interrupted",
            Self::Vanished => "vanished",
        }
    }
}
