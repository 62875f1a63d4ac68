//! `--check`: 0, 1, and the rest is doubt.

use std::fs;
use std::os::unix::fs::symlink;

use libtest_mimic::Trial;

use super::{holder, lease, ran, status};
use crate::cli::the_line;
use crate::support::lab::Lab;
use crate::support::needs::needs;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        held_is_0_and_not_is_1,
        here_and_this_very_grant,
        what_cannot_be_told_is_123,
        a_holder_in_another_container_cannot_be_told,
    ]
}

/// The code, when nothing is printed.
#[track_caller]
fn silently(lab: &Lab, words: &[&str]) -> Option<i32> {
    let ended = status(lab, &[words, &["--check"]].concat());
    assert_eq!(
        (ended.stdout.as_str(), ended.stderr.as_str()),
        ("", ""),
        "{words:?}"
    );
    ended.code()
}

#[track_caller]
fn doubt(lab: &Lab, words: &[&str]) -> String {
    let ended = status(lab, &[words, &["--check"]].concat()).expect_code(123);
    assert_eq!(ended.stdout, "");
    the_line(lab, &ended)
}

fn held_is_0_and_not_is_1() {
    let lab = Lab::new();
    assert_eq!(silently(&lab, &["a"]), Some(1));
    let held = holder(&lab, "a", &[]);
    assert_eq!(silently(&lab, &["a"]), Some(0));
    assert_eq!(silently(&lab, &["b"]), Some(1));
    // A pause does not take it away, and does not hold it.
    lab.run(&mut lab.leasectl(["pause", "-q", "a", "b"]))
        .expect_code(0);
    assert_eq!(silently(&lab, &["a"]), Some(0));
    assert_eq!(silently(&lab, &["b"]), Some(1));
    ran(&lab, "c", &["--min-hold", "1h"], "true").expect_code(0);
    assert_eq!(silently(&lab, &["c"]), Some(1));
    let script = "if leasectl status a --check; then echo held; else echo not; fi";
    assert_eq!(lab.run(&mut lab.sh(script)).stdout, "held\n");
    drop(held);
}

fn here_and_this_very_grant() {
    let lab = Lab::new();
    let script = "leasectl status a --check --here --token $LEASECTL_TOKEN; echo $?
        leasectl status a --check --token $((LEASECTL_TOKEN + 1)); echo $?
        leasectl status a --check --here --token $((LEASECTL_TOKEN - 1)); echo $?";
    let ended = ran(&lab, "a", &[], script).expect_code(0);
    assert_eq!(ended.stdout, "0\n1\n1\n", "{ended}");
    // The grant is over, and then another has it.
    let token = lease(&lab, "a")["last_run"]["token"].to_string();
    assert_eq!(silently(&lab, &["a", "--token", &token]), Some(1));
    let held = holder(&lab, "a", &[]);
    assert_eq!(silently(&lab, &["a", "--here"]), Some(0));
    assert_eq!(silently(&lab, &["a", "--token", &token]), Some(1));
    drop(held);
}

fn what_cannot_be_told_is_123() {
    let lab = Lab::new();
    let held = holder(&lab, "a", &[]);
    fs::write(lab.path("store/a.record"), "{").unwrap();
    assert_eq!(
        silently(&lab, &["a"]),
        Some(0),
        "held it is, whoever has it"
    );
    for words in [&["a", "--here"][..], &["a", "--token", "7"]] {
        let line = doubt(&lab, words);
        assert!(
            line.starts_with(
                "whether a is held cannot be told: it is held by somebody who left no record"
            ),
            "{line}"
        );
    }
    // What stands under the name of the lock is no lock.
    symlink("elsewhere", lab.path("store/b.lock")).unwrap();
    assert!(doubt(&lab, &["b"]).contains("b.lock is a symbolic link"));
    // The store is not fit, or not there: neither is an answer.
    for (store, why) in [
        ("file:///nowhere/at/all", "neither does its parent"),
        ("file:///proc/self/comm", "symbolic link or no directory"),
    ] {
        assert!(doubt(&lab, &["a", "--store", store]).contains(why));
    }
    // It does not answer.
    assert!(doubt(&lab, &["a", "--store", "memory:?answers=0"]).contains("no answer within 3s"));
    let silent = status(&lab, &["--store", "memory:?answers=0"]).expect_code(123);
    assert!(the_line(&lab, &silent).contains("no answer within 3s"));
    // What is typed wrongly is a mistake, and no doubt.
    status(&lab, &["a", "--check", "--store", "nonsense:"]).expect_code(125);
    drop(held);
}

/// It shares the store and sees no processes of ours.
fn a_holder_in_another_container_cannot_be_told() {
    needs("pidns");
    let lab = Lab::new();
    let held = holder(&lab, "a", &[]);
    let inside = |words: &str| {
        let script = format!("leasectl status a --check {words}; echo $?");
        let mut unshare = lab.command("unshare");
        let unshare = unshare.args(["--pid", "--fork", "--mount-proc", "sh", "-c", &script]);
        lab.run(unshare).expect_code(0).stdout
    };
    assert_eq!(inside(""), "0\n");
    assert_eq!(inside("--here"), "123\n");
    drop(held);
}
