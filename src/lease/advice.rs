//! What a store's server says of itself that leases depend on, for people: nothing is decided by it.

use crate::clock::WallTime;

/// What a server says of itself, and of how it is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    /// Its wall clock at some instant while it was asked; `None`: it has none of its own, or does not tell.
    pub clock: Option<WallTime>,
    /// How it is set. Empty where there is nothing that an operator could set.
    pub settings: Vec<Setting>,
}

/// One thing at a server that an operator can set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// What it is.
    pub what: &'static str,
    /// How it is set; where that is not as it should be, also what comes of it and what to do.
    pub seen: String,
    /// How it suits leases.
    pub suits: Suits,
}

/// How a setting suits leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suits {
    /// As it should be.
    Well,
    /// Leases work, and something that a user may rely on does not.
    Badly,
    /// Nobody knows: we may not read it.
    Unread,
}
