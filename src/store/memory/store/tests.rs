//! Silence and drills: what only this store can be told to do.

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
    assert_eq!(answer(two.renew(&hold)).await, Some(Renewal::EXTENDED));
    assert_eq!(answer(two.renew(&hold)).await, None);
    assert!(answer(one.observe(&hold.name)).await.is_none());
    one.answer_again();
    assert_eq!(answer(two.renew(&hold)).await, Some(Renewal::EXTENDED));
}

#[tokio::test]
async fn after_its_renewals_the_lease_is_lost() {
    let store = store(None, Some(2));
    let hold = hold_of(answer(store.try_acquire(&claim())).await);
    for _ in 0..2 {
        assert_eq!(answer(store.renew(&hold)).await, Some(Renewal::EXTENDED));
    }
    let lost = Some(Renewal::lost(LostWhy::Taken));
    assert_eq!(answer(store.renew(&hold)).await, lost);
    assert!(
        answer(store.renew(&hold))
            .await
            .is_some_and(|r| r != Renewal::EXTENDED)
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
