//! A process that leasectl did not start and guards all the same (`hold --pid`).
//!
//! It is known by its pidfd, so that a signal never reaches another process to which the kernel has given
//! its number since. Its children are out of reach, and it is nobody's to reap here: that it has ended
//! is seen, and not how.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::io::unix::AsyncFd;

use super::guard::{Main, Subject};
use super::guardian::Guardian;
use super::message::{Part, Report};
use super::sys::{self, Change, Pid};

/// The process.
#[derive(Debug)]
pub struct Charge {
    pid: Pid,
    pidfd: OwnedFd,
}

impl Charge {
    /// The process that has this number now.
    ///
    /// # Errors
    /// `ESRCH` when there is none, `EINVAL` when it is no process but a thread of one, `EPERM` when we may
    /// not send it signals.
    pub fn of(pid: Pid) -> io::Result<Self> {
        let pidfd = sys::pidfd_open(pid)?;
        sys::pidfd_send(pidfd.as_fd(), 0)?;
        Ok(Self { pid, pidfd })
    }

    /// The same once more, for another owner.
    ///
    /// # Errors
    /// No descriptor to be had.
    pub fn again(&self) -> io::Result<Self> {
        Ok(Self {
            pid: self.pid,
            pidfd: self.pidfd.try_clone()?,
        })
    }

    /// Its number, for people.
    #[must_use]
    pub const fn pid(&self) -> Pid {
        self.pid
    }

    /// Whether it has ended. A zombie has.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        let mut fds = [PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }

    /// Asks it to end. One that is stopped has to be continued to hear it; to others that says nothing.
    pub(super) fn stop(&self, signal: i32) {
        sys::pidfd_send(self.pidfd.as_fd(), signal).ok();
        sys::pidfd_send(self.pidfd.as_fd(), libc::SIGCONT).ok();
    }

    pub(super) fn kill(&self) {
        sys::pidfd_send(self.pidfd.as_fd(), libc::SIGKILL).ok();
    }
}

impl AsFd for Charge {
    /// Readable once it has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl Guardian {
    /// Guards what is there already: nothing is started.
    pub(super) fn take_charge(&mut self) {
        let Main::Charge(charge) = &self.main else {
            return;
        };
        let pid = charge.as_ref().map_or(0, Charge::pid);
        self.execution.born(pid, Part::Command);
        let contained = false;
        self.tell(Report::Started { pid, contained });
    }

    /// Whether it is a process of somebody else's that is guarded now, or nothing in its place.
    pub(super) fn guards_a_charge(&self) -> bool {
        matches!(self.main, Main::Charge(_)) && self.execution.has_main()
    }

    /// That process, while it is guarded.
    pub(super) fn charge(&self) -> Option<&Charge> {
        match &self.main {
            Main::Charge(charge) if self.execution.has_main() => charge.as_ref(),
            Main::Charge(_) | Main::Command(_) => None,
        }
    }

    /// The command, as long as it is a child of ours that has not been reaped: its number is its own.
    pub(super) fn own_command(&self) -> Option<Pid> {
        let command = self.execution.command();
        command.filter(|_| !self.guards_a_charge())
    }

    /// It has ended; without one there is nothing that has to end before the tree counts as empty.
    pub(super) fn look_at_charge(&mut self) {
        if !self.guards_a_charge() {
            return;
        }
        let over = match self.charge() {
            Some(charge) => charge.has_ended(),
            None => self.execution.is_ending(),
        };
        if over {
            self.command_changed(Change::Exited(0));
        }
    }

    /// It goes on unguarded, because the lease is not needed any more. What the lease's own end has begun
    /// is not undone (P10).
    pub(super) fn let_charge_go(&mut self) {
        if !self.execution.is_ending() {
            self.command_changed(Change::Exited(0));
        }
    }
}

/// What the front has to know of what is guarded.
#[derive(Debug)]
pub(super) enum Ward {
    /// A command: the guardian's child, and ours after its death.
    Command,
    /// Nothing that could be told to end.
    Nobody,
    /// Somebody else's process.
    Process(Charge),
}

impl Ward {
    pub(super) fn of(subject: &Subject) -> io::Result<Self> {
        Ok(match subject {
            Subject::Command(_) => Self::Command,
            Subject::Charge(None) => Self::Nobody,
            Subject::Charge(Some(charge)) => Self::Process(charge.again()?),
        })
    }
}

/// The same, watched for the time after the guardian's death.
#[derive(Debug)]
pub(super) struct Watched {
    ward: Ward,
    ended: Option<AsyncFd<OwnedFd>>,
    stop_signal: i32,
}

impl Watched {
    /// Call inside the runtime.
    pub(super) fn of(ward: Ward, stop_signal: i32) -> io::Result<Self> {
        let ended = match &ward {
            Ward::Process(charge) => Some(sys::watch(charge.as_fd())?),
            Ward::Nobody | Ward::Command => None,
        };
        Ok(Self {
            ward,
            ended,
            stop_signal,
        })
    }

    /// Whether a charge, or nothing in its place, is guarded.
    pub(super) const fn is_one(&self) -> bool {
        !matches!(self.ward, Ward::Command)
    }

    const fn charge(&self) -> Option<&Charge> {
        match &self.ward {
            Ward::Process(charge) => Some(charge),
            Ward::Nobody | Ward::Command => None,
        }
    }

    /// Waits for its end, which is told once: a pidfd stays ready for ever.
    pub(super) async fn ends(&mut self) {
        let Some(ended) = &self.ended else {
            return std::future::pending().await;
        };
        ended.readable().await.map(drop).ok();
        self.ended = None;
    }

    /// Whether nothing keeps the lease from being given back: without a process, as soon as it is to end.
    pub(super) fn is_over(&self, is_ending: bool) -> bool {
        self.charge().map_or(is_ending, Charge::has_ended)
    }

    pub(super) fn stop(&self) {
        if let Some(charge) = self.charge() {
            charge.stop(self.stop_signal);
        }
    }

    pub(super) fn kill(&self) {
        if let Some(charge) = self.charge() {
            charge.kill();
        }
    }

    /// Its number, while it lives.
    pub(super) fn living(&self) -> Option<Pid> {
        let charge = self.charge().filter(|charge| !charge.has_ended());
        charge.map(Charge::pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_end_is_seen_and_its_number_is_not_used_again() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let pid = Pid::try_from(child.id()).unwrap();
        let charge = Charge::of(pid).unwrap();
        let again = charge.again().unwrap();
        assert_eq!((again.pid(), again.has_ended()), (pid, false));
        charge.kill();
        // A zombie, until it is waited for, has ended.
        let mut fds = [PollFd::new(again.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut fds, 60_000_u16), Ok(1));
        assert!(charge.has_ended() && again.has_ended());
        child.wait().unwrap();
        assert_eq!(
            Charge::of(pid).map_err(|error| error.raw_os_error()).err(),
            Some(Some(libc::ESRCH))
        );
    }
}
