//! What a store can be relied upon for: facts that are printed and that choose the tests.

use std::time::Duration;

/// What one store promises. Constant for the life of the store's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promises {
    /// The shortest time to live that it accepts.
    pub shortest_ttl: Duration,
    /// The longest time to live that it accepts.
    pub longest_ttl: Duration,
    /// How far tokens can be trusted.
    pub fencing: Fencing,
    /// Who ends a hold whose holder went silent.
    pub expiry: Expiry,
    /// Whether a waiter is told or has to look.
    pub change: Change,
    /// Whether an onlooker is told or has to look ([`super::LeaseStore::wait_for_change`]).
    pub onlookers: Change,
    /// What breaks exclusion all the same, so that the token has to protect: one clause each.
    pub broken_by: &'static [&'static str],
}

/// How far tokens can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fencing {
    /// They rise as long as the store keeps its data.
    Durable,
    /// They rise while this process lives.
    ThisProcess,
}

/// Who ends a hold whose holder went silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// The kernel, with the last process of the tree.
    WithItsProcess,
    /// The store's own clock.
    StoreClock,
}

/// How somebody learns that something has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The store tells.
    Pushed,
    /// One has to look.
    Polled,
}
