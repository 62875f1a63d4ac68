//! What one acquisition asks a store for.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Holder, LeaseName, OwnerId};

/// What the lease is wanted for, as far as the user lets the record tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purpose {
    /// `argv[0]`; `None` with `--record nothing`.
    pub program: Option<String>,
    /// The other arguments; only with `--record args`.
    pub args: Option<Vec<String>>,
    /// `--note`.
    pub note: Option<String>,
    /// `--meta`.
    #[serde(default)]
    pub meta: BTreeMap<String, String>,
}

/// What we ask for. One claim is one acquisition: it may be asked many times, with one owner id.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The lease.
    pub name: LeaseName,
    /// The fresh identity of this acquisition.
    pub owner: OwnerId,
    /// The time to live we ask for; a store may grant more, never less.
    pub ttl: Duration,
    /// Others are kept out this long from the acquisition on, however the run ends.
    pub min_hold: Option<Duration>,
    /// For people.
    pub holder: Holder,
    /// For people.
    pub purpose: Purpose,
    /// An earlier attempt of this claim ended in [`super::Effect::Unknown`]: the store may already
    /// have granted it.
    pub unanswered: bool,
}
