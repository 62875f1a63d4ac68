//! Waiting for a lease: woken at once, never polling, over at once, and everybody gets a turn.

use std::fs;
use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::course::{Course, Entry, Round, What, assert_in_order};
use crate::support::lab::{Lab, PATIENCE, Running};
use crate::support::processes::{alive, descendants, send, stopped, wait_until};

/// "At once" on a machine that is drowning in other work. That nobody polls is seen by other means.
const SOON: Duration = Duration::from_secs(30);

pub(super) fn trials() -> Vec<Trial> {
    trials![
        a_release_wakes_a_waiter_at_once,
        a_crash_wakes_a_waiter_at_once,
        a_waiter_sleeps,
        a_waiter_ends_at_once_on_a_signal,
        a_waiter_ends_at_its_time_limit,
        twenty_waiters_all_get_their_turn,
        a_killed_waiter_leaves_nothing_and_disturbs_nobody,
        a_stopped_waiter_holds_nobody_up,
    ]
}

/// leasectl that runs `script` under the lease "turn", with `options`.
fn words(options: &[&str], script: &str) -> Vec<String> {
    let all = [
        &["run", "--lease", "turn", "-q"],
        options,
        &["--", "sh", "-c", script],
    ];
    all.concat().into_iter().map(ToOwned::to_owned).collect()
}

/// A holder whose command runs until it is killed.
#[track_caller]
fn holder(lab: &Lab) -> Running {
    let holder = lab.spawn(&mut lab.leasectl(words(&[], "echo in; exec sleep 600")));
    wait_until(PATIENCE, "the command runs", || holder.stdout() == "in\n");
    holder
}

/// One that waits, asleep in the kernel: its second thread is in fcntl(2).
#[track_caller]
fn waiter(lab: &Lab, options: &[&str], script: &str) -> Running {
    let waiter = lab.spawn(&mut lab.leasectl(words(options, script)));
    let front = waiter.id();
    wait_until(PATIENCE, "it waits", || asleep_for_the_lock(front));
    waiter
}

/// Whether the process has the thread that waits for the lock, and that sleeps.
fn asleep_for_the_lock(front: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{front}/task")) else {
        return false;
    };
    threads.flatten().any(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.contains("(lease-wait) S ")
    })
}

fn a_release_wakes_a_waiter_at_once() {
    const HAND_OVERS: usize = 50;
    let course = Course::new();
    let round = course.round(Round {
        pause: Duration::from_millis(20),
        stubborn: false,
    });
    let mut script = course.lab.command("sh");
    script.args([
        "-c",
        "n=13; while [ $n -gt 0 ]; do \"$@\" || exit; n=$((n-1)); done",
        "sh",
    ]);
    script.args([
        "leasectl", "run", "--lease", "turn", "--wait", "forever", "-q", "--",
    ]);
    script.args(&round);
    // Four, so that there is always one who waits.
    let all: Vec<_> = (0..4).map(|_| course.lab.spawn(&mut script)).collect();
    for one in all {
        one.wait(10 * PATIENCE).expect_code(0);
    }
    let log = course.log();
    assert_in_order(&log);
    let between = |pair: &[Entry]| (pair[0].what == What::End).then(|| pair[1].at - pair[0].at);
    let mut took: Vec<u64> = log.windows(2).filter_map(between).collect();
    took.sort_unstable();
    assert!(took.len() >= HAND_OVERS, "{}", took.len());
    let at = |part: usize| Duration::from_nanos(took[took.len() * part / 100]);
    eprintln!(
        "{} hand-overs, end of one command to first line of the next: median {:.2?}, p90 {:.2?}",
        took.len(),
        at(50),
        at(90)
    );
    assert!(at(50) < SOON);
}

fn a_crash_wakes_a_waiter_at_once() {
    let lab = Lab::new();
    for victim in ["front", "command"] {
        let holder = holder(&lab);
        let waiter = waiter(&lab, &["--wait", "forever"], "exit 7");
        let command = *descendants(holder.id()).last().unwrap();
        let victim = if victim == "front" {
            holder.id()
        } else {
            command
        };
        send(victim, Signal::SIGKILL);
        let ended = waiter.wait(PATIENCE).expect_code(7);
        assert!(ended.took < SOON, "{ended}");
        assert_eq!(holder.wait(PATIENCE).signal(), Some(9));
    }
}

/// A process that runs, if only for a moment, is switched to and away from.
fn a_waiter_sleeps() {
    let lab = Lab::new();
    let _holder = holder(&lab);
    assert_sleeps(&waiter(&lab, &["--wait", "1h"], "exit 7"));
    // One that tells of each new holder is told itself.
    let mut options = words(&["--wait", "1h"], "exit 7");
    options.retain(|word| word != "-q");
    let waiter = lab.spawn(&mut lab.leasectl(options));
    let front = waiter.id();
    wait_until(PATIENCE, "it waits", || asleep_for_the_lock(front));
    assert_sleeps(&waiter);
}

fn assert_sleeps(waiter: &Running) {
    let mut all = descendants(waiter.id());
    assert_eq!(all.len(), 1, "its guardian");
    all.push(waiter.id());
    let switches = || all.iter().map(|&pid| switches(pid)).collect::<Vec<u64>>();
    // What it does on its way to sleep may not be over yet.
    std::thread::sleep(Duration::from_millis(300));
    let before = switches();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(before, switches(), "somebody woke up in two seconds");
}

/// How often the threads of a process have stopped running.
fn switches(pid: u32) -> u64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of = |thread: std::io::Result<fs::DirEntry>| {
        let status = fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        let lines = status
            .lines()
            .filter(|line| line.contains("voluntary_ctxt_switches"));
        let numbers = lines.map(|line| line.split_once('\t').unwrap().1.parse::<u64>().unwrap());
        numbers.sum::<u64>()
    };
    threads.map(of).sum()
}

fn a_waiter_ends_at_once_on_a_signal() {
    let lab = Lab::new();
    let holder = holder(&lab);
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let waiter = waiter(&lab, &["--wait", "forever"], "echo never");
        waiter.send(signal);
        let ended = waiter.wait(PATIENCE);
        assert_eq!(ended.signal(), Some(signal as i32), "{ended}");
        assert!(ended.took < SOON && ended.stdout.is_empty(), "{ended}");
    }
    assert!(alive(holder.id()));
}

fn a_waiter_ends_at_its_time_limit() {
    let lab = Lab::new();
    let _holder = holder(&lab);
    let limit = Duration::from_millis(700);
    let options = words(&["--wait", "700ms"], "echo never");
    let ended = lab.run(&mut lab.leasectl(options)).expect_code(120);
    assert!(ended.stdout.is_empty(), "{ended}");
    assert!((limit..limit + SOON).contains(&ended.took), "{ended}");
}

fn twenty_waiters_all_get_their_turn() {
    let lab = Lab::new();
    let first = holder(&lab);
    let start = |_| waiter(&lab, &["--wait", "forever"], "echo turn >>turns");
    let all: Vec<_> = (0..20).map(start).collect();
    assert!(!lab.path("turns").exists());
    first.send(Signal::SIGTERM);
    for one in all {
        one.wait(PATIENCE).expect_code(0);
    }
    assert_eq!(lab.read("turns").lines().count(), 20);
    assert_eq!(first.wait(PATIENCE).signal(), Some(15));
    assert_eq!(lab.processes(), [0; 0]);
}

fn a_killed_waiter_leaves_nothing_and_disturbs_nobody() {
    let lab = Lab::new();
    let holder = holder(&lab);
    for _ in 0..5 {
        let waiter = waiter(&lab, &["--wait", "forever"], "echo never");
        let guardian = descendants(waiter.id());
        assert_eq!(guardian.len(), 1);
        send(waiter.id(), Signal::SIGKILL);
        assert_eq!(waiter.wait(PATIENCE).signal(), Some(9));
        wait_until(SOON, "its guardian goes", || !alive(guardian[0]));
    }
    assert!(alive(holder.id()));
    let refused = lab.run(&mut lab.leasectl(words(&[], "echo never")));
    refused.expect_code(120);
    holder.send(Signal::SIGTERM);
    assert_eq!(holder.wait(PATIENCE).signal(), Some(15));
    lab.run(&mut lab.leasectl(words(&[], ":"))).expect_code(0);
    assert_eq!(lab.processes(), [0; 0]);
}

/// Stopping a process ends its sleep in the kernel's queue, and SIGCONT has it queue again: who is
/// stopped while it waits (Ctrl-Z) is passed over.
fn a_stopped_waiter_holds_nobody_up() {
    let lab = Lab::new();
    let holder = holder(&lab);
    let sleeper = waiter(&lab, &["--wait", "forever"], "echo turn");
    sleeper.send(Signal::SIGSTOP);
    wait_until(PATIENCE, "it is stopped", || stopped(sleeper.id()));
    let other = waiter(&lab, &["--wait", "forever"], "echo turn");
    holder.send(Signal::SIGTERM);
    assert_eq!(holder.wait(PATIENCE).signal(), Some(15));
    let ended = other.wait(PATIENCE).expect_code(0);
    assert!(ended.took < SOON, "{ended}");
    assert_eq!(sleeper.stdout(), "");
    sleeper.send(Signal::SIGCONT);
    assert_eq!(sleeper.wait(PATIENCE).expect_code(0).stdout, "turn\n");
}
