//! What completion scripts ask for. That the shells get it is tested in `cli/completions.rs`.

use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::ran;
use crate::support::lab::{Ended, Lab};

pub(super) fn trials() -> Vec<Trial> {
    trials![
        names_come_from_the_store_that_is_named,
        without_a_store_there_is_nothing
    ]
}

#[track_caller]
fn asked(lab: &Lab, prefix: &str, words: &[&str]) -> Ended {
    let mut command = lab.leasectl(["__names", &format!("--prefix={prefix}"), "--"]);
    let ended = lab.run(command.args(words)).expect_code(0);
    assert_eq!(ended.stderr, "", "{words:?}");
    ended
}

fn names_come_from_the_store_that_is_named() {
    let lab = Lab::new();
    for lease in ["nightly", "backup/1", "-odd", "a b"] {
        ran(&lab, lease, &[], "true").expect_code(0);
    }
    assert_eq!(
        asked(&lab, "", &[]).stdout,
        "-odd\na b\nbackup/1\nnightly\n"
    );
    assert_eq!(
        asked(&lab, "-", &["leasectl", "run", "--lease"]).stdout,
        "-odd\n"
    );
    assert_eq!(asked(&lab, "none", &[]).stdout, "");
    std::fs::create_dir(lab.path("other")).unwrap();
    let other = format!("--store=file://{}", lab.path("other").display());
    assert_eq!(asked(&lab, "", &["leasectl", "status", &other]).stdout, "");
    // It is for scripts, and not shown to people.
    let help = lab.run(&mut lab.leasectl(["--help"])).expect_code(0);
    assert!(!help.stdout.contains("__names"));
}

fn without_a_store_there_is_nothing() {
    let lab = Lab::new();
    ran(&lab, "nightly", &[], "true").expect_code(0);
    mkfifo(&lab.path("fifo"), Mode::S_IRWXU).unwrap();
    let fifo = lab.path("fifo").display().to_string();
    for words in [
        &["--store", "nonsense:"][..],
        &["--store", "file:///nowhere/at/all"],
        &["--store", "memory:"],
        &["--store-file", "/nowhere"],
        &["--store-file", &fifo],
    ] {
        let ended = asked(&lab, "", words);
        assert_eq!(ended.stdout, "", "{words:?}");
        // The machine may be busy; a store that hangs would take for ever.
        assert!(ended.took < Duration::from_secs(20), "{ended}");
    }
}
