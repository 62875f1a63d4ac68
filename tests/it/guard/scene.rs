//! leasectl at work: the front, its guardian, and puppets for a command.

use std::time::Duration;

use crate::support::containment::Level;
use crate::support::lab::{Ended, Lab, PATIENCE, Running};
pub(super) use crate::support::processes::guardian_of;
use crate::support::processes::{alive, boot_now, comes_true, name, send, wait_until};
use crate::support::puppet::Puppets;

use nix::sys::signal::Signal;

/// A main process, a child of it, a child in a session of its own, and a daemon that forked twice.
pub(super) const FAMILY: [&str; 4] = ["main", "child", "session:setsid", "daemon:daemon"];

/// The same, and none of them obeys TERM.
pub(super) const STUBBORN: [&str; 4] = [
    "main:stubborn",
    "child:stubborn",
    "session:setsid+stubborn",
    "daemon:daemon+stubborn",
];

/// The lease of all tests here.
pub(super) const LEASE: &str = "nightly";

/// The front is killed when this is dropped, and everything else with the lab.
pub(super) struct Scene {
    pub(super) front: Running,
    pub(super) guardian: u32,
    pub(super) puppets: Puppets,
    pub(super) lab: Lab,
}

impl Scene {
    /// Runs puppets for these roles under leasectl, and waits until all are ready.
    #[track_caller]
    pub(super) fn start(level: Level, options: &[&str], roles: &[&str]) -> Self {
        let lab = Lab::new();
        let puppets = Puppets::new(&lab, "log", roles);
        let mut command = level.leasectl(&lab, &["run", "--lease", LEASE]);
        command.args(options).arg("--").args(puppets.command());
        let front = lab.spawn(&mut command);
        wait_until(PATIENCE, "puppets are ready, or leasectl has ended", || {
            puppets.of_kind("ready").len() == roles.len() || !alive(front.id())
        });
        assert!(alive(front.id()), "{}", front.stderr());
        let guardian = guardian_of(front.id());
        Self {
            front,
            guardian,
            puppets,
            lab,
        }
    }

    /// Sends a signal to the guardian.
    pub(super) fn send_to_guardian(&self, signal: Signal) {
        send(self.guardian, signal);
    }

    /// Waits until neither a puppet nor the guardian is alive; when that was seen, on the boot clock.
    #[track_caller]
    pub(super) fn wait_all_gone(&self, limit: Duration) -> Duration {
        wait_until(limit, "puppets and guardian are gone", || {
            self.puppets.alive().is_empty() && !alive(self.guardian)
        });
        boot_now()
    }

    /// Waits for the front to end by itself, and checks that it left nothing behind.
    #[track_caller]
    pub(super) fn finish(self) -> Ended {
        let ended = self.front.wait(PATIENCE);
        assert_nothing_is_left(&self.lab);
        ended
    }
}

/// No process that was started in the lab is alive.
#[track_caller]
pub(super) fn assert_nothing_is_left(lab: &Lab) {
    // What was killed or exited just now may need a moment to be gone.
    let gone = comes_true(Duration::from_secs(1), || lab.processes().is_empty());
    let left: Vec<_> = lab
        .processes()
        .into_iter()
        .map(|pid| (pid, name(pid)))
        .collect();
    assert!(gone, "left: {left:?}");
}

/// The lease can be had at once.
#[track_caller]
pub(super) fn assert_lease_is_free(lab: &Lab) {
    let ended = lab.run(&mut lab.leasectl(["run", "--lease", LEASE, "--", "true"]));
    ended.expect_code(0);
}

/// The lease cannot be had.
#[track_caller]
pub(super) fn assert_lease_is_held(lab: &Lab) {
    let ended = lab.run(&mut lab.leasectl(["run", "--lease", LEASE, "--", "touch", "overlap"]));
    ended.expect_code(120);
    assert!(!lab.path("overlap").exists());
}

/// Says what was measured; the tests assert far less, so that a busy machine fails none.
pub(super) fn report(what: &str, mut measured: Vec<Duration>) {
    measured.sort();
    let [least, .., most] = measured[..] else {
        eprintln!("measured: {what}: {measured:?}");
        return;
    };
    let median = median(&measured);
    let rounds = measured.len();
    eprintln!("measured: {what}: median {median:.1?}, {least:.1?} to {most:.1?}, {rounds} rounds");
}

/// The middle one.
pub(super) fn median(measured: &[Duration]) -> Duration {
    let mut sorted = measured.to_vec();
    sorted.sort();
    sorted[sorted.len() / 2]
}
