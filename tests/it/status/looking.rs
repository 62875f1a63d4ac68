//! Looking makes nothing, and needs no more than the right to read.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Command;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;
use serde_json::Value;

use super::{holder, lease, ran, rows, status};
use crate::cli::the_line;
use crate::support::lab::{LEASECTL, Lab, PATIENCE};
use crate::support::needs::needs;
use crate::support::processes::{send, wait_until};

pub(super) fn trials() -> Vec<Trial> {
    trials![
        nothing_is_made,
        another_user_may_look,
        what_another_user_cannot_know_is_marked,
        a_store_that_may_not_be_read_is_said,
    ]
}

/// Another user, who has nothing of ours.
const STRANGER: u32 = 4711;

/// Every form, from the lab's directory.
const FORMS: [&[&str]; 7] = [
    &[],
    &["a"],
    &["--json"],
    &["--prometheus"],
    &["--by-holder"],
    &["a", "--check"],
    &["a", "--watch", "--until", "free"],
];

fn nothing_is_made() {
    let lab = Lab::new();
    let at = |path: &str| format!("file://{}", lab.path(path).display());
    let before = fs::read_dir(lab.path("")).unwrap().count();
    for words in FORMS {
        let code = i32::from(words.contains(&"--check"));
        let mut named = lab.leasectl(["status", "--store", &at("missing")]);
        lab.run(named.args(words)).expect_code(code);
        // Nobody chose a store.
        let mut chosen = lab.leasectl(["status"]);
        chosen
            .env_remove("LEASECTL_STORE")
            .env("XDG_STATE_HOME", lab.path("home/state"));
        if !nix::unistd::geteuid().is_root() {
            lab.run(chosen.args(words)).expect_code(code);
        }
    }
    let complete = ["__names", "--prefix=", "--", "--store", &at("missing")];
    lab.run(&mut lab.leasectl(complete)).expect_code(0);
    assert!(!lab.path("missing").exists() && !lab.path("home/state").exists());
    // Neither in a store that is there.
    for words in FORMS {
        status(&lab, words);
    }
    assert_eq!(fs::read_dir(lab.store()).unwrap().count(), 0);
    let logs = |name: &str| name.ends_with(".stdout") || name.ends_with(".stderr");
    let others = fs::read_dir(lab.path("")).unwrap();
    let others =
        others.filter(|entry| !logs(&entry.as_ref().unwrap().file_name().to_string_lossy()));
    assert_eq!(others.count(), before);
    // A directory that nobody would make is an error, as it is to a holder.
    let deep = lab
        .leasectl(["status", "--store", &at("not/there")])
        .output()
        .unwrap();
    assert_eq!(deep.status.code(), Some(125));
}

/// `leasectl status` as somebody else.
fn as_stranger(lab: &Lab, words: &[&str]) -> Command {
    // The binary may lie where a stranger may not go.
    let binary = lab.path("leasectl-for-all");
    if !binary.exists() {
        fs::copy(LEASECTL, &binary).unwrap();
    }
    let mut command = lab.command("setpriv");
    let (user, group) = (format!("--reuid={STRANGER}"), format!("--regid={STRANGER}"));
    command
        .args([&user, &group, "--clear-groups"])
        .arg(binary)
        .arg("status")
        .args(words);
    command
}

/// A lab whose store everybody may read.
fn open_lab() -> Lab {
    let lab = Lab::new();
    for directory in ["", "store"] {
        fs::set_permissions(lab.path(directory), fs::Permissions::from_mode(0o755)).unwrap();
    }
    lab
}

fn another_user_may_look() {
    needs("root");
    needs("setpriv");
    let lab = open_lab();
    ran(&lab, "free", &[], "true").expect_code(0);
    let held = holder(&lab, "held", &["--note", "ask root"]);
    lab.run(&mut lab.leasectl(["pause", "-q", "shut"]))
        .expect_code(0);
    let ended = lab.run(&mut as_stranger(&lab, &[])).expect_code(0);
    let text = &ended.stdout;
    assert!(
        rows(text, "free")[0].contains(" free ") && rows(text, "free")[0].contains("completed"),
        "{ended}"
    );
    assert!(
        rows(text, "held")[0].contains(" held ") && text.contains("ask root"),
        "{ended}"
    );
    assert!(rows(text, "shut")[0].contains(" paused "), "{ended}");
    for (words, code) in [(["held", "--check"], 0), (["free", "--check"], 1)] {
        lab.run(&mut as_stranger(&lab, &words)).expect_code(code);
    }
    // Changes are pushed to it as well.
    let watching = lab.spawn(&mut as_stranger(
        &lab,
        &["held", "--watch", "--until", "free"],
    ));
    wait_until(PATIENCE, "it watches", || watching.stdout().ends_with('\n'));
    held.send(Signal::SIGTERM);
    held.wait(PATIENCE);
    let ended = watching.wait(PATIENCE).expect_code(0);
    assert!(ended.stdout.contains("\"released\""), "{ended}");
    // Looking is no taking part.
    fs::set_permissions(lab.store(), fs::Permissions::from_mode(0o755)).unwrap();
    chown(lab.store(), Some(4712), None).unwrap();
    lab.run(&mut as_stranger(&lab, &["free"])).expect_code(0);
    assert!(
        lab.run(&mut lab.leasectl(["run", "--lease", "free", "--", "true"]))
            .stderr
            .contains("belongs to user 4712")
    );
}

/// A holder whose front and guardian were killed at once: its tree may have kept the lock.
fn what_another_user_cannot_know_is_marked() {
    needs("root");
    needs("setpriv");
    let lab = open_lab();
    let held = holder(&lab, "a", &[]);
    for pid in lab.processes() {
        send(pid, Signal::SIGKILL);
    }
    held.wait(PATIENCE);
    wait_until(PATIENCE, "all are gone", || lab.processes().is_empty());
    assert_eq!(lease(&lab, "a")["state"], "free");
    let ended = lab.run(&mut as_stranger(&lab, &[])).expect_code(0);
    assert!(rows(&ended.stdout, "a")[0].contains(" free? "), "{ended}");
    assert!(
        ended.stdout.contains("\n  its lock may not be looked at"),
        "{ended}"
    );
    let ended = lab.run(&mut as_stranger(&lab, &["--json"])).expect_code(0);
    let object: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(object["leases"][0]["certain"], false);
    let ended = lab
        .run(&mut as_stranger(&lab, &["a", "--check"]))
        .expect_code(123);
    assert!(
        the_line(&lab, &ended).contains("ask as the user it belongs to"),
        "{ended}"
    );
    let ended = lab
        .run(&mut as_stranger(&lab, &["--prometheus"]))
        .expect_code(0);
    assert!(!ended.stdout.contains("leasectl_lease_held{"), "{ended}");
}

fn a_store_that_may_not_be_read_is_said() {
    needs("root");
    needs("setpriv");
    let lab = open_lab();
    let _held = holder(&lab, "a", &[]);
    fs::set_permissions(lab.store(), fs::Permissions::from_mode(0o700)).unwrap();
    for (words, code) in [
        (&[][..], 125),
        (&["a"], 125),
        (&["a", "--check"], 123),
        (&["--watch"], 125),
    ] {
        let ended = lab.run(&mut as_stranger(&lab, words)).expect_code(code);
        let line = the_line(&lab, &ended);
        assert!(
            line.contains("cannot open LAB/store: Permission denied"),
            "{line}"
        );
        assert_eq!(ended.stdout, "");
    }
}
