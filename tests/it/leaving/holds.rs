//! `hold`: the process that it guards is told to end.

use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::{LEASE, PREEMPT, is_free};
use crate::support::events::Events;
use crate::support::lab::{Lab, PATIENCE, Running};
use crate::support::metadata::{Announced, MetadataService};
use crate::support::processes::wait_until;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        its_process_is_told_to_end_and_the_lease_is_given_back,
        without_a_process_it_is_given_back_at_once,
        a_stubborn_process_is_killed_in_time,
    ]
}

fn holding(lab: &Lab, service: &MetadataService, options: &[&str]) -> Running {
    let mut command = lab.leasectl(["hold", "--lease", LEASE, "--events", "events"]);
    command.args(["--scheduled-events", "all"]);
    command.args(["--scheduled-events-endpoint", &service.endpoint()]);
    let holding = lab.spawn(command.args(options));
    wait_until(PATIENCE, "it holds", || holding.stdout().contains('\n'));
    holding
}

fn its_process_is_told_to_end_and_the_lease_is_given_back() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let process = lab.spawn(&mut lab.sh("echo ready; exec sleep 600"));
    wait_until(PATIENCE, "it runs", || process.stdout() == "ready\n");
    let held = holding(&lab, &service, &["--pid", &process.id().to_string()]);
    service.announce(Announced::ours("Preempt", PREEMPT));
    let ended = held.wait(PATIENCE).expect_code(118);
    assert_eq!(
        process.wait(PATIENCE).signal(),
        Some(Signal::SIGTERM as i32)
    );
    assert!(ended.stderr.contains("nightly was handed over"), "{ended}");
    let events = Events::read(&lab.path("events"));
    events.check(&lab);
    assert_eq!(events.only("stopping")["why"], "scheduled_event");
    assert!(is_free(&lab));
}

fn without_a_process_it_is_given_back_at_once() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let held = holding(&lab, &service, &[]);
    service.announce(Announced::begun("Reboot"));
    held.wait(PATIENCE).expect_code(118);
    assert!(is_free(&lab));
}

fn a_stubborn_process_is_killed_in_time() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let process = lab.spawn(&mut lab.sh("trap '' TERM; echo ready; while :; do sleep 0.05; done"));
    wait_until(PATIENCE, "it runs", || process.stdout() == "ready\n");
    let pid = process.id().to_string();
    let held = holding(&lab, &service, &["--pid", &pid, "--grace", "5m"]);
    // Of the grace a second is left: the machine goes in six.
    service.announce(Announced::ours("Preempt", Duration::from_secs(6)));
    held.wait(PATIENCE).expect_code(118);
    assert_eq!(
        process.wait(PATIENCE).signal(),
        Some(Signal::SIGKILL as i32)
    );
    assert!(is_free(&lab));
}
