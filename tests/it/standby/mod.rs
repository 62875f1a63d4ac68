//! Standing by: `--restart`, and signals in the worst moments. Whatever ends a tenure, one runs at any
//! time, nobody who was told to end starts anything, and the events tell what happened.

mod flood;
mod grant;
mod hand_over;
mod hook;
mod restart;
mod script;
mod story;
mod twice;

use std::path::Path;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::support::lab::{Lab, PATIENCE, Running};
use crate::support::processes::{comes_true, name, wait_until};

pub(crate) fn trials() -> Vec<Trial> {
    [
        flood::trials(),
        grant::trials(),
        hand_over::trials(),
        hook::trials(),
        restart::trials(),
        twice::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The lease of all tests here.
const LEASE: &str = "pair";

/// The events of a file so far: whole lines only, because somebody may be writing.
#[track_caller]
fn events_so_far(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let whole = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    whole
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}

/// How many events of one kind a file has so far.
fn count(file: &Path, kind: &str) -> usize {
    let events = events_so_far(file);
    events.iter().filter(|one| one["kind"] == kind).count()
}

/// Waits until a file has so many events of one kind.
#[track_caller]
fn wait_for(file: &Path, kind: &str, times: usize) {
    wait_until(PATIENCE, &format!("{kind} is told, {times} in all"), || {
        count(file, kind) >= times
    });
}

/// A leasectl that holds the lease, and whose command ends at once when it is told to.
#[track_caller]
fn holder(lab: &Lab) -> Running {
    let script = "echo in; exec sleep 1000";
    let mut command = lab.leasectl(["run", "-q", "--lease", LEASE, "--", "sh", "-c", script]);
    let holder = lab.spawn(&mut command);
    wait_until(PATIENCE, "it holds", || holder.stdout() == "in\n");
    holder
}

/// No process of the lab is alive, and the lease can be had at once.
#[track_caller]
fn assert_all_is_over(lab: &Lab) {
    let gone = comes_true(PATIENCE, || lab.processes().is_empty());
    let left: Vec<_> = lab
        .processes()
        .into_iter()
        .map(|pid| (pid, name(pid)))
        .collect();
    assert!(gone, "left: {left:?}");
    lab.run(&mut lab.leasectl(["run", "--lease", LEASE, "--", "true"]))
        .expect_code(0);
}
