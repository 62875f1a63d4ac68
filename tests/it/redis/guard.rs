//! The guard: a server that may have forgotten a holder gives the lease to nobody for one time to live.

use std::sync::Arc;
use std::time::Duration;

use leasectl::lease::{
    Ask, Asked, Asker, HoldEvent, LeaseStore, LostWhy, RefusedWhy, Release, Renewal,
};
use libtest_mimic::Trial;

use super::{client, run};
use crate::conformance::stores::{claim, completed, granted, refused};
use crate::support::lab::PATIENCE;
use crate::support::processes::wait_until;
use crate::support::redis::RedisServer;

const SECOND: u64 = 1_000_000;
/// When the clocks of these tests begin, in microseconds.
const BEGIN: u64 = 1_700_000_000 * SECOND;
/// By when no guard of a start is left: 30 s of the claims, and a second of rounding.
const SETTLED: u64 = BEGIN + 31 * SECOND;
/// As long as a time to live, and so as the guard.
const TTL: u64 = 30 * SECOND;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_new_server_keeps_everyone_out_for_one_time_to_live,
        a_holder_whose_lease_is_deleted_is_told_and_followed_by_nobody,
        a_deleted_lease_is_kept_back_from_first_sight,
        an_emptied_server_does_not_forget_who_listens,
        tokens_rise_over_an_emptied_server,
        a_clock_that_was_set_back_behind_the_start_keeps_nobody_out_for_longer,
        a_restart_without_data_is_waited_out,
        a_restart_with_data_keeps_the_holder_and_its_renewal_ends_the_guard,
        a_record_of_another_server_is_kept_back_from_first_sight,
        a_pause_is_no_record_of_a_holder,
        the_guard_can_be_set_and_turned_off,
    ]
}

/// A settled server, and the URL of its store.
fn settled() -> (RedisServer, String) {
    let server = RedisServer::with_clock(&[], BEGIN);
    server.set_clock(SETTLED);
    let url = server.url("");
    (server, url)
}

/// Returns when the server has seen that a client is gone.
async fn gone(server: &RedisServer, client: Arc<dyn LeaseStore>) {
    drop(client);
    while !server.cli(&["PUBSUB", "CHANNELS", "*:h:*"]).is_empty() {
        // The socket is closed by a task, which has to run.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn is_guarded(store: &Arc<dyn LeaseStore>, rest: u64) {
    let refusal = refused(store, &claim("a")).await;
    assert_eq!(refusal.why, RefusedWhy::Guard);
    assert_eq!(refusal.look_again, Some(Duration::from_micros(rest)));
}

fn a_new_server_keeps_everyone_out_for_one_time_to_live() {
    let server = RedisServer::with_clock(&[], BEGIN);
    run(async {
        let store = client(&server.url(""));
        is_guarded(&store, TTL + SECOND).await;
        server.set_clock(SETTLED - 1);
        is_guarded(&store, 1_000).await;
        server.set_clock(SETTLED);
        granted(&store, &claim("a")).await;
    });
}

fn a_holder_whose_lease_is_deleted_is_told_and_followed_by_nobody() {
    let (server, url) = settled();
    run(async {
        let (one, two) = (client(&url), client(&url));
        let hold = granted(&one, &claim("a")).await;
        let key = server.cli(&["KEYS", "*:l:a"]);
        server.cli(&["DEL", &key]);
        let (event, ()) = tokio::join!(one.hold_event(&hold), is_guarded(&two, SECOND));
        assert_eq!(event.unwrap(), HoldEvent::Lost(LostWhy::Vanished));
        let renewed = one.renew(&hold).await.unwrap();
        assert_eq!(renewed.untimed(), Renewal::lost(LostWhy::Vanished));
        // It may still be killing what ran: as long as it listens nobody follows.
        server.set_clock(SETTLED + 10 * TTL);
        is_guarded(&two, SECOND).await;
    });
}

fn a_deleted_lease_is_kept_back_from_first_sight() {
    let (server, url) = settled();
    run(async {
        let two = client(&url);
        let one = client(&url);
        let first = granted(&one, &claim("a")).await;
        gone(&server, one).await;
        let key = server.cli(&["KEYS", "*:l:a"]);
        server.cli(&["DEL", &key]);
        is_guarded(&two, TTL).await;
        server.set_clock(SETTLED + TTL / 2);
        is_guarded(&two, TTL / 2).await;
        server.set_clock(SETTLED + TTL);
        assert!(granted(&two, &claim("a")).await.token > first.token);
    });
}

fn an_emptied_server_does_not_forget_who_listens() {
    let (server, url) = settled();
    run(async {
        let (one, two) = (client(&url), client(&url));
        let hold = granted(&one, &claim("a")).await;
        server.cli(&["FLUSHALL"]);
        is_guarded(&two, SECOND).await;
        let event = one.hold_event(&hold).await.unwrap();
        assert_eq!(event, HoldEvent::Lost(LostWhy::Vanished));
    });
}

fn tokens_rise_over_an_emptied_server() {
    let (server, url) = settled();
    run(async {
        let one = client(&url);
        let mut last = 0;
        for turn in 0..3 {
            let hold = granted(&one, &claim("a")).await;
            assert!(hold.token.get() > last);
            last = hold.token.get();
            let released = one.release(&hold, &completed()).await.unwrap();
            assert_eq!(released, Release::Released);
            server.cli(&["FLUSHALL"]);
            server.set_clock(SETTLED + turn + 1);
        }
    });
}

/// As on a machine whose clock is set right only after its server has started: the start lies ahead then, by an
/// hour here, and nobody can tell how long ago it was.
fn a_clock_that_was_set_back_behind_the_start_keeps_nobody_out_for_longer() {
    const BACK: u64 = BEGIN - 3_600 * SECOND;
    let server = RedisServer::with_clock(&[], BEGIN);
    let url = server.url("");
    run(async {
        let early = client(&url);
        refused(&early, &claim("b")).await;
        server.set_clock(BACK);
        let told = || server.info("server", "uptime_in_seconds");
        wait_until(PATIENCE, "the server to notice", || told().starts_with('-'));
        let late = client(&url);
        for (store, name) in [(&early, "a"), (&late, "c")] {
            let refusal = refused(store, &claim(name)).await;
            assert_eq!(refusal.why, RefusedWhy::Guard);
            assert_eq!(refusal.look_again, Some(Duration::from_micros(TTL)));
        }
        server.set_clock(BACK + TTL);
        for (store, name) in [(&early, "a"), (&late, "c")] {
            granted(store, &claim(name)).await;
        }
        // First asked for now: nothing is known of it either.
        assert_eq!(refused(&late, &claim("b")).await.why, RefusedWhy::Guard);
    });
}

fn a_restart_without_data_is_waited_out() {
    let (mut server, url) = settled();
    run(async {
        let one = client(&url);
        let first = granted(&one, &claim("a")).await;
        server.down();
        server.up();
        let two = client(&url);
        is_guarded(&two, TTL + SECOND).await;
        // Its holder connects again, and knows by its next renewal.
        let renewed = one.renew(&first).await.unwrap();
        assert_eq!(renewed.untimed(), Renewal::lost(LostWhy::Vanished));
        gone(&server, one).await;
        server.set_clock(SETTLED + TTL + SECOND);
        assert!(granted(&two, &claim("a")).await.token > first.token);
    });
}

fn a_restart_with_data_keeps_the_holder_and_its_renewal_ends_the_guard() {
    let options = ["--appendonly", "yes", "--appendfsync", "always"];
    let mut server = RedisServer::with_clock(&options, BEGIN);
    server.set_clock(SETTLED);
    let url = server.url("");
    run(async {
        let one = client(&url);
        let hold = granted(&one, &claim("a")).await;
        server.down();
        server.up();
        let two = client(&url);
        is_guarded(&two, TTL + SECOND).await;
        let renewed = one.renew(&hold).await.unwrap();
        assert_eq!(renewed.untimed(), Renewal::EXTENDED);
        assert_eq!(refused(&two, &claim("a")).await.why, RefusedWhy::Held);
        let released = one.release(&hold, &completed()).await.unwrap();
        assert_eq!(released, Release::Released);
        granted(&two, &claim("a")).await;
    });
}

fn a_record_of_another_server_is_kept_back_from_first_sight() {
    let (server, url) = settled();
    run(async {
        let one = client(&url);
        let hold = granted(&one, &claim("a")).await;
        let released = one.release(&hold, &completed()).await.unwrap();
        assert_eq!(released, Release::Released);
        // As after a fail-over: written by another process while this one was up.
        let key = server.cli(&["KEYS", "*:l:a"]);
        server.cli(&["HSET", &key, "run", "another"]);
        is_guarded(&one, TTL).await;
        server.set_clock(SETTLED + TTL);
        granted(&one, &claim("a")).await;
    });
}

fn a_pause_is_no_record_of_a_holder() {
    let (mut server, url) = settled();
    run(async {
        let store = client(&url);
        let asker = Asker {
            by: "alice".to_owned(),
            reason: None,
        };
        let name = claim("a").name;
        let pause = Ask::Pause { lasts: None };
        assert_eq!(store.ask(&name, pause, &asker).await.unwrap(), Asked::Done);
        let resumed = store.ask(&name, Ask::Resume, &asker).await.unwrap();
        assert_eq!(resumed, Asked::Done);
        granted(&store, &claim("a")).await;
        // Nor does it end the guard of a server that has just started.
        server.down();
        server.up();
        let store = client(&url);
        assert_eq!(store.ask(&name, pause, &asker).await.unwrap(), Asked::Done);
        let resumed = store.ask(&name, Ask::Resume, &asker).await.unwrap();
        assert_eq!(resumed, Asked::Done);
        is_guarded(&store, TTL + SECOND).await;
    });
}

fn the_guard_can_be_set_and_turned_off() {
    let server = RedisServer::with_clock(&[], BEGIN);
    run(async {
        is_guarded(&client(&server.url("restart-guard=2m")), 121 * SECOND).await;
        granted(&client(&server.url("restart-guard=off")), &claim("a")).await;
    });
}
