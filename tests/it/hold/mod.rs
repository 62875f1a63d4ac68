//! `leasectl hold`: a lease for a process that leasectl did not start.

mod announced;
mod background;
mod ends;
mod guarded;
mod refused;
mod scripts;

use std::process::Command;

use libtest_mimic::Trial;

use crate::support::lab::{Lab, PATIENCE, Running};
use crate::support::processes::{name, wait_until};

pub(crate) fn trials() -> Vec<Trial> {
    [
        announced::trials(),
        background::trials(),
        ends::trials(),
        guarded::trials(),
        refused::trials(),
        scripts::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The lease of all tests here.
const LEASE: &str = "section";

/// `leasectl hold` with its events in a file.
fn hold(lab: &Lab, options: &[&str]) -> Command {
    let mut command = lab.leasectl(["hold", "--lease", LEASE, "--events", "events"]);
    command.args(options);
    command
}

/// One that holds.
#[track_caller]
fn holding(lab: &Lab, options: &[&str]) -> Running {
    let running = lab.spawn(&mut hold(lab, options));
    wait_until(PATIENCE, "it holds", || running.stdout().contains('\n'));
    running
}

/// A process to be guarded, which ends when it is asked to.
fn obedient(lab: &Lab) -> Running {
    let running = lab.spawn(&mut lab.sh("echo ready; exec sleep 600"));
    wait_until(PATIENCE, "it runs", || running.stdout() == "ready\n");
    running
}

/// One that does not.
fn stubborn(lab: &Lab) -> Running {
    let running = lab.spawn(&mut lab.sh("trap '' TERM; echo ready; while :; do sleep 0.05; done"));
    wait_until(PATIENCE, "it runs", || running.stdout() == "ready\n");
    running
}

/// Whether somebody holds the lease.
fn is_held(lab: &Lab) -> bool {
    let tried = lab.run(&mut lab.leasectl(["run", "--lease", LEASE, "--", "true"]));
    match tried.code() {
        Some(0) => false,
        Some(120) => true,
        _ => panic!("{tried}"),
    }
}

#[track_caller]
fn wait_free(lab: &Lab) {
    wait_until(PATIENCE, "the lease is free", || !is_held(lab));
}

/// No leasectl, and no guardian, lives.
#[track_caller]
fn nothing_is_left(lab: &Lab) {
    wait_until(PATIENCE, "no leasectl is left", || {
        let names = lab.processes().into_iter().filter_map(name);
        !names.into_iter().any(|name| name.starts_with("lease"))
    });
}
