//! [`LeaseStore`] on a container of Azure Blob Storage; the algorithm is in the folder's `mod.rs`.

use std::collections::HashMap;
use std::future::pending;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::OnceCell;
use tokio::time::sleep;

use super::config::{Config, RestartGuard};
use super::link::Link;
use super::look::{AskBlob, Blob};
use super::names::{ask_blob, lease_blob};
use super::trouble::Trouble;
use super::verdict::{self, Asked as Op, Verdict};
use super::wire::{Answer, Request};
use super::{listing, onlooker};
use crate::clock::spread;
use crate::lease::{
    Ask, Asked, Asker, Attempt, Change, Claim, Doing, Ending, Expiry, Fencing, FencingToken, Hold,
    HoldEvent, LeaseName, LeaseRecord, LeaseStore, Observation, OwnerId, Place, Promises, Release,
    Renewal, Revoked, StopRequest, StoreError, StoreLabel,
};

/// Azure's limits for the length of a lease.
pub(super) const SHORTEST_TTL: Duration = Duration::from_secs(15);
pub(super) const LONGEST_TTL: Duration = Duration::from_secs(60);
/// Unless `poll` says otherwise, a waiter looks no more often than this.
const SHORTEST_POLL: Duration = Duration::from_secs(1);

/// A container of leases. Nothing is opened before it is first asked.
#[derive(Debug)]
pub struct AzblobStore {
    label: StoreLabel,
    pub(super) config: Config,
    link: OnceCell<Link>,
    /// What was written with each grant of this process, for its release.
    grants: Mutex<HashMap<OwnerId, Grant>>,
    /// The blob of a lease that was paused when it was last asked for.
    paused: Mutex<HashMap<OwnerId, Option<Blob>>>,
}

/// The lease's blob as its holder last wrote it: nobody else writes it.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    pub(super) blob: Blob,
    pub(super) record: Option<LeaseRecord>,
    /// The ask blob as it was last seen, and what was asked of the hold in it.
    pub(super) ask_etag: Option<String>,
    pub(super) asked: Option<StopRequest>,
}

impl AzblobStore {
    /// A store that has not connected yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            label: config.label(),
            config,
            link: OnceCell::new(),
            grants: Mutex::default(),
            paused: Mutex::default(),
        }
    }

    pub(super) fn guard(&self, ttl: Duration) -> Duration {
        match self.config.guard {
            RestartGuard::ClaimsTtl => ttl,
            RestartGuard::Fixed(span) => span,
        }
    }

    pub(super) fn grants(&self) -> MutexGuard<'_, HashMap<OwnerId, Grant>> {
        self.grants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn pauses(&self) -> MutexGuard<'_, HashMap<OwnerId, Option<Blob>>> {
        self.paused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn send(&self, request: &Request) -> Result<Answer, Trouble> {
        let link = self.link.get_or_try_init(async || Link::new(&self.config));
        link.await?.send(request).await
    }

    /// The whole name of a blob.
    pub(super) fn at(&self, blob: &str) -> String {
        format!("{}{blob}", self.config.place.prefix)
    }

    pub(super) fn lease_at(&self, name: &LeaseName) -> String {
        self.at(&lease_blob(name))
    }

    pub(super) fn ask_at(&self, name: &LeaseName) -> String {
        self.at(&ask_blob(name))
    }

    /// The lease's blob; `None`: there is none.
    pub(super) async fn look(&self, name: &LeaseName) -> Result<Option<Blob>, Trouble> {
        let answer = self.send(&Request::head(&self.lease_at(name))).await?;
        match verdict::of(Op::Look, &answer, true) {
            Verdict::Yes => Blob::read(&answer).map(Some),
            Verdict::Absent => Ok(None),
            other => Err(other.unexpected()),
        }
    }

    /// What operators ask; `None`: what they asked when it was `seen`.
    pub(super) async fn asks_since(
        &self,
        name: &LeaseName,
        seen: Option<&str>,
    ) -> Result<Option<AskBlob>, Trouble> {
        let request = Request::head(&self.ask_at(name));
        let request = match seen {
            Some(etag) => request.header("if-none-match", etag),
            None => request,
        };
        let answer = self.send(&request).await?;
        match verdict::of(Op::Look, &answer, true) {
            Verdict::Yes => AskBlob::read(&answer).map(Some),
            Verdict::Unchanged => Ok(None),
            Verdict::Absent => Ok(Some(AskBlob::none(super::look::date(&answer)?))),
            other => Err(other.unexpected()),
        }
    }

    pub(super) async fn asks(&self, name: &LeaseName) -> Result<AskBlob, Trouble> {
        let asks = self.asks_since(name, None).await?;
        asks.ok_or_else(|| Trouble::Garbled("it says unchanged, unasked".to_owned()))
    }

    fn poll(&self, claim: &Claim) -> Duration {
        let usual = (claim.ttl / 10).max(SHORTEST_POLL);
        self.config.poll.unwrap_or(usual).mul_f64(spread(0.2))
    }
}

impl Verdict {
    /// An answer that there is no place for.
    pub(super) fn unexpected(self) -> Trouble {
        match self {
            Self::No(trouble) => trouble,
            other => Trouble::Garbled(format!("its answer fits no question ({other:?})")),
        }
    }
}

#[async_trait]
impl LeaseStore for AzblobStore {
    fn label(&self) -> &StoreLabel {
        &self.label
    }

    fn promises(&self) -> Promises {
        Promises {
            shortest_ttl: SHORTEST_TTL,
            longest_ttl: LONGEST_TTL,
            fencing: Fencing::Durable,
            expiry: Expiry::StoreClock,
            change: Change::Polled,
            onlookers: Change::Polled,
            broken_by: &[
                "a fail-over of the storage account to its other region",
                "an Azurite that is restarted from its files, which ends every lease",
                "somebody with rights on the container who writes or breaks what is a holder's",
            ],
        }
    }

    async fn try_acquire(&self, claim: &Claim) -> Result<Attempt, StoreError> {
        let attempt = self.acquired(claim).await;
        attempt.map_err(|trouble| trouble.into_error(&self.label, Doing::Acquire))
    }

    async fn wait_for_turn(
        &self,
        claim: &Claim,
        _place: &mut Place,
        at_most: Duration,
    ) -> Result<(), StoreError> {
        // Nothing is pushed, and nobody stands in a line: the more wait, the sooner one of them looks.
        sleep(self.poll(claim).min(at_most)).await;
        Ok(())
    }

    async fn withdraw(&self, claim: &Claim) -> Result<(), StoreError> {
        let withdrawn = self.withdrawn(claim).await;
        withdrawn.map_err(|trouble| trouble.into_error(&self.label, Doing::Release))
    }

    async fn renew(&self, hold: &Hold) -> Result<Renewal, StoreError> {
        let renewal = self.renewed(hold).await;
        renewal.map_err(|trouble| trouble.into_error(&self.label, Doing::Renew))
    }

    async fn hold_event(&self, hold: &Hold) -> Result<HoldEvent, StoreError> {
        // What was asked before; what comes after is told with the renewals.
        match self.asks(&hold.name).await {
            Ok(ask) => match ask.stop_request(hold.token) {
                Some(request) => Ok(HoldEvent::StopAsked(request)),
                None => pending().await,
            },
            Err(trouble) => Err(trouble.into_error(&self.label, Doing::Renew)),
        }
    }

    async fn release(&self, hold: &Hold, ending: &Ending) -> Result<Release, StoreError> {
        let released = self.released(hold, ending).await;
        released.map_err(|trouble| trouble.into_error(&self.label, Doing::Release))
    }

    async fn observe(&self, name: &LeaseName) -> Result<Observation, StoreError> {
        let seen = onlooker::seen(self, name).await;
        seen.map_err(|trouble| trouble.into_error(&self.label, Doing::Observe))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Observation>, StoreError> {
        let listed = listing::list(self, prefix).await;
        listed.map_err(|trouble| trouble.into_error(&self.label, Doing::List))
    }

    async fn wait_for_change(
        &self,
        seen: &Observation,
        at_most: Duration,
    ) -> Result<(), StoreError> {
        let seen = std::slice::from_ref(seen);
        let changed = onlooker::changed(self, seen, None, at_most).await;
        changed.map_err(|trouble| trouble.into_error(&self.label, Doing::Observe))
    }

    async fn wait_for_any_change(
        &self,
        seen: &[Observation],
        prefix: Option<&str>,
        at_most: Duration,
    ) -> Result<(), StoreError> {
        let changed = onlooker::changed(self, seen, prefix, at_most).await;
        changed.map_err(|trouble| trouble.into_error(&self.label, Doing::List))
    }

    async fn ask(&self, name: &LeaseName, what: Ask, asker: &Asker) -> Result<Asked, StoreError> {
        let asked = self.asked(name, what, asker).await;
        asked.map_err(|trouble| trouble.into_error(&self.label, Doing::Ask))
    }

    async fn forget(&self, name: &LeaseName) -> Result<(), StoreError> {
        let forgotten = self.forgotten(name).await;
        forgotten.map_err(|trouble| trouble.into_error(&self.label, Doing::Forget))
    }

    async fn revoke(
        &self,
        name: &LeaseName,
        token: FencingToken,
        asker: &Asker,
    ) -> Result<Revoked, StoreError> {
        let revoked = self.revoked(name, token, asker).await;
        revoked.map_err(|trouble| trouble.into_error(&self.label, Doing::Revoke))
    }

    async fn evict(&self, name: &LeaseName) -> Result<Revoked, StoreError> {
        let evicted = self.evicted(name).await;
        evicted.map_err(|trouble| trouble.into_error(&self.label, Doing::Revoke))
    }
}
