//! Signals that come again, and signals in the wrong moment: one graceful stop, and no second grace.

use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::{LEASE, assert_all_is_over, wait_for};
use crate::support::events::Events;
use crate::support::lab::{Lab, PATIENCE, Running};
use crate::support::processes::{alive, children, comes_true, guardian_of, send, wait_until};
use crate::support::puppet::Puppets;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        term_while_a_time_out_stops_the_command_is_no_second_stop,
        term_while_leftovers_are_stopped_is_no_second_stop,
        a_command_that_ignores_term_gets_each_and_is_not_stopped,
        int_while_queued_leaves_nothing,
        term_right_after_the_release_was_ordered_does_not_undo_it,
    ]
}

fn start(lab: &Lab, options: &[&str], roles: &[&str]) -> (Running, Puppets) {
    let puppets = Puppets::new(lab, "log", roles);
    let mut command = lab.leasectl(["run", "-q", "--lease", LEASE, "--events", "events"]);
    command.args(options).arg("--").args(puppets.command());
    let front = lab.spawn(&mut command);
    puppets.wait_ready();
    (front, puppets)
}

/// TERM again and again until the end of the stop. One `stopping`, which is over after one grace.
#[track_caller]
fn insist_until_it_ends(lab: &Lab, front: &Running, grace: Duration) {
    let mut sent = 0;
    let ended = comes_true(PATIENCE, || {
        front.send(Signal::SIGTERM);
        sent += 1;
        !alive(front.id())
    });
    assert!(ended && sent > 2, "{sent}");
    let events = Events::read(&lab.path("events"));
    let at = |kind| events.only(kind)["boot_s"].as_f64().unwrap();
    let took = at("released") - at("stopping");
    eprintln!(
        "measured: grace {grace:?}, from the stop to the release {took:.3} s, {sent} times TERM"
    );
    // It is told of the stop a moment after the clock for it has begun.
    assert!(
        took >= 0.9 * grace.as_secs_f64(),
        "the grace is not cut short: {took}"
    );
    assert!(took < 2.0 * grace.as_secs_f64(), "a second grace: {took}");
}

fn term_while_a_time_out_stops_the_command_is_no_second_stop() {
    let lab = Lab::new();
    let options = ["--run-timeout", "200ms", "--grace", "2s"];
    let (front, puppets) = start(&lab, &options, &["main:stubborn"]);
    wait_for(&lab.path("events"), "stopping", 1);
    insist_until_it_ends(&lab, &front, Duration::from_secs(2));
    front.wait(PATIENCE).expect_code(124);
    let told = puppets.of_kind("TERM");
    assert_eq!(told.len(), 1, "one graceful stop: {told:?}");
    assert_all_is_over(&lab);
}

fn term_while_leftovers_are_stopped_is_no_second_stop() {
    let lab = Lab::new();
    let options = ["--leftovers-settle", "0s", "--grace", "2s"];
    let (front, puppets) = start(&lab, &options, &["main", "child:setsid+stubborn"]);
    send(puppets.pid("main"), Signal::SIGTERM);
    wait_for(&lab.path("events"), "stopping", 1);
    insist_until_it_ends(&lab, &front, Duration::from_secs(2));
    front.wait(PATIENCE).expect_code(0);
    let mut told = puppets.of_kind("TERM");
    told.retain(|one| one.name == "child");
    assert_eq!(told.len(), 1, "one graceful stop: {told:?}");
    let events = Events::read(&lab.path("events"));
    assert_eq!(events.only("stopping")["why"], "leftovers");
    assert_all_is_over(&lab);
}

/// Without a reason of its own leasectl stops nothing: TERM is passed on, each time, and the command
/// decides.
fn a_command_that_ignores_term_gets_each_and_is_not_stopped() {
    let lab = Lab::new();
    let (front, puppets) = start(&lab, &["--grace", "100ms"], &["main:stubborn"]);
    for times in 1..=3 {
        front.send(Signal::SIGTERM);
        wait_until(PATIENCE, "it is passed on", || {
            puppets.of_kind("TERM").len() == times
        });
    }
    assert!(alive(front.id()) && alive(puppets.pid("main")));
    send(puppets.pid("main"), Signal::SIGKILL);
    assert_eq!(front.wait(PATIENCE).signal(), Some(9));
    let events = Events::read(&lab.path("events"));
    assert_eq!(
        events.kinds(),
        ["acquired", "started", "exited", "released", "ended"]
    );
    assert_all_is_over(&lab);
}

fn int_while_queued_leaves_nothing() {
    let lab = Lab::new();
    let (holder, puppets) = start(&lab, &[], &["main"]);
    let mut command = lab.leasectl(["run", "-q", "--lease", LEASE, "--restart", "always"]);
    command.args(["--events", "waiter", "--", "touch", "ran"]);
    let waiter = lab.spawn(&mut command);
    wait_for(&lab.path("waiter"), "waiting", 1);
    let others = lab.processes().len();
    assert!(others > 3, "the waiter has a guardian");
    waiter.send(Signal::SIGINT);
    let ended = waiter.wait(PATIENCE);
    assert_eq!(ended.signal(), Some(2), "{ended}");
    wait_until(PATIENCE, "the waiter and its guardian are gone", || {
        lab.processes().len() == others - 2
    });
    assert!(alive(puppets.pid("main")));
    let events = Events::read(&lab.path("waiter"));
    assert_eq!(events.kinds(), ["waiting", "ended"]);
    assert_eq!(events.only("ended")["exit_code"], 128 + 2);
    holder.send(Signal::SIGTERM);
    holder.wait(PATIENCE).expect_code(0);
    assert_all_is_over(&lab);
    assert!(!lab.path("ran").exists());
}

/// When leasectl goes on, it hears of the end of the tree, orders the release, and hears TERM before it
/// has asked the store.
fn term_right_after_the_release_was_ordered_does_not_undo_it() {
    for _ in 0..12 {
        let lab = Lab::new();
        let (front, puppets) = start(&lab, &[], &["main"]);
        wait_for(&lab.path("events"), "started", 1);
        let guardian = guardian_of(front.id());
        front.send(Signal::SIGSTOP);
        send(puppets.pid("main"), Signal::SIGKILL);
        wait_until(PATIENCE, "the guardian has seen the end", || {
            children(guardian).is_empty()
        });
        front.send(Signal::SIGTERM);
        front.send(Signal::SIGCONT);
        assert_eq!(front.wait(PATIENCE).signal(), Some(9));
        let events = Events::read(&lab.path("events"));
        assert_eq!(events.only("released")["certain"], true);
        assert_all_is_over(&lab);
    }
}
