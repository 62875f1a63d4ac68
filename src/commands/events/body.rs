//! The kinds of events and what each of them has. A key that is absent here is absent in the line.

use serde::Serialize;

use crate::clock::WallTime;
use crate::commands::holders::HolderObject;
use crate::lease::OutcomeWord;
use crate::notices::Notice;

/// What is particular to one kind of event.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Body {
    Waiting {
        state: &'static str,
        holders: Vec<HolderObject>,
    },
    Refused {
        reason: &'static str,
        holders: Vec<HolderObject>,
        until_at: Option<WallTime>,
    },
    Acquired {
        ttl_s: Option<f64>,
        waited_s: f64,
        slot: u32,
    },
    Started {
        pid: i32,
        containment: &'static str,
    },
    Renewed {
        renewals: u64,
        took_s: f64,
        remaining_s: Option<f64>,
    },
    ClockJump {
        by_s: f64,
        rate: f64,
    },
    RenewFailed {
        attempt: u64,
        error: String,
        will_retry: bool,
        remaining_s: Option<f64>,
        last_renewed_at: WallTime,
    },
    Doubt {
        remaining_s: f64,
    },
    Lost {
        reason: &'static str,
        last_renewed_at: WallTime,
    },
    Stopping {
        why: &'static str,
        signal: String,
        kill_in_s: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        event_id: Option<String>,
    },
    Exited(End),
    Leftovers {
        processes: Vec<Process>,
    },
    Hook {
        hook: &'static str,
        #[serde(flatten)]
        end: HookEnd,
        took_s: f64,
    },
    ScheduledEvent {
        change: &'static str,
        #[serde(flatten)]
        notice: Notice,
        incarnation: Option<i64>,
    },
    Notices {
        role: &'static str,
        why: String,
    },
    Released {
        certain: bool,
        renewals: u64,
        held_s: f64,
    },
    Restarting {
        delay_s: f64,
    },
    Log {
        level: LogLevel,
        message: String,
    },
    Ended {
        outcome: OutcomeWord,
        exit_code: i32,
        command_exit_code: Option<i32>,
        command_signal: Option<String>,
    },
}

impl Body {
    /// The word for the kind.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Waiting { .. } => "waiting",
            Self::Refused { .. } => "refused",
            Self::Acquired { .. } => "acquired",
            Self::Started { .. } => "started",
            Self::Renewed { .. } => "renewed",
            Self::ClockJump { .. } => "clock_jump",
            Self::RenewFailed { .. } => "renew_failed",
            Self::Doubt { .. } => "doubt",
            Self::Lost { .. } => "lost",
            Self::Stopping { .. } => "stopping",
            Self::Exited(_) => "exited",
            Self::Leftovers { .. } => "leftovers",
            Self::Hook { .. } => "hook",
            Self::ScheduledEvent { .. } => "scheduled_event",
            Self::Notices { .. } => "notices",
            Self::Released { .. } => "released",
            Self::Restarting { .. } => "restarting",
            Self::Log { .. } => "log",
            Self::Ended { .. } => "ended",
        }
    }
}

/// How the command's main process ended.
#[derive(Debug, Serialize)]
pub(super) struct End {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signal: Option<String>,
    pub(super) ran_s: f64,
}

/// How a hook ended: one of the three.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum HookEnd {
    ExitCode(i32),
    Signal(String),
    Error(String),
}

/// A process that the command left behind.
#[derive(Debug, Serialize)]
pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) program: String,
}

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Nothing was run, or it was not run to its end.
    Error,
    /// Somebody may have to act.
    Warn,
    /// What people have to know.
    Info,
    /// What went well.
    Debug,
}
