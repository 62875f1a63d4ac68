//! The line: in order of arrival, one woken by each release, and what it costs the server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use leasectl::lease::{Attempt, Claim, Hold, LeaseStore, Place, RefusedWhy, Release, Renewal};
use libtest_mimic::Trial;

use super::{claim_for, client, run};
use crate::conformance::stores::{claim, completed, granted, refused};
use crate::support::redis::RedisServer;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        waiters_are_served_in_order_of_arrival,
        a_waiter_comes_back_to_its_place,
        a_dead_waiter_is_skipped,
        a_woken_waiter_that_does_nothing_costs_a_second,
        whoever_leaves_the_line_passes_its_turn_on,
        the_first_in_line_follows_a_dead_holder,
        a_hand_over_costs_the_same_whoever_waits,
        an_idle_line_costs_nothing,
    ]
}

const URL: &str = "restart-guard=off";

/// One client that waits, with its claim.
struct Waiter {
    store: Arc<dyn LeaseStore>,
    claim: Claim,
}

impl Waiter {
    /// Stands in line from the return on.
    async fn in_line(server: &RedisServer) -> Self {
        let waiter = Self {
            store: client(&server.url(URL)),
            claim: claim("a"),
        };
        refused(&waiter.store, &waiter.claim).await;
        waiter.wait(Duration::ZERO).await;
        waiter
    }

    async fn wait(&self, at_most: Duration) {
        let mut place = Place::default();
        let turn = self.store.wait_for_turn(&self.claim, &mut place, at_most);
        turn.await.unwrap();
    }

    /// Waits until it holds.
    async fn hold(&self) -> Hold {
        loop {
            match self.store.try_acquire(&self.claim).await.unwrap() {
                Attempt::Granted(hold) => return hold,
                Attempt::Refused(_) => self.wait(MINUTE).await,
            }
        }
    }

    async fn release(&self, hold: &Hold) {
        release(&self.store, hold).await;
    }
}

async fn release(store: &Arc<dyn LeaseStore>, hold: &Hold) {
    let released = store.release(hold, &completed()).await.unwrap();
    assert_eq!(released, Release::Released);
}

fn waiters_are_served_in_order_of_arrival() {
    let server = RedisServer::start(&[]);
    run(async {
        let holder = client(&server.url(URL));
        let first = granted(&holder, &claim("a")).await;
        let mut line = Vec::new();
        for _ in 0..5 {
            line.push(Waiter::in_line(&server).await);
        }
        release(&holder, &first).await;
        let mut last = first.token;
        for (at, waiter) in line.iter().enumerate() {
            // It was kept for this one, whoever asks before.
            for other in line.iter().skip(at + 1).rev() {
                refused(&other.store, &other.claim).await;
            }
            assert_eq!(refused(&holder, &claim("a")).await.why, RefusedWhy::Held);
            waiter.wait(MINUTE).await;
            let hold = granted(&waiter.store, &waiter.claim).await;
            assert!(hold.token > last);
            last = hold.token;
            waiter.release(&hold).await;
        }
    });
}

fn a_waiter_comes_back_to_its_place() {
    let server = RedisServer::start(&[]);
    run(async {
        let holder = client(&server.url(URL));
        let hold = granted(&holder, &claim("a")).await;
        let early = Waiter::in_line(&server).await;
        let late = Waiter::in_line(&server).await;
        // The connections of both are cut, and the server loses the line.
        server.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        let keys = server.cli(&["KEYS", "*:q:a"]);
        server.cli(&["DEL", &keys]);
        for waiter in [&late, &early] {
            waiter.wait(MINUTE).await;
            refused(&waiter.store, &waiter.claim).await;
        }
        assert_eq!(
            holder.renew(&hold).await.unwrap().untimed(),
            Renewal::EXTENDED
        );
        release(&holder, &hold).await;
        refused(&late.store, &late.claim).await;
        granted(&early.store, &early.claim).await;
    });
}

fn a_dead_waiter_is_skipped() {
    let server = RedisServer::start(&[]);
    run(async {
        let holder = client(&server.url(URL));
        let hold = granted(&holder, &claim("a")).await;
        for _ in 0..3 {
            drop(Waiter::in_line(&server).await);
        }
        let alive = Waiter::in_line(&server).await;
        release(&holder, &hold).await;
        granted(&alive.store, &alive.claim).await;
    });
}

fn a_woken_waiter_that_does_nothing_costs_a_second() {
    let server = RedisServer::start(&[]);
    run(async {
        let holder = client(&server.url(URL));
        let hold = granted(&holder, &claim("a")).await;
        let _asleep = Waiter::in_line(&server).await;
        let next = Waiter::in_line(&server).await;
        let started = Instant::now();
        release(&holder, &hold).await;
        let hold = next.hold().await;
        let took = started.elapsed();
        // Not by the look that everyone takes after ten seconds.
        assert!(took >= SECOND && took < 7 * SECOND, "{took:?}");
        next.release(&hold).await;
    });
}

fn whoever_leaves_the_line_passes_its_turn_on() {
    let server = RedisServer::start(&[]);
    run(async {
        let holder = client(&server.url(URL));
        let hold = granted(&holder, &claim("a")).await;
        let first = Waiter::in_line(&server).await;
        let second = Waiter::in_line(&server).await;
        release(&holder, &hold).await;
        refused(&second.store, &second.claim).await;
        first.store.withdraw(&first.claim).await.unwrap();
        granted(&second.store, &second.claim).await;
    });
}

fn the_first_in_line_follows_a_dead_holder() {
    let server = RedisServer::start(&[]);
    run(async {
        let holder = client(&server.url(URL));
        let ttl = 2 * SECOND;
        let hold = granted(&holder, &claim_for(ttl)).await;
        let waiter = Waiter::in_line(&server).await;
        tokio::time::sleep(SECOND).await;
        // The first in line is told of the new end, and asks nobody.
        let renewed = holder.renew(&hold).await.unwrap();
        assert_eq!(renewed.untimed(), Renewal::EXTENDED);
        let started = Instant::now();
        drop(holder);
        waiter.hold().await;
        let took = started.elapsed();
        // By its own timer, and not by the look that everyone takes after ten seconds.
        let early = Duration::from_millis(50);
        assert!(took > ttl - early && took < ttl + 5 * SECOND, "{took:?}");
    });
}

/// What clients have sent so far, without what this asks itself.
fn commands(server: &RedisServer) -> u64 {
    let stats = server.cli(&["INFO", "commandstats"]);
    let calls = stats.lines().filter_map(|line| {
        let (command, numbers) = line.split_once(':')?;
        // What the scripts call is counted there, too; these are what clients send.
        let sent = ["evalsha", "eval", "subscribe", "unsubscribe", "hello"];
        let sent = sent.contains(&command.strip_prefix("cmdstat_")?);
        let calls = numbers.strip_prefix("calls=")?.split(',').next()?;
        sent.then(|| calls.parse::<u64>().unwrap())
    });
    calls.sum()
}

fn a_hand_over_costs_the_same_whoever_waits() {
    let server = RedisServer::start(&[]);
    run(async {
        let holder = client(&server.url(URL));
        let mut hold = granted(&holder, &claim("a")).await;
        // The first of each kind makes its script known to the server.
        release(&holder, &hold).await;
        hold = granted(&holder, &claim("a")).await;
        let mut line = Vec::new();
        let mut costs = Vec::new();
        let mut of_the_last = Arc::clone(&holder);
        for waiters in [1, 10, 100] {
            while line.len() < waiters {
                line.push(Waiter::in_line(&server).await);
            }
            let before = commands(&server);
            release(&of_the_last, &hold).await;
            let next = line.remove(0);
            hold = next.hold().await;
            costs.push(commands(&server) - before);
            of_the_last = next.store;
        }
        // A release, an acquisition, and one channel for another.
        assert_eq!(costs, [4, 4, 4]);
    });
}

fn an_idle_line_costs_nothing() {
    let server = RedisServer::start(&[]);
    run(async {
        let holder = client(&server.url(URL));
        let hold = granted(&holder, &claim("a")).await;
        let line = [
            Waiter::in_line(&server).await,
            Waiter::in_line(&server).await,
        ];
        // The first makes its script known to the server.
        assert_eq!(
            holder.renew(&hold).await.unwrap().untimed(),
            Renewal::EXTENDED
        );
        let before = commands(&server);
        let wait = async {
            let limit = 3 * SECOND;
            tokio::join!(line[0].wait(limit), line[1].wait(limit));
        };
        let renewals = async {
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_millis(500)).await;
                assert_eq!(
                    holder.renew(&hold).await.unwrap().untimed(),
                    Renewal::EXTENDED
                );
            }
        };
        tokio::join!(wait, renewals);
        assert_eq!(commands(&server) - before, 5, "one for each renewal");
    });
}
