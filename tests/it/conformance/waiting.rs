//! The promises to those who wait or contend, each as a function of a fresh store.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use leasectl::lease::{Attempt, LeaseStore, Place, RefusedWhy, Release, Renewal};

use super::stores::{Bench, claim, claim_held_for, completed, granted, refused};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

pub(super) async fn a_waiter_wakes_on_release(bench: Bench) {
    for _ in 0..20 {
        let hold = granted(&bench.one, &claim("a")).await;
        let asked = claim("a");
        let mut place = refused(&bench.two, &asked).await.place;
        let started = Instant::now();
        let wait = bench.two.wait_for_turn(&asked, &mut place, MINUTE);
        let release = async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            bench.one.release(&hold, &completed()).await.unwrap()
        };
        let (waited, released) = tokio::join!(wait, release);
        waited.unwrap();
        assert_eq!(released, Release::Released);
        assert!(started.elapsed() < 10 * SECOND);
        let next = granted(&bench.two, &asked).await;
        drop(place);
        assert_eq!(
            bench.two.renew(&next).await.unwrap().untimed(),
            Renewal::EXTENDED
        );
        refused(&bench.one, &claim("a")).await;
        assert_eq!(
            bench.two.release(&next, &completed()).await.unwrap(),
            Release::Released
        );
    }
}

pub(super) async fn a_waiter_waits_at_most_as_long_as_it_was_told(bench: Bench) {
    granted(&bench.one, &claim("a")).await;
    let asked = claim("a");
    let mut place = Place::default();
    for _ in 0..3 {
        let started = Instant::now();
        let at_most = Duration::from_millis(20);
        bench
            .two
            .wait_for_turn(&asked, &mut place, at_most)
            .await
            .unwrap();
        assert!(started.elapsed() < 5 * SECOND);
        refused(&bench.two, &asked).await;
    }
}

pub(super) async fn waiting_through_a_minimum_hold_blocks_nobody(bench: Bench) {
    let hold = granted(&bench.one, &claim_held_for("a", 60)).await;
    let asked = claim("a");
    let mut place = refused(&bench.two, &asked).await.place;
    let short = Duration::from_millis(20);
    bench
        .two
        .wait_for_turn(&asked, &mut place, short)
        .await
        .unwrap();
    assert_eq!(
        bench.one.release(&hold, &completed()).await.unwrap(),
        Release::Released
    );
    bench
        .two
        .wait_for_turn(&asked, &mut place, short)
        .await
        .unwrap();
    let refusal = refused(&bench.two, &asked).await;
    assert_eq!(refusal.why, RefusedWhy::Cooldown);
    place = refusal.place;
    bench
        .two
        .wait_for_turn(&asked, &mut place, short)
        .await
        .unwrap();
    bench.pass(MINUTE + bench.grain);
    if bench.reservation > Duration::ZERO {
        // A store that keeps an order asks the first in line, and no longer than it promises.
        assert_eq!(refused(&bench.one, &claim("a")).await.why, RefusedWhy::Held);
        bench.pass(bench.reservation);
    }
    granted(&bench.one, &claim("a")).await;
}

pub(super) async fn a_dropped_wait_leaves_nothing_behind(bench: Bench) {
    let hold = granted(&bench.one, &claim("a")).await;
    let asked = claim("a");
    let mut place = refused(&bench.two, &asked).await.place;
    let wait = bench.two.wait_for_turn(&asked, &mut place, MINUTE);
    assert!(
        tokio::time::timeout(Duration::from_millis(20), wait)
            .await
            .is_err()
    );
    bench.two.withdraw(&asked).await.unwrap();
    drop(place);
    assert_eq!(
        bench.one.release(&hold, &completed()).await.unwrap(),
        Release::Released
    );
    // Whoever waited may still be seen giving back what nobody wants any more, but not for long.
    let next = claim("a");
    for _ in 0..1_000 {
        if let Attempt::Granted(_) = bench.one.try_acquire(&next).await.unwrap() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("still held");
}

pub(super) async fn of_many_contenders_one_holds(bench: Bench) {
    const CONTENDERS: usize = 20;
    const ROUNDS: usize = 100;
    let together = Arc::new(Barrier::new(CONTENDERS));
    let contend = |_| {
        // One of its own: a connection belongs to the runtime that opened it.
        let (store, together) = (bench.another(), Arc::clone(&together));
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let rounds = contended(&store, &together, ROUNDS);
            runtime.unwrap().block_on(rounds)
        })
    };
    // So that none is refused only because the lease is new.
    let first = granted(&bench.one, &claim("a")).await;
    let released = bench.one.release(&first, &completed()).await.unwrap();
    assert_eq!(released, Release::Released);
    let contenders: Vec<_> = (0..CONTENDERS).map(contend).collect();
    let told: Vec<_> = contenders
        .into_iter()
        .map(|contender| contender.join().unwrap())
        .collect();
    let mut last = 0;
    for round in 0..ROUNDS {
        let won = told.iter().map(|rounds| rounds[round].as_ref().unwrap());
        let won: Vec<u64> = won.filter_map(|token| *token).collect();
        assert!(won.len() == 1 && won[0] > last, "{round}: {won:?}, {last}");
        last = won[0];
    }
}

/// The token that one of many got in each round, in which all ask at once. Nobody leaves early, whatever
/// happens: the others would wait for ever.
async fn contended(
    store: &Arc<dyn LeaseStore>,
    together: &Barrier,
    rounds: usize,
) -> Vec<Result<Option<u64>, String>> {
    let mut told = Vec::new();
    for _ in 0..rounds {
        together.wait();
        let attempt = store.try_acquire(&claim("a")).await;
        // Held until all have asked.
        together.wait();
        told.push(match attempt {
            Ok(Attempt::Granted(hold)) => match store.release(&hold, &completed()).await {
                Ok(Release::Released) => Ok(Some(hold.token.get())),
                other => Err(format!("{other:?}")),
            },
            Ok(Attempt::Refused(_)) => Ok(None),
            Err(error) => Err(error.to_string()),
        });
    }
    told
}
