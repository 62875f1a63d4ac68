//! A command that runs under a lease in an Azurite of its own.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::azurite::Azurite;
use crate::support::lab::{Ended, Lab, PATIENCE, Running};
use crate::support::processes::wait_until;

/// The time to live of the holds here, Azure's shortest: whatever happens, the command is dead before it has passed.
pub(super) const TTL: Duration = Duration::from_secs(15);
/// Without the guard of a young container, which every container here is.
pub(super) const OPTIONS: &str = "restart-guard=off&poll=200ms";

/// The command, its leasectl and its server.
pub(super) struct Scene {
    pub(super) lab: Lab,
    pub(super) server: Azurite,
    run: Option<Running>,
}

impl Scene {
    /// Returns when the command runs.
    #[track_caller]
    pub(super) fn start() -> Self {
        Self::on(Azurite::in_memory())
    }

    /// The same on a server that is there.
    #[track_caller]
    pub(super) fn on(server: Azurite) -> Self {
        let url = server.url(OPTIONS);
        Self::at(server, &url)
    }

    /// The same by way of a URL.
    #[track_caller]
    pub(super) fn at(server: Azurite, url: &str) -> Self {
        Self::with(server, url, &[])
    }

    /// The same with these variables.
    #[track_caller]
    pub(super) fn with(server: Azurite, url: &str, variables: &[(&str, String)]) -> Self {
        Self::within(Lab::new(), server, url, variables)
    }

    /// The same in a place that is prepared.
    #[track_caller]
    pub(super) fn within(
        lab: Lab,
        server: Azurite,
        url: &str,
        variables: &[(&str, String)],
    ) -> Self {
        let mut command = command(&lab, url);
        let run = lab.spawn(command.envs(variables.iter().cloned()));
        wait_until(PATIENCE, "the command to run", || run.stdout() == "ready\n");
        Self {
            lab,
            server,
            run: Some(run),
        }
    }

    /// What leasectl has said so far.
    pub(super) fn said(&self) -> String {
        self.run.as_ref().map(Running::stderr).unwrap_or_default()
    }

    /// Ends when it is told to, and well.
    #[track_caller]
    pub(super) fn ends_well(self) -> Ended {
        fs::write(self.lab.path("done"), "").unwrap();
        self.run.unwrap().wait(PATIENCE).expect_code(0)
    }

    /// The same after a time that it could not have held for without renewals.
    #[track_caller]
    pub(super) fn survives(self) -> Ended {
        let started = Instant::now();
        wait_until(PATIENCE, "a time to live to pass", || {
            started.elapsed() > TTL
        });
        self.ends_well()
    }

    /// Ends without further ado.
    #[track_caller]
    pub(super) fn ended(self) -> Ended {
        self.run.unwrap().wait(PATIENCE)
    }

    /// The command is dead within this time, and leasectl says why.
    #[track_caller]
    pub(super) fn is_stopped(&mut self, within: Duration, why: &str) -> Ended {
        let started = Instant::now();
        let run = self.run.take().unwrap();
        let pid = run.id();
        wait_until(PATIENCE, "the command to be dead", || {
            self.lab.processes().iter().all(|process| *process == pid)
        });
        let took = started.elapsed();
        assert!(took < within, "dead after {took:?}");
        let ended = run.wait(PATIENCE).expect_code(121);
        let last = ended.stderr.lines().last().unwrap_or_default();
        assert!(last.contains(why), "{ended}");
        ended
    }
}

/// Runs a verb on the server.
pub(super) fn verb(lab: &Lab, url: &str, words: &[&str]) -> Ended {
    lab.run(lab.leasectl(words).env("LEASECTL_STORE", url))
}

/// Runs until a file `done` is there.
fn command(lab: &Lab, url: &str) -> Command {
    let ttl = format!("{}s", TTL.as_secs());
    let mut command = lab.leasectl(["run", "--lease", "a", "--ttl", &ttl]);
    let script = "echo ready; while [ ! -e done ]; do sleep 0.05; done";
    command.args(["--", "sh", "-c", script]);
    command.env("LEASECTL_STORE", url);
    command
}
