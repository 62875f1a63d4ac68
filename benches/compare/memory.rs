//! What each process of a wrapper has in memory, for itself and in all, while it holds and while it waits.

use std::fs;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Outcome;
use crate::peers::Peers;
use crate::report::Report;
use crate::subjects::{Field, Subject};

/// What a start has touched is settled by then.
const SETTLED: Duration = Duration::from_millis(300);

/// A holder and a waiter of each, one after the other.
pub(crate) fn memory(field: &Field, peers: &mut Peers, report: &mut Report) -> Outcome<()> {
    let mut all = Vec::new();
    for subject in field.subjects.iter().skip(1) {
        // What becomes the command has no memory of its own while it holds.
        if !subject.becomes_the_command() {
            match of(subject) {
                Ok(sizes) => all.extend(sizes),
                Err(error) => peers.without(&format!("memory of {}", subject.name), error),
            }
        }
    }
    for doing in ["holding", "waiting"] {
        for (figure, pick) in [("private memory", 0), ("resident memory", 1)] {
            for (who, when, sizes) in all.iter().filter(|(_, when, _)| *when == doing) {
                let figure = format!("{figure}, {when}");
                report.add(&figure, who, "KiB", vec![sizes[pick]]);
            }
        }
    }
    Ok(())
}

type Sizes = (String, &'static str, [f64; 2]);

fn of(subject: &Subject) -> Outcome<Vec<Sizes>> {
    let mut holder = subject.guarded(true, &["sleep", "30"]).spawn()?;
    let started = Instant::now();
    while !family(holder.id())
        .iter()
        .any(|process| name(*process) == "sleep")
    {
        if started.elapsed() > Duration::from_secs(10) {
            holder.kill()?;
            return Err(format!("{} does not start its command", subject.name).into());
        }
        sleep(Duration::from_millis(5));
    }
    let mut waiter = subject.guarded(true, &["true"]).spawn()?;
    sleep(SETTLED);
    let mut found = sizes(subject, "holding", &holder)?;
    found.extend(sizes(subject, "waiting", &waiter)?);
    for process in family(holder.id()) {
        if name(process) == "sleep" {
            kill(Pid::from_raw(process.try_into()?), Signal::SIGKILL)?;
        }
    }
    holder.wait()?;
    waiter.wait()?;
    Ok(found)
}

fn sizes(subject: &Subject, when: &'static str, top: &Child) -> Outcome<Vec<Sizes>> {
    let mut found = Vec::new();
    for process in family(top.id()) {
        let who = match name(process).as_str() {
            "sleep" => continue,
            "lease-guard" => format!("{}: guardian", subject.name),
            _ if subject.is_ours() => format!("{}: front", subject.name),
            _ => subject.name.to_owned(),
        };
        let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
        let own = size(&rollup, "Private_Dirty:")? + size(&rollup, "Private_Clean:")?;
        found.push((who, when, [own, size(&rollup, "Rss:")?]));
    }
    Ok(found)
}

pub(crate) fn size(rollup: &str, key: &str) -> Outcome<f64> {
    let mut lines = rollup.lines();
    let value = lines
        .find_map(|line| line.strip_prefix(key))
        .ok_or("no such size")?;
    Ok(value.trim().trim_end_matches(" kB").parse()?)
}

/// A process and all that descend from it, from the top down.
pub(crate) fn family(top: u32) -> Vec<u32> {
    let mut all = vec![top];
    let mut at = 0;
    while let Some(process) = all.get(at) {
        let children = children(*process);
        all.extend(children);
        at += 1;
    }
    all
}

/// Of all its threads: any of them may have started one.
fn children(process: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{process}/task"));
    let listed = threads.into_iter().flatten().flatten();
    let listed = listed.map(|thread| fs::read_to_string(thread.path().join("children")));
    let numbers = |listed: String| -> Vec<u32> {
        let words = listed.split_whitespace();
        words.filter_map(|word| word.parse().ok()).collect()
    };
    listed.flatten().flat_map(numbers).collect()
}

pub(crate) fn name(process: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
    name.trim().to_owned()
}
