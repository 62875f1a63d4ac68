//! A network that loses what is sent in one direction, for those who hold and for those who wait: the command
//! is dead by the deadline, one line says why, and the next never runs beside it.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use crate::support::lab::{Lab, PATIENCE, Running};
use crate::support::network::{Lost, Network};
use crate::support::processes::wait_until;
use crate::support::redis::RedisServer;
use crate::support::witness::Witness;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_holder_whose_requests_are_lost,
        a_holder_that_hears_no_answers,
        a_holder_whose_requests_are_lost_for_a_moment,
        a_holder_that_hears_no_answers_for_a_moment,
        a_waiter_whose_requests_are_lost,
        a_waiter_that_hears_no_answers,
    ]
}

const TTL: Duration = Duration::from_secs(6);
/// The host that is cut off, and the other.
const CUT: usize = 0;
const WELL: usize = 1;

/// A server and two hosts, each on a machine of its own.
struct Party {
    /// Of each host, and of another user of the first.
    labs: [Lab; 3],
    witness: Witness,
    server: RedisServer,
    network: Network,
}

impl Party {
    fn new() -> Self {
        let network = Network::of(2);
        let options = [
            "--port",
            "6379",
            "--bind",
            "0.0.0.0",
            "--protected-mode",
            "no",
        ];
        let labs = [Lab::new(), Lab::new(), Lab::new()];
        Self {
            witness: Witness::new(labs[0].path("witness")),
            server: RedisServer::start_on(network.at_the_server(), &options),
            labs,
            network,
        }
    }

    /// leasectl on a host.
    fn run(&self, host: usize, options: &[&str], script: &str) -> Running {
        self.run_in(host, host, options, script)
    }

    /// Somebody on the host that is cut off who wants another lease.
    fn newcomer(&self) -> Running {
        self.run_in(2, CUT, &["--lease", "b", "--wait", "1s"], "echo ran")
    }

    fn run_in(&self, lab: usize, host: usize, options: &[&str], script: &str) -> Running {
        let words = self.network.at(host);
        let mut command: Command = self.labs[lab].command(&words[0]);
        command.args(&words[1..]).args(["leasectl", "run"]);
        command.args(options).arg("--");
        command.args(self.witness.over(["sh", "-c", script]));
        let address = self.network.address(host);
        command.env(
            "LEASECTL_STORE",
            format!("redis://{address}/0?restart-guard=off"),
        );
        self.labs[lab].spawn(&mut command)
    }

    /// One that holds until a file `done` is there. Returns when its command runs.
    fn holder(&self, host: usize) -> Running {
        let script = "echo ready; while [ ! -e done ]; do sleep 0.05; done";
        let holder = self.run(host, &["--lease", "a", "--ttl", "6s"], script);
        wait_until(PATIENCE, "the command to run", || {
            holder.stdout() == "ready\n"
        });
        holder
    }

    /// One that waits for the same lease. Returns when so many stand in line.
    fn waiter(&self, host: usize, wait: &str, place: usize) -> Running {
        let waiter = self.run(host, &["--lease", "a", "--wait", wait], "echo ran");
        wait_until(PATIENCE, "it to stand in line", || {
            let line = self.server.cli(&["PUBSUB", "CHANNELS", "*:w:*"]);
            line.lines()
                .filter(|channel| channel.contains(":w:"))
                .count()
                == place
        });
        waiter
    }

    fn tell_to_end(&self, host: usize) {
        fs::write(self.labs[host].path("done"), "").unwrap();
    }
}

fn a_holder_is_cut_off(lost: Lost) {
    let party = Party::new();
    let holder = party.holder(CUT);
    let waiter = party.waiter(WELL, "1m", 1);
    party.network.cut(CUT, lost);
    let cut_at = Instant::now();
    let newcomer = party.newcomer();
    let pid = holder.id();
    wait_until(PATIENCE, "the command to be dead", || {
        let alive = party.labs[CUT].processes();
        alive.iter().all(|process| *process == pid)
    });
    let took = cut_at.elapsed();
    assert!(took < TTL, "dead after {took:?}");
    let ended = holder.wait(PATIENCE).expect_code(121);
    // What went before told of the doubt; the last line says what came of it.
    let mut outcome = ended
        .stderr
        .lines()
        .filter(|line| line.contains("was stopped"));
    let last = ended.stderr.lines().last();
    assert_eq!((outcome.next(), outcome.next()), (last, None), "{ended}");
    assert!(
        last.unwrap().contains("a could not be renewed in time"),
        "{ended}"
    );
    // Nothing was ever heard of the lease.
    let refused = newcomer.wait(PATIENCE).expect_code(123);
    assert_eq!(refused.stdout, "", "{refused}");
    assert_eq!(waiter.wait(PATIENCE).expect_code(0).stdout, "ran\n");
    assert_eq!(party.witness.overlaps(), [""; 0]);
}

fn a_holder_whose_requests_are_lost() {
    a_holder_is_cut_off(Lost::Requests);
}

/// The server extends what the holder can no longer know of.
fn a_holder_that_hears_no_answers() {
    a_holder_is_cut_off(Lost::Answers);
}

fn a_holder_is_cut_off_for_a_moment(lost: Lost) {
    let party = Party::new();
    let holder = party.holder(CUT);
    party.network.cut(CUT, lost);
    wait_until(PATIENCE, "doubt", || {
        holder.stderr().contains("cannot be reached to renew")
    });
    party.network.heal();
    let renewed = || {
        party
            .server
            .cli(&["HGET", &party.server.cli(&["KEYS", "*:l:a"]), "1.e"])
    };
    let before = renewed();
    wait_until(PATIENCE, "a renewal", || renewed() != before);
    party.tell_to_end(CUT);
    let ended = holder.wait(PATIENCE).expect_code(0);
    assert!(ended.stderr.contains("a is still ours"), "{ended}");
}

fn a_holder_whose_requests_are_lost_for_a_moment() {
    a_holder_is_cut_off_for_a_moment(Lost::Requests);
}

fn a_holder_that_hears_no_answers_for_a_moment() {
    a_holder_is_cut_off_for_a_moment(Lost::Answers);
}

/// The first in line is cut off. Its turn passes to the one behind it.
fn a_waiter_is_cut_off(lost: Lost) {
    let party = Party::new();
    let holder = party.holder(WELL);
    let first = party.waiter(CUT, "4s", 1);
    let second = party.waiter(WELL, "1m", 2);
    party.network.cut(CUT, lost);
    party.tell_to_end(WELL);
    holder.wait(PATIENCE).expect_code(0);
    let ran = second.wait(PATIENCE).expect_code(0);
    // What was kept for the first is kept for a second, and everyone looks again after ten.
    assert!(ran.took < Duration::from_secs(8), "{ran}");
    let refused = first.wait(PATIENCE).expect_code(120);
    assert_eq!(refused.stdout, "", "{refused}");
    assert_eq!(party.witness.overlaps(), [""; 0]);
}

fn a_waiter_whose_requests_are_lost() {
    a_waiter_is_cut_off(Lost::Requests);
}

fn a_waiter_that_hears_no_answers() {
    a_waiter_is_cut_off(Lost::Answers);
}
