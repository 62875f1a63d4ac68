//! The file store's holder killed by SIGKILL at every system call of acquire and release, and an operator
//! at every one of a pause.
//!
//! strace stops the process at the n-th call of a kind and kills it there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use leasectl::clock::BootClock;
use leasectl::lease::{Ask, Asked, Asker, Attempt, Claim, LeaseStore, Release};
use leasectl::store::file::{Config, FileStore, Origin};
use libtest_mimic::Trial;

use super::stores::{claim, completed};
use crate::support::needs::needs;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_kill_at_any_call_repeats_no_token_and_leaves_no_lock,
        a_kill_at_any_call_of_the_first_acquisition_does_not_either,
        a_kill_at_any_call_of_making_the_counter_does_not_either,
        a_kill_at_any_call_of_a_reservation_does_not_either,
        a_kill_at_any_call_with_a_minimum_hold_does_not_either,
        a_kill_at_any_call_of_a_pause_leaves_the_pause_before_it_or_the_new_one,
    ]
}

const DIRECTORY: &str = "LEASECTL_TEST_KILLED";
/// What it does: one of the tasks below.
const TASK: &str = "LEASECTL_TEST_KILLED_TASK";
const ACQUIRE: &str = "acquire";
const MIN_HOLD: &str = "acquire with a minimum hold";
const PAUSE: &str = "pause";
const HOLD: Duration = Duration::from_millis(50);
/// A look at a file with this name marks the begin and the end of what is to be interrupted.
const MARK: &str = "/leasectl-test-mark";

fn open(directory: &Path) -> FileStore {
    let config = Config {
        directory: directory.to_owned(),
        origin: Origin::Named,
    };
    FileStore::open(&config, Arc::new(BootClock)).unwrap()
}

/// Acquires and releases; tells `granted` the token in between.
fn one_run(store: &FileStore, claim: &Claim, granted: impl FnOnce(u64)) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(async {
        match store.try_acquire(claim).await.unwrap() {
            Attempt::Granted(hold) => {
                granted(hold.token.get());
                let released = store.release(&hold, &completed()).await.unwrap();
                assert_eq!(released, Release::Released);
            }
            Attempt::Refused(refusal) => panic!("stuck: {refusal:?}"),
        }
    });
}

/// One request of an operator.
fn ask(store: &FileStore, what: Ask, by: &str) -> Asked {
    let asker = Asker {
        by: by.to_owned(),
        reason: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let name = claim("a").name;
    let asked = store.ask(&name, what, &asker);
    runtime.unwrap().block_on(asked).unwrap()
}

fn pause(store: &FileStore, by: &str) {
    assert_eq!(ask(store, Ask::Pause { lasts: None }, by), Asked::Done);
}

fn paused_by(store: &FileStore) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let name = claim("a").name;
    let seen = runtime.unwrap().block_on(store.observe(&name));
    seen.unwrap().paused.map(|pause| pause.asker.by)
}

/// What is traced and killed: this test binary, run again with a directory in its environment.
pub(crate) fn when_asked() -> Option<ExitCode> {
    let directory = std::env::var_os(DIRECTORY).map(PathBuf::from)?;
    let store = open(&directory.join("leases"));
    let task = std::env::var(TASK).unwrap();
    let asked = Claim {
        min_hold: (task == MIN_HOLD).then_some(HOLD),
        ..claim("a")
    };
    let granted = directory.join("granted");
    let mark = || assert!(!Path::new(MARK).exists());
    mark();
    if task == PAUSE {
        pause(&store, "new");
    } else {
        one_run(&store, &asked, |token| {
            fs::write(granted, token.to_string()).unwrap()
        });
    }
    mark();
    Some(ExitCode::SUCCESS)
}

/// Runs the process under strace, killed at `kill` = the n-th call of a kind; its system calls
/// between the marks, in order, with their numbers of that kind from its start.
fn traced(directory: &Path, kill: Option<&(String, usize)>, task: &str) -> Vec<(String, usize)> {
    let log = directory.join("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o"]).arg(&log);
    if let Some((call, number)) = kill {
        strace.arg(format!("--inject={call}:signal=KILL:when={number}"));
    }
    strace
        .arg(std::env::current_exe().unwrap())
        .env(DIRECTORY, directory)
        .env(TASK, task);
    let output = strace.output().unwrap();
    assert_eq!(output.status.success(), kill.is_none(), "{output:?}");
    calls_between_marks(&fs::read_to_string(log).unwrap())
}

/// strace counts per thread, so the lines of the thread that shows the marks are counted.
fn calls_between_marks(log: &str) -> Vec<(String, usize)> {
    let thread = log.lines().find(|line| line.contains(MARK));
    let Some(thread) = thread.and_then(|line| line.split_whitespace().next()) else {
        return Vec::new();
    };
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    let mut calls = Vec::new();
    let mut marks = 0;
    for line in log.lines() {
        let (pid, rest) = line.split_once(' ').unwrap();
        let Some((call, _)) = rest.trim_start().split_once('(') else {
            continue;
        };
        if pid != thread || !call.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            continue;
        }
        let number = numbers.entry(call.to_owned()).or_default();
        *number += 1;
        if line.contains(MARK) {
            marks += 1;
        } else if marks == 1 {
            calls.push((call.to_owned(), *number));
        }
    }
    calls
}

/// Kills the process at every call of a run that starts from what `prepare` leaves.
fn killed_everywhere(prepare: impl Fn(&Path), task: &str, expected: &[&str]) {
    needs("strace");
    let around = tempfile::tempdir().unwrap();
    let fresh = |name: &str| {
        let directory = around.path().join(name);
        fs::create_dir(&directory).unwrap();
        let leases = directory.join("leases");
        let mut last = 0;
        one_run(&open(&leases), &claim("a"), |token| last = token);
        prepare(&leases);
        (directory, leases, last)
    };
    let calls = traced(&fresh("whole").0, None, task);
    has(&calls, expected);
    for (at, kill) in calls.iter().enumerate() {
        let (directory, leases, mut last) = fresh(&format!("killed-{at}"));
        traced(&directory, Some(kill), task);
        // A kill before the token was told leaves no file, one in the middle an empty one.
        let told = fs::read_to_string(directory.join("granted")).unwrap_or_default();
        let told: u64 = told.parse().unwrap_or(last);
        if task == MIN_HOLD {
            std::thread::sleep(HOLD);
        }
        for _ in 0..2 {
            one_run(&open(&leases), &claim("a"), |token| {
                assert!(
                    token > last && token > told,
                    "{token} after {last}, {told}: {kill:?}"
                );
                last = token;
            });
        }
    }
}

#[track_caller]
fn has(calls: &[(String, usize)], expected: &[&str]) {
    for call in expected {
        assert!(
            calls.iter().any(|(name, _)| name == call),
            "no {call} in {calls:?}"
        );
    }
}

fn nothing(_leases: &Path) {}

/// Only the counter is missing.
fn no_counter(leases: &Path) {
    fs::remove_file(leases.join("a.token")).unwrap_or_default();
}

/// Nothing at all is there.
fn no_files(leases: &Path) {
    for file in ["a.token", "a.lock", "a.record"] {
        fs::remove_file(leases.join(file)).unwrap_or_default();
    }
}

/// Uses a whole block up, so that the next acquisition reserves.
fn block_used_up(leases: &Path) {
    let store = open(leases);
    let mut first = None;
    loop {
        let mut token = 0;
        one_run(&store, &claim("a"), |granted| token = granted);
        let first = *first.get_or_insert(token);
        if token >= first + 1022 {
            return;
        }
    }
}

fn a_kill_at_any_call_repeats_no_token_and_leaves_no_lock() {
    killed_everywhere(nothing, ACQUIRE, &["fcntl", "pwrite64"]);
}

fn a_kill_at_any_call_of_the_first_acquisition_does_not_either() {
    killed_everywhere(no_files, ACQUIRE, &["fcntl", "fdatasync", "fsync"]);
}

fn a_kill_at_any_call_of_making_the_counter_does_not_either() {
    killed_everywhere(no_counter, ACQUIRE, &["fdatasync", "fsync", "unlinkat"]);
}

fn a_kill_at_any_call_of_a_reservation_does_not_either() {
    killed_everywhere(block_used_up, ACQUIRE, &["fdatasync", "pwrite64"]);
}

fn a_kill_at_any_call_with_a_minimum_hold_does_not_either() {
    killed_everywhere(nothing, MIN_HOLD, &["fdatasync", "pwrite64"]);
}

fn a_kill_at_any_call_of_a_pause_leaves_the_pause_before_it_or_the_new_one() {
    needs("strace");
    let around = tempfile::tempdir().unwrap();
    let fresh = |name: &str| {
        let directory = around.path().join(name);
        fs::create_dir(&directory).unwrap();
        let store = open(&directory.join("leases"));
        pause(&store, "old");
        (directory, store)
    };
    let (whole, store) = fresh("whole");
    let calls = traced(&whole, None, PAUSE);
    assert_eq!(paused_by(&store).as_deref(), Some("new"));
    has(&calls, &["pwrite64", "fdatasync", "renameat", "fsync"]);
    let mut seen = BTreeMap::new();
    for (at, kill) in calls.iter().enumerate() {
        let (directory, store) = fresh(&format!("killed-{at}"));
        traced(&directory, Some(kill), PAUSE);
        *seen.entry(paused_by(&store)).or_insert(0) += 1;
        pause(&store, "next");
        assert_eq!(paused_by(&store).as_deref(), Some("next"));
        assert_eq!(ask(&store, Ask::Resume, "next"), Asked::Done);
        one_run(&store, &claim("a"), |_| ());
    }
    let seen: Vec<_> = seen.into_keys().flatten().collect();
    assert_eq!(seen, ["new", "old"], "both, and nothing else");
}
