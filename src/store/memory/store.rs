//! [`LeaseStore`] in memory; the algorithm is in the folder's `mod.rs`.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::config::Config;
use super::wire::{Answer, Leases, Now, Silence};
use crate::clock::Clock;
use crate::lease::{
    Ask, Asked, Asker, Attempt, Change, Claim, Ending, Expiry, Fencing, FencingToken, Hold,
    HoldEvent, LARGEST_TTL, LeaseName, LeaseStore, Observation, Place, Promises, Refusal, Release,
    Renewal, Revoked, SMALLEST_TTL, StoreError, StoreLabel,
};

/// A connection to a store in memory.
#[derive(Debug)]
pub struct MemoryStore {
    label: StoreLabel,
    server: Arc<Server>,
}

#[derive(Debug)]
struct Server {
    clock: Arc<dyn Clock>,
    leases: Mutex<Leases>,
    mood: Mutex<Mood>,
    /// Told after every change that may let somebody in.
    freed: Notify,
}

/// Whether it answers.
#[derive(Debug)]
struct Mood {
    answers_left: Option<u64>,
    silence: Option<Silence>,
}

impl MemoryStore {
    /// A new, empty store whose expiries are decided by `clock`.
    #[must_use]
    pub fn new(config: Config, clock: Arc<dyn Clock>) -> Self {
        Self {
            label: StoreLabel::new("memory:".to_owned()),
            server: Arc::new(Server {
                clock,
                leases: Mutex::new(Leases::new(config.lost_after)),
                mood: Mutex::new(Mood {
                    answers_left: config.answers,
                    silence: None,
                }),
                freed: Notify::new(),
            }),
        }
    }

    /// Another client of the same leases.
    #[must_use]
    pub fn another_connection(&self) -> Self {
        Self {
            label: self.label.clone(),
            server: Arc::clone(&self.server),
        }
    }

    /// From now on no request of any connection is answered.
    pub fn fall_silent(&self, silence: Silence) {
        locked(&self.server.mood).silence = Some(silence);
    }

    /// Ends what [`MemoryStore::fall_silent`] and `?answers=N` began. A request that was made in
    /// the silence stays unanswered.
    pub fn answer_again(&self) {
        *locked(&self.server.mood) = Mood {
            answers_left: None,
            silence: None,
        };
    }

    /// Carries a request out and answers it, or does one of the two, or neither.
    async fn request<T>(&self, carry_out: impl FnOnce(&mut Leases, Now) -> T + Send) -> T
    where
        T: Send,
    {
        let silence = self.server.silence();
        if silence == Some(Silence::BeforeTheRequest) {
            return pending().await;
        }
        let answer = carry_out(&mut self.server.leases(), self.server.now());
        // After the change and outside the mutex: a waiter that wakes finds it done.
        self.server.freed.notify_waiters();
        if silence.is_some() {
            return pending().await;
        }
        answer
    }
}

impl Server {
    fn leases(&self) -> MutexGuard<'_, Leases> {
        locked(&self.leases)
    }

    fn now(&self) -> Now {
        Now {
            boot: self.clock.now(),
            wall: self.clock.wall(),
        }
    }

    fn silence(&self) -> Option<Silence> {
        let mut mood = locked(&self.mood);
        match &mut mood.answers_left {
            Some(0) => Some(Silence::BeforeTheRequest),
            Some(left) => {
                *left -= 1;
                mood.silence
            }
            None => mood.silence,
        }
    }

    fn is_silent(&self) -> bool {
        let mood = locked(&self.mood);
        mood.silence.is_some() || mood.answers_left == Some(0)
    }

    async fn until_changed(&self, seen: &Observation) {
        loop {
            // Enlisted before the look, as below.
            let mut told = std::pin::pin!(self.freed.notified());
            told.as_mut().enable();
            if self.is_silent() {
                return pending().await;
            }
            let (now, rest) = {
                let (leases, now) = (self.leases(), self.now());
                let rest = leases.until_time_changes_it(&seen.name, now);
                (leases.observe(&seen.name, now), rest)
            };
            if !now.shows_the_same_as(seen) || timeout(rest, told).await.is_err() {
                return;
            }
        }
    }

    async fn until_any_changed(&self, seen: &[Observation], prefix: Option<&str>) {
        loop {
            // Enlisted before the look, as below.
            let mut told = std::pin::pin!(self.freed.notified());
            told.as_mut().enable();
            if self.is_silent() {
                return pending().await;
            }
            let (changed, rest) = {
                let (leases, now) = (self.leases(), self.now());
                let of_time = |seen: &Observation| leases.until_time_changes_it(&seen.name, now);
                let other = |seen: &Observation| {
                    let found = leases.observe(&seen.name, now);
                    !found.shows_the_same_as(seen)
                };
                let all = prefix.map_or_else(Vec::new, |prefix| leases.list(prefix, now));
                let is_new = |one: &Observation| !seen.iter().any(|seen| seen.name == one.name);
                let rest = seen.iter().map(of_time).min().unwrap_or(Duration::MAX);
                (seen.iter().any(other) || all.iter().any(is_new), rest)
            };
            if changed || timeout(rest, told).await.is_err() {
                return;
            }
        }
    }

    async fn until_told(&self, hold: &Hold) -> HoldEvent {
        loop {
            // Enlisted before the look, as below.
            let mut told = std::pin::pin!(self.freed.notified());
            told.as_mut().enable();
            if self.is_silent() {
                return pending().await;
            }
            let (event, rest) = {
                let (mut leases, now) = (self.leases(), self.now());
                let rest = leases.until_time_changes_it(&hold.name, now);
                (leases.event_of(hold, now), rest)
            };
            if let Some(event) = event {
                return event;
            }
            // Told or out of time: in both cases there is something to look at.
            timeout(rest, told).await.ok();
        }
    }

    async fn until_freed(&self, claim: &Claim) {
        loop {
            // The listener is enlisted before the look. The other way round, a release between the
            // look and the enlisting would be slept through.
            let mut freed = std::pin::pin!(self.freed.notified());
            freed.as_mut().enable();
            if self.is_silent() {
                return pending().await;
            }
            let rest = self.leases().rest(claim, self.now());
            if rest.is_zero() || timeout(rest, freed).await.is_err() {
                return;
            }
        }
    }
}

/// A panic elsewhere leaves whole values behind: every transition is one assignment per field.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl LeaseStore for MemoryStore {
    fn label(&self) -> &StoreLabel {
        &self.label
    }

    fn promises(&self) -> Promises {
        Promises {
            shortest_ttl: SMALLEST_TTL,
            longest_ttl: LARGEST_TTL,
            fencing: Fencing::ThisProcess,
            expiry: Expiry::StoreClock,
            change: Change::Pushed,
            onlookers: Change::Pushed,
            broken_by: &["any other process, which has leases of its own"],
        }
    }

    async fn try_acquire(&self, claim: &Claim) -> Result<Attempt, StoreError> {
        let attempt = self.request(|leases, now| match leases.acquire(claim, now) {
            Answer::Granted(hold) => Attempt::Granted(hold),
            Answer::Refused(why, rest) => Attempt::Refused(Refusal {
                why,
                by: leases.observe(&claim.name, now),
                look_again: Some(rest),
                place: Place::default(),
            }),
        });
        Ok(attempt.await)
    }

    async fn wait_for_turn(
        &self,
        claim: &Claim,
        _place: &mut Place,
        at_most: Duration,
    ) -> Result<(), StoreError> {
        // Both endings mean "look again".
        timeout(at_most, self.server.until_freed(claim))
            .await
            .or(Ok(()))
    }

    async fn withdraw(&self, claim: &Claim) -> Result<(), StoreError> {
        self.request(|leases, now| leases.withdraw(claim, now))
            .await;
        Ok(())
    }

    async fn renew(&self, hold: &Hold) -> Result<Renewal, StoreError> {
        Ok(self.request(|leases, now| leases.renew(hold, now)).await)
    }

    async fn hold_event(&self, hold: &Hold) -> Result<HoldEvent, StoreError> {
        Ok(self.server.until_told(hold).await)
    }

    async fn release(&self, hold: &Hold, ending: &Ending) -> Result<Release, StoreError> {
        let release = self.request(|leases, now| leases.release(hold, ending, now));
        Ok(release.await)
    }

    async fn observe(&self, name: &LeaseName) -> Result<Observation, StoreError> {
        Ok(self.request(|leases, now| leases.observe(name, now)).await)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Observation>, StoreError> {
        Ok(self.request(|leases, now| leases.list(prefix, now)).await)
    }

    async fn wait_for_change(
        &self,
        seen: &Observation,
        at_most: Duration,
    ) -> Result<(), StoreError> {
        // Both endings mean "look again".
        timeout(at_most, self.server.until_changed(seen))
            .await
            .or(Ok(()))
    }

    async fn wait_for_any_change(
        &self,
        seen: &[Observation],
        prefix: Option<&str>,
        at_most: Duration,
    ) -> Result<(), StoreError> {
        // Both endings mean "look again".
        timeout(at_most, self.server.until_any_changed(seen, prefix))
            .await
            .or(Ok(()))
    }

    async fn ask(&self, name: &LeaseName, what: Ask, asker: &Asker) -> Result<Asked, StoreError> {
        let asked = self.request(|leases, now| leases.ask(name, what, asker, now));
        Ok(asked.await)
    }

    async fn forget(&self, name: &LeaseName) -> Result<(), StoreError> {
        self.request(|leases, _| leases.by_name.remove(name)).await;
        Ok(())
    }

    async fn revoke(
        &self,
        name: &LeaseName,
        token: FencingToken,
        asker: &Asker,
    ) -> Result<Revoked, StoreError> {
        let revoked = self.request(|leases, now| leases.revoke(name, token, asker, now));
        Ok(revoked.await)
    }
}

#[cfg(test)]
mod tests;
