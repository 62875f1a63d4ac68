//! `leasectl status`: what onlookers are shown, and that nobody notices them.

mod check;
mod disturbing;
mod forms;
mod hostile;
mod looking;
mod metrics;
mod names;
mod table;
mod terminal;
mod watch;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::support::lab::{Ended, Lab, PATIENCE, Running};
use crate::support::processes::wait_until;

pub(crate) fn trials() -> Vec<Trial> {
    [
        check::trials(),
        disturbing::trials(),
        forms::trials(),
        hostile::trials(),
        looking::trials(),
        metrics::trials(),
        names::trials(),
        table::trials(),
        terminal::trials(),
        watch::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A run that is over.
#[track_caller]
fn ran(lab: &Lab, lease: &str, options: &[&str], script: &str) -> Ended {
    let mut run = lab.leasectl(["run", "-q", "--lease", lease]);
    lab.run(run.args(options).args(["--", "sh", "-c", script]))
}

/// A run that goes on until it is stopped.
#[track_caller]
fn holder(lab: &Lab, lease: &str, options: &[&str]) -> Running {
    let mut run = lab.leasectl(["run", "-q", "--lease", lease]);
    run.args(options);
    let running = lab.spawn(run.args(["--", "sh", "-c", "echo ready; exec sleep 600"]));
    wait_until(PATIENCE, "it holds", || running.stdout() == "ready\n");
    running
}

/// `leasectl status`, with these words.
#[track_caller]
fn status(lab: &Lab, words: &[&str]) -> Ended {
    lab.run(lab.leasectl(["status"]).args(words))
}

/// What is printed when all goes well, and nothing is said.
#[track_caller]
fn shown(lab: &Lab, words: &[&str]) -> String {
    let ended = status(lab, words).expect_code(0);
    assert_eq!(ended.stderr, "", "{words:?}");
    ended.stdout
}

/// `--json`.
#[track_caller]
fn object(lab: &Lab, words: &[&str]) -> Value {
    let text = shown(lab, &[&["--json"], words].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// One lease out of that.
#[track_caller]
fn lease(lab: &Lab, name: &str) -> Value {
    object(lab, &[name])["leases"][0].take()
}

/// The lines of a text that begin with this word.
fn rows<'a>(text: &'a str, first: &str) -> Vec<&'a str> {
    let is_of = |line: &&str| line.split_whitespace().next() == Some(first);
    text.lines().filter(is_of).collect()
}
