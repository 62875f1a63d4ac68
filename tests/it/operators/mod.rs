//! What operators do to leases that others hold: `release`, `pause`, `resume`.

mod pause;
mod release;
mod taking;

use std::process::Command;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::support::lab::{Lab, PATIENCE, Running};
use crate::support::processes::wait_until;

pub(crate) fn trials() -> Vec<Trial> {
    [pause::trials(), release::trials(), taking::trials()]
        .into_iter()
        .flatten()
        .collect()
}

/// The lease of all tests here.
const LEASE: &str = "nightly";

/// `leasectl run` of a shell script that writes `ready` once it may be asked to end.
fn run(lab: &Lab, options: &[&str], script: &str) -> Command {
    let mut command = lab.leasectl(["run", "--lease", LEASE, "--events", "events"]);
    command.args(options).args(["--", "sh", "-c", script]);
    command
}

/// A holder whose script is running.
#[track_caller]
fn holder(lab: &Lab, options: &[&str], script: &str) -> Running {
    let running = lab.spawn(&mut run(
        lab,
        options,
        &format!("{script}; echo ready; {LOOP}"),
    ));
    wait_until(PATIENCE, "it runs", || running.stdout() == "ready\n");
    running
}

const LOOP: &str = "while :; do sleep 0.05; done";
/// Ends in its own way when it is asked to.
const OBEDIENT: &str = "trap 'exit 3' TERM";
const STUBBORN: &str = "trap '' TERM";

fn record(lab: &Lab) -> Value {
    let text = lab.read("store/nightly.record");
    serde_json::from_str(text.lines().next().unwrap()).unwrap()
}
