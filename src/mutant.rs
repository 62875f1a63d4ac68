//! Mistakes made on purpose, to see that the torture finds them. In no build but one with the feature
//! `mutants`, which refuses to be built for release.
//!
//! The variable `MUTANT_OF_LEASECTL` names the one that this process makes; without it there is none. Each is
//! a mistake that a lease tool has made, or that this one could. RELIABILITY.md has what caught it.

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// The owner id is who we are and not fresh: two processes of one machine are one owner (P6).
    OwnerReused,
    /// Nobody stops the command when leasectl has died or is stopped (P2, P11).
    NoGuardian,
    /// The lease is given back when the command's main process has ended (P5).
    ReleaseBeforeEmpty,
    /// When the guardian has died, only the direct child is dead (P2).
    PdeathsigOnly,
    /// The command starts before the deadline is armed; the first renewal arms it (P4).
    StartBeforeArmed,
    /// Killing reaches the command's process group only (P2).
    KillGroupOnly,
    /// A connection is used further after a request on it went unanswered, and whatever comes next on it is the
    /// answer to the next request (P3). Clients with a pool of connections have done so when a request was given
    /// up between its sending and its answer.
    #[cfg(feature = "redis")]
    ConnectionKept,
}

#[cfg(all(feature = "mutants", not(debug_assertions)))]
compile_error!(
    "the feature `mutants` makes leasectl wrong on purpose and is never built for release"
);

/// Whether this process makes this mistake.
#[cfg(feature = "mutants")]
pub(crate) fn is(mutant: Mutant) -> bool {
    use std::sync::OnceLock;
    static CHOSEN: OnceLock<String> = OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| std::env::var("MUTANT_OF_LEASECTL").unwrap_or_default());
    *chosen == format!("{mutant:?}")
}

/// No process makes any.
#[cfg(not(feature = "mutants"))]
pub(crate) const fn is(_: Mutant) -> bool {
    false
}
