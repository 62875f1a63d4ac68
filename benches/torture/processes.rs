//! Looking at processes through `/proc`, and signals to those that are ours.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

/// In the environment of everything that came of this run: whose a process is, wherever it went.
pub(crate) const CONTENDER: &str = "TORTURED";

/// Nanoseconds of the clock that nobody sets or slews, the same for all processes.
pub(crate) fn raw_now() -> u64 {
    nanos(ClockId::CLOCK_MONOTONIC_RAW)
}

/// Nanoseconds of the clock by which leasectl counts.
pub(crate) fn boot_now() -> u64 {
    nanos(ClockId::CLOCK_BOOTTIME)
}

fn nanos(clock: ClockId) -> u64 {
    let now = clock_gettime(clock).map_or(std::time::Duration::ZERO, Into::into);
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

/// Name and state of a process.
pub(crate) fn name_and_state(pid: u32) -> Option<(String, char)> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    // The name stands in brackets and may itself contain brackets and spaces.
    let (before, rest) = text.rsplit_once(") ")?;
    let (_, name) = before.split_once('(')?;
    Some((name.to_owned(), rest.chars().next()?))
}

/// Whether it is there and more than a zombie.
pub(crate) fn alive(pid: u32) -> bool {
    name_and_state(pid).is_some_and(|(_, state)| !matches!(state, 'Z' | 'X'))
}

/// The living child of `parent` that has this name.
pub(crate) fn child_named(parent: u32, name: &str) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    let mut children = children
        .split_ascii_whitespace()
        .filter_map(|pid| pid.parse().ok());
    children.find(|pid| {
        name_and_state(*pid).is_some_and(|(own, state)| own == name && !matches!(state, 'Z' | 'X'))
    })
}

/// Every living process that came of this run: pid, contender, and the text of its words and environment.
pub(crate) fn census(run: &str) -> Vec<(u32, u64, Vec<u8>)> {
    let mark = format!("{CONTENDER}={run}:");
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let found = pids.filter_map(|pid| {
        let mut text = fs::read(format!("/proc/{pid}/environ")).ok()?;
        let entries = &mut text.split(|byte| *byte == 0);
        let number = entries.find_map(|entry| entry.strip_prefix(mark.as_bytes()))?;
        let number = String::from_utf8_lossy(number).parse().ok()?;
        text.extend(fs::read(format!("/proc/{pid}/cmdline")).ok()?);
        alive(pid).then_some((pid, number, text))
    });
    found.collect()
}

/// Sends a signal; false when nobody is there.
pub(crate) fn send(pid: u32, signal: Signal) -> bool {
    i32::try_from(pid).is_ok_and(|pid| pid > 1 && kill(Pid::from_raw(pid), signal).is_ok())
}
