//! A store that is a cluster: found by its slot, followed when the slot moves or its node dies.

use std::fs;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use super::refusals::admit;
use crate::support::lab::{Ended, Lab, PATIENCE, Running};
use crate::support::processes::wait_until;
use crate::support::redis::RedisServer;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        every_node_leads_to_every_lease,
        all_nodes_are_listed,
        a_holder_and_a_waiter_follow_their_slot,
        a_holder_waits_while_its_slot_is_between_two_nodes,
        a_holder_whose_node_is_dead_is_stopped_in_time,
        a_holder_follows_to_the_replica_that_takes_over,
        a_dead_node_in_the_url_costs_little,
        a_node_that_is_left_alone_grants_nothing,
        the_rights_of_the_example_are_enough,
        a_server_is_no_cluster,
        a_cluster_has_one_database,
    ]
}

const TTL: &str = "15s";

/// Nodes that share the slots: the first a third, and so on.
struct Cluster {
    nodes: Vec<(RedisServer, u16)>,
}

impl Cluster {
    #[track_caller]
    fn start() -> Self {
        let nodes: Vec<_> = (0..3).map(|_| node()).collect();
        for (at, (node, _)) in nodes.iter().enumerate() {
            let bounds = [0, 5_461, 10_923, 16_384];
            let (first, end) = (bounds[at].to_string(), (bounds[at + 1] - 1).to_string());
            node.cli(&["CLUSTER", "ADDSLOTSRANGE", &first, &end]);
        }
        let cluster = Self { nodes };
        cluster.meet();
        cluster
    }

    fn meet(&self) {
        let first = &self.nodes[0].0;
        for (_, port) in &self.nodes[1..] {
            first.cli(&["CLUSTER", "MEET", "127.0.0.1", &port.to_string()]);
        }
        let known = format!("cluster_known_nodes:{}", self.nodes.len());
        wait_until(PATIENCE, "the cluster to be one", || {
            self.nodes.iter().all(|(node, _)| {
                let info = node.cli(&["CLUSTER", "INFO"]);
                info.contains("cluster_state:ok") && info.contains(&known)
            })
        });
    }

    fn url(&self, options: &str) -> String {
        let hosts = self.nodes.iter();
        let hosts: Vec<_> = hosts.map(|(_, port)| format!("127.0.0.1:{port}")).collect();
        format!("redis-cluster://{}?{options}", hosts.join(","))
    }

    /// The place in `nodes` of the one that has the lease `a`.
    fn owner(&self) -> usize {
        let has = |(node, _): &(RedisServer, u16)| node.cli(&["KEYS", "*:l:a"]).ends_with(":l:a");
        self.nodes.iter().position(has).unwrap()
    }

    fn id(&self, at: usize) -> String {
        self.nodes[at].0.cli(&["CLUSTER", "MYID"])
    }

    /// Announces that the slot of `a` moves.
    fn open(&self, from: usize, to: usize) -> String {
        let slot = self.nodes[0]
            .0
            .cli(&["CLUSTER", "KEYSLOT", &self.tag(from)]);
        let (source, target) = (self.id(from), self.id(to));
        self.nodes[to]
            .0
            .cli(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source]);
        self.nodes[from]
            .0
            .cli(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target]);
        slot
    }

    fn tag(&self, from: usize) -> String {
        let key = self.nodes[from].0.cli(&["KEYS", "*:l:a"]);
        key.split_inclusive('}').next().unwrap().to_owned()
    }

    fn move_keys(&self, slot: &str, from: usize, to: usize) {
        let port = self.nodes[to].1.to_string();
        let keys = self.nodes[from]
            .0
            .cli(&["CLUSTER", "GETKEYSINSLOT", slot, "100"]);
        for key in keys.lines() {
            let moved = self.nodes[from]
                .0
                .cli(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]);
            assert_eq!(moved, "OK", "{key}");
        }
    }

    /// The slot is the other's.
    fn close(&self, slot: &str, to: usize) {
        let target = self.id(to);
        let others = (0..self.nodes.len()).filter(|at| *at != to);
        for at in std::iter::once(to).chain(others) {
            self.nodes[at]
                .0
                .cli(&["CLUSTER", "SETSLOT", slot, "NODE", &target]);
        }
    }
}

fn node() -> (RedisServer, u16) {
    RedisServer::on_a_port(&[
        "--cluster-enabled",
        "yes",
        "--cluster-node-timeout",
        "2000",
        "--repl-diskless-sync-delay",
        "0",
    ])
}

fn run_on(url: &str, words: &[&str]) -> Ended {
    let lab = Lab::new();
    lab.run(lab.leasectl(words).env("LEASECTL_STORE", url))
}

/// Holds until a file `done` is there; `options` come before the command.
fn hold(lab: &Lab, url: &str, options: &[&str]) -> Running {
    let mut command = lab.leasectl(["run", "--lease", "a"]);
    let script = "echo $LEASECTL_TOKEN; while [ ! -e done ]; do sleep 0.05; done";
    command.args(options).args(["--", "sh", "-c", script]);
    lab.spawn(command.env("LEASECTL_STORE", url))
}

#[track_caller]
fn token(run: &Running) -> u64 {
    wait_until(PATIENCE, "the command to run", || !run.stdout().is_empty());
    run.stdout().trim().parse().unwrap()
}

fn done(lab: &Lab) {
    fs::write(lab.path("done"), "").unwrap();
}

fn renewals(server: &RedisServer) -> u64 {
    let key = server.cli(&["KEYS", "*:l:a"]);
    server.cli(&["HGET", &key, "1.ren"]).parse().unwrap_or(0)
}

#[track_caller]
fn is_renewed_at(server: &RedisServer) {
    let before = renewals(server);
    wait_until(PATIENCE, "a renewal there", || renewals(server) > before);
}

fn every_node_leads_to_every_lease() {
    let cluster = Cluster::start();
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

/// Both are told by the server that the slot has moved.
fn a_holder_and_a_waiter_follow_their_slot() {
    let cluster = Cluster::start();
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
    let mut cluster = Cluster::start();
    let lab = Lab::new();
    let holder = hold(&lab, &cluster.url("restart-guard=off"), &["--ttl", "30s"]);
    token(&holder);
    let owner = cluster.owner();
    let id = cluster.id(owner);
    cluster.nodes.push(node());
    cluster.meet();
    let replica = cluster.nodes.len() - 1;
    cluster.nodes[replica].0.cli(&["CLUSTER", "REPLICATE", &id]);
    let of = |at: usize, key| cluster.nodes[at].0.info("replication", key);
    wait_until(PATIENCE, "the replica to catch up", || {
        of(replica, "master_link_status") == "up"
            && of(replica, "slave_repl_offset") == of(owner, "master_repl_offset")
    });
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
    cluster.nodes[other]
        .0
        .send(nix::sys::signal::Signal::SIGSTOP);
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
    let (_server, port) = node();
    let url = format!("redis-cluster://127.0.0.1:{port}/1");
    let ended = run_on(&url, &["run", "--lease", "a", "--", "true"]).expect_code(125);
    assert!(ended.stderr.contains("no database but 0"), "{ended}");
}
