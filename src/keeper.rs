//! Asks a store on the supervisor's behalf: with a time limit, and with the instant noted before
//! each request is sent.
//!
//! It decides nothing. What an answer means is the supervisor's business, and what a store's wire
//! says is the store's.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::clock::{Clock, Instant};
use crate::lease::{
    Advice, Ask, Asked, Asker, Attempt, Claim, Doing, Effect, Ending, FencingToken, Hold,
    HoldEvent, LeaseName, LeaseStore, Observation, Place, Release, Renewal, Revoked, StoreError,
};

/// A store, a clock and a time limit.
#[derive(Clone, Debug)]
pub struct Keeper {
    store: Arc<dyn LeaseStore>,
    clock: Arc<dyn Clock>,
    attempt: Duration,
}

/// No answer within the time limit.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {}", humantime::format_duration(*.0))]
struct NoAnswer(Duration);

/// Nobody waits for more than this at a time before the command runs, nor after it has ended, however
/// long the lease is.
const LONGEST_SEEKING: Duration = Duration::from_secs(3);
const LONGEST_LEAVING: Duration = Duration::from_secs(2);

/// How long, and how often, an operator's request is made again that was certainly not carried out.
const ASKED_AGAIN_FOR: Duration = Duration::from_secs(1);
const ASKED_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// How much longer than the wait itself a wait may take before the store counts as silent.
const WAIT_SLACK: Duration = Duration::from_secs(1);

impl Keeper {
    /// `attempt` limits every single request, connecting and signing in included.
    #[must_use]
    pub fn new(store: Arc<dyn LeaseStore>, clock: Arc<dyn Clock>, attempt: Duration) -> Self {
        Self {
            store,
            clock,
            attempt,
        }
    }

    /// One attempt to acquire, and the instant from which its grant counts (P3).
    ///
    /// # Errors
    /// The store's; `Unreachable` with unknown effect when the time limit passed.
    pub async fn acquire(&self, claim: &Claim) -> Result<(Instant, Attempt), StoreError> {
        // The instant is read before the request is sent. Read after, a reply delayed by four
        // seconds would make us believe in four seconds that the store has already given to
        // someone else.
        let asked_at = self.clock.now();
        let answer = self
            .limited(
                Doing::Acquire,
                LONGEST_SEEKING,
                self.store.try_acquire(claim),
            )
            .await?;
        Ok((asked_at, answer))
    }

    /// One renewal, and the instant from which it counts (P3).
    ///
    /// # Errors
    /// As [`Keeper::acquire`].
    pub async fn renew(&self, hold: &Hold) -> Result<(Instant, Renewal), StoreError> {
        let asked_at = self.clock.now();
        let answer = self
            .limited(Doing::Renew, self.attempt, self.store.renew(hold))
            .await?;
        Ok((asked_at, answer))
    }

    /// What the store tells of a hold unasked, whenever that may be.
    ///
    /// # Errors
    /// The store's.
    pub async fn hold_event(&self, hold: &Hold) -> Result<HoldEvent, StoreError> {
        self.store.hold_event(hold).await
    }

    /// One release.
    ///
    /// # Errors
    /// As [`Keeper::acquire`].
    pub async fn release(&self, hold: &Hold, ending: &Ending) -> Result<Release, StoreError> {
        self.limited(
            Doing::Release,
            LONGEST_LEAVING,
            self.store.release(hold, ending),
        )
        .await
    }

    /// Leaves the queue, and frees a grant whose answer was lost.
    ///
    /// # Errors
    /// As [`Keeper::acquire`].
    pub async fn withdraw(&self, claim: &Claim) -> Result<(), StoreError> {
        self.limited(Doing::Release, LONGEST_LEAVING, self.store.withdraw(claim))
            .await
    }

    /// Waits for our turn, as long as it takes or at most `at_most`.
    ///
    /// # Errors
    /// The store's.
    pub async fn wait(
        &self,
        claim: &Claim,
        place: &mut Place,
        at_most: Option<Duration>,
    ) -> Result<(), StoreError> {
        /// A wait for ever is cut into days: timers have an end.
        const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
        let span = at_most.unwrap_or(LONGEST).min(LONGEST);
        // A store that does not keep to its limit must not keep us from keeping to ours.
        match timeout(
            span + WAIT_SLACK,
            self.store.wait_for_turn(claim, place, span),
        )
        .await
        {
            Ok(answer) => answer,
            Err(_) => Ok(()),
        }
    }

    /// One look.
    ///
    /// # Errors
    /// As [`Keeper::acquire`].
    pub async fn observe(&self, name: &LeaseName) -> Result<Observation, StoreError> {
        self.limited(Doing::Observe, LONGEST_SEEKING, self.store.observe(name))
            .await
    }

    /// Asks something of a lease on behalf of an operator, and for a moment again where it is certain that
    /// nothing was done: another operator may be writing.
    ///
    /// # Errors
    /// As [`Keeper::acquire`].
    pub async fn ask(
        &self,
        name: &LeaseName,
        what: Ask,
        asker: &Asker,
    ) -> Result<Asked, StoreError> {
        let until = self.clock.now() + ASKED_AGAIN_FOR;
        loop {
            let asked = self.store.ask(name, what, asker);
            let asked = self.limited(Doing::Ask, LONGEST_SEEKING, asked).await;
            let undone = matches!(
                &asked,
                Err(StoreError::Unreachable {
                    effect: Effect::None,
                    ..
                })
            );
            if !undone || self.clock.now() >= until {
                return asked;
            }
            sleep(ASKED_AGAIN_AFTER).await;
        }
    }

    /// Removes all that is kept of a lease that nobody else can know.
    ///
    /// # Errors
    /// As [`Keeper::acquire`].
    pub async fn forget(&self, name: &LeaseName) -> Result<(), StoreError> {
        let forgotten = self.store.forget(name);
        self.limited(Doing::Forget, LONGEST_SEEKING, forgotten)
            .await
    }

    /// What the server says of itself, for people who set it up.
    ///
    /// # Errors
    /// As [`Keeper::acquire`].
    pub async fn advice(&self) -> Result<Advice, StoreError> {
        let advice = self.store.advice();
        self.limited(Doing::Advise, LONGEST_SEEKING, advice).await
    }

    /// Takes a lease away from the hold with this token.
    ///
    /// # Errors
    /// As [`Keeper::acquire`].
    pub async fn revoke(
        &self,
        name: &LeaseName,
        token: FencingToken,
        asker: &Asker,
    ) -> Result<Revoked, StoreError> {
        let revoked = self.store.revoke(name, token, asker);
        self.limited(Doing::Revoke, LONGEST_SEEKING, revoked).await
    }

    /// Takes a lease away from somebody who is not leasectl.
    ///
    /// # Errors
    /// As [`Keeper::acquire`].
    pub async fn evict(&self, name: &LeaseName) -> Result<Revoked, StoreError> {
        let evicted = self.store.evict(name);
        self.limited(Doing::Revoke, LONGEST_SEEKING, evicted).await
    }

    /// Waits until something else is to be seen than what was `seen`, at most `at_most`.
    ///
    /// # Errors
    /// The store's.
    pub async fn wait_for_change(
        &self,
        seen: &Observation,
        at_most: Duration,
    ) -> Result<(), StoreError> {
        let change = self.store.wait_for_change(seen, at_most);
        timeout(at_most + WAIT_SLACK, change)
            .await
            .unwrap_or(Ok(()))
    }

    /// All leases whose names begin with `prefix`.
    ///
    /// # Errors
    /// As [`Keeper::acquire`].
    pub async fn list(&self, prefix: &str) -> Result<Vec<Observation>, StoreError> {
        self.limited(Doing::List, LONGEST_SEEKING, self.store.list(prefix))
            .await
    }

    /// Waits until something else is to be seen of those that were `seen`, or a lease has come whose name
    /// begins with `prefix`, at most `at_most`.
    ///
    /// # Errors
    /// The store's.
    pub async fn wait_for_any_change(
        &self,
        seen: &[Observation],
        prefix: Option<&str>,
        at_most: Duration,
    ) -> Result<(), StoreError> {
        let change = self.store.wait_for_any_change(seen, prefix, at_most);
        timeout(at_most + WAIT_SLACK, change)
            .await
            .unwrap_or(Ok(()))
    }

    async fn limited<T>(
        &self,
        doing: Doing,
        longest: Duration,
        request: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let limit = self.attempt.min(longest);
        match timeout(limit, request).await {
            Ok(answer) => answer,
            Err(_) => Err(StoreError::Unreachable {
                store: self.store.label().clone(),
                doing,
                effect: Effect::Unknown,
                cause: Box::new(NoAnswer(limit)),
            }),
        }
    }
}
