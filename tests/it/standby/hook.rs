//! TERM and INT while `--on-acquired` runs: nobody wants the command any more.

use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::{LEASE, assert_all_is_over};
use crate::support::events::Events;
use crate::support::lab::{Ended, Lab, PATIENCE, Running};
use crate::support::processes::{alive, comes_true};
use crate::support::puppet::Puppets;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        term_and_int_stop_the_hook_and_start_nothing,
        a_second_term_is_no_second_stop_of_the_hook,
        a_hook_that_ignores_term_is_killed_after_the_grace,
    ]
}

/// leasectl with a puppet for a hook, which is ready.
fn start(lab: &Lab, grace: &str, role: &str) -> (Running, Puppets) {
    let puppets = Puppets::new(lab, "log", &[role]);
    let words = puppets.command();
    let words: Vec<_> = words.iter().map(|word| word.to_str().unwrap()).collect();
    // No word of it has a character that the shell would read.
    let hook = format!("exec {}", words.join(" "));
    let mut command = lab.leasectl(["run", "-q", "--lease", LEASE, "--events", "events"]);
    command.args([
        "--restart",
        "always",
        "--grace",
        grace,
        "--on-acquired",
        &hook,
    ]);
    let front = lab.spawn(command.args(["--", "touch", "ran"]));
    puppets.wait_ready();
    (front, puppets)
}

/// leasectl died of the signal, and the events say the same: nothing was started.
#[track_caller]
fn expect_interrupted(lab: &Lab, ended: &Ended, signal: Signal) -> Events {
    assert_eq!(ended.signal(), Some(signal as i32), "{ended}");
    assert!(!lab.path("ran").exists());
    let events = Events::read(&lab.path("events"));
    assert_eq!(
        events.kinds(),
        ["acquired", "stopping", "hook", "released", "ended"]
    );
    let last = events.only("ended");
    assert_eq!(last["outcome"], "interrupted");
    assert_eq!(last["exit_code"], 128 + signal as i32);
    assert_eq!(events.only("released")["certain"], true);
    assert_all_is_over(lab);
    events
}

fn term_and_int_stop_the_hook_and_start_nothing() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let lab = Lab::new();
        let (front, puppets) = start(&lab, "1h", "main");
        front.send(signal);
        let ended = front.wait(PATIENCE);
        // It is stopped, not signalled: what it gets is the stop signal, once.
        assert_eq!(puppets.of_kind("TERM").len(), 1);
        assert_eq!(puppets.of_kind("INT").len(), 0);
        let events = expect_interrupted(&lab, &ended, signal);
        assert_eq!(events.only("hook")["exit_code"], 0);
    }
}

/// Sends TERM until leasectl has ended.
#[track_caller]
fn insist(front: &Running) -> usize {
    let mut sent = 0;
    let ended = comes_true(PATIENCE, || {
        front.send(Signal::SIGTERM);
        sent += 1;
        !alive(front.id())
    });
    assert!(ended, "still running after TERM, {sent} times");
    sent
}

fn a_second_term_is_no_second_stop_of_the_hook() {
    let lab = Lab::new();
    let (front, puppets) = start(&lab, "1s", "main:stubborn");
    let sent = insist(&front);
    assert!(sent > 2);
    let ended = front.wait(PATIENCE);
    assert_eq!(puppets.of_kind("TERM").len(), 1, "{sent} times TERM");
    expect_interrupted(&lab, &ended, Signal::SIGTERM);
}

fn a_hook_that_ignores_term_is_killed_after_the_grace() {
    let lab = Lab::new();
    let grace = Duration::from_millis(500);
    let (front, puppets) = start(&lab, "500ms", "main:stubborn");
    front.send(Signal::SIGTERM);
    let ended = front.wait(PATIENCE);
    assert_eq!(puppets.of_kind("TERM").len(), 1);
    let events = expect_interrupted(&lab, &ended, Signal::SIGTERM);
    assert_eq!(events.only("hook")["signal"], "KILL");
    let at = |kind| events.only(kind)["boot_s"].as_f64().unwrap();
    let took = at("hook") - at("stopping");
    eprintln!("measured: grace {grace:?}, from the stop to the hook's end {took:.3} s");
    // The limit of ten seconds for a hook is not what ended it.
    assert!((grace.as_secs_f64()..5.0).contains(&took), "{took}");
}
