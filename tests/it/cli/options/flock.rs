//! What users of flock(1) type out of habit: taken, and shown nowhere.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::CommandFactory;
use leasectl::cli::Cli;
use libtest_mimic::Trial;

use super::super::the_line;
use super::{Shown, held, options_in, run};
use crate::support::lab::Lab;

pub(super) const SHOWN: &[Shown] = &[
    ("--nonblock", "it is one try", nonblock),
    ("-n", "the same, short", nonblock_short),
    ("--nb", "the same, by its other name", nonblock_otherwise),
    (
        "--conflict-exit-code",
        "it is the exit code",
        conflict_exit_code,
    ),
];

pub(super) fn trials() -> Vec<Trial> {
    trials![
        every_hidden_option_has_a_test,
        hidden_options_are_in_no_text,
        not_waiting_and_waiting_exclude_each_other,
    ]
}

/// Every name by which `leasectl run` takes an option without saying so.
fn hidden() -> BTreeSet<String> {
    let mut leasectl = Cli::command();
    leasectl.build();
    let run = leasectl.find_subcommand("run").unwrap();
    let mut names = BTreeSet::new();
    for option in run.get_arguments() {
        let mut long: Vec<&str> = option.get_aliases().unwrap_or_default();
        let mut short = Vec::new();
        if option.is_hide_set() {
            long.extend(option.get_long_and_visible_aliases().unwrap_or_default());
            short.extend(option.get_short_and_visible_aliases().unwrap_or_default());
        }
        names.extend(long.iter().map(|name| format!("--{name}")));
        names.extend(short.iter().map(|name| format!("-{name}")));
    }
    names
}

fn every_hidden_option_has_a_test() {
    let tested: BTreeSet<String> = SHOWN
        .iter()
        .map(|(option, ..)| (*option).to_owned())
        .collect();
    assert_eq!(hidden(), tested);
}

fn hidden_options_are_in_no_text() {
    let lab = Lab::new();
    let help = lab.run(&mut lab.leasectl(["run", "--help"])).expect_code(0);
    let shown = options_in(&help.stdout);
    for option in hidden() {
        assert!(!shown.contains(&option), "{option} is in the help");
    }
    for words in [
        &["man", "run"][..],
        &["completions", "bash"],
        &["completions", "zsh"],
        &["completions", "fish"],
    ] {
        let text = lab.run(&mut lab.leasectl(words)).expect_code(0).stdout;
        let text = text.replace('\\', "");
        for name in ["nonblock", "--nb", "conflict-exit-code", "-s n "] {
            assert!(!text.contains(name), "{words:?} has {name}");
        }
    }
}

fn nonblock() {
    nonblock_as("--nonblock");
}

fn nonblock_short() {
    nonblock_as("-n");
}

fn nonblock_otherwise() {
    nonblock_as("--nb");
}

fn nonblock_as(option: &str) {
    let lab = Lab::new();
    lab.run(&mut run(&lab, &[option], ":")).expect_code(0);
    let _holder = held(&lab, &[]);
    let ended = lab
        .run(&mut run(&lab, &[option], "touch ran"))
        .expect_code(120);
    assert!(ended.took < Duration::from_secs(30), "{ended}");
    assert!(!lab.path("ran").exists());
}

fn conflict_exit_code() {
    let lab = Lab::new();
    let _holder = held(&lab, &[]);
    let options = ["-n", "--conflict-exit-code", "75"];
    lab.run(&mut run(&lab, &options, "touch ran"))
        .expect_code(75);
    assert!(!lab.path("ran").exists());
}

fn not_waiting_and_waiting_exclude_each_other() {
    let lab = Lab::new();
    for options in [["-n", "--wait", "5s"], ["--wait", "5s", "--nb"]] {
        let ended = lab
            .run(&mut run(&lab, &options, "touch ran"))
            .expect_code(125);
        let line = the_line(&lab, &ended);
        assert!(
            line.ends_with(" exclude each other; give one of them")
                && line.contains("--nonblock")
                && line.contains("--wait"),
            "{line}"
        );
    }
    assert!(!lab.path("ran").exists());
}
