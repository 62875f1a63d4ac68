//! Open file description locks, tried and never waited for: the kernel frees them with the last copy of the
//! descriptor, whatever becomes of the process.

use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

/// What is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The file.
    Whole,
    /// One byte, which need not be there.
    Byte(u32),
}

/// How.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Others may too. For a descriptor that can be read.
    Shared,
    /// Nobody else. For a descriptor that can be written.
    Alone,
    /// Not any more.
    Free,
}

/// Whether it could be had.
pub(super) fn set(fd: &impl AsFd, part: Part, kind: Kind) -> bool {
    let wanted = flock(part, kind);
    loop {
        match fcntl(fd, FcntlArg::F_OFD_SETLK(&wanted)) {
            Err(Errno::EINTR) => {}
            other => return other.is_ok(),
        }
    }
}

/// Whether no other description has a lock on it. Any descriptor will do.
pub(super) fn is_free(fd: &impl AsFd, part: Part) -> bool {
    let mut found = flock(part, Kind::Alone);
    let asked = fcntl(fd, FcntlArg::F_OFD_GETLK(&mut found));
    asked.is_ok() && i32::from(found.l_type) == libc::F_UNLCK
}

fn flock(part: Part, kind: Kind) -> libc::flock {
    let kind = match kind {
        Kind::Shared => libc::F_RDLCK,
        Kind::Alone => libc::F_WRLCK,
        Kind::Free => libc::F_UNLCK,
    };
    let (start, length) = match part {
        // Zero is up to the end, wherever that comes to be.
        Part::Whole => (0, 0),
        Part::Byte(at) => (i64::from(at), 1),
    };
    libc::flock {
        l_type: i16::try_from(kind).unwrap_or_default(),
        l_whence: i16::try_from(libc::SEEK_SET).unwrap_or_default(),
        l_start: start,
        l_len: length,
        l_pid: 0,
    }
}
