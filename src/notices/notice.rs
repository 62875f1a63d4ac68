//! One announced event, and what became of it since it was last seen.

use std::time::Duration;

use serde::Serialize;

use crate::clock::WallTime;

/// What an event's type is when the service does not say it: only `all` wants it.
pub const UNKNOWN: &str = "Unknown";
/// The status of an event that is still ahead, and of one that has begun.
pub(super) const SCHEDULED: &str = "Scheduled";
const STARTED: &str = "Started";

/// One event as the machine's operator announces it. Serialized, it has the keys that INTERFACES.md gives
/// a `scheduled_event`. Every text is foreign: escape it before it is printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// By which it is approved, and by which two documents mean the same event (ASCII case ignored).
    #[serde(rename = "event_id")]
    pub id: String,
    /// `Freeze`, `Reboot`, `Redeploy`, `Preempt`, `Terminate`, or what nobody has heard of yet.
    pub event_type: String,
    /// `Scheduled`, `Started`, or what nobody has heard of yet.
    #[serde(rename = "event_status")]
    pub status: String,
    /// Not before this, by the wall clock. Without a date it may begin at any moment, or has.
    #[serde(rename = "not_before_at")]
    pub not_before: Option<WallTime>,
    /// How long the machine will be away, in seconds; 0: not noticeably, -1: unknown.
    pub duration_s: i64,
    /// The machines it is about. An approval is one for all of them.
    pub resources: Vec<String>,
    /// `Platform` or `User`; empty when it is not said.
    pub source: String,
    /// For people.
    pub description: String,
    /// Whether one of the resources is this machine.
    pub ours: bool,
}

impl Notice {
    /// Whether it has begun.
    #[must_use]
    pub fn has_started(&self) -> bool {
        self.status.eq_ignore_ascii_case(STARTED)
    }

    /// Whether the machine is away for less than this. Nobody knows that of one of unknown duration.
    #[must_use]
    pub fn is_shorter_than(&self, span: Duration) -> bool {
        u64::try_from(self.duration_s).is_ok_and(|seconds| Duration::from_secs(seconds) < span)
    }

    /// Whether both are the same event.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.id.eq_ignore_ascii_case(&other.id)
    }

    /// The keys, as serialized, that have another value than before. That an event loses its date when it
    /// starts is no change of its own.
    pub(super) fn changes_since(&self, before: &Self) -> Vec<&'static str> {
        let starts = self.has_started() && !before.has_started();
        let undated = starts && self.not_before.is_none();
        let pairs = [
            ("event_type", self.event_type != before.event_type),
            ("event_status", !starts && self.status != before.status),
            (
                "not_before_at",
                !undated && self.not_before != before.not_before,
            ),
            ("duration_s", self.duration_s != before.duration_s),
            ("resources", self.resources != before.resources),
            ("source", self.source != before.source),
            ("description", self.description != before.description),
            ("ours", self.ours != before.ours),
        ];
        let changed = pairs.into_iter().filter(|(_, differs)| *differs);
        changed.map(|(key, _)| key).collect()
    }
}

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new. One that is under way already is reported once more, as [`Change::Started`].
    Appeared,
    /// These keys, as serialized, have other values.
    Changed(Vec<&'static str>),
    /// It has begun.
    Started,
    /// A good document no longer has it: finished or cancelled, the service does not say which.
    Gone,
}

impl Change {
    /// As people and programs are told.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Appeared => "appeared",
            Self::Changed(_) => "changed",
            Self::Started => "started",
            Self::Gone => "gone",
        }
    }
}

/// One change of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// What became of it.
    pub change: Change,
    /// As it is now; as it was last, when it is gone.
    pub notice: Notice,
    /// As it was, when it has changed.
    pub before: Option<Notice>,
    /// The number of the document. Only shown, never ordered: it starts again when the service was switched
    /// off for want of requests.
    pub incarnation: Option<i64>,
}
