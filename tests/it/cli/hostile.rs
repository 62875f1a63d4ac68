//! Hostile inputs: a row each, and for every row the same demands. The exact exit code; one line
//! that says what, why and what to do, or silence where it is accepted; no panic; no command where
//! it is refused; nothing in the store that was not there.
//!
//! In a row's line `LAB` stands for the lab's directory and `...` for what differs from run to run.

mod arguments;
mod directories;
mod files;
mod names;
mod processes;
mod stores;
mod surroundings;
mod usage;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use libtest_mimic::Trial;

use super::the_line;
use crate::support::lab::{LEASECTL, Lab};
use crate::support::needs::needs;
use crate::support::pattern::line_matches;
use crate::support::trial::trial;

/// What a row types.
#[derive(Clone, Copy)]
enum Typed {
    /// `leasectl run THESE -- touch ran`.
    Options(&'static [&'static str]),
    /// This shell script, run by [`script`].
    Script(&'static str),
    /// A command line in a lab that it may prepare.
    Prepared(fn(&Lab) -> Command),
}

/// One hostile input and what becomes of it.
#[derive(Clone, Copy)]
struct Row {
    name: &'static str,
    typed: Typed,
    code: i32,
    /// The line, or nothing.
    says: &'static str,
    needs: &'static [&'static str],
    /// The files that it may leave in the store.
    leaves: &'static [&'static str],
    /// What else has to be true afterwards.
    then: fn(&Lab),
}

impl Row {
    const fn new(name: &'static str, typed: Typed, code: i32, says: &'static str) -> Self {
        Self {
            name,
            typed,
            code,
            says,
            needs: &[],
            leaves: &[],
            then: |_| {},
        }
    }

    const fn needs(mut self, needs: &'static [&'static str]) -> Self {
        self.needs = needs;
        self
    }

    const fn leaves(mut self, leaves: &'static [&'static str]) -> Self {
        self.leaves = leaves;
        self
    }

    const fn then(mut self, then: fn(&Lab)) -> Self {
        self.then = then;
        self
    }
}

/// Options that are refused as wrong usage.
const fn options(name: &'static str, options: &'static [&'static str], says: &'static str) -> Row {
    Row::new(name, Typed::Options(options), 125, says)
}

/// Options that are accepted.
const fn accepted(name: &'static str, options: &'static [&'static str]) -> Row {
    Row::new(name, Typed::Options(options), 0, "")
}

/// A script that calls leasectl.
const fn shell(name: &'static str, text: &'static str, code: i32, says: &'static str) -> Row {
    Row::new(name, Typed::Script(text), code, says)
}

/// A prepared lab, and the exit code.
const fn prepared(
    name: &'static str,
    prepare: fn(&Lab) -> Command,
    code: i32,
    says: &'static str,
) -> Row {
    Row::new(name, Typed::Prepared(prepare), code, says)
}

pub(super) fn trials() -> Vec<Trial> {
    let tables = [
        names::ROWS,
        usage::ROWS,
        arguments::ROWS,
        stores::ROWS,
        directories::ROWS,
        files::ROWS,
        processes::ROWS,
        surroundings::ROWS,
    ];
    let rows = tables.into_iter().flatten();
    let each = rows.map(|row| {
        let name = row.name.replace(' ', "_");
        trial(&format!("it::cli::hostile::{name}"), || check(row))
    });
    each.collect()
}

fn check(row: &Row) {
    row.needs.iter().for_each(|what| needs(what));
    let lab = Lab::new();
    let mut command = match row.typed {
        Typed::Options(options) => run(&lab, options),
        Typed::Script(text) => script(&lab, text),
        Typed::Prepared(prepare) => prepare(&lab),
    };
    let before = contents(&lab.store());
    let ended = lab.run(&mut command).expect_code(row.code);
    assert!(ended.took < Duration::from_secs(30), "it hung: {ended}");
    assert_eq!(ended.stdout, "", "{ended}");
    if row.says.is_empty() {
        assert_eq!(ended.stderr, "", "{ended}");
    } else {
        let line = the_line(&lab, &ended);
        assert!(
            line_matches(row.says, &line),
            "{}\nexpected: {}\n    said: {line}",
            row.name,
            row.says
        );
    }
    assert_eq!(lab.path("ran").exists(), row.code == 0, "{ended}");
    left_behind(row, &before, &contents(&lab.store()));
    // A lock is held by an open file, and so by a process.
    assert!(lab.processes().is_empty(), "something is still alive");
    (row.then)(&lab);
}

/// `leasectl run OPTIONS -- touch ran`.
fn run(lab: &Lab, options: &[&str]) -> Command {
    let mut command = lab.leasectl(["run"]);
    command.args(options).args(["--", "touch", "ran"]);
    command
}

/// A shell script, in which `$L` is leasectl and `$RUN` is `leasectl run --lease x`, and which has
/// `-- touch ran` for its arguments.
fn script(lab: &Lab, text: &str) -> Command {
    let mut command = lab.sh(text);
    command
        .args(["sh", "--", "touch", "ran"])
        .env("L", LEASECTL)
        .env("RUN", format!("{LEASECTL} run --lease x"))
        .env("STORE", lab.store());
    command
}

/// Runs a script in the lab, which has to succeed.
fn prepare(lab: &Lab, how: &str) {
    lab.run(&mut script(lab, &format!("set -e; {how}")))
        .expect_code(0);
}

/// The entries of a directory: what they are, and when they were last written.
type Contents = BTreeMap<String, (u32, u64, i64, i64)>;

fn contents(directory: &Path) -> Contents {
    let Ok(entries) = fs::read_dir(directory) else {
        return Contents::new();
    };
    let look = |entry: fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let meta = entry.path().symlink_metadata().unwrap();
        (
            name,
            (meta.mode(), meta.size(), meta.mtime(), meta.mtime_nsec()),
        )
    };
    entries.map(|entry| look(entry.unwrap())).collect()
}

fn left_behind(row: &Row, before: &Contents, after: &Contents) {
    let new: Vec<&str> = after
        .keys()
        .filter(|name| !before.contains_key(*name))
        .map(String::as_str)
        .collect();
    assert_eq!(new, row.leaves, "left behind in the store");
    if row.code != 0 {
        for (name, was) in before {
            assert_eq!(after.get(name), Some(was), "{name} was changed");
        }
    }
}
