//! [`LeaseStore`] on a Redis server; the algorithm is in the folder's `mod.rs`.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{sleep, timeout};

use super::address::Address;
use super::config::{Config, RestartGuard};
use super::inbox::Inbox;
use super::keys::Keys;
use super::line::Line;
use super::link::Link;
use super::links::Links;
use super::trouble::{MOST_MOVES, Trouble};
use super::wire::Request;
use super::{advice, answer, listing, onlooker};
use crate::lease::{
    Advice, Ask, Asked, Asker, Attempt, Change, Claim, Doing, Effect, Ending, Expiry, Fencing,
    FencingToken, Hold, HoldEvent, LARGEST_TTL, LeaseName, LeaseStore, Observation, Place,
    Promises, Release, Renewal, Revoked, SMALLEST_TTL, StoreError, StoreLabel,
};

/// How long one request of a wait may take: nobody else limits it.
const REQUEST: Duration = Duration::from_secs(3);

/// Between two requests for a lease that is moving to another node, and how many of them.
const WHILE_TORN: Duration = Duration::from_millis(50);
const MOST_WAITS: u32 = 20;

/// A connection to a Redis server, opened when it is first needed and again after it broke.
#[derive(Debug)]
pub struct RedisStore {
    label: StoreLabel,
    pub(super) config: Config,
    pub(super) inbox: Arc<Inbox>,
    pub(super) line: Line,
    links: Links,
}

impl RedisStore {
    /// A store that has not connected yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            label: config.label(),
            config,
            inbox: Arc::default(),
            line: Line::default(),
            links: Links::default(),
        }
    }

    pub(super) fn keys(&self, name: &LeaseName) -> Keys {
        Keys {
            sharded: matches!(self.config.address, Address::Cluster(_)),
            ..Keys::of(&self.config.prefix, name)
        }
    }

    pub(super) fn guard(&self, claim: &Claim) -> Duration {
        match self.config.guard {
            RestartGuard::ClaimsTtl => claim.ttl,
            RestartGuard::Fixed(span) => span,
        }
    }

    /// The connection to whoever has these keys.
    pub(super) async fn link(&self, keys: &Keys) -> Result<Arc<Link>, Trouble> {
        self.link_to(keys.slot).await
    }

    pub(super) async fn link_to(&self, slot: u16) -> Result<Arc<Link>, Trouble> {
        self.links.to(&self.config, &self.inbox, slot).await
    }

    /// Asks until it has asked the right node. What is asked may be repeated: it is the same owner's.
    pub(super) async fn followed<T, F>(&self, ask: impl Fn() -> F) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, Trouble>>,
    {
        let (mut moves, mut waits) = (0, 0);
        loop {
            match ask().await {
                Err(Trouble::Elsewhere { slot, node, ask }) if moves < MOST_MOVES => {
                    moves += 1;
                    self.links.learn(slot, node, ask).await;
                }
                Err(Trouble::Torn) if waits < MOST_WAITS => {
                    waits += 1;
                    sleep(WHILE_TORN).await;
                }
                answer => return answer,
            }
        }
    }

    async fn renewed(&self, hold: &Hold) -> Result<Renewal, Trouble> {
        let keys = self.keys(&hold.name);
        let link = self.link(&keys).await?;
        // Before the renewal: whoever is told that it holds can be told that it holds no more.
        link.subscribe(&keys.holders).await?;
        let value = link.run(&Request::renew(&keys, hold, &link.server)).await?;
        let renewal = answer::renewed(value, &hold.name)?;
        if matches!(renewal, Renewal::Lost { .. }) {
            self.over(hold, &keys);
        }
        Ok(renewal)
    }

    async fn released(&self, hold: &Hold, ending: &Ending) -> Result<Release, Trouble> {
        let keys = self.keys(&hold.name);
        let link = self.link(&keys).await?;
        let request = Request::release(&keys, hold, ending, &link.server);
        let released = answer::released(link.run(&request).await?, &hold.name)?;
        self.over(hold, &keys);
        Ok(released)
    }

    /// The hold is over. Its channel is left with the next claim only: what ran under it may still be dying.
    fn over(&self, hold: &Hold, keys: &Keys) {
        self.line.is_over(&hold.owner);
        self.inbox.end(&keys.holders, hold.token);
    }

    async fn withdrawn(&self, claim: &Claim) -> Result<(), Trouble> {
        let keys = self.keys(&claim.name);
        let link = self.link(&keys).await?;
        let request = Request::withdraw(&keys, &claim.name, &claim.owner, &link.server);
        let _released = answer::released(link.run(&request).await?, &claim.name)?;
        self.line.is_over(&claim.owner);
        if self.line.leaves(&claim.owner) {
            let own = keys.waiter(&claim.owner);
            self.inbox.close(&own);
            link.unsubscribe(&own).await?;
        }
        Ok(())
    }

    async fn observed(&self, name: &LeaseName) -> Result<Observation, Trouble> {
        let keys = self.keys(name);
        let link = self.link(&keys).await?;
        let request = Request::observe(&keys, name);
        answer::observed(link.run(&request).await?, name)
    }

    async fn asked(&self, name: &LeaseName, what: Ask, asker: &Asker) -> Result<Asked, Trouble> {
        let keys = self.keys(name);
        let link = self.link(&keys).await?;
        match what {
            Ask::Stop => {
                let request = Request::ask_to_stop(&keys, name, asker);
                answer::told(link.run(&request).await?, name)
            }
            Ask::Pause { lasts } => {
                let request = Request::pause(&keys, name, asker, lasts);
                answer::shut_or_opened(link.run(&request).await?, name)
            }
            Ask::Resume => {
                let request = Request::resume(&keys, name);
                answer::shut_or_opened(link.run(&request).await?, name)
            }
        }
    }

    async fn forgotten(&self, name: &LeaseName) -> Result<(), Trouble> {
        let keys = self.keys(name);
        let link = self.link(&keys).await?;
        if self.line.forget_what_is_over(name) {
            // Whoever listens there counts as a holder, whom the server would know nothing of.
            link.unsubscribe(&keys.holders).await?;
        }
        let value = link.run(&Request::forget(&keys, name)).await?;
        answer::forgotten(value, name)
    }

    async fn revoked(
        &self,
        name: &LeaseName,
        token: FencingToken,
        asker: &Asker,
    ) -> Result<Revoked, Trouble> {
        let keys = self.keys(name);
        let link = self.link(&keys).await?;
        let request = Request::revoke(&keys, name, token, asker);
        answer::revoked(link.run(&request).await?, name)
    }
}

/// A request of a wait, which has no limit of its own.
pub(super) async fn limited<T>(
    request: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, Trouble> {
    match timeout(REQUEST, request).await {
        Ok(answer) => answer,
        Err(_) => {
            let why = format!("no answer within {}", humantime::format_duration(REQUEST));
            Err(Trouble::Silent(Effect::Unknown, why))
        }
    }
}

#[async_trait]
impl LeaseStore for RedisStore {
    fn label(&self) -> &StoreLabel {
        &self.label
    }

    fn promises(&self) -> Promises {
        Promises {
            shortest_ttl: SMALLEST_TTL,
            longest_ttl: LARGEST_TTL,
            fencing: Fencing::Durable,
            expiry: Expiry::StoreClock,
            change: Change::Pushed,
            onlookers: Change::Polled,
            broken_by: &[
                "a fail-over to a replica that had not received the grant, or an old primary that is cut off and \
                 still takes renewals",
                "a loss of the server's data together with the holder's connection, or in the first moments of a \
                 grant",
                "a maxmemory-policy other than noeviction, after which a lease is deleted and its holder's \
                 connection is cut",
                "the server's clock, when it is set forward",
            ],
        }
    }

    async fn try_acquire(&self, claim: &Claim) -> Result<Attempt, StoreError> {
        let attempt = self.followed(|| self.acquired(claim)).await;
        attempt.map_err(|trouble| trouble.into_error(&self.label, Doing::Acquire))
    }

    async fn wait_for_turn(
        &self,
        claim: &Claim,
        _place: &mut Place,
        at_most: Duration,
    ) -> Result<(), StoreError> {
        let waited = self.queued(claim, at_most).await;
        waited.map_err(|trouble| trouble.into_error(&self.label, Doing::Wait))
    }

    async fn withdraw(&self, claim: &Claim) -> Result<(), StoreError> {
        let withdrawn = self.followed(|| self.withdrawn(claim)).await;
        withdrawn.map_err(|trouble| trouble.into_error(&self.label, Doing::Release))
    }

    async fn renew(&self, hold: &Hold) -> Result<Renewal, StoreError> {
        let renewal = self.followed(|| self.renewed(hold)).await;
        renewal.map_err(|trouble| trouble.into_error(&self.label, Doing::Renew))
    }

    async fn hold_event(&self, hold: &Hold) -> Result<HoldEvent, StoreError> {
        let holders = self.keys(&hold.name).holders;
        loop {
            // Enlisted before the look: the other way round, what is told in between would be slept through.
            let mut told = pin!(self.inbox.told.notified());
            told.as_mut().enable();
            if let Some(event) = self.inbox.event(hold, &holders) {
                return Ok(event);
            }
            told.await;
        }
    }

    async fn release(&self, hold: &Hold, ending: &Ending) -> Result<Release, StoreError> {
        let released = self.followed(|| self.released(hold, ending)).await;
        released.map_err(|trouble| trouble.into_error(&self.label, Doing::Release))
    }

    async fn observe(&self, name: &LeaseName) -> Result<Observation, StoreError> {
        let seen = self.followed(|| self.observed(name)).await;
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
        let asked = self.followed(|| self.asked(name, what, asker)).await;
        asked.map_err(|trouble| trouble.into_error(&self.label, Doing::Ask))
    }

    async fn forget(&self, name: &LeaseName) -> Result<(), StoreError> {
        let forgotten = self.followed(|| self.forgotten(name)).await;
        forgotten.map_err(|trouble| trouble.into_error(&self.label, Doing::Forget))
    }

    async fn revoke(
        &self,
        name: &LeaseName,
        token: FencingToken,
        asker: &Asker,
    ) -> Result<Revoked, StoreError> {
        let revoked = self.followed(|| self.revoked(name, token, asker)).await;
        revoked.map_err(|trouble| trouble.into_error(&self.label, Doing::Revoke))
    }
    async fn advice(&self) -> Result<Advice, StoreError> {
        let advice = advice::ask(self).await;
        advice.map_err(|trouble| trouble.into_error(&self.label, Doing::Advise))
    }
}
