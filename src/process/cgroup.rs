//! A cgroup of the command's own, where leasectl may make one: the kernel then kills the whole tree
//! in one step, forks in flight included, and proves that it is gone.
//!
//! Used when our own cgroup is on a v2 hierarchy, lets us make a child, and knows `cgroup.kill`
//! (Linux 5.14, cgroups(7)). Everywhere else [`super::tree`] does the work alone; which of the two
//! it is is said, never assumed.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// The command's cgroup. Its files are opened at the start: killing needs no path and no memory.
#[derive(Debug)]
pub(super) struct Cgroup {
    path: PathBuf,
    directory: File,
    kill: File,
    events: File,
}

impl Cgroup {
    /// Makes a child of our own cgroup; `None` where that cannot be had.
    pub(super) fn create() -> Option<Self> {
        let parent = own_directory()?;
        let prefix = prefix()?;
        sweep(&parent, &prefix);
        let path = parent.join(format!("{prefix}{}", std::process::id()));
        fs::create_dir(&path).ok()?;
        let opened = Self::open(&path);
        if opened.is_none() {
            fs::remove_dir(&path).ok();
        }
        opened
    }

    fn open(path: &Path) -> Option<Self> {
        Some(Self {
            directory: File::open(path).ok()?,
            kill: OpenOptions::new()
                .write(true)
                .open(path.join("cgroup.kill"))
                .ok()?,
            events: File::open(path.join("cgroup.events")).ok()?,
            path: path.to_owned(),
        })
    }

    /// The same cgroup for the other process: its own descriptors, so that neither moves the other's
    /// place in a file.
    pub(super) fn again(&self) -> std::io::Result<Self> {
        Self::open(&self.path).ok_or_else(|| std::io::Error::other("the cgroup cannot be opened"))
    }

    /// The directory's descriptor, to be born into (clone3, `CLONE_INTO_CGROUP`).
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// SIGKILL to everything inside, forks in flight included.
    pub(super) fn kill(&self) {
        // A failure leaves the work to the tree walk, which runs in any case.
        let mut kill = &self.kill;
        kill.write_all(b"1").ok();
    }

    /// Whether anything lives inside. Doubt counts as yes, but a cgroup that somebody has removed is no
    /// doubt: only an empty one can be, and nothing can be born into it any more.
    pub(super) fn is_populated(&self) -> bool {
        let mut text = [0; 256];
        let mut events = &self.events;
        match events.rewind().and_then(|()| events.read(&mut text)) {
            Ok(length) => !text[..length]
                .windows(11)
                .any(|part| part == b"populated 0"),
            // It was removed, by a leasectl that saw its front dead (`sweep`) or by a person, and the
            // kernel removes only an empty one. Counted as doubt, the lease was never given back.
            Err(error) => error.raw_os_error() != Some(libc::ENODEV),
        }
    }

    /// Removes the directory; only an empty one can be.
    pub(super) fn remove(&self) {
        remove(&self.path);
    }
}

/// Why a command gets no cgroup of its own here; `None`: it gets one.
#[must_use]
pub fn why_no_cgroup() -> Option<String> {
    let Some(own) = own_directory() else {
        return Some(
            "this process is in no cgroup of version 2 that can be seen from here".to_owned(),
        );
    };
    if let Some(cgroup) = Cgroup::create() {
        cgroup.remove();
        return None;
    }
    let shown = own.display();
    if !own.join("cgroup.kill").exists()
        && own
            .parent()
            .is_some_and(|above| !above.join("cgroup.kill").exists())
    {
        return Some("the kernel has no cgroup.kill (Linux 5.14)".to_owned());
    }
    Some(format!(
        "none can be made below {shown}: it has to be this user's (in a systemd unit: Delegate=yes)"
    ))
}

/// The directory of our own cgroup on the v2 hierarchy.
fn own_directory() -> Option<PathBuf> {
    let membership = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = membership
        .lines()
        .find_map(|line| line.strip_prefix("0::"))?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    mounts.lines().find_map(|line| directory_below(line, own))
}

/// One line of mountinfo (proc(5)): `id parent device root mountpoint options ... - type ...`.
fn directory_below(mount: &str, own: &str) -> Option<PathBuf> {
    let (left, right) = mount.split_once(" - ")?;
    if right.split(' ').next() != Some("cgroup2") {
        return None;
    }
    let mut fields = left.split(' ').skip(3);
    let (root, point) = (fields.next()?, fields.next()?);
    let below = own.strip_prefix(root.trim_end_matches('/'))?;
    // A cgroup outside our cgroup namespace shows as "/..": out of reach.
    let outside = own.split('/').any(|part| part == "..");
    let child = below.is_empty() || below.starts_with('/');
    (!outside && child).then(|| Path::new(point).join(below.trim_start_matches('/')))
}

/// What our cgroups are called, up to the process id. The PID namespace is part of it: another container
/// in the same cgroup has a process with our number, and of its leasectl we cannot see whether it lives.
fn prefix() -> Option<String> {
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    let number: String = namespace
        .to_str()?
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    Some(format!("leasectl-{number}-"))
}

/// Removes a cgroup, and before it those of leasectls that ran inside and were killed with it. The
/// kernel refuses to remove one with a process in it.
fn remove(path: &Path) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("leasectl-") {
            remove(&entry.path());
        }
    }
    fs::remove_dir(path).ok();
}

/// So many of the others are looked at: a machine with a thousand of them starts one as fast as any other.
const LOOKED_AT: usize = 16;

/// Removes what a front and guardian left that were killed in the same instant, and what an earlier process
/// of our number left. The kernel refuses to remove a cgroup with a process in it, and a living leasectl's is
/// left alone. Where there are many, each start looks at some.
fn sweep(parent: &Path, prefix: &str) {
    let own = std::process::id();
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let process = |name: &str| name.strip_prefix(prefix)?.parse::<u32>().ok();
    let processes: Vec<u32> = entries
        .filter_map(|entry| process(entry.file_name().to_str()?))
        .collect();
    let from = own as usize % processes.len().max(1);
    let some = processes.iter().cycle().skip(from);
    for process in some.take(LOOKED_AT.min(processes.len())) {
        if *process != own && !Path::new("/proc").join(process.to_string()).exists() {
            remove(&parent.join(format!("{prefix}{process}")));
        }
    }
    if processes.contains(&own) {
        remove(&parent.join(format!("{prefix}{own}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cgroup_that_was_removed_is_empty() {
        // Where none can be made there is nothing to look at; tests/it says so.
        let Some(cgroup) = Cgroup::create() else {
            return;
        };
        assert!(!cgroup.is_populated());
        cgroup.remove();
        assert!(!cgroup.path.exists());
        assert!(!cgroup.is_populated());
    }

    /// A plain directory stands for the file system of cgroups: there, too, only what is empty can be removed.
    #[test]
    fn each_start_looks_at_some_of_many() {
        let parent = tempfile::tempdir().unwrap();
        let make = |process: u32| {
            let name = format!("leasectl-7-{process}");
            fs::create_dir(parent.path().join(name)).unwrap();
        };
        // The kernel gives no process such a number, and there always is a first one.
        let dead = 5_000_000..5_000_100;
        dead.clone().for_each(make);
        make(1);
        let left = || fs::read_dir(parent.path()).unwrap().count();
        let mut before = left();
        assert_eq!(before, dead.len() + 1);
        for _ in dead {
            sweep(parent.path(), "leasectl-7-");
            let now = left();
            let looked_at = before.min(LOOKED_AT);
            assert!((looked_at - 1..=looked_at).contains(&(before - now)));
            before = now;
        }
        assert_eq!(before, 1, "a living one's is left alone");
    }

    #[test]
    fn the_directory_is_found_below_the_mount() {
        let whole = "42 32 0:39 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup rw,nsdelegate";
        let found = |own| directory_below(whole, own);
        assert_eq!(found("/"), Some(PathBuf::from("/sys/fs/cgroup/")));
        assert_eq!(found("/a/b"), Some(PathBuf::from("/sys/fs/cgroup/a/b")));
        assert_eq!(found("/../b"), None);
        let part = "42 32 0:39 /a /cg rw - cgroup2 cgroup rw";
        assert_eq!(directory_below(part, "/a/b"), Some(PathBuf::from("/cg/b")));
        assert_eq!(directory_below(part, "/ab"), None);
        let old = "42 32 0:39 / /cg rw - cgroup cgroup rw,memory";
        assert_eq!(directory_below(old, "/"), None);
    }
}
