//! Process groups, and one pass of SIGKILL: what guardian and front both do to a tree.

use nix::errno::Errno;
use nix::unistd::{Pid as NixPid, setpgid};

use super::cgroup::Cgroup;
use super::sys::Pid;
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
