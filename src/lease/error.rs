//! Why a store could not answer. "Held" and "lost" are answers, not errors.

use std::error::Error;
use std::fmt;

/// A store's scheme and address, safe to print: built without credentials, so that it cannot leak any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreLabel(String);

impl StoreLabel {
    /// A label; the caller vouches that there is no credential in it.
    #[must_use]
    pub const fn new(printable: String) -> Self {
        Self(printable)
    }

    /// The label as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StoreLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An error and what it came from, in one line: `Display` never repeats its cause.
#[must_use]
pub fn in_one_line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

/// What a store was asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Open the store.
    Open,
    /// Acquire a lease.
    Acquire,
    /// Wait for a lease.
    Wait,
    /// Renew a hold.
    Renew,
    /// Release a hold.
    Release,
    /// Look at a lease.
    Observe,
    /// Look at all leases.
    List,
    /// Ask something of a lease.
    Ask,
    /// Take a lease away.
    Revoke,
    /// Remove what is kept of a lease.
    Forget,
    /// Ask the server about itself.
    Advise,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open the store",
            Self::Acquire => "acquire the lease",
            Self::Wait => "wait for the lease",
            Self::Renew => "renew the lease",
            Self::Release => "release the lease",
            Self::Observe => "look at the lease",
            Self::List => "look at its leases",
            Self::Ask => "ask for the lease",
            Self::Revoke => "take the lease away",
            Self::Forget => "remove what is kept of the lease",
            Self::Advise => "ask the server about itself",
        })
    }
}

/// Whether a request that got no answer may have happened anyway (P8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It certainly did not reach the store.
    None,
    /// It may have been carried out.
    Unknown,
}

/// The reason behind a [`StoreError`].
pub type Cause = Box<dyn Error + Send + Sync>;

/// Why there is no answer. `Display` never repeats the cause: the reporter walks the chain.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No answer, or one that says "later".
    #[error("{store} cannot be reached to {doing}")]
    Unreachable {
        /// The store.
        store: StoreLabel,
        /// What it was asked.
        doing: Doing,
        /// Whether it may have happened.
        effect: Effect,
        /// Why.
        #[source]
        cause: Cause,
    },
    /// It answered: we may not.
    #[error("{store} does not let us {doing}")]
    Denied {
        /// The store.
        store: StoreLabel,
        /// What it was asked.
        doing: Doing,
        /// Why.
        #[source]
        cause: Cause,
    },
    /// It answered: what we were told to use is absent, of the wrong kind or unsafe.
    #[error("{store} is not fit for leases")]
    Misconfigured {
        /// The store.
        store: StoreLabel,
        /// What is wrong, and what to do about it.
        #[source]
        cause: Cause,
    },
    /// It answered something that cannot be understood.
    #[error("{store} gave an answer that makes no sense while asked to {doing}")]
    Garbled {
        /// The store.
        store: StoreLabel,
        /// What it was asked.
        doing: Doing,
        /// Why.
        #[source]
        cause: Cause,
    },
}

impl StoreError {
    /// Whether asking again, unchanged, can help.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// Whether the store may have done what it was asked.
    #[must_use]
    pub const fn may_have_happened(&self) -> bool {
        matches!(
            self,
            Self::Unreachable {
                effect: Effect::Unknown,
                ..
            }
        )
    }
}
