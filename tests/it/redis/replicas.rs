//! `replicas=N`: a grant that too few replicas have is given back, and nothing is run.

use std::process::Command;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::nodes::{Cluster, done, hold, is_renewed_at, run_on, token};
use crate::support::lab::{Lab, PATIENCE};
use crate::support::processes::wait_until;
use crate::support::redis::RedisServer;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_grant_that_a_replica_has_counts,
        a_grant_that_a_replica_has_not_is_given_back,
        a_replica_that_is_not_there_is_missed,
        a_waiter_goes_on_when_the_replica_is_back,
        a_user_who_may_not_wait_is_told_so,
        a_grant_on_a_cluster_waits_for_the_replica_of_its_node,
        a_grant_on_a_cluster_of_valkey_waits_for_the_replica_of_its_node,
    ]
}

/// A primary with one replica that has caught up with it.
struct Pair {
    primary: RedisServer,
    replica: RedisServer,
}

impl Pair {
    fn start() -> Self {
        let at_once = ["--repl-diskless-sync-delay", "0"];
        let (primary, port) = RedisServer::on_a_port(&at_once);
        let port = port.to_string();
        let replica = RedisServer::start(&["--replicaof", "127.0.0.1", &port]);
        let pair = Self { primary, replica };
        wait_until(PATIENCE, "the replica to catch up", || {
            pair.replica.info("replication", "master_link_status") == "up"
                && pair.primary.cli(&["WAIT", "1", "100"]) == "1"
        });
        pair
    }

    fn run(&self, lab: &Lab, options: &str, words: &[&str]) -> Command {
        let url = self.primary.url(&format!("restart-guard=off&{options}"));
        let mut command = lab.leasectl(["run", "--lease", "a"]);
        command.args(words).args(["--", "true"]);
        command.env("LEASECTL_STORE", url);
        command
    }
}

fn a_grant_that_a_replica_has_counts() {
    let (pair, lab) = (Pair::start(), Lab::new());
    lab.run(&mut pair.run(&lab, "replicas=1", &[]))
        .expect_code(0);
    let key = pair.replica.cli(&["KEYS", "*:l:a"]);
    assert_eq!(pair.replica.cli(&["HGET", &key, "v"]), "1");
}

fn a_grant_that_a_replica_has_not_is_given_back() {
    let (pair, lab) = (Pair::start(), Lab::new());
    pair.replica.send(Signal::SIGSTOP);
    let ended = lab.run(&mut pair.run(&lab, "replicas=1", &["--min-hold", "1h"]));
    let ended = ended.expect_code(123);
    let last = ended.stderr.lines().last().unwrap_or_default();
    assert!(last.contains("0 of the 1 replicas"), "{ended}");
    assert!(last.contains("it was given back"), "{ended}");
    assert!(last.contains("nothing was run"), "{ended}");
    // Nothing is left of it, not even its minimum hold.
    lab.run(&mut pair.run(&lab, "", &[])).expect_code(0);
}

fn a_replica_that_is_not_there_is_missed() {
    let (pair, lab) = (Pair::start(), Lab::new());
    let ended = lab.run(&mut pair.run(&lab, "replicas=2", &[]));
    let ended = ended.expect_code(123);
    assert!(ended.stderr.contains("1 of the 2 replicas"), "{ended}");
}

fn a_waiter_goes_on_when_the_replica_is_back() {
    let (pair, lab) = (Pair::start(), Lab::new());
    pair.replica.send(Signal::SIGSTOP);
    let waiter = lab.spawn(&mut pair.run(&lab, "replicas=1", &["--wait", "1m"]));
    wait_until(PATIENCE, "it to be refused", || {
        waiter.stderr().contains("0 of the 1 replicas")
    });
    pair.replica.send(Signal::SIGCONT);
    waiter.wait(PATIENCE).expect_code(0);
}

fn a_user_who_may_not_wait_is_told_so() {
    let (pair, lab) = (Pair::start(), Lab::new());
    pair.primary.cli(&["ACL", "SETUSER", "default", "-wait"]);
    let ended = lab.run(&mut pair.run(&lab, "replicas=1", &[]));
    let ended = ended.expect_code(125);
    assert!(ended.stderr.contains("NOPERM"), "{ended}");
}

fn a_grant_on_a_cluster_waits_for_the_replica_of_its_node() {
    waits_for_the_replica_of_its_node(Cluster::start());
}

fn a_grant_on_a_cluster_of_valkey_waits_for_the_replica_of_its_node() {
    waits_for_the_replica_of_its_node(Cluster::of("valkey-server"));
}

fn waits_for_the_replica_of_its_node(mut cluster: Cluster) {
    let job = ["run", "--lease", "a", "--min-hold", "1h", "--", "true"];
    let without = cluster.url("restart-guard=off");
    let url = cluster.url("restart-guard=off&replicas=1");
    run_on(&without, &["run", "--lease", "a", "--", "true"]).expect_code(0);
    let owner = cluster.owner();
    // A replica of another node is none of this one.
    cluster.with_a_replica((owner + 1) % 3);
    let is_given_back = || {
        let ended = run_on(&url, &job).expect_code(123);
        let last = ended.stderr.lines().last().unwrap_or_default();
        assert!(last.contains("0 of the 1 replicas"), "{ended}");
        assert!(last.contains("it was given back"), "{ended}");
        run_on(&without, &["run", "--lease", "a", "--", "true"]).expect_code(0);
    };
    is_given_back();
    let replica = cluster.with_a_replica(owner);
    cluster.nodes[replica].0.send(Signal::SIGSTOP);
    is_given_back();
    cluster.nodes[replica].0.send(Signal::SIGCONT);
    let lab = Lab::new();
    let holder = hold(&lab, &url, &["--ttl", "30s", "--wait", "1m"]);
    let first = token(&holder);
    cluster.nodes[owner].0.down();
    // The grant was there when it began, and is there when the replica takes over.
    is_renewed_at(&cluster.nodes[replica].0);
    done(&lab);
    holder.wait(PATIENCE).expect_code(0);
    let next = hold(&lab, &without, &["--wait", "1m"]);
    assert!(token(&next) > first);
    next.wait(PATIENCE).expect_code(0);
}
