//! What a doctor finds.

use crate::lease::StoreError;

/// How it is rated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rating {
    /// As promised.
    Good,
    /// It works, and less well than it could, or not for everything.
    Weak,
    /// A promise is not kept.
    Bad,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How it is rated.
    pub rating: Rating,
    /// What was looked at.
    pub what: &'static str,
    /// What was seen; of what is not good also what to do.
    pub seen: String,
}

impl Finding {
    /// It is as promised.
    #[must_use]
    pub const fn good(what: &'static str, seen: String) -> Self {
        Self {
            rating: Rating::Good,
            what,
            seen,
        }
    }

    /// It could be better.
    #[must_use]
    pub const fn weak(what: &'static str, seen: String) -> Self {
        Self {
            rating: Rating::Weak,
            what,
            seen,
        }
    }

    /// It is not as promised.
    #[must_use]
    pub const fn bad(what: &'static str, seen: String) -> Self {
        Self {
            rating: Rating::Bad,
            what,
            seen,
        }
    }
}

/// Why an examination could not go on.
#[derive(Debug)]
pub enum Failure {
    /// The store's error, and what was being tried.
    Store(&'static str, StoreError),
    /// The store answered something else than it promises: what was being tried, and what came.
    Broken(&'static str, String),
}
