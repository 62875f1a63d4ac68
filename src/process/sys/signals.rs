//! Dispositions of signals, and sending them.
#![expect(unsafe_code, reason = "this folder is where it is kept")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::thread::JoinHandleExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::{Pid, check};

static SIGPIPE_IGNORED: AtomicBool = AtomicBool::new(false);
static SIGCHLD_IGNORED: AtomicBool = AtomicBool::new(false);

/// Reads the dispositions that the caller gave us, before std's start-up sets SIGPIPE to ignored.
extern "C" fn read_inherited_dispositions() {
    SIGPIPE_IGNORED.store(is_ignored(libc::SIGPIPE), Ordering::Relaxed);
    SIGCHLD_IGNORED.store(is_ignored(libc::SIGCHLD), Ordering::Relaxed);
}

// SAFETY: the section holds function pointers of this type, which the dynamic loader (or the static
// start-up code) calls once, before `main`, on the only thread; the function takes no argument it
// relies on, touches only atomics and makes two system calls.
#[used]
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = read_inherited_dispositions;

/// Whether the caller of this program had SIGPIPE ignored.
pub(in crate::process) fn sigpipe_was_ignored() -> bool {
    SIGPIPE_IGNORED.load(Ordering::Relaxed)
}

/// Whether the caller of this program had SIGCHLD ignored.
pub(in crate::process) fn sigchld_was_ignored() -> bool {
    SIGCHLD_IGNORED.load(Ordering::Relaxed)
}

/// Whether `signal` is ignored now.
pub(in crate::process) fn is_ignored(signal: i32) -> bool {
    // SAFETY: an all-zero sigaction is a valid value of that plain struct.
    let mut now: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: a null new action only queries; `now` is valid for writing for the whole call.
    let answer = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut now) };
    answer == 0 && now.sa_sigaction == libc::SIG_IGN
}

/// What a process does with a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::process) enum Disposition {
    /// The kernel's default.
    Default,
    /// Nothing.
    Ignore,
}

/// Sets what this process does with `signal`.
///
/// # Errors
/// The kernel's, for a number that is no signal or cannot be changed.
pub(in crate::process) fn set_disposition(signal: i32, disposition: Disposition) -> io::Result<()> {
    let handler = match disposition {
        Disposition::Default => libc::SIG_DFL,
        Disposition::Ignore => libc::SIG_IGN,
    };
    // SAFETY: an all-zero sigaction (no flags, empty mask) is a valid value of that plain struct.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    // SAFETY: `action` is valid for the whole call and names no code of ours: SIG_DFL or SIG_IGN.
    check(unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) })?;
    Ok(())
}

/// Lets `signal` cut short what a thread of this process sleeps in, and do nothing else.
///
/// # Errors
/// The kernel's, for a number that is no signal or cannot be handled.
pub(in crate::process) fn let_interrupt(signal: i32) -> io::Result<()> {
    extern "C" fn nothing(_signal: libc::c_int) {}
    let handler: extern "C" fn(libc::c_int) = nothing;
    // SAFETY: an all-zero sigaction (no flags, so that system calls are not restarted, and an empty
    // mask) is a valid value of that plain struct.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as usize;
    // SAFETY: `action` is valid for the whole call, and its handler, which has the type that is expected
    // without SA_SIGINFO, does nothing and so may interrupt anything.
    check(unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) })?;
    Ok(())
}

/// Sends `signal` to one thread of this process; one that has ended gets nothing.
pub(in crate::process) fn wake(thread: &JoinHandle<()>, signal: i32) {
    // An integer for the standard library everywhere, for the C library a pointer on some systems.
    let id = thread.as_pthread_t() as libc::pthread_t;
    // SAFETY: the handle has not been joined or detached, so the thread's id is valid, also once the
    // thread has ended.
    unsafe { libc::pthread_kill(id, signal) };
}

/// A descriptor that names one process for good, however its number is used later.
pub(in crate::process) fn pidfd_open(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two integers and returns a new descriptor or -1.
    let answer = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = check(libc::c_int::try_from(answer).unwrap_or(-1))?;
    // SAFETY: the kernel has just made this descriptor for us and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sends `signal` to the process behind `pidfd`.
pub(in crate::process) fn pidfd_send(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    // SAFETY: the descriptor is open while borrowed; a null siginfo means "as kill(2) would".
    let answer = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    check(libc::c_int::try_from(answer).unwrap_or(-1))?;
    Ok(())
}

/// Sends `signal` to one process; 0 only asks whether that would be allowed.
pub(in crate::process) fn send(pid: Pid, signal: i32) -> io::Result<()> {
    // A zero or negative number would address groups, or everything we may signal.
    if pid <= 1 {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    // SAFETY: kill takes two integers and touches no memory of ours.
    check(unsafe { libc::kill(pid, signal) })?;
    Ok(())
}

/// Sends `signal` to ourselves, whatever our process id is.
pub(in crate::process) fn send_self(signal: i32) -> io::Result<()> {
    // SAFETY: getpid and kill take and return integers only.
    check(unsafe { libc::kill(libc::getpid(), signal) })?;
    Ok(())
}

/// Sends `signal` to a process group.
pub(in crate::process) fn send_group(group: Pid, signal: i32) -> io::Result<()> {
    if group <= 1 {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    // SAFETY: killpg takes two integers and touches no memory of ours.
    check(unsafe { libc::killpg(group, signal) })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_everybody_cannot_be_addressed_by_mistake() {
        for number in [-1, 0, 1] {
            assert!(send(number, 0).is_err());
            assert!(send_group(number, 0).is_err());
        }
    }
}
