//! What operators ask of a lease: the ask blob, in which the holder never writes. Pure.

use serde::{Deserialize, Serialize};

use super::look::AskBlob;
use crate::clock::WallTime;
use crate::lease::{Asker, FencingToken, LeaseName, Pause, StopRequest};

/// The content of the ask blob's metadata. Times are the service's seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Asks {
    /// The lease's name, where the blob's name does not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lease: Option<LeaseName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pause: Option<PauseAsked>,
    /// For the hold with this token and for no other: nobody has to tidy up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stop: Option<OfToken>,
    /// The hold with this token was taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) revoked: Option<OfToken>,
    /// Minimum holds of tokens up to this one are void.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cleared: Option<FencingToken>,
}

/// Nobody new gets the lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PauseAsked {
    #[serde(flatten)]
    pub(super) asker: Asker,
    pub(super) at: u64,
    /// Until when; `None`: until it is ended.
    pub(super) until: Option<u64>,
}

/// About one hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OfToken {
    pub(super) token: FencingToken,
    #[serde(flatten)]
    pub(super) asker: Asker,
    pub(super) at: u64,
}

impl AskBlob {
    /// The pause that runs. What cannot be read counts as one: an operator wanted something.
    pub(super) fn paused(&self) -> Option<Pause> {
        let Some(asks) = &self.asks else {
            return Some(Pause {
                asker: Asker {
                    by: "somebody".to_owned(),
                    reason: Some(
                        "what was asked cannot be read; leasectl resume rewrites it".to_owned(),
                    ),
                },
                at: at(self.date),
                until_at: None,
            });
        };
        let pause = asks.pause.as_ref()?;
        let runs = pause.until.is_none_or(|until| until > self.date);
        runs.then(|| Pause {
            asker: pause.asker.clone(),
            at: at(pause.at),
            until_at: pause.until.map(at),
        })
    }

    /// How long until the pause ends by itself.
    pub(super) fn pause_left(&self) -> Option<u64> {
        let until = self.asks.as_ref()?.pause.as_ref()?.until?;
        until.checked_sub(self.date)
    }

    /// Whether the minimum hold of `token` was ended.
    pub(super) fn cleared(&self, token: FencingToken) -> bool {
        let cleared = self.asks.as_ref().and_then(|asks| asks.cleared);
        cleared.is_some_and(|cleared| cleared >= token)
    }

    /// What the hold with `token` is asked.
    pub(super) fn stop_request(&self, token: FencingToken) -> Option<StopRequest> {
        let stop = self.asks.as_ref()?.stop.as_ref()?;
        (stop.token == token).then(|| StopRequest {
            asker: stop.asker.clone(),
            at: at(stop.at),
        })
    }

    /// Who took the hold with `token` away.
    pub(super) fn revoked(&self, token: FencingToken) -> Option<&OfToken> {
        let revoked = self.asks.as_ref()?.revoked.as_ref()?;
        (revoked.token == token).then_some(revoked)
    }
}

/// The service's seconds as an instant for people.
pub(super) fn at(seconds: u64) -> WallTime {
    WallTime::from_unix_millis(seconds.saturating_mul(1000))
}
