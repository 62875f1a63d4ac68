//! Every option of `leasectl run` has a test that shows its effect; one without is found by reading
//! the help.

mod flock;
mod naming;
mod stopping;
mod telling;
mod timing;
mod waiting;

use std::collections::BTreeSet;
use std::fs;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::support::lab::{Lab, PATIENCE, Running};
use crate::support::processes::wait_until;
use crate::support::trial::trial;

/// An option as the help writes it, what its test shows, and the test.
type Shown = (&'static str, &'static str, fn());

pub(super) fn trials() -> Vec<Trial> {
    let mut trials = trials![every_option_has_a_test, the_short_help_fits_a_screen];
    trials.extend(flock::trials());
    trials.extend(
        table()
            .chain(flock::SHOWN.iter().copied())
            .map(|(option, what, test)| {
                let option = option.trim_start_matches('-');
                let name = format!("it::cli::options::{option}::{}", what.replace(' ', "_"));
                trial(&name, test)
            }),
    );
    trials
}

fn table() -> impl Iterator<Item = Shown> {
    let tables = [
        naming::SHOWN,
        waiting::SHOWN,
        stopping::SHOWN,
        telling::SHOWN,
        timing::SHOWN,
        crate::leaving::SHOWN,
        HELP,
    ];
    tables.into_iter().flatten().copied()
}

const HELP: &[Shown] = &[
    ("--help", "everything is explained", long_help),
    ("-h", "one line for each option", short_help),
];

fn long_help() {
    let lab = Lab::new();
    let ended = lab.run(&mut lab.leasectl(["run", "--help"])).expect_code(0);
    for word in ["Exit codes:", "Examples:", "LEASECTL_TOKEN", "leave:"] {
        assert!(ended.stdout.contains(word), "{word} is not in {ended}");
    }
    assert_eq!(ended.stderr, "");
    let ended = lab.run(&mut lab.leasectl(["--version"])).expect_code(0);
    let version = concat!("leasectl ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(ended.stdout, version);
}

fn short_help() {
    let lab = Lab::new();
    let mut command = lab.leasectl(["run", "-h"]);
    let ended = lab.run(command.env("COLUMNS", "80")).expect_code(0);
    let declarations = ended.stdout.lines().map(str::trim);
    let mut count = 0;
    for line in declarations.filter(|line| line.starts_with('-')) {
        count += 1;
        let meaning = line.split_once("  ").map(|(_, meaning)| meaning.trim());
        assert!(
            meaning.is_some_and(|meaning| !meaning.is_empty()),
            "{line:?} says nothing"
        );
    }
    assert!(count > 20, "only {count} options in {ended}");
}

fn the_short_help_fits_a_screen() {
    let lab = Lab::new();
    let mut command = lab.leasectl(["run", "-h"]);
    let ended = lab.run(command.env("COLUMNS", "80")).expect_code(0);
    let widest = ended.stdout.lines().map(|line| line.chars().count()).max();
    assert!(
        ended.stdout.lines().count() <= 50 && widest <= Some(80),
        "{ended}"
    );
}

/// The options that a help text declares, each by all of its names.
fn options_in(help: &str) -> BTreeSet<String> {
    let declarations = help
        .lines()
        .map(str::trim_start)
        .filter(|line| line.starts_with('-'));
    let words = declarations.flat_map(|line| {
        let names = line.split("  ").next().unwrap_or(line);
        names.split([',', ' ']).filter(|word| word.starts_with('-'))
    });
    words.map(ToOwned::to_owned).collect()
}

fn every_option_has_a_test() {
    let lab = Lab::new();
    let help = lab.run(&mut lab.leasectl(["run", "--help"])).expect_code(0);
    let declared = options_in(&help.stdout);
    assert!(declared.len() > 25, "only {declared:?}");
    let shown: BTreeSet<String> = table().map(|(option, ..)| option.to_owned()).collect();
    let untested: Vec<_> = declared.difference(&shown).collect();
    let unknown: Vec<_> = shown.difference(&declared).collect();
    assert!(
        untested.is_empty() && unknown.is_empty(),
        "without a test: {untested:?}; tested and not in the help: {unknown:?}"
    );
}

/// Somebody who holds lease `x`, with these options, until the lab ends.
fn held(lab: &Lab, options: &[&str]) -> Running {
    let mut command = lab.leasectl(["run", "--lease", "x"]);
    command.args(options);
    command.args(["--", "sh", "-c", "touch held; exec sleep 600"]);
    let running = lab.spawn(&mut command);
    wait_until(PATIENCE, "the lease is held", || lab.path("held").exists());
    running
}

/// The record of lease `x`.
fn record(lab: &Lab) -> Value {
    let text = fs::read_to_string(lab.store().join("x.record")).unwrap();
    serde_json::from_str(text.lines().next().unwrap()).unwrap()
}

/// `leasectl run --lease x OPTIONS -- sh -c SCRIPT`.
fn run(lab: &Lab, options: &[&str], script: &str) -> std::process::Command {
    let mut command = lab.leasectl(["run", "--lease", "x"]);
    command.args(options).args(["--", "sh", "-c", script]);
    command
}
