//! The promises to those who look on at many leases at once, each as a function of a fresh store.

use std::time::{Duration, Instant};

use leasectl::lease::{Ask, Asker, Hold, LeaseState, Observation, Release};

use super::stores::{Bench, claim, completed, granted};

const MINUTE: Duration = Duration::from_secs(60);
/// "At once", on a machine that is drowning in other work.
const SOON: Duration = Duration::from_secs(20);
/// What sleeps through this has not been told.
const A_WHILE: Duration = Duration::from_millis(300);

async fn look(bench: &Bench, name: &str) -> Observation {
    bench.two.observe(&claim(name).name).await.unwrap()
}

async fn give_back(bench: &Bench, hold: &Hold) {
    let released = bench.one.release(hold, &completed()).await.unwrap();
    assert_eq!(released, Release::Released);
}

/// Whether it is told of what is done meanwhile. It may return early for no reason, and is then asked
/// again as long as all is as it was.
async fn told(
    bench: &Bench,
    (seen, prefix): (&[Observation], Option<&str>),
    act: impl AsyncFnOnce(),
) -> bool {
    let started = Instant::now();
    let onlooker = async {
        loop {
            let waited = bench.two.wait_for_any_change(seen, prefix, MINUTE).await;
            waited.unwrap();
            for one in seen {
                let now = bench.two.observe(&one.name).await.unwrap();
                if !now.shows_the_same_as(one) {
                    return;
                }
            }
            let listed = match prefix {
                Some(prefix) => bench.two.list(prefix).await.unwrap(),
                None => Vec::new(),
            };
            let is_new = |found: &Observation| !seen.iter().any(|one| one.name == found.name);
            if listed.iter().any(is_new) {
                return;
            }
        }
    };
    let act = async {
        // Now it sleeps, or soon; whichever it is must make no difference.
        tokio::time::sleep(Duration::from_millis(5)).await;
        act().await;
    };
    let limited = tokio::time::timeout(A_WHILE * 40, onlooker);
    let (told, ()) = tokio::join!(limited, act);
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    told.is_ok()
}

pub(super) async fn an_overview_tells_of_each_of_those_that_were_seen(bench: Bench) {
    let first = granted(&bench.one, &claim("a/1")).await;
    let held = look(&bench, "a/1").await;
    let never = look(&bench, "never \u{e9}").await;
    let seen = [held, never];
    let release = async || give_back(&bench, &first).await;
    assert!(told(&bench, (&seen, None), release).await);
    let seen = [look(&bench, "a/1").await, seen[1].clone()];
    let acquire = async || drop(granted(&bench.one, &claim("never \u{e9}")).await);
    assert!(told(&bench, (&seen, None), acquire).await);
    let seen = [seen[0].clone(), look(&bench, "never \u{e9}").await];
    let asker = Asker {
        by: "alice".to_owned(),
        reason: None,
    };
    let pause = async || {
        let name = claim("a/1").name;
        let pause = Ask::Pause { lasts: None };
        let _asked = bench.one.ask(&name, pause, &asker).await.unwrap();
    };
    assert!(told(&bench, (&seen, None), pause).await);
    assert_eq!(look(&bench, "a/1").await.state, LeaseState::Paused);
}

pub(super) async fn an_overview_tells_of_a_new_lease_under_its_prefix(bench: Bench) {
    // A name too long for a file's name is found by what is in the file.
    let long = format!("a/{}", "l".repeat(500));
    for name in ["a/new", "a/Ä b", &long] {
        let seen = bench.two.list("a/").await.unwrap();
        let acquire = async || drop(granted(&bench.one, &claim(name)).await);
        assert!(told(&bench, (&seen, Some("a/")), acquire).await, "{name}");
    }
    assert_eq!(bench.two.list("a/").await.unwrap().len(), 3);
}

pub(super) async fn an_overview_does_not_mind_what_it_does_not_show(bench: Bench) {
    granted(&bench.one, &claim("a/1")).await;
    let seen = bench.two.list("a/").await.unwrap();
    let waiting = bench.two.wait_for_any_change(&seen, Some("a/"), MINUTE);
    let act = async {
        for name in ["b/1", "b/2", "b/1 again"] {
            granted(&bench.one, &claim(name)).await;
        }
        tokio::time::sleep(A_WHILE).await;
    };
    let (waited, ()) = tokio::join!(tokio::time::timeout(A_WHILE, waiting), act);
    assert!(waited.is_err(), "it was told of another's leases");
}

pub(super) async fn an_overview_whose_news_is_old_is_told_at_once(bench: Bench) {
    let nothing = bench.two.list("").await.unwrap();
    let hold = granted(&bench.one, &claim("a")).await;
    let held = bench.two.list("").await.unwrap();
    give_back(&bench, &hold).await;
    for old in [nothing, held] {
        let started = Instant::now();
        let waited = bench.two.wait_for_any_change(&old, Some(""), MINUTE).await;
        waited.unwrap();
        assert!(started.elapsed() < SOON, "{old:?}");
    }
}

pub(super) async fn an_overview_waits_at_most_as_long_as_it_was_told(bench: Bench) {
    granted(&bench.one, &claim("a")).await;
    let seen = bench.two.list("").await.unwrap();
    let started = Instant::now();
    let limit = Duration::from_millis(20);
    let waited = bench.two.wait_for_any_change(&seen, Some(""), limit).await;
    waited.unwrap();
    assert!(started.elapsed() < SOON);
}
