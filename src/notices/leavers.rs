//! Who of this machine is about to leave because of an event, and has not yet: each of them has a shared lock
//! on a byte of a file that the event's id chooses. Who finds nobody else's there was the last.
//!
//! Two events may choose the same byte: then an event is not approved that could have been, and begins at
//! its time.
//!
//! The file of the domain is for its own processes. Root's is open to all users, who can only read it, which
//! is enough for a shared lock and for asking: with root's poller there is one last process of the machine,
//! without it one of each user. A user who keeps a lock there keeps events from being approved early, and
//! that is all.

use std::os::fd::OwnedFd;
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::geteuid;

use super::directory::{Directory, Distrust, Trusted};
use super::lock::{self, Kind, Part};

/// The name of the file.
const LEAVING: &str = "leaving";

/// The files, once they are needed.
#[derive(Debug, Default)]
pub(super) struct Leavers {
    own: Option<OwnedFd>,
    upper: Option<OwnedFd>,
    /// The bytes on which we have a lock.
    held: Vec<u32>,
}

impl Leavers {
    /// This process is about to leave because of this event. Said again, it is tried again where it could not
    /// be written down.
    pub(super) fn enter(&mut self, id: &str, own: Option<&Path>, upper: Option<(&Path, Trusted)>) {
        let byte = byte(id);
        if self.held.contains(&byte) {
            return;
        }
        if self.own.is_none() {
            self.own = own.and_then(|path| {
                let directory = Directory::open_or_make(path).ok()?;
                open_or_make(&directory).ok()
            });
            self.upper = upper.and_then(|(path, trusted)| {
                let directory = Directory::open(path, trusted).ok()??;
                directory.open_file(LEAVING, OFlag::O_RDONLY).ok()?
            });
        }
        let part = Part::Byte(byte);
        // Somebody who is approving has it alone, and by then it is too late for us.
        let noted = self.files().all(|file| lock::set(file, part, Kind::Shared));
        if noted && self.own.is_some() {
            self.held.push(byte);
        }
    }

    /// This process has left; whether it was the last. Root's file first: whoever finds nobody in its own
    /// finds nobody of its own domain in root's.
    pub(super) fn leave(&mut self, id: &str) -> bool {
        let byte = byte(id);
        let part = Part::Byte(byte);
        let noted = self.held.contains(&byte);
        self.held.retain(|held| *held != byte);
        for file in self.files() {
            lock::set(file, part, Kind::Free);
        }
        let alone = |file: &OwnedFd| lock::set(file, part, Kind::Alone);
        let free = |file: &OwnedFd| lock::is_free(file, part);
        noted && self.own.as_ref().is_some_and(alone) && self.upper.as_ref().is_none_or(free)
    }

    fn files(&self) -> impl Iterator<Item = &OwnedFd> {
        self.upper.iter().chain(&self.own)
    }
}

/// Makes root's file, which all users read.
pub(super) fn keep_for_all_users(directory: &Directory) {
    if geteuid().is_root() {
        // Without it each user has a last process of its own.
        open_or_make(directory).ok();
    }
}

fn open_or_make(directory: &Directory) -> Result<OwnedFd, Distrust> {
    /// One that goes between two looks is found again, or somebody plays with us.
    const MOST: usize = 3;
    for _ in 0..MOST {
        if let Some(fd) = directory.open_file(LEAVING, OFlag::O_RDWR)? {
            return Ok(fd);
        }
        if let Some(fd) = directory.make_file(LEAVING)? {
            if geteuid().is_root() && !directory.is_shared() {
                fchmod(&fd, Mode::from_bits_truncate(0o644)).ok();
            }
            return Ok(fd);
        }
    }
    Err(Distrust::keeps_changing(directory))
}

fn byte(id: &str) -> u32 {
    crc32fast::hash(id.to_ascii_lowercase().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_out_knows_it() {
        let around = tempfile::tempdir().unwrap();
        let own = around.path().join("d");
        let mut all: Vec<Leavers> = (0..3).map(|_| Leavers::default()).collect();
        for one in &mut all {
            one.enter("A", Some(&own), None);
            one.enter("a", Some(&own), None);
        }
        assert_eq!(
            all.iter_mut().map(|one| one.leave("a")).collect::<Vec<_>>(),
            [false, false, true]
        );
        // Who never said that it leaves cannot say that it was the last.
        assert!(!all[0].leave("b"));
        let mut nowhere = Leavers::default();
        nowhere.enter("a", None, None);
        assert!(!nowhere.leave("a"));
    }

    #[test]
    fn who_is_killed_is_gone_and_other_events_do_not_count() {
        let around = tempfile::tempdir().unwrap();
        let own = around.path().join("d");
        let mut us = Leavers::default();
        us.enter("a", Some(&own), None);
        let mut other = Leavers::default();
        other.enter("b", Some(&own), None);
        let mut killed = Leavers::default();
        killed.enter("a", Some(&own), None);
        drop(killed);
        assert!(us.leave("a"));
    }

    #[test]
    fn other_users_count_in_roots_file() {
        let around = tempfile::tempdir().unwrap();
        let root = around.path().join("root");
        drop(open_or_make(&Directory::open_or_make(&root).unwrap()).unwrap());
        let upper = Some((root.as_path(), Trusted::RootAndUs));
        let [alice, bob] = ["alice", "bob"].map(|name| around.path().join(name));
        let (mut first, mut last) = (Leavers::default(), Leavers::default());
        first.enter("a", Some(&alice), upper);
        last.enter("a", Some(&bob), upper);
        assert!(!first.leave("a") && last.leave("a"));
    }
}
