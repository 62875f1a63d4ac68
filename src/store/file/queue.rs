//! Who waits here for which lease: one ticket for each claim.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use super::store::{Key, locked};
use super::waiter::Ticket;
use crate::lease::{Observation, Place};

/// What a [`Place`] of this store holds.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) ticket: Arc<Ticket>,
    /// What keeps everyone out, and not a holder: until that changes nobody waits for the lock, which is
    /// free.
    pub(super) shut: Option<Box<Observation>>,
}

impl Queued {
    pub(super) fn into_place(self) -> Place {
        Place(Some(Box::new(self)))
    }
}

/// The tickets of this process.
#[derive(Debug, Default)]
pub(super) struct Queue(Mutex<HashMap<Key, Weak<Ticket>>>);

impl Queue {
    pub(super) fn ticket(&self, key: &Key) -> Option<Arc<Ticket>> {
        locked(&self.0).get(key).and_then(Weak::upgrade)
    }

    /// The ticket of this claim: the one it has, or a new one.
    pub(super) fn enter(&self, key: Key) -> Arc<Ticket> {
        let mut tickets = locked(&self.0);
        tickets.retain(|_, ticket| ticket.strong_count() > 0);
        if let Some(ticket) = tickets.get(&key).and_then(Weak::upgrade) {
            return ticket;
        }
        let ticket = Arc::new(Ticket::default());
        tickets.insert(key, Arc::downgrade(&ticket));
        ticket
    }

    /// The ticket of a place that was kept, unless it was given up since.
    pub(super) fn kept(
        &self,
        key: Key,
        place: &mut Place,
    ) -> (Arc<Ticket>, Option<Box<Observation>>) {
        match place
            .0
            .as_ref()
            .and_then(|place| place.downcast_ref::<Queued>())
        {
            Some(queued) if !queued.ticket.is_given_up() => {
                (Arc::clone(&queued.ticket), queued.shut.clone())
            }
            Some(_) | None => {
                let ticket = self.enter(key);
                let queued = Queued {
                    ticket: Arc::clone(&ticket),
                    shut: None,
                };
                *place = queued.into_place();
                (ticket, None)
            }
        }
    }

    pub(super) fn give_up(&self, key: &Key) {
        let ticket = locked(&self.0).remove(key);
        if let Some(ticket) = ticket.and_then(|ticket| ticket.upgrade()) {
            ticket.give_up();
        }
    }
}
