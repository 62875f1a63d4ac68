//! leasectl beside what a user would take instead, in turn in one run, so that whatever slows the machine
//! slows all.
//!
//! ```text
//! cargo bench --bench compare                   100 rounds, about three minutes
//! cargo bench --bench compare -- --rounds 20
//! cargo bench --bench compare -- --scale 1000   a thousand that hold and a thousand that wait, instead
//! cargo bench --bench compare -- --update       and puts the table into BENCHMARKS.md
//! ```
//!
//! Prints one table as Markdown and writes `target/compare/compare.json`. It asserts nothing: a goal that is
//! not met is shown as that. What cannot be measured here is named with the reason, and never made up. The
//! binary is the one that cargo built for this; the static one is measured too where `scripts/build-static`
//! has built it.

mod counts;
mod goals;
mod memory;
mod operations;
mod peers;
mod report;
mod scale;
mod servers;
mod subjects;
mod timing;

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use peers::Peers;
use report::Report;
use subjects::Field;

type Outcome<T> = Result<T, Box<dyn Error>>;

const LEASECTL: &str = env!("CARGO_BIN_EXE_leasectl");

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    match compare(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Where cargo builds.
fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(target) => target.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("target"),
    }
}

/// The number after a word.
fn number<T: FromStr>(words: &[String], word: &str) -> Outcome<Option<T>> {
    let Some(at) = words.iter().position(|one| one == word) else {
        return Ok(None);
    };
    let number = words.get(at + 1).and_then(|number| number.parse().ok());
    Ok(Some(number.ok_or(format!("{word} needs a number"))?))
}

fn compare(words: &[String]) -> Outcome<()> {
    // cargo adds `--bench`.
    let updates = words.iter().any(|word| word == "--update");
    let mut peers = Peers::find()?;
    let (kind, text) = if let Some(count) = number(words, "--scale")? {
        ("scale", scale::scale(&mut peers, count)?)
    } else {
        let rounds = number(words, "--rounds")?.unwrap_or(100);
        let report = measured(&mut peers, rounds)?;
        fs::create_dir_all(target().join("compare"))?;
        report.write(&target().join("compare/compare.json"), &peers.missing)?;
        ("measured", report.markdown(&peers.missing))
    };
    print!("{text}");
    if updates {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("BENCHMARKS.md");
        report::update(&page, kind, &text)?;
    }
    Ok(())
}

/// A figure that fails is named as not measured; the others are none the worse.
fn measured(peers: &mut Peers, rounds: usize) -> Outcome<Report> {
    let mut report = Report::default();
    let field = Field::new(peers)?;
    let stamp = timing::stamp()?;
    let few = rounds.div_ceil(4);
    type Part<'a> = (&'a str, &'a dyn Fn(&mut Peers, &mut Report) -> Outcome<()>);
    let parts: [Part<'_>; 10] = [
        ("times around `true`", &|_, report| {
            timing::around_true(&field, rounds, report)
        }),
        ("start-up", &|_, report| {
            timing::start_up(&field, rounds, report)
        }),
        ("hand-over", &|peers, report| {
            timing::hand_over(&field, &stamp, few, (peers, report))
        }),
        ("fail-over", &|_, report| {
            timing::fail_over(&field, &stamp, few.min(20), report)
        }),
        ("memory", &|peers, report| {
            memory::memory(&field, peers, report)
        }),
        ("sizes", &|_, report| counts::sizes(&field, report)),
        ("system calls", &|peers, report| {
            counts::system_calls(&field, peers, report)
        }),
        ("instructions", &|peers, report| {
            counts::instructions(&field, peers, report)
        }),
        ("Redis around `true`", &|_, report| {
            counts::one_run(&field, report)
        }),
        ("Redis with waiters", &|peers, report| {
            operations::operations(peers, report)
        }),
    ];
    for (name, part) in parts {
        eprintln!("compare: {name}");
        if let Err(error) = part(peers, &mut report) {
            peers.without(name, error);
        }
    }
    Ok(report)
}
