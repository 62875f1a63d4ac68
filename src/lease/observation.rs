//! What an onlooker sees.

use std::time::Duration;

use super::{LeaseName, LeaseRecord, Pause, RefusedWhy, StopRequest};
use crate::clock::WallTime;

/// The state of a lease, as `status` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseState {
    /// Somebody has it.
    Held,
    /// Nobody has it, and nobody gets it until an operator says so.
    Paused,
    /// Nobody has it, and a minimum hold keeps everyone out.
    Cooldown,
    /// Nobody has it, and it can be had.
    Free,
}

impl LeaseState {
    /// Why an attempt would be refused; `None` when it would not.
    #[must_use]
    pub const fn refuses(self) -> Option<RefusedWhy> {
        match self {
            Self::Held => Some(RefusedWhy::Held),
            Self::Paused => Some(RefusedWhy::Paused),
            Self::Cooldown => Some(RefusedWhy::Cooldown),
            Self::Free => None,
        }
    }
}

/// One look at one lease. It was true when the store answered and may be over by now.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// The lease.
    pub name: LeaseName,
    /// Its state.
    pub state: LeaseState,
    /// What the holder wrote. `None`: nobody ever wrote one, or it cannot be read, or the holder it
    /// names is known not to be the one that holds now.
    pub record: Option<LeaseRecord>,
    /// How long until it ends by the store's clock, unless renewed; `None` where a hold ends with
    /// its process, and where the store does not tell ([`Observation::ends_unseen`]).
    pub expires_in: Option<Duration>,
    /// The end of the minimum hold.
    pub cooldown_until: Option<WallTime>,
    /// The pause, whoever holds meanwhile.
    pub paused: Option<Pause>,
    /// What the holder was asked.
    pub stop_request: Option<StopRequest>,
    /// Somebody holds it who is not leasectl.
    pub foreign: bool,
    /// The store's clock ends the hold, and the store does not tell when.
    pub ends_unseen: bool,
    /// What decides could not be asked, and the record does not settle it: the state may be wrong. Never
    /// so for one who may take the lease.
    pub unsure: bool,
}

impl Observation {
    /// A lease that nobody ever had.
    #[must_use]
    pub const fn untouched(name: LeaseName) -> Self {
        Self {
            name,
            state: LeaseState::Free,
            record: None,
            expires_in: None,
            cooldown_until: None,
            paused: None,
            stop_request: None,
            foreign: false,
            ends_unseen: false,
            unsure: false,
        }
    }

    /// Whether people would be shown the same: the same state, the same hold, the same end. What only
    /// the passing of time changes is no difference.
    #[must_use]
    pub fn shows_the_same_as(&self, other: &Self) -> bool {
        let shown = |seen: &Self| {
            let hold = seen.record.as_ref().map(|record| {
                let ended = record.ended.is_some();
                (record.token, record.renewals, record.not_before_at, ended)
            });
            (seen.state, seen.unsure, seen.foreign, hold)
        };
        shown(self) == shown(other)
            && self.paused == other.paused
            && self.stop_request == other.stop_request
    }
}
