//! What `leasectl doctor` says of how a server is set: each warning with a real server that deserves it.

use std::time::{Duration, SystemTime};

use leasectl::lease::{Setting, Suits};
use libtest_mimic::Trial;

use super::nodes::Cluster;
use super::refusals::{admit, with_login};
use super::watched::Watched;
use super::{client, run};
use crate::support::lab::{Ended, Lab, PATIENCE};
use crate::support::processes::wait_until;
use crate::support::redis::RedisServer;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_server_that_is_set_well_has_no_warnings,
        each_setting_that_does_not_suit_is_named,
        versions_and_valkey_are_told_apart,
        a_replica_is_named_with_its_primary,
        replicas_that_no_grant_waits_for_are_weak,
        servers_that_take_over_and_a_grant_that_waits_for_none_are_weak,
        a_clock_that_is_off_is_weak,
        what_the_rights_forbid_to_read_is_said,
        a_server_without_config_says_so,
        a_server_that_is_silent_is_bad_at_once,
    ]
}

/// As the documentation recommends.
const WELL: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

/// A replica is served without delay.
const AT_ONCE: [&str; 2] = ["--repl-diskless-sync-delay", "0"];

fn settings(url: &str) -> Vec<Setting> {
    let mut settings = Vec::new();
    run(async {
        settings = client(url).advice().await.unwrap().settings;
    });
    settings
}

/// What does not suit, and what it says.
fn warnings(server: &RedisServer) -> Vec<(&'static str, String)> {
    let settings = settings(&server.url("restart-guard=off")).into_iter();
    let badly = settings.filter(|setting| setting.suits != Suits::Well);
    badly.map(|setting| (setting.what, setting.seen)).collect()
}

fn doctor(url: &str) -> Ended {
    let lab = Lab::new();
    lab.run(lab.leasectl(["doctor"]).env("LEASECTL_STORE", url))
}

fn a_server_that_is_set_well_has_no_warnings() {
    let server = RedisServer::start(&WELL);
    let found = doctor(&server.url("restart-guard=off")).expect_code(0);
    let (_, told) = found.stdout.split_once("\nserver\n").unwrap();
    let (told, _) = told.split_once("\n\n").unwrap();
    assert_eq!(told.lines().count(), 8, "{found}");
    assert!(
        told.lines().all(|line| line.starts_with("  ok    ")),
        "{found}"
    );
}

fn each_setting_that_does_not_suit_is_named() {
    let server = RedisServer::start(&WELL);
    let limit = "client-output-buffer-limit";
    for (what, name, bad, good, says) in [
        (
            "eviction",
            "maxmemory-policy",
            "allkeys-lru",
            "noeviction",
            "deletes leases that are held",
        ),
        (
            "eviction",
            "maxmemory-policy",
            "volatile-ttl",
            "noeviction",
            "deletes lines of waiters",
        ),
        ("persistence", "appendonly", "no", "yes", "appendonly yes"),
        ("fsync", "appendfsync", "everysec", "always", "a power cut"),
        ("fsync", "appendfsync", "no", "always", "a power cut"),
        (
            "buffers",
            limit,
            "pubsub 0 0 0",
            "pubsub 33554432 8388608 60",
            "without end",
        ),
        (
            "buffers",
            limit,
            "pubsub 1024 0 0",
            "pubsub 33554432 8388608 60",
            "cut off",
        ),
        ("keepalive", "tcp-keepalive", "0", "300", "never notices"),
    ] {
        server.cli(&["CONFIG", "SET", name, bad]);
        let seen = warnings(&server);
        assert_eq!(seen.len(), 1, "{name} {bad}: {seen:?}");
        assert!(
            seen[0].0 == what && seen[0].1.contains(says),
            "{name} {bad}: {seen:?}"
        );
        server.cli(&["CONFIG", "SET", name, good]);
        assert_eq!(warnings(&server), [], "{name} {good}");
    }
}

fn versions_and_valkey_are_told_apart() {
    let old = warnings(&RedisServer::start_as("redis-server-6.2", &WELL));
    assert_eq!(old.len(), 1, "{old:?}");
    assert!(
        old[0].0 == "version" && old[0].1.starts_with("Redis 6.2."),
        "{old:?}"
    );
    let valkey = RedisServer::start_as("valkey-server", &WELL);
    assert_eq!(warnings(&valkey), []);
    let settings = settings(&valkey.url("restart-guard=off"));
    assert!(settings[0].seen.starts_with("Valkey "), "{settings:?}");
}

/// Before the live check says that it cannot be used.
fn a_replica_is_named_with_its_primary() {
    let server = RedisServer::start(&WELL);
    server.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    let found = doctor(&server.url("restart-guard=off")).expect_code(123);
    let weak =
        "  weak  role          it is a replica of 127.0.0.1, and grants nothing; name that\n";
    assert!(found.stdout.contains(weak), "{found}");
}

/// What doctor says of replicas, if it does.
fn of_replicas(url: &str) -> Option<String> {
    let found = doctor(url).expect_code(0);
    let mut lines = found.stdout.lines();
    let line = lines.find(|line| line.contains("  replicas  "));
    line.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn replicas_that_no_grant_waits_for_are_weak() {
    let (primary, port) = RedisServer::on_a_port(&[&WELL[..], &AT_ONCE].concat());
    assert_eq!(of_replicas(&primary.url("restart-guard=off")), None);
    let port = port.to_string();
    let _replica = RedisServer::start(&["--replicaof", "127.0.0.1", &port]);
    wait_until(PATIENCE, "the replica to catch up", || {
        primary.cli(&["WAIT", "1", "100"]) == "1"
    });
    let said = of_replicas(&primary.url("restart-guard=off")).unwrap();
    assert!(
        said.starts_with("weak replicas 1 connected, and a grant waits for none:"),
        "{said}"
    );
    assert!(said.ends_with("add replicas=1 to the URL"), "{said}");
    let said = of_replicas(&primary.url("restart-guard=off&replicas=1"));
    assert_eq!(
        said.as_deref(),
        Some("ok replicas replicas=1 of 1 connected")
    );
}

fn servers_that_take_over_and_a_grant_that_waits_for_none_are_weak() {
    let watched = Watched::start();
    let said = of_replicas(&watched.url("restart-guard=off")).unwrap();
    assert!(said.starts_with("weak replicas 1 connected"), "{said}");
    let said = of_replicas(&watched.url("restart-guard=off&replicas=1")).unwrap();
    assert!(said.starts_with("ok replicas"), "{said}");
    let cluster = Cluster::start();
    let said = of_replicas(&cluster.url("restart-guard=off")).unwrap();
    assert!(said.starts_with("weak replicas 0 connected"), "{said}");
    assert!(said.ends_with("once one is connected"), "{said}");
}

fn a_clock_that_is_off_is_weak() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let hour = Duration::from_secs(3_600);
    for (server_is_at, which) in [
        (now.clone().unwrap() - hour, "behind that"),
        (now.unwrap() + hour, "ahead of that"),
    ] {
        let micros = u64::try_from(server_is_at.as_micros()).unwrap();
        let server = RedisServer::with_clock(&WELL, micros);
        let found = doctor(&server.url("restart-guard=off")).expect_code(0);
        let line = found.stdout.lines().find(|line| line.contains(which));
        let line = line.unwrap_or_else(|| panic!("{found}"));
        assert!(
            line.starts_with("  weak  clock         the server's is "),
            "{found}"
        );
        // An hour, less or more by what the test took.
        assert!(line.contains("59m") || line.contains(" 1h "), "{found}");
    }
}

fn what_the_rights_forbid_to_read_is_said() {
    let server = RedisServer::start(&WELL);
    admit(&server);
    let settings = settings(&with_login(&server, "leasectl:c4nary"));
    let unread: Vec<_> = settings
        .iter()
        .filter(|one| one.suits == Suits::Unread)
        .collect();
    assert_eq!(unread.len(), 1, "{settings:?}");
    let seen = &unread[0].seen;
    for name in [
        "appendfsync",
        "client-output-buffer-limit",
        "tcp-keepalive",
        "this user may not ask",
    ] {
        assert!(seen.contains(name), "{name}: {seen}");
    }
    // The rest it may read.
    for what in ["version", "role", "eviction", "persistence"] {
        let one = settings.iter().find(|one| one.what == what).unwrap();
        assert_eq!(one.suits, Suits::Well, "{one:?}");
    }
}

/// As those who sell servers have it.
fn a_server_without_config_says_so() {
    let mut options = WELL.to_vec();
    options.extend(["--rename-command", "CONFIG", ""]);
    let server = RedisServer::start(&options);
    let seen = warnings(&server);
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(
        seen[0].1.contains("the server does not answer CONFIG GET"),
        "{seen:?}"
    );
}

fn a_server_that_is_silent_is_bad_at_once() {
    let server = RedisServer::start(&WELL);
    server.send(nix::sys::signal::Signal::SIGSTOP);
    let found = doctor(&server.url("")).expect_code(123);
    assert!(
        found.stdout.contains("\nserver\n  BAD   server        "),
        "{found}"
    );
    assert!(!found.stdout.contains("live check"), "{found}");
    assert!(found.stderr.contains("no answer within 1s"), "{found}");
}
