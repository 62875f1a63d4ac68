//! Leaving before the machine does: `--scheduled-events` of `run` and `hold`, against a metadata service that
//! behaves as Azure documents it.

mod approving;
mod before;
mod holds;
mod restart;
mod service;
mod sharing;
mod stopping;
mod two_machines;

pub(crate) use before::not_started;

use std::process::Command;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use serde_json::Value;

use crate::support::lab::{Lab, PATIENCE, Running};
use crate::support::metadata::MetadataService;
use crate::support::processes::wait_until;

pub(crate) fn trials() -> Vec<Trial> {
    [
        approving::trials(),
        before::trials(),
        holds::trials(),
        restart::trials(),
        service::trials(),
        sharing::trials(),
        stopping::trials(),
        two_machines::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The options, with what shows their effect.
pub(crate) const SHOWN: &[(&str, &str, fn())] = &[
    (
        "--scheduled-events",
        "the command is stopped before the machine goes",
        stopping::a_notice_stops_the_command_and_says_so,
    ),
    (
        "--notice",
        "what is far ahead is acted on when it comes near",
        stopping::what_is_far_ahead_is_acted_on_when_it_comes_near,
    ),
    (
        "--scheduled-events-endpoint",
        "who announces is chosen",
        service::a_file_that_is_not_there_is_one_warning_and_goes_on_being_looked_at,
    ),
    (
        "--min-duration",
        "what is shorter is no reason",
        sharing::what_is_shorter_is_no_reason,
    ),
    (
        "--resource",
        "a name that is typed goes before the service's",
        sharing::a_name_that_is_typed_goes_before_the_services,
    ),
    (
        "--cache-dir",
        "the poller is shared there",
        sharing::the_poller_is_shared_in_a_named_directory,
    ),
    (
        "--no-coordination",
        "nothing is shared",
        sharing::without_coordination_nothing_is_shared,
    ),
    (
        "--ack-when-done",
        "the event is approved after the release",
        approving::an_event_is_approved_after_the_release,
    ),
];

/// The lease of all tests here.
const LEASE: &str = "nightly";
/// What Azure gives a spot machine, at best.
const PREEMPT: Duration = Duration::from_secs(30);
/// Ends at once when it is asked to, and in its own way.
const OBEDIENT: &str = "trap 'exit 3' TERM";
const STUBBORN: &str = "trap '' TERM";

/// `leasectl run` of a shell script, told of events by `service`.
fn run(lab: &Lab, service: &MetadataService, options: &[&str], script: &str) -> Command {
    let mut command = lab.leasectl(["run", "--lease", LEASE, "--events", "events"]);
    command.args(["--scheduled-events-endpoint", &service.endpoint()]);
    command.args(options).args(["--", "sh", "-c", script]);
    command
}

/// Long enough for two looks at what is announced.
#[track_caller]
fn two_looks() {
    let began = Instant::now();
    wait_until(PATIENCE, "two looks", || {
        began.elapsed() > Duration::from_millis(2_200)
    });
}

/// One whose command runs.
#[track_caller]
fn running(lab: &Lab, service: &MetadataService, options: &[&str], script: &str) -> Running {
    let script = format!("{script}; echo ready; while :; do sleep 0.05; done");
    let running = lab.spawn(&mut run(lab, service, options, &script));
    wait_until(PATIENCE, "it runs", || running.stdout() == "ready\n");
    running
}

/// Whether the lease can be had at once.
fn is_free(lab: &Lab) -> bool {
    let tried = lab.run(&mut lab.leasectl(["run", "--lease", LEASE, "--", "true"]));
    tried.code() == Some(0)
}

/// The events of a file so far, of one kind.
#[track_caller]
fn so_far(lab: &Lab, kind: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(lab.path("events")).unwrap_or_default();
    let whole = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    let events = whole.map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.filter(|one| one["kind"] == kind).collect()
}
