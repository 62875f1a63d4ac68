//! The scenarios of this folder's python files as tests: `terminal::SHELL::SUBJECT::SCENARIO`.
//!
//! Which there are is read from the files, so that none is forgotten: every function that takes `way` last.

use std::fs;

use libtest_mimic::Trial;

use crate::support::lab::{Lab, PATIENCE};
use crate::support::needs::needs;
use crate::support::processes::comes_true;
use crate::support::trial::trial;

/// What they all stand on.
const SESSION: &str = include_str!("session.py");

/// The files, and what each needs beside python and its shell.
const SUBJECTS: [(&str, &str, &[&str]); 7] = [
    ("direct", include_str!("direct.py"), &[]),
    ("inner", include_str!("inner.py"), &["bash"]),
    (
        "job_control",
        include_str!("job_control.py"),
        &["stty", "nohup"],
    ),
    ("modes", include_str!("modes.py"), &["stty"]),
    ("notices", include_str!("notices.py"), &[]),
    (
        "programs",
        include_str!("programs.py"),
        &["vim", "less", "script"],
    ),
    ("scripts", include_str!("scripts.py"), &["mkfifo"]),
];

const SHELLS: [&str; 3] = ["bash", "dash", "zsh"];

#[derive(Clone, Copy)]
struct Scenario {
    subject: &'static str,
    source: &'static str,
    needed: &'static [&'static str],
    name: &'static str,
    shell: Option<&'static str>,
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut all = trials![every_subject_has_scenarios];
    for scenario in scenarios() {
        let Scenario {
            subject,
            name,
            shell,
            ..
        } = scenario;
        let path = match shell {
            Some(shell) => format!("it::terminal::{shell}::{subject}::{name}"),
            None => format!("it::terminal::{subject}::{name}"),
        };
        all.push(trial(&path, move || run(scenario)));
    }
    all
}

fn scenarios() -> Vec<Scenario> {
    let mut all = Vec::new();
    for (subject, source, needed) in SUBJECTS {
        for line in source.lines() {
            let Some((name, arguments)) = line
                .strip_prefix("def ")
                .and_then(|rest| rest.split_once('('))
            else {
                continue;
            };
            let shells = match arguments {
                "kind, way):" | "kind, _way):" => SHELLS.map(Some).to_vec(),
                "_way):" => vec![None],
                _ => continue,
            };
            all.extend(shells.into_iter().map(|shell| Scenario {
                subject,
                source,
                needed,
                name,
                shell,
            }));
        }
    }
    all
}

fn run(scenario: Scenario) {
    needs("python3");
    scenario.shell.into_iter().for_each(needs);
    scenario.needed.iter().for_each(|needed| needs(needed));
    let lab = Lab::new();
    fs::write(lab.path("session.py"), SESSION).unwrap();
    let file = format!("{}.py", scenario.subject);
    fs::write(lab.path(&file), scenario.source).unwrap();
    let mut python = lab.command("python3");
    python
        .args(["-B", &file, scenario.name])
        .args(scenario.shell)
        .env("PUPPET", std::env::current_exe().unwrap());
    // A scenario gives up on each thing that it waits for after as long; some wait for several.
    lab.spawn(&mut python).wait(3 * PATIENCE).expect_code(0);
    let gone = comes_true(PATIENCE, || lab.processes().is_empty());
    assert!(gone, "left: {:?}", lab.processes());
    let next = ["run", "--lease", "nightly", "--", "true"];
    lab.run(&mut lab.leasectl(next)).expect_code(0);
}

fn every_subject_has_scenarios() {
    let found = scenarios();
    for (subject, ..) in SUBJECTS {
        let count = found.iter().filter(|one| one.subject == subject).count();
        assert!(count >= 3, "{subject}: {count}");
    }
}
