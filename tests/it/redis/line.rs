//! The line: in order of arrival, one woken by each release, and what it costs the server.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use leasectl::lease::{Attempt, Claim, Hold, LeaseStore, Place, RefusedWhy, Release, Renewal};
use libtest_mimic::Trial;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

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
        an_idle_waiter_looks_once_in_ten_seconds,
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

/// How often each command has been carried out so far.
fn calls(server: &RedisServer) -> Vec<(String, u64)> {
    let stats = server.cli(&["INFO", "commandstats"]);
    let calls = stats.lines().filter_map(|line| {
        let (command, numbers) = line.strip_prefix("cmdstat_")?.split_once(':')?;
        let calls = numbers.strip_prefix("calls=")?.split(',').next()?;
        Some((command.to_owned(), calls.parse().unwrap()))
    });
    calls.collect()
}

/// What clients have sent so far. What the scripts call is counted by the server, too.
fn commands(server: &RedisServer) -> u64 {
    let sent = ["evalsha", "eval", "subscribe", "unsubscribe", "hello"];
    let calls = calls(server).into_iter();
    let by_clients = calls.filter(|(command, _)| sent.contains(&command.as_str()));
    by_clients.map(|(_, calls)| calls).sum()
}

/// The same with what the scripts call, and without what this asks itself.
fn commands_and_what_scripts_call(server: &RedisServer) -> u64 {
    let calls = calls(server).into_iter();
    let all = calls.filter(|(command, _)| command != "info");
    all.map(|(_, calls)| calls).sum()
}

/// Each waiter has a connection of its own.
fn raise_the_limit_of_open_files(needed: u64) {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    assert!(hard >= needed, "at most {hard} files may be open");
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(needed), hard).unwrap();
}

fn a_hand_over_costs_the_same_whoever_waits() {
    raise_the_limit_of_open_files(2_000);
    let server = RedisServer::start(&[]);
    run(async {
        let holder = client(&server.url(URL));
        let mut hold = granted(&holder, &claim("a")).await;
        // The first of each kind makes its script known to the server.
        release(&holder, &hold).await;
        hold = granted(&holder, &claim("a")).await;
        let mut line = VecDeque::new();
        let (mut sent, mut called) = (Vec::new(), Vec::new());
        let mut of_the_last = Arc::clone(&holder);
        for waiters in [1, 10, 100, 1_000] {
            while line.len() < waiters {
                line.push_back(Waiter::in_line(&server).await);
            }
            let before = (commands(&server), commands_and_what_scripts_call(&server));
            release(&of_the_last, &hold).await;
            let next = line.pop_front().unwrap();
            hold = next.hold().await;
            sent.push(commands(&server) - before.0);
            called.push(commands_and_what_scripts_call(&server) - before.1);
            of_the_last = next.store;
        }
        println!(
            "measured: commands of one hand-over with 1, 10, 100, 1,000 waiters: {sent:?}, \
             with those inside scripts {called:?}"
        );
        // A release, an acquisition, and one channel for another.
        assert_eq!(sent, [4, 4, 4, 4]);
        // Whoever waits alone has nobody behind it who would be told.
        assert!(
            called[1..].iter().all(|calls| *calls == called[1]),
            "{called:?}"
        );
    });
}

fn an_idle_waiter_looks_once_in_ten_seconds() {
    const WAITERS: u32 = 100;
    let server = RedisServer::start(&[]);
    run(async {
        let holder = client(&server.url(URL));
        granted(&holder, &claim_for(MINUTE)).await;
        let mut line = Vec::new();
        for _ in 0..WAITERS {
            line.push(Waiter::in_line(&server).await);
        }
        let before = commands(&server);
        let mut waiters = tokio::task::JoinSet::new();
        for waiter in line {
            waiters.spawn(async move { waiter.hold().await });
        }
        // Nobody looks again before nine seconds, and everybody has after eleven.
        tokio::time::sleep(7 * SECOND).await;
        let early = commands(&server) - before;
        tokio::time::sleep(6 * SECOND).await;
        let late = commands(&server) - before;
        println!("measured: commands of {WAITERS} waiters in 13 seconds: {late}");
        assert_eq!((early, late), (WAITERS.into(), u64::from(2 * WAITERS)));
        waiters.shutdown().await;
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
