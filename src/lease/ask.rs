//! What operators ask of a lease, and what becomes of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{FencingToken, LostWhy};
use crate::clock::WallTime;

/// Who wants something, and why: for people, never compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asker {
    /// User and host.
    pub by: String,
    /// `--reason`.
    pub reason: Option<String>,
}

/// What is asked of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Its holder is to stop and to give it back.
    Stop,
    /// Nobody else gets it; the holder is left alone.
    Pause {
        /// For so long, by the store's clock; `None`: until it is ended.
        lasts: Option<Duration>,
    },
    /// Ends a pause, and a minimum hold.
    Resume,
}

/// The answer to an [`Ask`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Asked {
    /// The hold with this token will be told.
    Told(FencingToken),
    /// It is so now.
    Done,
    /// There was nothing to do: nobody holds it, or nothing keeps anyone out.
    AlreadySo,
    /// Somebody holds it who left no record, and cannot be told.
    NobodyToTell,
}

/// The holder is to stop and to give the lease back (INTERFACES, `stop_request`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopRequest {
    /// Who asked.
    #[serde(flatten)]
    pub asker: Asker,
    /// When.
    pub at: WallTime,
}

/// A lease that nobody new gets (INTERFACES, `paused`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Who asked.
    #[serde(flatten)]
    pub asker: Asker,
    /// When.
    pub at: WallTime,
    /// Until when; `null`: until it is ended.
    pub until_at: Option<WallTime>,
}

/// What a hold is told without having asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum HoldEvent {
    /// An operator wants it back.
    StopAsked(StopRequest),
    /// It is over (P9).
    Lost(LostWhy),
}

/// The answer to an attempt to take a lease away.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Revoked {
    /// Taken away.
    Revoked {
        /// How long whoever had it may still act on it, where the store can tell.
        within: Option<Duration>,
    },
    /// It is not held under that token.
    NotHeld,
    /// This store takes nothing away, because that would end no process; what to do instead.
    CannotRevoke(String),
}
