//! The promises to those who only look on, each as a function of a fresh store.

use std::sync::Arc;
use std::time::{Duration, Instant};

use leasectl::lease::{LeaseState, LeaseStore, Observation, RefusedWhy, Release};

use super::stores::{Bench, claim, claim_held_for, completed, granted, refused};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// "At once", on a machine that is drowning in other work.
const SOON: Duration = Duration::from_secs(20);

async fn look(store: &Arc<dyn LeaseStore>) -> Observation {
    store.observe(&claim("a").name).await.unwrap()
}

/// Looks on while `act` is done, and again after every early return, until something else is shown.
async fn told(bench: &Bench, act: impl AsyncFnOnce()) -> Observation {
    let seen = look(&bench.two).await;
    let started = Instant::now();
    let onlooker = async {
        loop {
            bench.two.wait_for_change(&seen, MINUTE).await.unwrap();
            let now = look(&bench.two).await;
            if !now.shows_the_same_as(&seen) {
                return now;
            }
        }
    };
    let act = async {
        // Now it sleeps, or soon; whichever it is must make no difference.
        tokio::time::sleep(Duration::from_millis(5)).await;
        act().await;
    };
    let (now, ()) = tokio::join!(onlooker, act);
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    now
}

pub(super) async fn an_onlooker_waits_at_most_as_long_as_it_was_told(bench: Bench) {
    let limit = Duration::from_millis(20);
    for held in [false, true] {
        if held {
            granted(&bench.one, &claim("a")).await;
        }
        let seen = look(&bench.two).await;
        let started = Instant::now();
        bench.two.wait_for_change(&seen, limit).await.unwrap();
        assert!(started.elapsed() < 5 * SECOND);
    }
}

pub(super) async fn an_onlooker_is_told_of_the_first_holder(bench: Bench) {
    let now = told(&bench, async || {
        drop(granted(&bench.one, &claim("a")).await)
    })
    .await;
    assert_eq!(now.state, LeaseState::Held);
}

pub(super) async fn an_onlooker_is_told_of_a_release_and_of_the_next_holder(bench: Bench) {
    let mut hold = granted(&bench.one, &claim("a")).await;
    for _ in 0..20 {
        let release = async || {
            let released = bench.one.release(&hold, &completed()).await.unwrap();
            assert_eq!(released, Release::Released);
        };
        told(&bench, release).await;
        assert_eq!(look(&bench.two).await.state, LeaseState::Free);
        let mut next = None;
        let acquire = async || next = Some(granted(&bench.one, &claim("a")).await);
        told(&bench, acquire).await;
        hold = next.unwrap();
        let seen = look(&bench.two).await.record;
        assert_eq!(seen.map(|record| record.token), Some(hold.token));
    }
}

pub(super) async fn an_onlooker_is_told_of_the_end_of_a_minimum_hold(bench: Bench) {
    let hold = granted(&bench.one, &claim_held_for("a", 60)).await;
    let released = bench.one.release(&hold, &completed()).await.unwrap();
    assert_eq!(released, Release::Released);
    let seen = look(&bench.two).await;
    assert_eq!(seen.state, LeaseState::Cooldown);
    bench.pass(MINUTE + bench.grain);
    let started = Instant::now();
    bench.two.wait_for_change(&seen, MINUTE).await.unwrap();
    assert!(started.elapsed() < SOON);
    assert_eq!(look(&bench.two).await.state, LeaseState::Free);
}

pub(super) async fn an_onlooker_whose_news_is_old_is_told_at_once(bench: Bench) {
    let nobody = look(&bench.two).await;
    let hold = granted(&bench.one, &claim("a")).await;
    let first = look(&bench.two).await;
    let released = bench.one.release(&hold, &completed()).await.unwrap();
    assert_eq!(released, Release::Released);
    let free = look(&bench.two).await;
    granted(&bench.one, &claim("a")).await;
    for old in [nobody, first, free] {
        let started = Instant::now();
        bench.two.wait_for_change(&old, MINUTE).await.unwrap();
        assert!(started.elapsed() < SOON, "{old:?}");
    }
}

pub(super) async fn onlookers_that_come_and_go_change_nothing(bench: Bench) {
    for _ in 0..20 {
        let hold = granted(&bench.one, &claim("a")).await;
        let seen = look(&bench.two).await;
        for store in [&bench.one, &bench.two] {
            let wait = store.wait_for_change(&seen, MINUTE);
            drop(tokio::time::timeout(Duration::from_millis(1), wait).await);
        }
        assert_eq!(refused(&bench.two, &claim("a")).await.why, RefusedWhy::Held);
        let onlooker = bench.two.wait_for_change(&seen, MINUTE);
        let ending = completed();
        let release = bench.one.release(&hold, &ending);
        let (waited, released) = tokio::join!(onlooker, release);
        waited.unwrap();
        assert_eq!(released.unwrap(), Release::Released);
    }
}
