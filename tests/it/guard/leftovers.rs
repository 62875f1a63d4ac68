//! What a command left behind when its main process ended: settle, stop, wait, leave.

use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::scene::{LEASE, assert_lease_is_free, assert_lease_is_held, assert_nothing_is_left};
use crate::support::containment::Level;
use crate::support::lab::{Lab, PATIENCE, Running};
use crate::support::needs::needs;
use crate::support::processes::{alive, boot_now, name, send, wait_until};

pub(crate) fn trials() -> Vec<Trial> {
    let mut all = trials_at_each_level![
        leftovers_are_stopped_and_named,
        leftovers_that_ignore_the_stop_signal_are_killed_after_the_grace,
        leftovers_are_waited_for_under_the_lease,
        a_signal_ends_the_wait_for_leftovers,
        what_is_left_goes_on_and_the_lease_is_free,
        what_ends_within_the_settle_time_is_not_mentioned,
        output_through_a_process_substitution_is_complete,
    ];
    all.extend(trials![
        a_lease_that_is_lost_while_leftovers_settle_kills_them
    ]);
    all
}

/// A shell command under leasectl that notes the pid of what it leaves behind in `left`.
fn start(level: Level, lab: &Lab, options: &[&str], script: &str) -> Running {
    needs("setsid");
    let mut command = level.leasectl(lab, &["run", "--lease", LEASE]);
    lab.spawn(command.args(options).args(["--", "sh", "-c", script]))
}

/// The process that the command left behind, once it is what it was meant to be.
#[track_caller]
fn left_behind(lab: &Lab, program: &str) -> u32 {
    let mut pid = None;
    wait_until(PATIENCE, "something is left behind", || {
        let text = std::fs::read_to_string(lab.path("left")).unwrap_or_default();
        pid = text.trim().parse().ok();
        pid.is_some_and(|pid| name(pid).as_deref() == Some(program))
    });
    pid.unwrap()
}

const LEAVE_A_SLEEP: &str = "setsid sleep 1000 & echo $! >left; exit 3";

fn leftovers_are_stopped_and_named(level: Level) {
    let lab = Lab::new();
    let running = start(level, &lab, &["--leftovers-settle", "500ms"], LEAVE_A_SLEEP);
    let pid = left_behind(&lab, "sleep");
    let ended = running.wait(PATIENCE).expect_code(3);
    let warnings: Vec<&str> = ended.stderr.lines().collect();
    let [warning] = warnings[..] else {
        panic!("one line and not more: {ended}");
    };
    for part in [&format!("{pid} (sleep)"), "--leftovers"] {
        assert!(warning.contains(part), "{part:?} is not in {warning:?}");
    }
    assert!(!alive(pid));
    assert_nothing_is_left(&lab);
    assert_lease_is_free(&lab);
}

fn leftovers_that_ignore_the_stop_signal_are_killed_after_the_grace(level: Level) {
    let lab = Lab::new();
    let script = "setsid sh -c 'trap \"\" TERM; echo $$ >left; exec sleep 1000' & \
                  until test -s left; do :; done; exit 3";
    let options = ["--leftovers-settle", "0s", "--grace", "300ms"];
    let running = start(level, &lab, &options, script);
    let pid = left_behind(&lab, "sleep");
    let seen = boot_now();
    running.wait(PATIENCE).expect_code(3);
    let took = boot_now() - seen;
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(!alive(pid));
    assert_nothing_is_left(&lab);
    assert_lease_is_free(&lab);
}

fn leftovers_are_waited_for_under_the_lease(level: Level) {
    let lab = Lab::new();
    let options = ["--leftovers", "wait", "--leftovers-settle", "0s"];
    let running = start(level, &lab, &options, LEAVE_A_SLEEP);
    let pid = left_behind(&lab, "sleep");
    for _ in 0..3 {
        assert_lease_is_held(&lab);
    }
    assert!(alive(pid) && alive(running.id()));
    send(pid, Signal::SIGKILL);
    let ended = running.wait(PATIENCE).expect_code(3);
    assert_eq!(ended.stderr, "");
    assert_lease_is_free(&lab);
}

fn a_signal_ends_the_wait_for_leftovers(level: Level) {
    let lab = Lab::new();
    let options = ["--leftovers", "wait", "--leftovers-settle", "0s", "-v"];
    let running = start(level, &lab, &options, LEAVE_A_SLEEP);
    let pid = left_behind(&lab, "sleep");
    assert_lease_is_held(&lab);
    running.send(Signal::SIGTERM);
    let ended = running.wait(PATIENCE).expect_code(3);
    assert!(ended.stderr.contains(&format!("{pid} (sleep)")), "{ended}");
    assert!(!alive(pid));
    assert_lease_is_free(&lab);
}

fn what_is_left_goes_on_and_the_lease_is_free(level: Level) {
    let lab = Lab::new();
    let options = ["--leftovers", "leave", "--leftovers-settle", "100ms"];
    let running = start(level, &lab, &options, LEAVE_A_SLEEP);
    let pid = left_behind(&lab, "sleep");
    let ended = running.wait(PATIENCE).expect_code(3);
    assert_eq!(ended.stderr, "");
    // It carries the lock's descriptor, and the lock is given back all the same.
    let carried = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .any(|entry| {
            std::fs::read_link(entry.unwrap().path()).is_ok_and(|to| to.starts_with(lab.store()))
        });
    assert!(carried, "the leftover does not carry the lock");
    assert_lease_is_free(&lab);
    assert_eq!(lab.processes(), [pid], "the leftover alone lives on");
    // Another run that ends has no business with it.
    assert_lease_is_free(&lab);
    assert!(alive(pid));
    send(pid, Signal::SIGKILL);
}

fn what_ends_within_the_settle_time_is_not_mentioned(level: Level) {
    let lab = Lab::new();
    let script = "setsid sh -c 'sleep 0.3; touch done' & exit 3";
    let running = start(level, &lab, &["--leftovers-settle", "30s"], script);
    let ended = running.wait(PATIENCE).expect_code(3);
    assert_eq!(ended.stderr, "");
    assert!(
        lab.path("done").exists(),
        "the lease was given back too early"
    );
    assert!(ended.took < Duration::from_secs(20), "{ended}");
    assert_nothing_is_left(&lab);
}

fn output_through_a_process_substitution_is_complete(level: Level) {
    needs("bash");
    for _ in 0..20 {
        let lab = Lab::new();
        let mut command = level.leasectl(&lab, &["run", "--lease", LEASE, "--", "bash", "-c"]);
        let ended = lab.run(command.arg("exec > >(tee log); seq 20000; echo last"));
        let ended = ended.expect_code(0);
        let lines = 20_001;
        assert_eq!(lab.read("log").lines().count(), lines);
        assert!(lab.read("log").ends_with("\nlast\n"));
        assert_eq!(ended.stdout.lines().count(), lines);
        assert_eq!(ended.stderr, "");
    }
}

fn a_lease_that_is_lost_while_leftovers_settle_kills_them() {
    let lab = Lab::new();
    let options = [
        "--store",
        "memory:?lost-after=0",
        "--ttl",
        "2s",
        "--leftovers-settle",
        "1h",
    ];
    let running = start(Level::Tree, &lab, &options, LEAVE_A_SLEEP);
    let pid = left_behind(&lab, "sleep");
    running.wait(PATIENCE).expect_code(121);
    assert!(!alive(pid));
    assert_nothing_is_left(&lab);
}
