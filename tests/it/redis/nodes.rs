//! A cluster of real servers, and commands that run under a lease on it.

use std::fs;

use crate::support::lab::{Ended, Lab, PATIENCE, Running};
use crate::support::processes::wait_until;
use crate::support::redis::RedisServer;

/// A time to live that outlasts what happens here to a slot.
pub(super) const TTL: &str = "15s";

/// Nodes that share the slots: the first a third, and so on.
pub(super) struct Cluster {
    pub(super) nodes: Vec<(RedisServer, u16)>,
    program: &'static str,
}

impl Cluster {
    #[track_caller]
    pub(super) fn start() -> Self {
        Self::of("redis-server")
    }

    /// The same of another program than Redis.
    #[track_caller]
    pub(super) fn of(program: &'static str) -> Self {
        let nodes: Vec<_> = (0..3).map(|_| node_of(program, &[])).collect();
        for (at, (node, _)) in nodes.iter().enumerate() {
            let bounds = [0, 5_461, 10_923, 16_384];
            let (first, end) = (bounds[at].to_string(), (bounds[at + 1] - 1).to_string());
            node.cli(&["CLUSTER", "ADDSLOTSRANGE", &first, &end]);
        }
        let cluster = Self { nodes, program };
        cluster.meet();
        cluster
    }

    /// So many nodes that hear nothing more of one another. Each says of the slot of the lease `a` that another
    /// has it: `next` says which, by their places in `nodes`. The last has all slots, and all but the first are
    /// strangers to whoever uses the [`Self::url_of_the_first`].
    #[track_caller]
    pub(super) fn at_odds(count: usize, next: impl Fn(usize) -> usize) -> Self {
        let program = "redis-server";
        let apart = [
            "--enable-debug-command",
            "yes",
            "--cluster-node-timeout",
            "60000",
        ];
        let nodes: Vec<_> = (0..count).map(|_| node_of(program, &apart)).collect();
        let cluster = Self { nodes, program };
        let last = &cluster.nodes[count - 1].0;
        last.cli(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
        cluster.meet();
        let url = cluster.url("restart-guard=off");
        run_on(&url, &["run", "--lease", "a", "--", "true"]).expect_code(0);
        let slot = last.cli(&["CLUSTER", "KEYSLOT", &cluster.tag(count - 1)]);
        last.cli(&["FLUSHALL"]);
        for (node, _) in &cluster.nodes {
            // A PING asks for a PONG, and both tell of slots.
            node.cli(&["DEBUG", "DROP-CLUSTER-PACKET-FILTER", "0"]);
        }
        let ids: Vec<_> = (0..count).map(|at| cluster.id(at)).collect();
        for (at, (node, _)) in cluster
            .nodes
            .iter()
            .enumerate()
            .filter(|(at, _)| next(*at) != *at)
        {
            assert_eq!(
                node.cli(&["CLUSTER", "SETSLOT", &slot, "NODE", &ids[next(at)]]),
                "OK"
            );
        }
        cluster
    }

    pub(super) fn url_of_the_first(&self, options: &str) -> String {
        format!("redis-cluster://127.0.0.1:{}?{options}", self.nodes[0].1)
    }

    /// A replica of the node at `of`, which has caught up with it; its place in `nodes`.
    #[track_caller]
    pub(super) fn with_a_replica(&mut self, of: usize) -> usize {
        let id = self.id(of);
        self.nodes.push(node_of(self.program, &[]));
        self.meet();
        let replica = self.nodes.len() - 1;
        self.nodes[replica].0.cli(&["CLUSTER", "REPLICATE", &id]);
        let of_info = |at: usize, key| self.nodes[at].0.info("replication", key);
        wait_until(PATIENCE, "the replica to catch up", || {
            of_info(replica, "master_link_status") == "up"
                && of_info(replica, "slave_repl_offset") == of_info(of, "master_repl_offset")
        });
        replica
    }

    pub(super) fn meet(&self) {
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

    pub(super) fn url(&self, options: &str) -> String {
        let hosts = self.nodes.iter();
        let hosts: Vec<_> = hosts.map(|(_, port)| format!("127.0.0.1:{port}")).collect();
        format!("redis-cluster://{}?{options}", hosts.join(","))
    }

    /// The place in `nodes` of the one that has the lease `a`.
    pub(super) fn owner(&self) -> usize {
        let has = |(node, _): &(RedisServer, u16)| node.cli(&["KEYS", "*:l:a"]).ends_with(":l:a");
        self.nodes.iter().position(has).unwrap()
    }

    pub(super) fn id(&self, at: usize) -> String {
        self.nodes[at].0.cli(&["CLUSTER", "MYID"])
    }

    /// Announces that the slot of `a` moves.
    pub(super) fn open(&self, from: usize, to: usize) -> String {
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

    pub(super) fn tag(&self, from: usize) -> String {
        let key = self.nodes[from].0.cli(&["KEYS", "*:l:a"]);
        key.split_inclusive('}').next().unwrap().to_owned()
    }

    pub(super) fn move_keys(&self, slot: &str, from: usize, to: usize) {
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
    pub(super) fn close(&self, slot: &str, to: usize) {
        let target = self.id(to);
        let others = (0..self.nodes.len()).filter(|at| *at != to);
        for at in std::iter::once(to).chain(others) {
            self.nodes[at]
                .0
                .cli(&["CLUSTER", "SETSLOT", slot, "NODE", &target]);
        }
    }
}

/// A node that knows no other yet.
pub(super) fn node_of(program: &str, more: &[&str]) -> (RedisServer, u16) {
    let options = [
        "--cluster-enabled",
        "yes",
        "--cluster-node-timeout",
        "2000",
        "--repl-diskless-sync-delay",
        "0",
    ];
    RedisServer::on_a_port_as(program, &[&options, more].concat())
}

pub(super) fn run_on(url: &str, words: &[&str]) -> Ended {
    let lab = Lab::new();
    lab.run(lab.leasectl(words).env("LEASECTL_STORE", url))
}

/// Holds until a file `done` is there; `options` come before the command.
pub(super) fn hold(lab: &Lab, url: &str, options: &[&str]) -> Running {
    let mut command = lab.leasectl(["run", "--lease", "a"]);
    let script = "echo $LEASECTL_TOKEN; while [ ! -e done ]; do sleep 0.05; done";
    command.args(options).args(["--", "sh", "-c", script]);
    lab.spawn(command.env("LEASECTL_STORE", url))
}

#[track_caller]
pub(super) fn token(run: &Running) -> u64 {
    wait_until(PATIENCE, "the command to run", || !run.stdout().is_empty());
    run.stdout().trim().parse().unwrap()
}

pub(super) fn done(lab: &Lab) {
    fs::write(lab.path("done"), "").unwrap();
}

pub(super) fn renewals(server: &RedisServer) -> u64 {
    let key = server.cli(&["KEYS", "*:l:a"]);
    server.cli(&["HGET", &key, "1.ren"]).parse().unwrap_or(0)
}

#[track_caller]
pub(super) fn is_renewed_at(server: &RedisServer) {
    let before = renewals(server);
    wait_until(PATIENCE, "a renewal there", || renewals(server) > before);
}
