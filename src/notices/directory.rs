//! The directory that the processes of a domain share, and what in it is trusted.
//!
//! Opened once, and everything in it reached through that descriptor. It belongs to us or to somebody who
//! is trusted, and nobody else may write it; so do the files. Nothing is ever followed through a link, and
//! what is not trusted is left alone: it is not ours to remove. Link counts are not looked at: a file that has
//! just been replaced has none, and any user who may make links could hide events.

use std::fs::{DirBuilder, File};
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat};
use nix::unistd::{AccessFlags, UnlinkatFlags, faccessat, geteuid, unlinkat};

use super::cache::{self, Cache, LARGEST};
use crate::clock::{BootClock, Clock};

/// The name of the cache file.
pub(super) const EVENTS: &str = "events";

/// A directory that has been looked over.
#[derive(Debug)]
pub(super) struct Directory {
    fd: OwnedFd,
    path: PathBuf,
    owner: u32,
    /// Its group writes it too, and its members trust one another.
    shared: bool,
}

/// Why a directory or file is not used: for people, with its path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub(super) struct Distrust {
    why: String,
    passes: bool,
}

impl Distrust {
    fn of(path: &Path, why: impl std::fmt::Display) -> Self {
        Self {
            why: format!("{:?}: {why}", path.display().to_string()),
            passes: false,
        }
    }

    /// Whether it is worth another look soon.
    pub(super) const fn may_pass(&self) -> bool {
        self.passes
    }

    /// The files in it come and go under our hands.
    pub(super) fn keeps_changing(directory: &Directory) -> Self {
        Self {
            passes: true,
            ..Self::of(&directory.path, "its seats keep changing")
        }
    }
}

/// Whom a directory may belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trusted {
    /// Root and ourselves.
    RootAndUs,
    /// Whoever owns it: the operator named it.
    ItsOwner,
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Directory {
    /// Opens one and looks it over. `None`: there is none.
    pub(super) fn open(path: &Path, trusted: Trusted) -> Result<Option<Self>, Distrust> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = match open(path, flags, Mode::empty()) {
            Err(Errno::ENOENT) => return Ok(None),
            Err(Errno::ELOOP | Errno::ENOTDIR) => {
                return Err(Distrust::of(path, "it is a symbolic link or no directory"));
            }
            other => other.map_err(|errno| Distrust::of(path, errno.desc()))?,
        };
        let stat = fstat(&fd).map_err(|errno| Distrust::of(path, errno.desc()))?;
        let mode = stat.st_mode & 0o7777;
        let shared = mode & 0o2070 == 0o2070;
        let ours = stat.st_uid == 0 || stat.st_uid == geteuid().as_raw();
        let foreign = !ours && trusted == Trusted::RootAndUs;
        if foreign || mode & 0o002 != 0 || (mode & 0o020 != 0 && !shared) {
            let why = format!(
                "its owner {} or its mode {mode:04o} lets others write it",
                stat.st_uid
            );
            return Err(Distrust::of(path, why));
        }
        Ok(Some(Self {
            fd,
            path: path.to_owned(),
            owner: stat.st_uid,
            shared,
        }))
    }

    /// Opens our own, and makes it where it is not.
    pub(super) fn open_or_make(path: &Path) -> Result<Self, Distrust> {
        let mode = if geteuid().is_root() { 0o755 } else { 0o700 };
        if let Some(found) = Self::open(path, Trusted::RootAndUs)? {
            return Ok(found);
        }
        let made = DirBuilder::new().recursive(true).mode(mode).create(path);
        made.map_err(|error| Distrust::of(path, error))?;
        let found = Self::open(path, Trusted::RootAndUs)?;
        let found = found.ok_or_else(|| Distrust::of(path, "it goes as it is made"))?;
        if found.owner == geteuid().as_raw() {
            // The mask may have taken rights away that others need for reading.
            fchmod(&found.fd, Mode::from_bits_truncate(mode)).ok();
        }
        Ok(found)
    }

    /// Whether files can be made in it.
    pub(super) fn is_writable(&self) -> bool {
        let all = AccessFlags::W_OK | AccessFlags::X_OK;
        faccessat(&self.fd, ".", all, AtFlags::AT_EACCESS).is_ok()
    }

    /// Whether a group that trusts itself writes it.
    pub(super) const fn is_shared(&self) -> bool {
        self.shared
    }

    /// Its path, for people.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The mode of the cache, and of the files that carry locks: who can read one of those can block it.
    fn mode(&self, lock: bool) -> Mode {
        let mode = match (self.shared, lock) {
            (true, _) => 0o660,
            (false, false) if geteuid().is_root() => 0o644,
            (false, _) => 0o600,
        };
        Mode::from_bits_truncate(mode)
    }

    /// Whether a file in it is believed: regular, of the right owner, writable by nobody else.
    pub(super) fn check(&self, name: &str, stat: &FileStat) -> Result<(), Distrust> {
        let path = self.path.join(name);
        if SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT != SFlag::S_IFREG {
            return Err(Distrust::of(&path, "it is no regular file"));
        }
        let mode = stat.st_mode & 0o7777;
        let ours = [0, geteuid().as_raw(), self.owner].contains(&stat.st_uid);
        let others = if self.shared { 0o002 } else { 0o022 };
        if (ours || self.shared) && mode & others == 0 {
            return Ok(());
        }
        let why = format!(
            "its owner {} or its mode {mode:04o} lets others write it",
            stat.st_uid
        );
        Err(Distrust::of(&path, why))
    }

    /// Opens a file in it; a fifo does not make it wait, a link is not followed.
    pub(super) fn open_file(&self, name: &str, flags: OFlag) -> Result<Option<OwnedFd>, Distrust> {
        let path = self.path.join(name);
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let fd = match openat(&self.fd, name, flags, self.mode(true)) {
            Err(Errno::ENOENT) => return Ok(None),
            Err(Errno::ELOOP) => return Err(Distrust::of(&path, "it is a symbolic link")),
            other => other.map_err(|errno| Distrust::of(&path, errno.desc()))?,
        };
        let stat = fstat(&fd).map_err(|errno| Distrust::of(&path, errno.desc()))?;
        self.check(name, &stat)?;
        Ok(Some(fd))
    }

    /// Makes a file for locks; `None`: there is one already.
    pub(super) fn make_file(&self, name: &str) -> Result<Option<OwnedFd>, Distrust> {
        let flags =
            OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        match openat(&self.fd, name, flags, self.mode(true)) {
            Err(Errno::EEXIST) => Ok(None),
            Err(errno) => Err(Distrust::of(&self.path.join(name), errno.desc())),
            Ok(fd) => {
                fchmod(&fd, self.mode(true)).ok();
                Ok(Some(fd))
            }
        }
    }

    /// Removes a file of ours.
    pub(super) fn remove(&self, name: &str) {
        // Somebody else may have been faster.
        unlinkat(&self.fd, name, UnlinkatFlags::NoRemoveDir).ok();
    }

    /// The cache, if there is one of this boot that can be believed.
    pub(super) fn cache(&self, boot: &str) -> Result<Option<Cache>, Distrust> {
        let Some(fd) = self.open_file(EVENTS, OFlag::O_RDONLY)? else {
            return Ok(None);
        };
        let path = self.path.join(EVENTS);
        let mut bytes = Vec::new();
        let most = u64::try_from(LARGEST).unwrap_or(u64::MAX).saturating_add(1);
        let read = File::from(fd).take(most).read_to_end(&mut bytes);
        read.map_err(|error| Distrust::of(&path, error))?;
        // The time is read last: stamps are compared with a later clock, never an earlier one.
        cache::decode(&bytes, boot, BootClock.now()).map_err(|why| Distrust::of(&path, why))
    }

    /// Puts a cache in the place of the one that is there. Nobody sees half of it.
    pub(super) fn put_cache(&self, bytes: &[u8]) -> Result<(), Distrust> {
        let name = format!(".events.{}", std::process::id());
        let failed = |errno: Errno| Distrust::of(&self.path.join(EVENTS), errno.desc());
        // What an earlier process of this number left.
        self.remove(&name);
        let flags =
            OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = openat(&self.fd, name.as_str(), flags, self.mode(false)).map_err(failed)?;
        fchmod(&fd, self.mode(false)).map_err(failed)?;
        let written = File::from(fd).write_all(bytes);
        if let Err(error) = written {
            self.remove(&name);
            return Err(Distrust::of(&self.path.join(EVENTS), error));
        }
        // No flush: after a restart nobody believes it anyway.
        renameat(&self.fd, name.as_str(), &self.fd, EVENTS).map_err(failed)
    }

    /// The numbers of the seats in it, lowest first.
    pub(super) fn seats(&self) -> Result<Vec<u32>, Distrust> {
        let failed = |errno: Errno| Distrust::of(&self.path, errno.desc());
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        // A descriptor of its own: the place in the listing is kept by the open file.
        let mut listing =
            nix::dir::Dir::openat(&self.fd, ".", flags, Mode::empty()).map_err(failed)?;
        let mut seats = Vec::new();
        for entry in listing.iter().flatten() {
            let name = entry.file_name().to_str().unwrap_or_default();
            let number = name.strip_prefix("seat.").filter(|digits| {
                (1..=9).contains(&digits.len())
                    && digits.bytes().all(|digit| digit.is_ascii_digit())
            });
            seats.extend(number.and_then(|digits| digits.parse::<u32>().ok()));
        }
        seats.sort_unstable();
        Ok(seats)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::notices::cache::{Header, encode};

    fn directory(around: &tempfile::TempDir) -> Directory {
        Directory::open_or_make(&around.path().join("d")).unwrap()
    }

    fn good(boot: &str) -> Vec<u8> {
        encode(&Header::new(boot.to_owned(), 1), b"{}")
    }

    #[test]
    fn a_cache_is_put_and_found() {
        let around = tempfile::tempdir().unwrap();
        let directory = directory(&around);
        assert_eq!(directory.cache("b"), Ok(None));
        directory.put_cache(&good("b")).unwrap();
        assert!(directory.cache("b").unwrap().is_some());
        assert_eq!(directory.cache("c"), Ok(None));
        // Nothing is left beside it.
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        assert!(directory.is_writable());
    }

    #[test]
    fn what_others_could_have_written_is_not_believed() {
        let around = tempfile::tempdir().unwrap();
        let directory = directory(&around);
        let path = directory.path().join(EVENTS);
        let chmod = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        for mode in [0o666, 0o660, 0o602] {
            directory.put_cache(&good("b")).unwrap();
            chmod(mode);
            let why = directory.cache("b").unwrap_err().to_string();
            assert!(why.contains("lets others write it"), "{why}");
        }
        fs::remove_file(&path).unwrap();
        fs::write(around.path().join("elsewhere"), good("b")).unwrap();
        symlink(around.path().join("elsewhere"), &path).unwrap();
        assert!(
            directory
                .cache("b")
                .unwrap_err()
                .to_string()
                .contains("symbolic link")
        );
        fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, Mode::S_IRWXU).unwrap();
        assert!(
            directory
                .cache("b")
                .unwrap_err()
                .to_string()
                .contains("no regular file")
        );
        fs::remove_file(&path).unwrap();
        fs::write(&path, vec![b'x'; 200_000]).unwrap();
        assert!(directory.cache("b").is_err());
        // A second link changes nothing: it would be a way to hide events.
        directory.put_cache(&good("b")).unwrap();
        fs::hard_link(&path, around.path().join("link")).unwrap();
        assert!(directory.cache("b").unwrap().is_some());
    }

    #[test]
    fn a_directory_that_others_can_write_is_not_used() {
        let around = tempfile::tempdir().unwrap();
        let path = around.path().join("d");
        assert!(
            Directory::open(&path, Trusted::RootAndUs)
                .unwrap()
                .is_none()
        );
        fs::create_dir(&path).unwrap();
        for mode in [0o777, 0o1777, 0o770] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(
                Directory::open(&path, Trusted::ItsOwner).is_err(),
                "{mode:o}"
            );
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o2770)).unwrap();
        assert!(
            Directory::open(&path, Trusted::RootAndUs)
                .unwrap()
                .is_some()
        );
        symlink(&path, around.path().join("link")).unwrap();
        assert!(Directory::open(&around.path().join("link"), Trusted::RootAndUs).is_err());
    }

    #[test]
    fn seats_are_numbered() {
        let around = tempfile::tempdir().unwrap();
        let directory = directory(&around);
        for name in [
            "seat.2",
            "seat.10",
            "seat.",
            "seat.x",
            "seat.1234567890",
            "seat.-1",
        ] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        assert_eq!(directory.seats(), Ok(vec![2, 10]));
    }
}
