//! The claims of this process that stand in line, or hold: what has to be set up again on a new connection.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::answer::Queued;
use crate::lease::{LeaseName, OwnerId};

/// What a waiter knows of its place.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) queued: Queued,
    /// When the lease may come free by itself, as of the last answer.
    pub(super) free_at: Option<Instant>,
}

impl Standing {
    pub(super) fn new(queued: Queued, rest: Option<Duration>) -> Self {
        Self {
            queued,
            free_at: rest.and_then(|rest| Instant::now().checked_add(rest)),
        }
    }
}

/// All of one store.
#[derive(Debug, Default)]
pub(super) struct Line(Mutex<Claims>);

#[derive(Debug, Default)]
struct Claims {
    waiting: HashMap<OwnerId, Standing>,
    /// Those that hold, and whether that is known to be over.
    holding: HashMap<OwnerId, (LeaseName, bool)>,
}

impl Line {
    pub(super) fn standing(&self, owner: &OwnerId) -> Option<Standing> {
        self.claims().waiting.get(owner).cloned()
    }

    pub(super) fn stands(&self, owner: OwnerId, standing: Standing) {
        self.claims().waiting.insert(owner, standing);
    }

    pub(super) fn leaves(&self, owner: &OwnerId) -> bool {
        self.claims().waiting.remove(owner).is_some()
    }

    pub(super) fn holds(&self, owner: OwnerId, name: LeaseName) {
        self.claims().holding.insert(owner, (name, false));
    }

    pub(super) fn is_over(&self, owner: &OwnerId) {
        if let Some((_, over)) = self.claims().holding.get_mut(owner) {
            *over = true;
        }
    }

    /// Forgets the holds of a lease that are over. Whether nobody of this process holds it any more: until
    /// then others have to take us for a holder.
    pub(super) fn forget_what_is_over(&self, name: &LeaseName) -> bool {
        let mut claims = self.claims();
        claims
            .holding
            .retain(|_, (held, over)| held != name || !*over);
        !claims.holding.values().any(|(held, _)| held == name)
    }

    fn claims(&self) -> MutexGuard<'_, Claims> {
        // Whoever panicked left whole entries behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
