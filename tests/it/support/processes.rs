//! Looking at processes through `/proc`, and waiting for what is seen there.

use std::fs;
use std::io;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(2);

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_zombie_is_not_alive,
        descendants_are_found_over_generations,
        processes_are_found_by_their_mark,
        a_condition_that_never_comes_is_given_up,
    ]
}

/// Waits until `condition` holds; panics with `what` when it does not within `limit`.
#[track_caller]
pub(crate) fn wait_until(limit: Duration, what: &str, condition: impl FnMut() -> bool) {
    assert!(
        comes_true(limit, condition),
        "waited {limit:?} for this, in vain: {what}"
    );
}

/// Whether `condition` comes to hold within `limit`.
pub(crate) fn comes_true(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if started.elapsed() >= limit {
            return false;
        }
        sleep(POLL);
    }
}

/// The present instant on the boot clock, by which leasectl measures its leases.
pub(crate) fn boot_now() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).unwrap().into()
}

/// Whether a process exists and is more than a zombie. A number may come to be used again; the
/// tests are short.
pub(crate) fn alive(pid: u32) -> bool {
    stat(pid).is_some_and(|stat| !matches!(stat.state, 'Z' | 'X'))
}

/// Whether a process is stopped (SIGSTOP and its like).
pub(crate) fn stopped(pid: u32) -> bool {
    stat(pid).is_some_and(|stat| stat.state == 'T')
}

/// The name that the kernel knows a process by (`PR_SET_NAME`).
pub(crate) fn name(pid: u32) -> Option<String> {
    Some(stat(pid)?.name)
}

/// The group that a process is in.
pub(crate) fn group(pid: u32) -> Option<u32> {
    Some(stat(pid)?.group)
}

/// The children of `pid`, zombies included.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let mut all = pids();
    all.retain(|&one| stat(one).is_some_and(|stat| stat.parent == pid));
    all
}

/// Everything below `pid`, by parent links, without zombies and without `pid` itself.
pub(crate) fn descendants(pid: u32) -> Vec<u32> {
    let all: Vec<(u32, Stat)> = pids()
        .into_iter()
        .filter_map(|pid| Some((pid, stat(pid)?)))
        .collect();
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(
            all.iter()
                .filter(|(_, s)| s.parent == parent)
                .map(|(p, _)| p),
        );
        next += 1;
    }
    found.retain(|&one| one != pid && alive(one));
    found
}

/// Every living process whose environment has `NAME=value`, wherever in the tree it is. A daemon
/// that forked twice keeps its environment, so that this finds what parent links no longer show.
pub(crate) fn marked(mark: &str) -> Vec<u32> {
    let found = starts_with(mark).into_iter();
    found
        .filter_map(|(pid, rest)| rest.is_empty().then_some(pid))
        .collect()
}

/// The same for every process with an entry that starts with `mark`, and how that goes on.
pub(crate) fn starts_with(mark: &str) -> Vec<(u32, String)> {
    let own = std::process::id();
    let rest = |pid: &u32| {
        let all = fs::read(format!("/proc/{pid}/environ")).ok()?;
        let found = all.split(|&byte| byte == 0);
        let rest = found
            .into_iter()
            .find_map(|one| one.strip_prefix(mark.as_bytes()))?;
        Some(String::from_utf8_lossy(rest).into_owned())
    };
    pids()
        .into_iter()
        .filter(|&pid| pid != own && alive(pid))
        .filter_map(|pid| Some((pid, rest(&pid)?)))
        .collect()
}

/// Sends a signal; a process that is already gone is no error.
pub(crate) fn send(pid: u32, signal: Signal) {
    let Ok(pid) = i32::try_from(pid) else {
        panic!("{pid} is no process id");
    };
    assert!(pid > 1, "refusing to signal {pid}");
    match kill(Pid::from_raw(pid), signal) {
        Ok(()) | Err(nix::errno::Errno::ESRCH) => {}
        Err(error) => panic!("cannot send {signal} to {pid}: {error}"),
    }
}

/// A child that is killed and reaped when the test is done with it, however the test ends.
#[derive(Debug)]
pub(crate) struct Killed(pub(crate) Child);

impl Killed {
    /// Starts `command`.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        command.spawn().map(Self)
    }

    /// The child's number; not used again before this value is dropped, because we reap it.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        // Both fail only when it has ended and was reaped, which is what we are here for.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

struct Stat {
    name: String,
    state: char,
    parent: u32,
    group: u32,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    // The name stands in brackets and may itself contain brackets and spaces.
    let (before, rest) = text.rsplit_once(") ")?;
    let (_, name) = before.split_once('(')?;
    let mut words = rest.split(' ');
    Some(Stat {
        name: name.to_owned(),
        state: words.next()?.chars().next()?,
        parent: words.next()?.parse().ok()?,
        group: words.next()?.parse().ok()?,
    })
}

fn pids() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        panic!("/proc cannot be read");
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect()
}

fn a_zombie_is_not_alive() {
    let child = Killed::spawn(&mut Command::new("true")).unwrap();
    wait_until(Duration::from_secs(10), "`true` ends", || {
        stat(child.id()).is_some_and(|stat| stat.state == 'Z')
    });
    assert!(!alive(child.id()));
    assert!(alive(std::process::id()));
}

fn descendants_are_found_over_generations() {
    let mut command = Command::new("sh");
    command.args(["-c", "(sleep 60; :) & sleep 60; :"]);
    let shell = Killed::spawn(&mut command).unwrap();
    wait_until(Duration::from_secs(10), "three descendants", || {
        descendants(shell.id()).len() == 3
    });
    for pid in descendants(shell.id()) {
        send(pid, Signal::SIGKILL);
    }
}

fn processes_are_found_by_their_mark() {
    let mark = format!("MARK_OF_TEST=processes-{}", std::process::id());
    let (key, value) = mark.split_once('=').unwrap();
    // The inner sleep is nobody's child that we know of: its parent ends at once.
    let mut command = Command::new("setsid");
    command.args(["sh", "-c", "sleep 60 & :"]).env(key, value);
    drop(Killed::spawn(&mut command).unwrap().0.wait());
    // Forked is not yet executed: until then it has the shell's name.
    wait_until(
        Duration::from_secs(10),
        "the orphan is seen",
        || matches!(marked(&mark)[..], [one] if name(one).as_deref() == Some("sleep")),
    );
    let orphan = marked(&mark)[0];
    send(orphan, Signal::SIGSTOP);
    wait_until(Duration::from_secs(10), "it stops", || stopped(orphan));
    send(orphan, Signal::SIGKILL);
    wait_until(Duration::from_secs(10), "it ends", || !alive(orphan));
}

fn a_condition_that_never_comes_is_given_up() {
    let started = Instant::now();
    assert!(!comes_true(Duration::from_millis(20), || false));
    assert!(started.elapsed() >= Duration::from_millis(20));
    assert!(comes_true(Duration::ZERO, || true));
}

/// The guardian of a front, once it has its name. One that was killed may not have been reaped yet.
#[track_caller]
pub(crate) fn guardian_of(front: u32) -> u32 {
    let mut found = None;
    wait_until(super::lab::PATIENCE, "there is a guardian", || {
        found = children(front)
            .into_iter()
            .find(|&pid| alive(pid) && name(pid).as_deref() == Some("lease-guard"));
        found.is_some()
    });
    found.unwrap()
}
