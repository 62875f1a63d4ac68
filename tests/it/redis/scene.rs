//! A command that runs under a lease on a server of its own.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::lab::{Ended, Lab, PATIENCE, Running};
use crate::support::processes::wait_until;
use crate::support::redis::RedisServer;

/// The time to live of the holds here: whatever happens, the command is dead before it has passed.
pub(super) const TTL: Duration = Duration::from_secs(6);

/// The command, its leasectl and its server.
pub(super) struct Scene {
    pub(super) lab: Lab,
    pub(super) server: RedisServer,
    /// Where those are who do not count as the command's own.
    others: Lab,
    run: Option<Running>,
}

impl Scene {
    /// Returns when the command runs.
    #[track_caller]
    pub(super) fn start(server_options: &[&str]) -> Self {
        Self::on(RedisServer::start(server_options), "restart-guard=off")
    }

    /// The same on a server that is there, with options of its URL.
    #[track_caller]
    pub(super) fn on(server: RedisServer, url_options: &str) -> Self {
        let lab = Lab::new();
        let run = lab.spawn(&mut command(&lab, &server.url(url_options)));
        wait_until(PATIENCE, "the command to run", || run.stdout() == "ready\n");
        Self {
            lab,
            server,
            others: Lab::new(),
            run: Some(run),
        }
    }

    /// What leasectl has said so far.
    pub(super) fn said(&self) -> String {
        self.run.as_ref().map(Running::stderr).unwrap_or_default()
    }

    /// Somebody else who wants the same lease, and stands in line from the return on.
    #[track_caller]
    pub(super) fn waiter(&self, wait: &str) -> Running {
        let waiter = self.contender("a", wait);
        wait_until(PATIENCE, "it to stand in line", || {
            let channels = self.server.cli(&["PUBSUB", "CHANNELS", "*:w:*"]);
            channels.contains(":w:")
        });
        waiter
    }

    /// Somebody who wants another lease.
    pub(super) fn newcomer(&self, wait: &str) -> Running {
        self.contender("b", wait)
    }

    fn contender(&self, lease: &str, wait: &str) -> Running {
        let mut command = self.others.leasectl(["run", "--lease", lease]);
        command.args(["--wait", wait, "--", "echo", "ran"]);
        command.env("LEASECTL_STORE", self.server.url("restart-guard=off"));
        self.others.spawn(&mut command)
    }

    /// Goes on for longer than a hold lives without renewals, and ends well when the command does.
    #[track_caller]
    pub(super) fn survives(self) -> Ended {
        let started = Instant::now();
        wait_until(PATIENCE, "a time to live to pass", || {
            started.elapsed() > TTL
        });
        fs::write(self.lab.path("done"), "").unwrap();
        self.run.unwrap().wait(PATIENCE).expect_code(0)
    }

    /// Ends without further ado.
    #[track_caller]
    pub(super) fn ended(self) -> Ended {
        self.run.unwrap().wait(PATIENCE)
    }

    /// The command is dead before the lease could belong to anybody else, and leasectl says why.
    #[track_caller]
    pub(super) fn is_stopped(&mut self, why: &str) -> Ended {
        let started = Instant::now();
        let run = self.run.take().unwrap();
        let pid = run.id();
        wait_until(PATIENCE, "the command to be dead", || {
            self.lab.processes().iter().all(|process| *process == pid)
        });
        let took = started.elapsed();
        assert!(took < TTL, "dead after {took:?}");
        let ended = run.wait(PATIENCE).expect_code(121);
        let last = ended.stderr.lines().last().unwrap_or_default();
        assert!(last.contains(why), "{ended}");
        ended
    }
}

/// Runs until a file `done` is there.
fn command(lab: &Lab, url: &str) -> Command {
    let ttl = format!("{}s", TTL.as_secs());
    let mut command = lab.leasectl(["run", "--lease", "a", "--ttl", &ttl]);
    let script = "echo ready; while [ ! -e done ]; do sleep 0.05; done";
    command.args(["--events", "events", "--", "sh", "-c", script]);
    command.env("LEASECTL_STORE", url);
    command
}
