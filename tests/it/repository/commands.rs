//! The commands in the documents are run, and print what the documents say.
//!
//! A block marked `console` is one session of a shell: lines that begin with `$ ` are typed, the
//! others are what is printed (both outputs together). In these `...` stands for anything, and a
//! line of nothing but `...` for any number of lines. Blocks marked `sh` are only shown.

use std::fs;

use libtest_mimic::Trial;

use crate::support::lab::{LEASECTL, Lab};
use crate::support::pattern::line_matches;
use crate::support::source::root;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        sessions_in_the_readme_are_as_shown,
        the_first_command_of_the_readme_does_the_main_job,
        sessions_are_read,
        lines_match_their_patterns,
    ]
}

/// Printed before each typed line, to tell whose output is whose. No program prints it by itself.
const NEXT: &str = "\u{1e}";

/// One typed line and what is shown below it.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    typed: String,
    shown: Vec<String>,
}

fn blocks<'a>(document: &'a str, kind: &str) -> Vec<&'a str> {
    let open = format!("\n```{kind}\n");
    let starts = document.split(open.as_str()).skip(1);
    starts.filter_map(|rest| rest.split("```").next()).collect()
}

fn steps(block: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(typed), _) => steps.push(Step {
                typed: typed.to_owned(),
                shown: Vec::new(),
            }),
            (None, Some(step)) => step.shown.push(line.to_owned()),
            (None, None) => panic!("{line:?} is printed before anything is typed"),
        }
    }
    steps
}

fn sessions_in_the_readme_are_as_shown() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let sessions = blocks(&readme, "console");
    assert!(!sessions.is_empty());
    for session in sessions {
        let steps = steps(session);
        let script: String = steps
            .iter()
            .map(|step| format!("echo '{NEXT}'\n{}\n", step.typed))
            .collect();
        // A lab of its own: what one session left held is no business of the next.
        let lab = Lab::new();
        let ended = lab.run(&mut lab.sh(&format!("exec 2>&1\n{script}")));
        let printed: Vec<&str> = ended.stdout.split(&format!("{NEXT}\n")).skip(1).collect();
        assert_eq!(printed.len(), steps.len(), "{ended}");
        for (step, printed) in steps.iter().zip(printed) {
            let printed: Vec<&str> = printed.lines().collect();
            assert!(
                matches(&step.shown, &printed),
                "$ {}\nshown: {:#?}\nprinted: {printed:#?}",
                step.typed,
                step.shown
            );
        }
    }
}

/// Whether the printed lines are those that are shown.
fn matches(shown: &[String], printed: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first == "..." => {
            (0..=printed.len()).any(|at| matches(rest, &printed[at..]))
        }
        Some((first, rest)) => printed
            .split_first()
            .is_some_and(|(line, below)| line_matches(first, line) && matches(rest, below)),
    }
}

/// Line one builds and runs; the building is done by whoever runs this test.
fn the_first_command_of_the_readme_does_the_main_job() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let shown = blocks(&readme, "sh");
    let mut lines = shown.first().unwrap().lines();
    let first = lines.next().unwrap();
    let args = first.strip_prefix("cargo run --release -q -- ").unwrap();
    assert!(lines.next().unwrap().starts_with("tests/run"));
    let lab = Lab::new();
    let ended = lab
        .run(&mut lab.sh(&format!("'{LEASECTL}' {args}")))
        .expect_code(0);
    assert_eq!(ended.stdout, "only one of us\n");
}

fn sessions_are_read() {
    let document = "x\n```console\n$ a\none\ntwo\n$ b\n```\n```sh\nc\n```\n";
    let sessions = blocks(document, "console");
    assert_eq!(sessions, ["$ a\none\ntwo\n$ b\n"]);
    let found = steps(sessions[0]);
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].typed.as_str(), found[0].shown.len()), ("a", 2));
    assert_eq!(blocks(document, "sh"), ["c\n"]);
}

fn lines_match_their_patterns() {
    let shown = ["...", "last"].map(ToOwned::to_owned);
    assert!(matches(&shown, &["a", "b", "last"]));
    assert!(matches(&shown, &["last"]));
    assert!(!matches(&shown, &["a", "b"]));
    assert!(!matches(&[], &["a"]));
}
