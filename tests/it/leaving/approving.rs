//! `--ack-when-done`: the event may begin once the last one has left.

use std::process::Command;
use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::{OBEDIENT, PREEMPT, running, so_far};
use crate::support::lab::{Lab, PATIENCE, Running};
use crate::support::metadata::{Announced, MetadataService, VM};
use crate::support::processes::{alive, send, wait_until};

pub(super) fn trials() -> Vec<Trial> {
    trials![
        the_last_one_out_approves,
        who_is_killed_is_not_waited_for,
        others_are_named_and_nothing_is_approved,
        a_hold_approves_too,
        who_does_not_want_it_approves_nothing,
        a_refusal_is_a_warning,
        a_release_that_is_not_confirmed_approves_nothing,
        a_release_that_nobody_waits_for_approves_nothing,
        a_standby_told_to_end_while_others_are_waited_for_ends_at_once,
        a_standby_told_to_end_while_the_service_is_silent_ends_at_once,
    ]
}

const OPTIONS: [&str; 3] = ["--scheduled-events", "all", "--ack-when-done"];

pub(super) fn an_event_is_approved_after_the_release() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let running = running(&lab, &service, &OPTIONS, OBEDIENT);
    let id = service.announce(Announced::ours("Reboot", PREEMPT));
    wait_until(PATIENCE, "it is approved", || {
        service.approved() == [id.clone()]
    });
    // The lease was given back by then.
    assert_eq!(so_far(&lab, "released")[0]["certain"], true);
    let ended = running.wait(PATIENCE).expect_code(118);
    assert!(ended.stderr.contains("approved: Reboot"), "{ended}");
    assert!(ended.stderr.contains(&id), "{ended}");
}

/// One of another lease, in the same domain, whose command runs.
fn another(lab: &Lab, service: &MetadataService, lease: &str, script: &str) -> Running {
    let mut command: Command = lab.leasectl(["run", "--lease", lease]);
    command.args(["--scheduled-events-endpoint", &service.endpoint()]);
    let script = format!("{script}; echo ready; while :; do sleep 0.05; done");
    let started = lab.spawn(command.args(OPTIONS).args(["--", "sh", "-c", &script]));
    wait_until(PATIENCE, "it runs", || started.stdout() == "ready\n");
    started
}

fn the_last_one_out_approves() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let first = another(&lab, &service, "a", OBEDIENT);
    let go = lab.path("go");
    let until_told = format!(
        "trap 'until [ -e {go} ]; do sleep 0.05; done; exit 3' TERM",
        go = go.display()
    );
    let last = another(&lab, &service, "b", &until_told);
    let id = service.announce(Announced::ours("Reboot", PREEMPT));
    let ended = first.wait(PATIENCE).expect_code(118);
    assert_eq!(service.approved(), [""; 0], "{ended}\n{}", last.stderr());
    std::fs::write(go, "").unwrap();
    last.wait(PATIENCE).expect_code(118);
    assert_eq!(service.approved(), [id]);
}

fn who_is_killed_is_not_waited_for() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let killed = another(&lab, &service, "a", "trap 'sleep 5; exit 3' TERM");
    let last = another(&lab, &service, "b", "trap 'sleep 1; exit 3' TERM");
    let id = service.announce(Announced::ours("Reboot", PREEMPT));
    wait_until(PATIENCE, "it leaves", || {
        killed.stderr().contains("about to go")
    });
    killed.send(Signal::SIGKILL);
    last.wait(PATIENCE).expect_code(118);
    assert_eq!(service.approved(), [id]);
}

fn others_are_named_and_nothing_is_approved() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let running = running(&lab, &service, &OPTIONS, OBEDIENT);
    let id = service.announce(Announced::ours("Reboot", PREEMPT).of(&[VM, "other_1"]));
    let ended = running.wait(PATIENCE).expect_code(118);
    let said = format!(
        "leasectl scheduled-events ack {id} --endpoint {}",
        service.endpoint()
    );
    assert!(ended.stderr.contains(&said), "{ended}");
    assert!(ended.stderr.contains("\"other_1\""), "{ended}");
    assert_eq!(service.approved(), [""; 0]);
}

fn a_hold_approves_too() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let mut command = lab.leasectl(["hold", "--lease", "a"]);
    command.args(["--scheduled-events-endpoint", &service.endpoint()]);
    let held = lab.spawn(command.args(OPTIONS));
    wait_until(PATIENCE, "it holds", || held.stdout().contains('\n'));
    let id = service.announce(Announced::ours("Reboot", PREEMPT));
    held.wait(PATIENCE).expect_code(118);
    assert_eq!(service.approved(), [id]);
}

fn who_does_not_want_it_approves_nothing() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let running = running(&lab, &service, &OPTIONS[..2], OBEDIENT);
    service.announce(Announced::ours("Reboot", PREEMPT));
    running.wait(PATIENCE).expect_code(118);
    assert_eq!(service.approved(), [""; 0]);
}

fn a_refusal_is_a_warning() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let slow = "trap 'sleep 1; exit 3' TERM";
    let running = running(&lab, &service, &OPTIONS, slow);
    service.announce(Announced::ours("Reboot", Duration::from_secs(20)));
    wait_until(PATIENCE, "it leaves", || {
        !so_far(&lab, "stopping").is_empty()
    });
    service.fail_with(Some(500));
    let ended = running.wait(PATIENCE).expect_code(118);
    assert!(ended.stderr.contains("not approved: Reboot"), "{ended}");
    assert!(ended.stderr.contains("it begins at its time"), "{ended}");
    assert_eq!(service.approved(), [""; 0]);
}

fn a_release_that_is_not_confirmed_approves_nothing() {
    let lab = Lab::new();
    let service = MetadataService::start();
    // The acquisition is answered, and nothing after it.
    let options = [&OPTIONS[..], &["--store", "memory:?answers=1"]].concat();
    let running = running(&lab, &service, &options, OBEDIENT);
    service.announce(Announced::ours("Reboot", PREEMPT));
    let ended = running.wait(PATIENCE).expect_code(118);
    assert_eq!(so_far(&lab, "released")[0]["certain"], false);
    assert!(
        ended.stderr.contains("not approved: Reboot") && ended.stderr.contains("has not confirmed"),
        "{ended}"
    );
    assert_eq!(service.asked_to_approve(), 0);
}

/// The signal comes before there could be any word of the release, not even that there is no answer.
fn a_release_that_nobody_waits_for_approves_nothing() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let options = [&OPTIONS[..], &["--store", "memory:?answers=1"]].concat();
    let running = running(&lab, &service, &options, OBEDIENT);
    service.announce(Announced::ours("Reboot", PREEMPT));
    wait_until(PATIENCE, "it is about to give the lease back", || {
        !so_far(&lab, "exited").is_empty()
    });
    let pid = running.id();
    wait_until(PATIENCE, "it ends", || {
        send(pid, Signal::SIGTERM);
        !alive(pid)
    });
    let ended = running.wait(PATIENCE).expect_code(118);
    assert!(ended.stderr.contains("the store gave no answer"), "{ended}");
    assert!(
        ended.stderr.contains("not approved: Reboot") && ended.stderr.contains("has not confirmed"),
        "{ended}"
    );
    assert_eq!(service.asked_to_approve(), 0);
}

/// A standby that has left for an event, and wants to approve it. The service no longer answers.
fn about_to_approve(lab: &Lab, service: &MetadataService) -> Running {
    let options = [&OPTIONS[..], &["--restart", "on-lost"]].concat();
    let running = running(lab, service, &options, OBEDIENT);
    service.announce(Announced::ours("Reboot", Duration::from_secs(600)));
    wait_until(PATIENCE, "it leaves", || {
        !so_far(lab, "stopping").is_empty()
    });
    service.be_silent(true);
    wait_until(PATIENCE, "it has left", || {
        !so_far(lab, "released").is_empty()
    });
    running
}

/// With `--restart` it would go on, and stand aside until the event is gone.
fn assert_ends_at_once(lab: &Lab, service: &MetadataService, standby: Running) {
    standby.send(Signal::SIGTERM);
    let ended = standby.wait(PATIENCE).expect_code(118);
    // It would have waited for the service for ten seconds.
    assert!(ended.took < Duration::from_secs(8), "{ended}");
    assert!(
        ended.stderr.contains("not approved: Reboot") && ended.stderr.contains("a signal came"),
        "{ended}"
    );
    assert!(so_far(lab, "restarting").is_empty(), "it goes on");
    assert_eq!(service.approved(), [""; 0]);
}

fn a_standby_told_to_end_while_others_are_waited_for_ends_at_once() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let standby = about_to_approve(&lab, &service);
    assert_ends_at_once(&lab, &service, standby);
}

fn a_standby_told_to_end_while_the_service_is_silent_ends_at_once() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let standby = about_to_approve(&lab, &service);
    wait_until(PATIENCE, "it asks", || service.asked_to_approve() > 0);
    assert_ends_at_once(&lab, &service, standby);
}
