//! Why there is no answer, and the public error for it. Pure.

use std::error::Error;

use crate::lease::{Doing, Effect, StoreError, StoreLabel};

/// The most letters of a service's own words that a line can hold.
const LONGEST: usize = 160;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// No answer, or one that says "later".
    Silent(Effect, String),
    /// We may not.
    Denied(String),
    /// What is there cannot be used.
    Unfit(String),
    /// No sense.
    Garbled(String),
}

/// The reason in an error's chain.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Reason(String);

impl Trouble {
    /// The public error.
    pub(super) fn into_error(self, store: &StoreLabel, doing: Doing) -> StoreError {
        let store = store.clone();
        match self {
            Self::Silent(effect, why) => StoreError::Unreachable {
                store,
                doing,
                effect,
                cause: Box::new(Reason(why)),
            },
            Self::Denied(why) => StoreError::Denied {
                store,
                doing,
                cause: Box::new(Reason(why)),
            },
            Self::Unfit(why) => StoreError::Misconfigured {
                store,
                cause: Box::new(Reason(why)),
            },
            Self::Garbled(why) => StoreError::Garbled {
                store,
                doing,
                cause: Box::new(Reason(why)),
            },
        }
    }

    /// The same after a request that was answered: whatever comes after it, something was done.
    pub(super) fn after_an_effect(self) -> Self {
        match self {
            Self::Silent(_, why) => Self::Silent(Effect::Unknown, why),
            other => other,
        }
    }

    /// A request got no answer.
    pub(super) fn of(error: &reqwest::Error) -> Self {
        let effect = if error.is_connect() || error.is_builder() {
            Effect::None
        } else {
            Effect::Unknown
        };
        if let Some(why) = certificate(error) {
            return Self::Unfit(format!(
                "its certificate is not trusted ({why}); name its authority with ?ca=FILE"
            ));
        }
        Self::Silent(effect, last_cause(error))
    }
}

/// Foreign words at a length that a line can hold.
pub(super) fn shown(words: &str) -> String {
    let first = words.lines().next().unwrap_or_default();
    first.trim_end_matches('.').chars().take(LONGEST).collect()
}

/// The innermost reason: the outer ones repeat the URL, and with it what stands in its query.
fn last_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    if std::ptr::eq(cause, error) {
        return "the connection failed".to_owned();
    }
    shown(&cause.to_string())
}

/// Whether a certificate is the reason. An I/O error does not tell what it wraps as its source, and may wrap another.
fn certificate(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(why @ rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
        return Some(why.to_string());
    }
    let io = error.downcast_ref::<std::io::Error>();
    if let Some(wrapped) = io.and_then(std::io::Error::get_ref)
        && let Some(why) = certificate(wrapped)
    {
        return Some(why);
    }
    certificate(error.source()?)
}
