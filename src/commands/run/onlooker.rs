//! Who looks on while we wait, so that people and programs are told when the lease changes hands.
//!
//! It stands in no queue and decides nothing: the wait goes on beside it as if it were not there, and
//! takes it along when it is over. What it cannot see it does not tell, and it never asks in haste.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::driver::Driver;
use super::news::News;
use crate::keeper::Keeper;
use crate::lease::{Change, LeaseState, Observation};

/// The time between two looks at the least: nobody reads faster, what is over by then was only in
/// passing, and a store that returns at once for no reason is not asked without a pause.
const BREATH: Duration = Duration::from_millis(100);
/// How long somebody who holds without a record is given to write one.
const UNRECORDED: Duration = Duration::from_secs(5);
/// A change that the store did not tell of is seen after this time.
const LONGEST_LOOK: Duration = Duration::from_secs(60);
/// The first pause after an error, and the longest: it doubles with each further one. Too short burdens
/// a store that is in trouble; too long leaves people with old news.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Ends with what is to be told.
pub(super) struct Onlooker(Pin<Box<dyn Future<Output = Observation>>>);

/// What the onlooker sees, if there is one; never otherwise.
pub(super) async fn sees(onlooker: &mut Option<Onlooker>) -> Observation {
    let Some(Onlooker(looking)) = onlooker else {
        return std::future::pending().await;
    };
    let seen = looking.await;
    *onlooker = None;
    seen
}

/// Looks until people would have to be told something else than `told`.
async fn look(keeper: Keeper, told: Observation) -> Observation {
    let mut seen = told.clone();
    let mut pause = SHORTEST_PAUSE;
    let mut unrecorded_since = None;
    loop {
        match next(&keeper, &seen).await {
            Ok(now) => {
                pause = SHORTEST_PAUSE;
                if is_unrecorded(&now) {
                    let since = *unrecorded_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= UNRECORDED && !now.shows_the_same_as(&told) {
                        return now;
                    }
                } else {
                    unrecorded_since = None;
                    // A lease that is free is on its way to somebody: to whom, that is the news.
                    if now.state != LeaseState::Free && !now.shows_the_same_as(&told) {
                        return now;
                    }
                }
                seen = now;
            }
            // Errors are for the one who waits to tell, whose business the lease is.
            Err(_) => {
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

async fn next(
    keeper: &Keeper,
    seen: &Observation,
) -> Result<Observation, crate::lease::StoreError> {
    let longest = if is_unrecorded(seen) {
        UNRECORDED
    } else {
        LONGEST_LOOK
    };
    keeper.wait_for_change(seen, longest).await?;
    sleep(BREATH).await;
    keeper.observe(&seen.name).await
}

/// Held by one who wrote no record: it is about to, or its front is dead and the rest will follow.
const fn is_unrecorded(seen: &Observation) -> bool {
    matches!(seen.state, LeaseState::Held) && seen.record.is_none()
}

impl Driver<'_> {
    /// Puts an onlooker beside the wait, where the store tells of changes and somebody listens.
    pub(super) fn look_on(&mut self) {
        let told = self.refused_by.clone();
        let pushed = self.plan.store.promises().onlookers == Change::Pushed;
        if let Some(told) = told.filter(|_| pushed && self.audience.follows_the_holder()) {
            let onlooker = Onlooker(Box::pin(look(self.keeper.clone(), told)));
            self.request = self
                .request
                .take()
                .map(|request| request.watched_by(onlooker));
        }
    }

    /// The lease has changed hands while we wait.
    pub(super) fn seen(&mut self, by: Observation) {
        let Some(why) = by.state.refuses() else {
            // Nobody is waited for; our turn, or the next holder, follows.
            return self.look_on();
        };
        self.audience.hear(&News::Waiting { why, by: &by });
        (self.refused_why, self.refused_by) = (Some(why), Some(by));
        self.look_on();
    }
}

#[cfg(test)]
#[cfg(feature = "memory")]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::BootClock;
    use crate::lease::{
        Attempt, Claim, Ending, Hold, LeaseName, LeaseStore, OwnerId, Purpose, Release,
    };
    use crate::process::identity::holder;
    use crate::store::memory::{Config, MemoryStore};

    async fn grant(store: &MemoryStore) -> Hold {
        let claim = Claim {
            name: LeaseName::new("a").unwrap(),
            owner: OwnerId::fresh().unwrap(),
            ttl: Duration::from_secs(30),
            min_hold: None,
            holder: holder(None),
            purpose: Purpose::default(),
            unanswered: false,
        };
        match store.try_acquire(&claim).await.unwrap() {
            Attempt::Granted(hold) => hold,
            Attempt::Refused(refusal) => panic!("{refusal:?}"),
        }
    }

    #[tokio::test]
    async fn the_next_holder_is_news_and_a_free_lease_is_not() {
        let store = Arc::new(MemoryStore::new(Config::default(), Arc::new(BootClock)));
        let asked: Arc<dyn LeaseStore> = Arc::<MemoryStore>::clone(&store);
        let keeper = Keeper::new(asked, Arc::new(BootClock), Duration::from_secs(3));
        let first = grant(&store).await;
        let told = keeper.observe(&first.name).await.unwrap();
        let mut onlooker = Some(Onlooker(Box::pin(look(keeper, told))));
        let ending = Ending::withdrawn();
        let released = store.release(&first, &ending).await.unwrap();
        assert_eq!(released, Release::Released);
        // Long enough for it to see that nobody has it.
        let patience = BREATH * 3;
        let seen = tokio::time::timeout(patience, sees(&mut onlooker)).await;
        assert!(seen.is_err(), "{seen:?}");
        let second = grant(&store).await;
        let seen = tokio::time::timeout(BREATH * 300, sees(&mut onlooker)).await;
        let record = seen.unwrap().record.unwrap();
        assert_eq!(record.token, second.token);
        assert!(onlooker.is_none());
    }
}
