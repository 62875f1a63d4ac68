//! The kernel lock on a lease's lock file: an open file description lock, which belongs to the open
//! file and not to a process, so that a whole tree can carry it and `status` can ask for it.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::sys::stat::FileStat;

use super::directory::Directory;
use super::files::Files;
use super::trouble::Trouble;

/// How often a lock file may be found replaced before we give up.
pub(super) const MOST_CHANGES: usize = 16;

fn whole_file(kind: libc::c_int) -> libc::flock {
    libc::flock {
        l_type: i16::try_from(kind).unwrap_or_default(),
        l_whence: i16::try_from(libc::SEEK_SET).unwrap_or_default(),
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

/// Gives the lock of this open file back, for every process that has a copy of the descriptor.
/// Closing would leave it with them.
pub(super) fn unlock(fd: &OwnedFd) {
    // Fails only for a descriptor that is none; then there is no lock either.
    let _unlocked = fcntl(fd, FcntlArg::F_OFD_SETLK(&whole_file(libc::F_UNLCK)));
}

/// Takes the lock of an open file if it is free.
pub(super) fn try_lock_file(fd: &OwnedFd) -> Result<bool, Errno> {
    match fcntl(fd, FcntlArg::F_OFD_SETLK(&whole_file(libc::F_WRLCK))) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// A checked, open lock file.
#[derive(Debug)]
pub(super) struct LockFile {
    fd: OwnedFd,
    stat: FileStat,
}

/// A lock file whose lock is ours. Dropped, it is unlocked.
#[derive(Debug)]
pub(super) struct Locked {
    file: Option<LockFile>,
}

impl LockFile {
    /// Opens the lock file of a lease, and makes it when there is none.
    pub(super) fn open(files: &Files<'_>, directory: &Directory) -> Result<Self, Trouble> {
        for _ in 0..MOST_CHANGES {
            // The usual case first, which spares a system call. Neither call follows or replaces
            // anything, so their order changes nothing else.
            let fd = match files.open(&files.lock, OFlag::O_RDWR)? {
                Some(fd) => Some(fd),
                None => files.create(&files.lock, directory.private_mode())?,
            };
            if let Some(fd) = fd {
                let stat = files.check(&files.lock, &fd)?;
                return Ok(Self { fd, stat });
            }
        }
        Err(keeps_changing(files, directory))
    }

    /// Takes the lock if it is free; otherwise gives the file back.
    pub(super) fn try_lock(self) -> Result<Result<Locked, Self>, Errno> {
        Ok(if try_lock_file(&self.fd)? {
            Ok(Locked { file: Some(self) })
        } else {
            Err(self)
        })
    }

    /// Sleeps until the lock is ours, or until a signal comes while nobody wants it any more, which is
    /// `EINTR`.
    pub(super) fn lock(self, is_wanted: impl Fn() -> bool) -> Result<Locked, Errno> {
        loop {
            match fcntl(&self.fd, FcntlArg::F_OFD_SETLKW(&whole_file(libc::F_WRLCK))) {
                Ok(_) => return Ok(Locked { file: Some(self) }),
                Err(Errno::EINTR) if is_wanted() => {}
                Err(errno) => return Err(errno),
            }
        }
    }
}

impl Locked {
    /// Whether the locked file is still the one that has the lease's name. A lock on a file that was
    /// removed or replaced excludes nobody who comes later.
    pub(super) fn is_current(&self, files: &Files<'_>) -> Result<bool, Trouble> {
        match &self.file {
            Some(file) => files.is_current(&files.lock, &file.stat),
            None => Ok(false),
        }
    }

    /// The lock as a hold carries it; from here on only [`unlock`] or the last close ends it.
    pub(super) fn keep(mut self) -> Option<(Arc<OwnedFd>, FileStat)> {
        let file = self.file.take()?;
        Some((Arc::new(file.fd), file.stat))
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            unlock(&file.fd);
        }
    }
}

/// Why the lock file could not be locked under its name.
pub(super) fn keeps_changing(files: &Files<'_>, directory: &Directory) -> Trouble {
    if directory.is_current() == Ok(false) {
        return directory.is_gone();
    }
    Trouble::Unfit(format!(
        "{} keeps changing: it was replaced {MOST_CHANGES} times while being locked; find out who \
         removes lock files, which are never to be removed",
        files.path_of(&files.lock).display()
    ))
}

/// Whether anybody has the lock; `None` when we may not ask. Asking takes nothing: a process that
/// tries for the lock at this moment is not refused because of us.
pub(super) fn is_locked(files: &Files<'_>) -> Result<Option<bool>, Trouble> {
    let fd = match files.open(&files.lock, OFlag::O_RDONLY) {
        Ok(Some(fd)) => fd,
        Ok(None) => return Ok(Some(false)),
        Err(Trouble::Os {
            errno: Errno::EACCES | Errno::EPERM,
            ..
        }) => return Ok(None),
        Err(trouble) => return Err(trouble),
    };
    let mut found = whole_file(libc::F_WRLCK);
    fcntl(&fd, FcntlArg::F_OFD_GETLK(&mut found))
        .map_err(|errno| files.trouble("ask for the lock of", &files.lock, errno))?;
    Ok(Some(libc::c_int::from(found.l_type) != libc::F_UNLCK))
}
