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
    Attempt, Change, Claim, Ending, Expiry, Fencing, Hold, LARGEST_TTL, LeaseName, LeaseStore,
    Observation, Place, Promises, Refusal, Release, Renewal, SMALLEST_TTL, StoreError, StoreLabel,
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

    async fn release(&self, hold: &Hold, ending: &Ending) -> Result<Release, StoreError> {
        let release = self.request(|leases, now| leases.release(hold, ending, now));
        Ok(release.await)
    }

    async fn observe(&self, name: &LeaseName) -> Result<Observation, StoreError> {
        Ok(self.request(|leases, now| leases.observe(name, now)).await)
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::lease::{LostWhy, OwnerId, Purpose};
    use crate::process::identity::holder;

    fn store(answers: Option<u64>, lost_after: Option<u64>) -> MemoryStore {
        let config = Config {
            answers,
            lost_after,
        };
        MemoryStore::new(config, Arc::new(ManualClock::at(1)))
    }

    fn claim() -> Claim {
        Claim {
            name: LeaseName::new("a").unwrap(),
            owner: OwnerId::fresh().unwrap(),
            ttl: Duration::from_secs(30),
            min_hold: None,
            holder: holder(None),
            purpose: Purpose::default(),
            unanswered: false,
        }
    }

    /// The answer, or `None` when there is none.
    async fn answer<T>(request: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
        let answered = timeout(Duration::from_millis(10), request).await;
        answered.ok().map(Result::unwrap)
    }

    fn hold_of(attempt: Option<Attempt>) -> Hold {
        match attempt {
            Some(Attempt::Granted(hold)) => hold,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn after_its_answers_it_is_silent_on_every_connection() {
        let one = store(Some(2), None);
        let two = one.another_connection();
        let asked = claim();
        let hold = hold_of(answer(one.try_acquire(&asked)).await);
        assert_eq!(answer(two.renew(&hold)).await, Some(Renewal::Extended));
        assert_eq!(answer(two.renew(&hold)).await, None);
        assert!(answer(one.observe(&hold.name)).await.is_none());
        one.answer_again();
        assert_eq!(answer(two.renew(&hold)).await, Some(Renewal::Extended));
    }

    #[tokio::test]
    async fn after_its_renewals_the_lease_is_lost() {
        let store = store(None, Some(2));
        let hold = hold_of(answer(store.try_acquire(&claim())).await);
        for _ in 0..2 {
            assert_eq!(answer(store.renew(&hold)).await, Some(Renewal::Extended));
        }
        let lost = Some(Renewal::Lost(LostWhy::Taken));
        assert_eq!(answer(store.renew(&hold)).await, lost);
        assert!(
            answer(store.renew(&hold))
                .await
                .is_some_and(|r| r != Renewal::Extended)
        );
    }

    #[tokio::test]
    async fn a_lost_answer_and_a_lost_request_differ() {
        let store = store(None, None);
        let (asked, other) = (claim(), claim());
        store.fall_silent(Silence::BeforeTheRequest);
        assert!(answer(store.try_acquire(&asked)).await.is_none());
        store.fall_silent(Silence::BeforeTheAnswer);
        assert!(answer(store.try_acquire(&other)).await.is_none());
        store.answer_again();
        let refused = answer(store.try_acquire(&asked)).await;
        assert!(matches!(refused, Some(Attempt::Refused(_))));
        answer(store.withdraw(&other)).await.unwrap();
        hold_of(answer(store.try_acquire(&asked)).await);
    }
}
