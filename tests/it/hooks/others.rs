//! `--on-doubt`, `--on-lost`, `--on-released`: beside everything else.

use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;
use serde_json::Value;

use super::{SILENT, run};
use crate::cli::said;
use crate::support::events::Events;
use crate::support::lab::{Lab, PATIENCE};
use crate::support::processes::{alive, send, wait_until};

pub(super) fn trials() -> Vec<Trial> {
    trials![
        doubt_comes_once_while_the_lease_is_held,
        lost_comes_after_the_death_of_all,
        lost_comes_after_a_loss_that_the_store_tells_of,
        released_comes_when_it_is_free,
        released_does_not_come_after_a_loss,
        a_failure_is_a_warning,
        one_that_hangs_delays_neither_stop_nor_kill,
        one_that_hangs_is_killed_with_its_group,
        one_that_daemonises_is_not_waited_for,
        a_signal_ends_the_wait_for_it,
        a_hook_may_signal_leasectl,
        hooks_read_and_print_what_they_like,
        one_that_begins_with_a_dash_is_no_option_of_the_shell,
    ]
}

fn value(lab: &Lab, file: &str, key: &str) -> String {
    let text = lab.read(file);
    let found = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{key}=")));
    found
        .unwrap_or_else(|| panic!("no {key} in {text}"))
        .to_owned()
}

#[track_caller]
fn input_is(lab: &Lab, file: &str, kind: &str) -> Events {
    let events = Events::read(&lab.path("events"));
    events.check(lab);
    let input: Value = serde_json::from_str(&lab.read(file)).unwrap();
    assert_eq!(&input, events.only(kind));
    events
}

fn doubt_comes_once_while_the_lease_is_held() {
    let lab = Lab::new();
    let mut options = SILENT.to_vec();
    options.extend([
        "--on-doubt",
        "cat >input; env >environment; test -e up && touch in-time",
    ]);
    let script = "touch up; trap 'rm up; exit 1' TERM; while :; do sleep 0.05; done";
    lab.run(&mut run(&lab, &options, script)).expect_code(121);
    let events = input_is(&lab, "input", "doubt");
    assert_eq!(events.of("hook").len(), 1, "several attempts, one doubt");
    assert!(
        lab.path("in-time").exists(),
        "before the command was stopped"
    );
    assert_eq!(value(&lab, "environment", "LEASECTL_EVENT"), "doubt");
    let remaining: f64 = value(&lab, "environment", "LEASECTL_REMAINING_S")
        .parse()
        .unwrap();
    assert!(remaining > 0.0 && remaining < 1.22, "{remaining}");
    assert!(
        value(&lab, "environment", "LEASECTL_TOKEN")
            .parse::<u64>()
            .is_ok()
    );
}

fn lost_comes_after_the_death_of_all() {
    let lab = Lab::new();
    let mut options = SILENT.to_vec();
    let hook = "cat >input; env >environment; kill -0 $(cat command) 2>alive; echo $? >gone";
    options.extend(["--on-lost", hook]);
    let script = "echo $$ >command; trap '' TERM; while :; do sleep 0.05; done";
    lab.run(&mut run(&lab, &options, script)).expect_code(121);
    input_is(&lab, "input", "lost");
    assert_ne!(lab.read("gone"), "0\n", "the command still lived");
    for (key, expected) in [
        ("EVENT", "lost"),
        ("REASON", "not_renewed"),
        ("OUTCOME", "lost"),
        ("EXIT_CODE", "137"),
    ] {
        let key = format!("LEASECTL_{key}");
        assert_eq!(value(&lab, "environment", &key), expected, "{key}");
    }
}

fn lost_comes_after_a_loss_that_the_store_tells_of() {
    let lab = Lab::new();
    let options = [
        "--store",
        "memory:?lost-after=0",
        "--ttl",
        "2s",
        "-q",
        "--on-lost",
        "cat >input; echo $LEASECTL_REASON >reason",
        "--on-released",
        "touch released",
    ];
    lab.run(&mut run(&lab, &options, "sleep 600"))
        .expect_code(121);
    input_is(&lab, "input", "lost");
    assert_eq!(lab.read("reason"), "taken\n");
    assert!(!lab.path("released").exists());
}

fn released_comes_when_it_is_free() {
    let lab = Lab::new();
    let hook = "cat >input; env >environment; LEASECTL_LEASE= leasectl run --lease x -- touch free";
    let mut command = run(
        &lab,
        &["--on-released", hook, "--on-lost", "touch lost"],
        "exit 5",
    );
    lab.run(&mut command).expect_code(5);
    let events = input_is(&lab, "input", "released");
    assert!(lab.path("free").exists(), "the lease can be had");
    assert!(!lab.path("lost").exists());
    assert_eq!(value(&lab, "environment", "LEASECTL_OUTCOME"), "completed");
    assert_eq!(value(&lab, "environment", "LEASECTL_EXIT_CODE"), "5");
    assert_eq!(events.kinds()[4..], ["hook", "ended"]);
}

fn released_does_not_come_after_a_loss() {
    let lab = Lab::new();
    let mut options = SILENT.to_vec();
    options.extend(["--on-released", "touch released"]);
    lab.run(&mut run(&lab, &options, "sleep 600"))
        .expect_code(121);
    assert!(!lab.path("released").exists(), "the store never said so");
}

fn a_failure_is_a_warning() {
    let lab = Lab::new();
    let ended = lab.run(&mut run(&lab, &["--on-released", "exit 3"], "exit 4"));
    let ended = ended.expect_code(4);
    assert_eq!(
        said(&lab, &ended),
        ["the released hook failed with exit code 3"]
    );
}

fn one_that_hangs_delays_neither_stop_nor_kill() {
    let lab = Lab::new();
    let mut options = SILENT.to_vec();
    options.extend(["--on-doubt", "touch hangs; sleep 600"]);
    let script = "trap '' TERM; while :; do sleep 0.05; done";
    lab.run(&mut run(&lab, &options, script)).expect_code(121);
    assert!(lab.path("hangs").exists());
    let events = Events::read(&lab.path("events"));
    events.check(&lab);
    let at = |kind: &str| events.only(kind)["boot_s"].as_f64().unwrap();
    // Stop 1.22 s and kill 1.55 s after the asking: long before the hook has had its ten seconds.
    // How exactly both are kept is measured in tests/it/guard.
    let died = at("exited") - at("acquired");
    assert!(at("stopping") < at("exited") && died < 8.0, "{died}");
    let hook = events.only("hook");
    assert_eq!(hook["error"], "it did not end within 10s");
}

fn one_that_hangs_is_killed_with_its_group() {
    let lab = Lab::new();
    let hook = "trap '' TERM; sleep 600 & echo $! >child; wait";
    let ended = lab.run(&mut run(&lab, &["--on-released", hook], ":"));
    let ended = ended.expect_code(0);
    assert!(ended.took >= Duration::from_secs(10), "{ended}");
    let expected = "the released hook did not end within 10s and was killed";
    assert_eq!(said(&lab, &ended), [expected]);
    let child: u32 = lab.read("child").trim().parse().unwrap();
    wait_until(PATIENCE, "its group ends too", || !alive(child));
}

fn one_that_daemonises_is_not_waited_for() {
    let lab = Lab::new();
    let hook = "setsid sleep 600 </dev/null >/dev/null 2>&1 & echo $! >daemon";
    let ended = lab.run(&mut run(&lab, &["--on-released", hook], ":"));
    let ended = ended.expect_code(0);
    assert!(ended.took < Duration::from_secs(9), "{ended}");
    let daemon: u32 = lab.read("daemon").trim().parse().unwrap();
    assert!(alive(daemon), "no part of the tree");
}

fn a_signal_ends_the_wait_for_it() {
    let lab = Lab::new();
    let running = lab.spawn(&mut run(
        &lab,
        &["--on-released", "touch up; sleep 600"],
        "exit 6",
    ));
    wait_until(PATIENCE, "it runs", || lab.path("up").exists());
    running.send(Signal::SIGTERM);
    let ended = running.wait(PATIENCE).expect_code(6);
    // By whom it was killed is said: nothing went wrong in it.
    let expected = "the released hook was killed: a signal ended the wait for it";
    assert_eq!(said(&lab, &ended), [expected]);
    assert!(ended.took < Duration::from_secs(9), "{ended}");
}

/// A hook is no part of the tree, so that its signals are not taken for the command's own.
fn a_hook_may_signal_leasectl() {
    let lab = Lab::new();
    let mut options = SILENT.to_vec();
    options.extend(["--on-doubt", "kill -TERM $PPID"]);
    let script = "trap 'touch told; exit 8' TERM; while :; do sleep 0.02; done";
    let ended = lab.run(&mut run(&lab, &options, script));
    assert_eq!(ended.code(), Some(8), "{ended}");
    assert!(lab.path("told").exists());
}

fn hooks_read_and_print_what_they_like() {
    let lab = Lab::new();
    // It does not read its input, prints a lot, and its reader is not there.
    let hook = "exec <&-; yes | head -c 300000";
    let line = format!(
        "leasectl run --lease x --on-acquired '{hook}' --on-released '{hook}' -- true 2>&1 | sleep 0.1"
    );
    let running = lab.spawn(&mut lab.sh(&line));
    let pid = running.id();
    running.wait(PATIENCE).expect_code(0);
    send(pid, Signal::SIGKILL);
    wait_until(PATIENCE, "nothing is left", || lab.processes().is_empty());
}

fn one_that_begins_with_a_dash_is_no_option_of_the_shell() {
    let lab = Lab::new();
    let ended = lab.run(&mut run(&lab, &["--on-released", "-x"], "true"));
    let ended = ended.expect_code(0);
    assert!(
        ended.stderr.contains("failed with exit code 127"),
        "{ended}"
    );
    let ended = lab.run(&mut run(&lab, &["--on-acquired", "-x"], "touch ran"));
    let ended = ended.expect_code(125);
    assert!(
        ended.stderr.contains("failed with exit code 127"),
        "{ended}"
    );
    assert!(!lab.path("ran").exists());
}
