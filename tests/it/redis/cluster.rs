//! A store that is a cluster: found by its slot, followed when the slot moves or its node dies.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::nodes::{Cluster, TTL, done, hold, is_renewed_at, node_of, run_on, token};
use super::refusals::admit;
use crate::support::lab::{Lab, PATIENCE};
use crate::support::processes::wait_until;
use crate::support::redis::RedisServer;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        every_node_leads_to_every_lease,
        every_node_of_valkey_leads_to_every_lease,
        all_nodes_are_listed,
        a_holder_and_a_waiter_follow_their_slot,
        a_holder_and_a_waiter_follow_their_slot_on_valkey,
        a_holder_waits_while_its_slot_is_between_two_nodes,
        a_holder_whose_node_is_dead_is_stopped_in_time,
        a_holder_follows_to_the_replica_that_takes_over,
        a_holder_follows_to_the_replica_of_valkey_that_takes_over,
        a_dead_node_in_the_url_costs_little,
        a_node_that_is_left_alone_grants_nothing,
        the_rights_of_the_example_are_enough,
        a_server_is_no_cluster,
        a_cluster_has_one_database,
    ]
}

fn every_node_leads_to_every_lease() {
    every_node_leads(&Cluster::start());
}

fn every_node_of_valkey_leads_to_every_lease() {
    every_node_leads(&Cluster::of("valkey-server"));
}

fn every_node_leads(cluster: &Cluster) {
    for (_, port) in &cluster.nodes {
        let url = format!("redis-cluster://127.0.0.1:{port}?restart-guard=off");
        for lease in ["a", "b", "c", "d"] {
            run_on(&url, &["run", "--lease", lease, "--", "true"]).expect_code(0);
        }
    }
    let at = |(node, _): &(RedisServer, u16)| node.cli(&["KEYS", "*:l:*"]).lines().count();
    assert_eq!(cluster.nodes.iter().map(at).sum::<usize>(), 4);
}

fn all_nodes_are_listed() {
    let cluster = Cluster::start();
    let url = cluster.url("restart-guard=off");
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    for lease in names {
        run_on(&url, &["run", "--lease", lease, "--", "true"]).expect_code(0);
    }
    let nodes = cluster.nodes.iter();
    let used = nodes.filter(|(node, _)| node.cli(&["KEYS", "*:l:*"]).contains(":l:"));
    assert!(used.count() > 1, "they are on several nodes");
    let seen = run_on(&url, &["status", "--json"]).expect_code(0);
    let seen: serde_json::Value = serde_json::from_str(&seen.stdout).unwrap();
    let leases = seen["leases"].as_array().unwrap().iter();
    let leases: Vec<_> = leases
        .map(|lease| lease["lease"].as_str().unwrap())
        .collect();
    assert_eq!(leases, names);
    let found = run_on(&url, &["doctor"]).expect_code(0);
    assert!(found.stdout.contains("are told by the store"), "{found}");
}

fn a_holder_and_a_waiter_follow_their_slot() {
    both_follow(&Cluster::start());
}

fn a_holder_and_a_waiter_follow_their_slot_on_valkey() {
    both_follow(&Cluster::of("valkey-server"));
}

/// Both are told by the server that the slot has moved.
fn both_follow(cluster: &Cluster) {
    let (lab, other) = (Lab::new(), Lab::new());
    let url = cluster.url("restart-guard=off");
    let holder = hold(&lab, &url, &["--ttl", TTL]);
    let first = token(&holder);
    let from = cluster.owner();
    let waiter = hold(&other, &url, &["--ttl", TTL, "--wait", "2m"]);
    wait_until(PATIENCE, "it to stand in line", || {
        cluster.nodes[from]
            .0
            .cli(&["KEYS", "*:q:a"])
            .ends_with(":q:a")
    });
    let to = (from + 1) % 3;
    let slot = cluster.open(from, to);
    cluster.move_keys(&slot, from, to);
    cluster.close(&slot, to);
    is_renewed_at(&cluster.nodes[to].0);
    wait_until(PATIENCE, "the waiter to stand in line there", || {
        let node = &cluster.nodes[to].0;
        node.cli(&["PUBSUB", "SHARDCHANNELS", "*:w:*"])
            .contains(":w:")
    });
    done(&lab);
    let released = Instant::now();
    holder.wait(PATIENCE).expect_code(0);
    assert!(token(&waiter) > first);
    // Everyone looks again after ten seconds; being told is quicker.
    assert!(released.elapsed() < Duration::from_secs(8));
    done(&other);
    waiter.wait(PATIENCE).expect_code(0);
}

/// All keys are there and the slot is not: each renewal is sent on, once.
fn a_holder_waits_while_its_slot_is_between_two_nodes() {
    let cluster = Cluster::start();
    let lab = Lab::new();
    let holder = hold(&lab, &cluster.url("restart-guard=off"), &["--ttl", TTL]);
    token(&holder);
    let from = cluster.owner();
    let to = (from + 1) % 3;
    let slot = cluster.open(from, to);
    cluster.move_keys(&slot, from, to);
    wait_until(PATIENCE, "a renewal that was sent on", || {
        let said = cluster.nodes[to].0.cli(&["INFO", "commandstats"]);
        said.contains("cmdstat_asking") && said.contains("cmdstat_evalsha")
    });
    cluster.close(&slot, to);
    is_renewed_at(&cluster.nodes[to].0);
    done(&lab);
    holder.wait(PATIENCE).expect_code(0);
}

fn a_holder_whose_node_is_dead_is_stopped_in_time() {
    let mut cluster = Cluster::start();
    let lab = Lab::new();
    let holder = hold(&lab, &cluster.url("restart-guard=off"), &["--ttl", "6s"]);
    token(&holder);
    let owner = cluster.owner();
    let last = Instant::now();
    cluster.nodes[owner].0.down();
    let pid = holder.id();
    wait_until(PATIENCE, "the command to be dead", || {
        lab.processes().iter().all(|process| *process == pid)
    });
    assert!(last.elapsed() < Duration::from_secs(6));
    let ended = holder.wait(PATIENCE).expect_code(121);
    let why = "a could not be renewed in time";
    assert!(ended.stderr.contains(why), "{ended}");
}

fn a_holder_follows_to_the_replica_that_takes_over() {
    follows_to_the_replica(Cluster::start());
}

fn a_holder_follows_to_the_replica_of_valkey_that_takes_over() {
    follows_to_the_replica(Cluster::of("valkey-server"));
}

fn follows_to_the_replica(mut cluster: Cluster) {
    let lab = Lab::new();
    let holder = hold(&lab, &cluster.url("restart-guard=off"), &["--ttl", "30s"]);
    token(&holder);
    let owner = cluster.owner();
    let replica = cluster.with_a_replica(owner);
    cluster.nodes[owner].0.down();
    is_renewed_at(&cluster.nodes[replica].0);
    done(&lab);
    holder.wait(PATIENCE).expect_code(0);
}

fn a_dead_node_in_the_url_costs_little() {
    let mut cluster = Cluster::start();
    let url = cluster.url("restart-guard=off");
    run_on(&url, &["run", "--lease", "a", "--", "true"]).expect_code(0);
    let other = (cluster.owner() + 1) % 3;
    cluster.nodes[other].0.send(Signal::SIGSTOP);
    // An attempt has 200 ms.
    let ended = run_on(&url, &["run", "--lease", "a", "--ttl", "2s", "--", "true"]);
    let ended = ended.expect_code(0);
    assert!(ended.took < Duration::from_secs(8), "{ended}");
    cluster.nodes[other].0.down();
}

fn a_node_that_is_left_alone_grants_nothing() {
    let mut cluster = Cluster::start();
    let url = cluster.url("restart-guard=off");
    run_on(&url, &["run", "--lease", "a", "--", "true"]).expect_code(0);
    let owner = cluster.owner();
    for at in (0..3).filter(|at| *at != owner) {
        cluster.nodes[at].0.down();
    }
    wait_until(PATIENCE, "it to notice", || {
        let info = cluster.nodes[owner].0.cli(&["CLUSTER", "INFO"]);
        info.contains("cluster_state:fail")
    });
    let ended = run_on(&url, &["run", "--lease", "a", "--", "true"]).expect_code(123);
    let last = ended.stderr.lines().last().unwrap_or_default();
    assert!(last.contains("its cluster is down"), "{ended}");
    assert!(last.contains("nothing was run"), "{ended}");
}

fn the_rights_of_the_example_are_enough() {
    let cluster = Cluster::start();
    for (node, _) in &cluster.nodes {
        admit(node);
    }
    let url = cluster.url("restart-guard=off");
    let url = url.replacen("://", "://leasectl:c4nary@", 1);
    let (lab, other) = (Lab::new(), Lab::new());
    let holder = hold(&lab, &url, &["--ttl", TTL]);
    let first = token(&holder);
    let waiter = hold(&other, &url, &["--wait", "2m"]);
    let from = cluster.owner();
    wait_until(PATIENCE, "it to stand in line", || {
        let node = &cluster.nodes[from].0;
        node.cli(&["KEYS", "*:q:a"]).ends_with(":q:a")
    });
    let to = (from + 1) % 3;
    let slot = cluster.open(from, to);
    cluster.move_keys(&slot, from, to);
    wait_until(PATIENCE, "a renewal that was sent on", || {
        let said = cluster.nodes[to].0.cli(&["INFO", "commandstats"]);
        said.contains("cmdstat_asking") && said.contains("cmdstat_evalsha")
    });
    cluster.close(&slot, to);
    is_renewed_at(&cluster.nodes[to].0);
    done(&lab);
    holder.wait(PATIENCE).expect_code(0);
    assert!(token(&waiter) > first);
    let seen = run_on(&url, &["status", "a", "--check"]);
    seen.expect_code(0);
    done(&other);
    waiter.wait(PATIENCE).expect_code(0);
    for (node, _) in &cluster.nodes {
        let denied = node.cli(&["ACL", "LOG"]);
        assert!(!denied.contains("leasectl"), "{denied}");
    }
}

fn a_server_is_no_cluster() {
    let (_server, port) = RedisServer::on_a_port(&[]);
    let url = format!("redis-cluster://127.0.0.1:{port}");
    let ended = run_on(&url, &["run", "--lease", "a", "--", "true"]).expect_code(125);
    assert!(
        ended.stderr.contains("it is no node of a cluster"),
        "{ended}"
    );
}

fn a_cluster_has_one_database() {
    let (_server, port) = node_of("redis-server", &[]);
    let url = format!("redis-cluster://127.0.0.1:{port}/1");
    let ended = run_on(&url, &["run", "--lease", "a", "--", "true"]).expect_code(125);
    assert!(ended.stderr.contains("no database but 0"), "{ended}");
}
