//! Process groups, one pass of SIGKILL, and the guardian's end: what the two do to a tree, and the one
//! to the other.

use std::os::fd::AsFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{Pid as NixPid, setpgid};

use super::cgroup::Cgroup;
use super::sys::{self, Pid, Reaped};
use super::tree::{Pass, Tree};
use crate::clock::{BootClock, Clock};
use crate::mutant::{self, Mutant};

/// The process group that the command belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommandGroup {
    /// It leads one of its own: there is no terminal.
    Own,
    /// leasectl's, as under env(1): a terminal's keys reach both.
    Join(Pid),
    /// leasectl's too, which has no number here because it was made outside our PID namespace: nobody
    /// can join it, so that the guardian stays in it and the command is born into it.
    AsBorn,
}

/// Puts a process (0: this one) into its group.
pub(super) fn join_group(process: Pid, group: CommandGroup) -> Result<(), Errno> {
    let group = match group {
        CommandGroup::Own => process,
        CommandGroup::Join(group) => group,
        CommandGroup::AsBorn => return Ok(()),
    };
    setpgid(NixPid::from_raw(process), NixPid::from_raw(group))
}

/// One pass of SIGKILL over the tree.
///
/// What the kernel has killed in the cgroup is not frozen: it forks no more, and it may take a drowning
/// machine seconds to die, in which nobody would reap.
pub(super) fn kill_pass(tree: &mut Tree, cgroup: Option<&Cgroup>, freeze: bool) -> Pass {
    /// Every pass over a frozen tree finds fewer runners, so that this is enough for any storm that a
    /// machine can hold; what cannot be stopped must not keep us from reaping.
    const LONGEST_FREEZE: Duration = Duration::from_secs(1);
    if mutant::is(Mutant::KillGroupOnly) {
        return Pass::default();
    }
    if let Some(cgroup) = cgroup {
        cgroup.kill();
    }
    if freeze && !cgroup.is_some_and(Cgroup::is_populated) {
        let until = BootClock.now() + LONGEST_FREEZE;
        while tree.freeze().running > 0 && BootClock.now() < until {}
    }
    tree.kill()
}

/// Waits for the end of a child that ends by itself; after a second it is killed.
pub(super) fn end(child: Pid) {
    let Ok(pidfd) = sys::pidfd_open(child) else {
        return;
    };
    let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
    let ended = poll(&mut fds, PollTimeout::from(1_000_u16)).is_ok_and(|ready| ready > 0);
    if !ended {
        sys::pidfd_send(pidfd.as_fd(), libc::SIGKILL).ok();
    }
    // Where nobody above us reaps (a container's PID 1 may not), it would stay a zombie.
    while let Reaped::Child(..) = sys::reap() {}
}
