//! What is counted and not timed: system calls, bytes, and what a run costs a Redis server.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Outcome;
use crate::operations::{of, sent};
use crate::peers::Peers;
use crate::report::Report;
use crate::subjects::{ETCDCTL, FILE, FLOCK, Field, REDIS, STATIC_FILE, Subject};

/// System calls of the wrapper, its helpers and `true`.
pub(crate) fn system_calls(field: &Field, peers: &mut Peers, report: &mut Report) -> Outcome<()> {
    let Some(strace) = peers.path("strace").map(Path::to_owned) else {
        peers.without("system calls", "strace is not there");
        return Ok(());
    };
    let summary = field.place.path().join("strace");
    for subject in &field.subjects {
        let mut traced = Command::new(&strace);
        traced.args(["-f", "-c", "-o"]).arg(&summary);
        let guarded = subject.guarded(false, &["true"]);
        traced.arg(guarded.get_program()).args(guarded.get_args());
        for (key, value) in guarded.get_envs() {
            traced.env(key, value.unwrap_or_default());
        }
        traced
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if !traced.status()?.success() {
            peers.without(
                &format!("system calls of {}", subject.name),
                "strace failed",
            );
            continue;
        }
        let text = fs::read_to_string(&summary)?;
        let total = text.lines().find(|line| line.trim_end().ends_with("total"));
        let calls = total.and_then(|line| line.split_whitespace().nth(3));
        let calls = calls.ok_or("strace does not tell a total")?.parse()?;
        report.add(
            "system calls around `true`",
            subject.name,
            "calls",
            vec![calls],
        );
    }
    Ok(())
}

/// Instructions that were retired around `true`, where the machine counts them.
pub(crate) fn instructions(field: &Field, peers: &mut Peers, report: &mut Report) -> Outcome<()> {
    for name in [FILE, STATIC_FILE, REDIS, FLOCK] {
        let Some(subject) = field.subject(name) else {
            continue;
        };
        match retired(subject)? {
            Some(number) => {
                let figure = "instructions around `true`";
                report.add(figure, name, "million", vec![number / 1e6]);
            }
            None => {
                let why = "perf is not there, or this machine does not count them";
                peers.without("instructions retired", why);
                break;
            }
        }
    }
    Ok(())
}

fn retired(subject: &Subject) -> Outcome<Option<f64>> {
    let guarded = subject.guarded(false, &["true"]);
    let mut perf = Command::new("perf");
    perf.args(["stat", "-x,", "-e", "instructions", "--"]);
    perf.arg(guarded.get_program())
        .args(guarded.get_args())
        .stdin(Stdio::null());
    let Ok(output) = perf.output() else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut lines = text.lines().filter(|line| line.contains("instructions"));
    let number = lines.find_map(|line| line.split(',').next()?.parse().ok());
    Ok(number)
}

/// The programs themselves. Built for release they are stripped.
pub(crate) fn sizes(field: &Field, report: &mut Report) -> Outcome<()> {
    for name in [FILE, STATIC_FILE, FLOCK, ETCDCTL] {
        let program = field
            .subject(name)
            .and_then(|subject| subject.program.as_ref());
        if let Some(program) = program {
            let bytes = u32::try_from(fs::metadata(program)?.len() / 1024)?;
            let name = name.trim_end_matches(", file");
            report.add("size of the program", name, "KiB", vec![f64::from(bytes)]);
        }
    }
    Ok(())
}

/// What one run asks of Redis: commands that were sent, and how often the server read from the connection.
pub(crate) fn one_run(field: &Field, report: &mut Report) -> Outcome<()> {
    let (Some(subject), Some(server)) = (field.subject(REDIS), &field.redis) else {
        return Ok(());
    };
    let reads = server.number("stats", "total_reads_processed")?;
    // What this question itself costs, to be taken off.
    let own = server.number("stats", "total_reads_processed")? - reads;
    let calls = server.calls()?;
    let before = server.number("stats", "total_reads_processed")?;
    subject.guarded(false, &["true"]).status()?;
    let reads = server.number("stats", "total_reads_processed")? - before - own;
    let after = server.calls()?;
    // Three of the questions for INFO in between are ours. Each of a client's has a TIME with it; scripts
    // ask for the time, too.
    let asked = of(&after, "info") - of(&calls, "info") - 3;
    let sent = sent(&after) - sent(&calls) + 2 * asked;
    for (figure, number) in [("commands", sent), ("reads of the server", reads)] {
        let figure = format!("Redis around `true`: {figure}");
        report.add(&figure, REDIS, "", vec![f64::from(u32::try_from(number)?)]);
    }
    Ok(())
}
