//! Process groups, one pass of SIGKILL, and the guardian's end: what the two do to a tree, and the one
//! to the other.

use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{Pid as NixPid, setpgid};

use super::cgroup::Cgroup;
use super::sys::{self, Pid, Reaped};
use super::tree::{Pass, Tree};

/// Puts a process (0: this one) into `group`, or into a group of its own.
pub(super) fn join_group(process: Pid, group: Option<Pid>) -> Result<(), Errno> {
    let group = group.unwrap_or(process);
    setpgid(NixPid::from_raw(process), NixPid::from_raw(group))
}

/// One pass of SIGKILL over the tree.
pub(super) fn kill_pass(tree: &mut Tree, cgroup: Option<&Cgroup>, freeze: bool) -> Pass {
    /// A frozen tree does not grow: this many passes find every runner of any storm that a machine
    /// can hold, and bound the pass for what cannot be stopped.
    const FREEZE_PASSES: usize = 50;
    if let Some(cgroup) = cgroup {
        cgroup.kill();
    }
    if freeze {
        for _ in 0..FREEZE_PASSES {
            if tree.freeze().running == 0 {
                break;
            }
        }
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
