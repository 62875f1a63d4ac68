//! Finding and killing everything that descends from one process: the guardian, or the front once
//! the guardian is dead.
//!
//! Both are subreapers, so whoever loses its parent becomes a child of theirs: when waitpid(2) says
//! that there are no children, nothing of the tree is left, in whatever session or group it hid.
//! `/proc` only tells where to send signals; it is never the proof.
//!
//! All memory is set aside when a [`Tree`] is made (P11). Its pages are touched only as far as a
//! machine has processes.

use std::fs::File;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::read;

use super::sys::{self, Pid};
use crate::clock::{BootClock, Clock, Instant};

/// How many processes one pass can see. A machine with more is swept in several passes: the dead
/// make room.
const CAPACITY: usize = 65_536;

/// How long one look may take. A storm whose processes hand over to one another without pause adds new
/// ones to the end of the list faster than they can be looked at, and a look at all of them would end
/// only when the numbers do. Too short, and of a machine with very many processes a part is never seen.
const LONGEST_LOOK: Duration = Duration::from_secs(1);

/// One process, as `/proc/PID/stat` shows it.
#[derive(Clone, Copy, Debug)]
struct Process {
    pid: Pid,
    parent: Pid,
    group: Pid,
    start: u64,
    stopped: bool,
    dead: bool,
    ours: bool,
}

/// What one pass over the tree found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pass {
    /// Processes that no earlier pass had met: while there are some, the next pass follows at once.
    pub(super) fresh: usize,
    /// Processes that are neither stopped nor dead.
    pub(super) running: usize,
}

/// The processes below `root`.
#[derive(Debug)]
pub(super) struct Tree {
    root: Pid,
    /// leasectl's own group: never signalled as a group.
    own_group: Pid,
    /// Children of `root` that are no part of the tree, nor is what descends from them.
    strangers: Vec<Pid>,
    proc: File,
    seen: Vec<Process>,
    met: Vec<Pid>,
    /// Whether the last look saw all there is.
    complete: bool,
}

impl Tree {
    /// Prepares for the tree below `root`; `strangers` are children of `root` that stay untouched.
    pub(super) fn below(root: Pid, own_group: Pid, strangers: Vec<Pid>) -> std::io::Result<Self> {
        Ok(Self {
            root,
            own_group,
            strangers,
            proc: File::open("/proc")?,
            seen: Vec::with_capacity(CAPACITY),
            met: Vec::with_capacity(CAPACITY),
            complete: false,
        })
    }

    /// The same for the process that we are now: the guardian after its fork.
    pub(super) const fn move_root(&mut self, root: Pid) {
        self.root = root;
    }

    /// Sends `signal` once to every process of the tree, and continues the ones that are stopped so
    /// that they can act on it. Two passes: a process may be born between look and signal. SIGKILL, which
    /// is due at `kill`, does not wait for them.
    pub(super) fn signal(&mut self, signal: i32, kill: Instant) {
        let until = kill.min(BootClock.now() + LONGEST_LOOK);
        self.met.clear();
        for _ in 0..2 {
            self.look_until(until);
            for at in 0..self.seen.len() {
                let process = self.seen[at];
                if process.ours && self.meet(process.pid) {
                    // A storm leaves little of the processor for this.
                    if BootClock.now() >= until {
                        return;
                    }
                    self.send(process, signal);
                    if process.stopped {
                        self.send(process, libc::SIGCONT);
                    }
                }
            }
        }
    }

    /// Forgets whom earlier passes met.
    pub(super) fn start_afresh(&mut self) {
        self.met.clear();
    }

    /// SIGKILL to every process of the tree, and to every group that one of them leads: a group
    /// catches children that are just being born.
    pub(super) fn kill(&mut self) -> Pass {
        self.look();
        let pass = self.count();
        for at in 0..self.seen.len() {
            let process = self.seen[at];
            if process.ours && process.group == process.pid && process.group != self.own_group {
                sys::send_group(process.group, libc::SIGKILL).ok();
            }
        }
        self.send_all(libc::SIGKILL);
        pass
    }

    /// SIGSTOP to every process of the tree. Repeated until a pass finds no runner, it catches a
    /// storm that forks faster than it can be killed: the stopped do not fork.
    pub(super) fn freeze(&mut self) -> Pass {
        self.look();
        self.send_all(libc::SIGSTOP);
        self.count()
    }

    fn send_all(&self, signal: i32) {
        for process in self.seen.iter().filter(|process| process.ours) {
            self.send(*process, signal);
        }
    }

    /// The processes of the tree as they are now, with what the kernel calls them: for messages.
    pub(super) fn members(&mut self) -> Vec<Pid> {
        self.look();
        self.seen
            .iter()
            .filter(|process| process.ours)
            .map(|process| process.pid)
            .collect()
    }

    /// Whether nothing of the tree is there, as far as `/proc` can tell: twice in a row, each time having
    /// seen all there is. One look can miss a process that was born behind it.
    pub(super) fn looks_empty(&mut self) -> bool {
        (0..2).all(|_| self.members().is_empty() && self.complete)
    }

    /// The root's own children, strangers included.
    pub(super) fn children(&mut self) -> Vec<Pid> {
        self.look();
        let children = self
            .seen
            .iter()
            .filter(|process| process.parent == self.root);
        children.map(|process| process.pid).collect()
    }

    /// Makes `strangers` the children of the root that stay untouched.
    pub(super) fn spare(&mut self, strangers: Vec<Pid>) {
        self.strangers = strangers;
    }

    /// Whether `pid` belongs to the tree now: follows its parents, which costs a few reads where a look
    /// at all processes would cost thousands.
    pub(super) fn contains(&self, pid: Pid) -> bool {
        let mut at = pid;
        while let Some(process) = look_at(&self.proc, at) {
            if process.parent == self.root {
                return !self.strangers.contains(&at);
            }
            at = process.parent;
        }
        false
    }

    fn look(&mut self) {
        self.look_until(BootClock.now() + LONGEST_LOOK);
    }

    /// Reads `/proc` and marks what descends from the root. What it has not seen by `until` is left to
    /// the next look.
    fn look_until(&mut self, until: Instant) {
        let Self {
            seen,
            proc,
            complete,
            ..
        } = self;
        seen.clear();
        *complete = true;
        let listed = sys::list_processes(proc.as_fd(), |pid| {
            seen.extend(look_at(proc, pid).filter(|process| !process.dead));
            *complete = seen.len() < seen.capacity() && BootClock.now() < until;
            *complete
        });
        *complete &= listed.is_ok();
        self.mark();
    }

    /// Counts what the last look found, and remembers whom we met.
    fn count(&mut self) -> Pass {
        let mut pass = Pass::default();
        for at in 0..self.seen.len() {
            let process = self.seen[at];
            if process.ours {
                pass.fresh += usize::from(self.meet(process.pid));
                pass.running += usize::from(!process.stopped);
            }
        }
        pass
    }

    /// Parents mostly have lower numbers than their children, so one round marks nearly all; rounds
    /// go on until nothing changes.
    fn mark(&mut self) {
        loop {
            let mut changed = false;
            for at in 0..self.seen.len() {
                let Process {
                    pid, parent, ours, ..
                } = self.seen[at];
                if ours || (parent == self.root && self.strangers.contains(&pid)) {
                    continue;
                }
                let below =
                    parent == self.root || self.find(parent).is_some_and(|found| found.ours);
                self.seen[at].ours = below;
                changed |= below;
            }
            if !changed {
                return;
            }
        }
    }

    fn find(&self, pid: Pid) -> Option<&Process> {
        let at = self
            .seen
            .binary_search_by_key(&pid, |process| process.pid)
            .ok()?;
        self.seen.get(at)
    }

    /// Notes that a process was met; false when it had been already.
    fn meet(&mut self, pid: Pid) -> bool {
        match self.met.binary_search(&pid) {
            Ok(_) => false,
            Err(at) => {
                if self.met.len() < self.met.capacity() {
                    self.met.insert(at, pid);
                }
                true
            }
        }
    }

    /// Our own children keep their number until we reap them. Anybody else's may be reaped, and its
    /// number given to a stranger, between look and signal: a pidfd taken now and checked against
    /// the start time seen then forbids that order.
    fn send(&self, process: Process, signal: i32) {
        if process.parent == self.root {
            sys::send(process.pid, signal).ok();
            return;
        }
        let Ok(pidfd) = sys::pidfd_open(process.pid) else {
            return;
        };
        if look_at(&self.proc, process.pid).is_some_and(|now| now.start == process.start) {
            sys::pidfd_send(pidfd.as_fd(), signal).ok();
        }
    }
}

/// Reads `/proc/PID/stat`; `None` for a process that is gone.
fn look_at(proc: &File, pid: Pid) -> Option<Process> {
    let mut path = [0_u8; 20];
    let path = stat_path(pid, &mut path)?;
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let file = openat(proc, path, flags, Mode::empty()).ok()?;
    let mut text = [0_u8; 512];
    let length = read(&file, &mut text).ok()?;
    parse(pid, text.get(..length)?)
}

/// `PID/stat`, written without allocating.
fn stat_path(pid: Pid, room: &mut [u8; 20]) -> Option<&std::ffi::CStr> {
    use std::io::Write;
    write!(room.as_mut_slice(), "{pid}/stat\0").ok()?;
    std::ffi::CStr::from_bytes_until_nul(room).ok()
}

/// `pid (name) state ppid pgrp ... threads itreal starttime` (proc(5), fields 3, 4, 5, 20 and 22). The
/// name may hold anything, brackets included, so the last one counts.
fn parse(pid: Pid, stat: &[u8]) -> Option<Process> {
    let close = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = str::from_utf8(stat.get(close + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let threads: u32 = fields.nth(14)?.parse().ok()?;
    let start = fields.nth(1)?.parse().ok()?;
    // A zombie waits for its parent to look; but a process whose first thread has ended while others
    // run looks like one too, and is very much alive.
    let dead = matches!(state, "Z" | "X") && threads <= 1;
    let stopped = matches!(state, "T" | "t");
    Some(Process {
        pid,
        parent,
        group,
        start,
        stopped,
        dead,
        ours: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_does_not_confuse_the_parser() {
        let stat = b"77 (a) R 1 (b) S 41 42 43 0 -1 4 1 0 0 0 0 0 0 0 20 0 1 0 812345 9";
        let process = parse(77, stat).unwrap();
        assert_eq!(
            (process.parent, process.group, process.start),
            (41, 42, 812_345)
        );
        assert!(!process.stopped);
        let dead = b"77 (x) Z 41 42 43 0 -1 4 1 0 0 0 0 0 0 0 20 0 1 0 812345 9";
        assert!(parse(77, dead).unwrap().dead);
        let leader_gone = b"77 (x) Z 41 42 43 0 -1 4 1 0 0 0 0 0 0 0 20 0 3 0 812345 9";
        assert!(!parse(77, leader_gone).unwrap().dead);
        assert!(parse(77, b"").is_none());
    }

    fn tree(strangers: Vec<Pid>) -> Tree {
        let root = Pid::try_from(std::process::id()).unwrap();
        Tree::below(root, 0, strangers).unwrap()
    }

    #[test]
    fn descendants_are_found_and_strangers_are_not() {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "sleep 100 & echo $!; wait"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut out, &mut line).unwrap();
        let grandchild: Pid = line.trim().parse().unwrap();
        let pid = Pid::try_from(child.id()).unwrap();

        assert!(tree(Vec::new()).contains(grandchild));
        assert!(
            !tree(vec![pid]).contains(grandchild),
            "below a stranger all are strangers"
        );
        let mut whole = tree(vec![]);
        let members = whole.members();
        assert!(members.contains(&pid) && members.contains(&grandchild));
        whole.strangers = members
            .into_iter()
            .filter(|m| *m != pid && *m != grandchild)
            .collect();
        whole.signal(libc::SIGTERM, Instant::NEVER);
        child.wait().unwrap();
    }
}
