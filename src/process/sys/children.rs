//! Making children and learning what became of them.
#![expect(unsafe_code, reason = "this folder is where it is kept")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::{Pid, check};

/// Which side of a fork we are on.
#[derive(Debug)]
pub(in crate::process) enum Fork {
    /// The new process.
    Child,
    /// The old one.
    Parent(Pid),
}

/// Forks. Refuses while this process has more than one thread: the child of such a fork may find a
/// lock (the allocator's) held for ever by a thread that it does not have.
pub(in crate::process) fn fork_alone() -> io::Result<Fork> {
    // One that has ended and was joined is still listed for a moment.
    for _ in 0..100 {
        if std::fs::read_dir("/proc/self/task")?.count() == 1 {
            return fork();
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    Err(io::Error::other("a second thread runs already"))
}

/// Forks. The guardian's way, which has one thread by construction.
pub(in crate::process) fn fork() -> io::Result<Fork> {
    // SAFETY: the calling process has one thread (checked by `fork_alone` for the front, and the
    // guardian never starts one), so the child inherits no lock that another thread holds.
    let answer = check(unsafe { libc::fork() })?;
    Ok(if answer == 0 {
        Fork::Child
    } else {
        Fork::Parent(answer)
    })
}

/// Forks, and has the child born inside `cgroup` (clone3(2), `CLONE_INTO_CGROUP`): moving it there
/// afterwards would let it fork on the outside first, and costs milliseconds of the kernel's time.
pub(in crate::process) fn fork_into(cgroup: BorrowedFd<'_>) -> io::Result<Fork> {
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    // SAFETY: an all-zero clone_args is a valid value of that plain struct.
    let mut how: libc::clone_args = unsafe { std::mem::zeroed() };
    how.flags = CLONE_INTO_CGROUP;
    how.exit_signal = libc::SIGCHLD as u64;
    how.cgroup = cgroup.as_raw_fd() as u64;
    // SAFETY: without CLONE_VM and with no stack given, clone3 is fork(2): the child runs on a copy
    // of this stack. The caller has one thread, so no lock is inherited. `how` is valid for the call.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_clone3,
            &raw const how,
            size_of::<libc::clone_args>(),
        )
    };
    let answer = check(libc::c_int::try_from(answer).unwrap_or(-1))?;
    Ok(if answer == 0 {
        Fork::Child
    } else {
        Fork::Parent(answer)
    })
}

/// Ends this process at once: no destructors, no buffers, no exit handlers that belong to the parent.
pub(in crate::process) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit takes any number, has no other requirement and does not return.
    unsafe { libc::_exit(code) }
}

/// What became of one of our children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It ended with this exit code.
    Exited(i32),
    /// This signal killed it.
    Killed(i32),
    /// This signal stopped it.
    Stopped(i32),
    /// It goes on.
    Continued,
}

/// The answer to [`reap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::process) enum Reaped {
    /// Something happened to this child.
    Child(Pid, Change),
    /// There are children, and nothing has happened to them.
    Nothing,
    /// There are no children: for the guardian the proof that the tree is gone.
    NoChildren,
}

/// Whether this process has children; takes nothing from them.
pub(in crate::process) fn has_children() -> bool {
    // SAFETY: an all-zero siginfo_t is a valid value of that plain struct.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
    // SAFETY: `info` is valid for writing for the whole call.
    unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, options) == 0 }
}

/// Whether a child has ended; takes nothing from it. Once this says no, everything that was seen before
/// was seen before its end.
pub(in crate::process) fn has_ended(child: Pid) -> bool {
    let Ok(child) = libc::id_t::try_from(child) else {
        return true;
    };
    // SAFETY: an all-zero siginfo_t is a valid value of that plain struct.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
    // SAFETY: `info` is valid for writing for the whole call.
    let answer = unsafe { libc::waitid(libc::P_PID, child, &raw mut info, options) };
    // SAFETY: the kernel fills in the members of SIGCHLD, or leaves the zeros.
    answer != 0 || unsafe { info.si_pid() } != 0
}

/// Asks, without waiting, what happened to any child, stops included.
pub(in crate::process) fn reap() -> Reaped {
    let mut status = 0;
    let options = libc::WNOHANG | libc::WUNTRACED | libc::WCONTINUED | libc::__WALL;
    loop {
        // SAFETY: `status` is valid for writing for the whole call.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, options) };
        return match pid {
            0 => Reaped::Nothing,
            pid if pid > 0 => match decode(status) {
                Some(change) => Reaped::Child(pid, change),
                None => continue,
            },
            _ => match io::Error::last_os_error().raw_os_error() {
                Some(libc::ECHILD) => Reaped::NoChildren,
                _ => continue,
            },
        };
    }
}

fn decode(status: libc::c_int) -> Option<Change> {
    if libc::WIFEXITED(status) {
        Some(Change::Exited(libc::WEXITSTATUS(status)))
    } else if libc::WIFSIGNALED(status) {
        Some(Change::Killed(libc::WTERMSIG(status)))
    } else if libc::WIFSTOPPED(status) {
        Some(Change::Stopped(libc::WSTOPSIG(status)))
    } else if libc::WIFCONTINUED(status) {
        Some(Change::Continued)
    } else {
        None
    }
}
