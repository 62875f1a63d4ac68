//! Signals: what is passed on, what is not, and what the caller's own settings become.

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::scene::{LEASE, Scene, assert_nothing_is_left};
use crate::support::containment::Level;
use crate::support::lab::{Ended, Lab, PATIENCE};
use crate::support::needs::needs;
use crate::support::processes::{alive, wait_until};
use crate::support::puppet::Puppets;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        signals_are_passed_on_once_each_and_not_acted_on,
        a_signal_that_comes_before_the_command_is_ready_is_not_lost,
        signals_of_the_commands_own_tree_do_not_come_back,
        leasectl_dies_of_what_the_command_died_of_and_leaves_no_core,
        a_signal_ends_the_wait_and_nothing_is_started,
        ignored_signals_stay_ignored,
        signals_that_the_caller_left_alone_are_left_alone,
        a_blocked_signal_stays_blocked_for_the_command,
        nohup_protects_both,
    ]
}

const PASSED_ON: [Signal; 7] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    // Last, because it ends the puppet.
    Signal::SIGTERM,
];

fn word(signal: Signal) -> &'static str {
    signal.as_str().trim_start_matches("SIG")
}

fn signals_are_passed_on_once_each_and_not_acted_on() {
    // The child in the command's group gets nothing: signals go to the command, not to its group.
    let scene = Scene::start(Level::Tree, &[], &["main", "child"]);
    for signal in PASSED_ON {
        scene.front.send(signal);
        wait_until(PATIENCE, "it arrives", || {
            !scene.puppets.of_kind(word(signal)).is_empty()
        });
        assert!(signal == Signal::SIGTERM || alive(scene.front.id()));
    }
    let puppets = &scene.puppets;
    let child = puppets.pid("child");
    scene.front.wait(PATIENCE).expect_code(0);
    for signal in PASSED_ON {
        let mut got = puppets.of_kind(word(signal));
        // TERM reaches the child as a leftover.
        got.retain(|one| one.pid != child || signal != Signal::SIGTERM);
        assert_eq!(got.len(), 1, "{got:?}");
        assert_eq!(got[0].name, "main");
    }
}

/// From the first instant that leasectl holds the lease, a signal is the command's.
fn a_signal_that_comes_before_the_command_is_ready_is_not_lost() {
    for _ in 0..20 {
        let lab = Lab::new();
        let mut command = lab.leasectl(["run", "--lease", LEASE, "-v", "--", "sleep", "1000"]);
        let running = lab.spawn(&mut command);
        wait_until(PATIENCE, "the lease is held", || {
            running.stderr().contains("acquired")
        });
        running.send(Signal::SIGTERM);
        let ended = running.wait(PATIENCE);
        assert_eq!(ended.signal(), Some(15), "{ended}");
        assert_nothing_is_left(&lab);
    }
}

fn signals_of_the_commands_own_tree_do_not_come_back() {
    let lab = Lab::new();
    let script = "trap 'echo USR1 >>log' USR1; trap 'echo USR2 >>log; exit 4' USR2; \
                  front=${LEASECTL_HOLDER##*:}; kill -USR1 $front; \
                  setsid sh -c \"kill -USR1 $front; touch sent; exec sleep 1000\" & \
                  until test -e sent; do sleep 0.01; done; echo ready >>log; \
                  while :; do sleep 0.01; done";
    let options = [
        "run",
        "--lease",
        LEASE,
        "--leftovers-settle",
        "0s",
        "--",
        "sh",
        "-c",
        script,
    ];
    let running = lab.spawn(&mut lab.leasectl(options));
    let log = || std::fs::read_to_string(lab.path("log")).unwrap_or_default();
    wait_until(PATIENCE, "both were sent", || log().contains("ready"));
    // Signals are heard in order of their numbers at the latest: what is passed on now comes after.
    running.send(Signal::SIGUSR2);
    running.wait(PATIENCE).expect_code(4);
    assert_eq!(log(), "ready\nUSR2\n");
}

fn leasectl_dies_of_what_the_command_died_of_and_leaves_no_core() {
    use std::os::unix::process::ExitStatusExt;
    for number in [1, 2, 3, 6, 8, 9, 11, 13, 14, 15, 35, 64] {
        let lab = Lab::new();
        let script = format!("ulimit -c unlimited; kill -{number} $$");
        let mut command = lab.sh(&format!(
            "ulimit -c unlimited 2>/dev/null; exec leasectl run --lease {LEASE} -- sh -c '{script}'"
        ));
        let ended = lab.run(&mut command);
        assert_eq!(ended.signal(), Some(number), "{ended}");
        assert!(!ended.status.core_dumped(), "{ended}");
        super::scene::assert_lease_is_free(&lab);
    }
}

fn a_signal_ends_the_wait_and_nothing_is_started() {
    let scene = Scene::start(Level::Tree, &[], &["main"]);
    let lab = &scene.lab;
    for signal in [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGTERM,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
    ] {
        let mut command = lab.leasectl(["run", "--lease", LEASE, "--wait", "forever", "--"]);
        let waiting = lab.spawn(command.args(["touch", "overlap"]));
        wait_until(PATIENCE, "it waits", || {
            waiting.stderr().contains("; waiting")
        });
        waiting.send(signal);
        let ended = waiting.wait(PATIENCE);
        assert_eq!(ended.signal(), Some(signal as i32), "{ended}");
    }
    scene.front.send(Signal::SIGTERM);
    scene.front.wait(PATIENCE).expect_code(0);
    assert_nothing_is_left(lab);
    assert!(!lab.path("overlap").exists());
    super::scene::assert_lease_is_free(lab);
}

/// The C library's own two signals (cancelling threads, changing their user): its posix_spawn(3) hands
/// them on as ignored where the caller used them, which is none of ours.
const OF_THE_C_LIBRARY: u64 = 0b11 << 31;

/// The signals that the kernel shows in one line of a status file, as bits.
fn bits(status: &str, line: &str) -> u64 {
    let value = status
        .lines()
        .find_map(|one| one.strip_prefix(line))
        .unwrap();
    let all = u64::from_str_radix(value.trim_start_matches(':').trim(), 16).unwrap();
    all & !OF_THE_C_LIBRARY
}

const fn bit(signal: Signal) -> u64 {
    1 << (signal as u64 - 1)
}

/// What a command sees of itself when leasectl is started through `env` with these settings.
fn status_under(settings: &[&str]) -> Ended {
    needs("env");
    let lab = Lab::new();
    let mut command = lab.command("env");
    command
        .args(settings)
        .args(["leasectl", "run", "--lease", LEASE, "--"]);
    lab.run(command.args(["cat", "/proc/self/status"]))
        .expect_code(0)
}

fn ignored_signals_stay_ignored() {
    for signal in [
        Signal::SIGPIPE,
        Signal::SIGCHLD,
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGUSR1,
        Signal::SIGALRM,
        Signal::SIGTSTP,
    ] {
        let ended = status_under(&[&format!("--ignore-signal={}", word(signal))]);
        assert_eq!(bits(&ended.stdout, "SigIgn"), bit(signal), "{signal}");
        assert_eq!(bits(&ended.stdout, "SigBlk"), 0, "{signal}");
    }
}

fn signals_that_the_caller_left_alone_are_left_alone() {
    let ended = status_under(&["--default-signal"]);
    for line in ["SigIgn", "SigBlk", "SigPnd", "ShdPnd"] {
        assert_eq!(bits(&ended.stdout, line), 0, "{line}: {ended}");
    }
}

fn a_blocked_signal_stays_blocked_for_the_command() {
    let ended = status_under(&["--block-signal=USR1"]);
    assert_eq!(bits(&ended.stdout, "SigBlk"), bit(Signal::SIGUSR1));
    assert_eq!(bits(&ended.stdout, "SigIgn"), 0);
}

fn nohup_protects_both() {
    needs("nohup");
    let lab = Lab::new();
    let puppets = Puppets::new(&lab, "log", &["main"]);
    let mut command = lab.command("nohup");
    command.args(["leasectl", "run", "--lease", LEASE, "--"]);
    let running = lab.spawn(command.args(puppets.command()));
    puppets.wait_ready();
    let status = std::fs::read_to_string(format!("/proc/{}/status", puppets.pid("main"))).unwrap();
    // The puppet ignores SIGPIPE of its own accord.
    let ignored = bits(&status, "SigIgn") & !bit(Signal::SIGPIPE);
    assert_eq!(ignored, bit(Signal::SIGHUP));
    running.send(Signal::SIGHUP);
    running.send(Signal::SIGUSR1);
    wait_until(PATIENCE, "the other arrives", || {
        !puppets.of_kind("USR1").is_empty()
    });
    running.send(Signal::SIGTERM);
    running.wait(PATIENCE).expect_code(0);
    assert!(puppets.of_kind("HUP").is_empty());
}
