//! What a store granted.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use super::{FencingToken, LeaseName, OwnerId};

/// A grant. There is no time in it: when it ends for us is [`super::Tenure`]'s business.
#[derive(Clone, Debug)]
pub struct Hold {
    /// The lease.
    pub name: LeaseName,
    /// The acquisition it was granted to.
    pub owner: OwnerId,
    /// Its fencing token.
    pub token: FencingToken,
    /// How long the store keeps it without a renewal; `None`: as long as its last process lives.
    pub ttl: Option<Duration>,
    /// A kernel lock that the whole tree has to carry, so that it ends only with the last of them.
    pub lock: Option<Arc<OwnedFd>>,
}
