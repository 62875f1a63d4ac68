//! What the front learns of the guard, and what it is told of signals.

use super::guard::Containment;
use super::signals::Heard;
use super::sys::{Change, Pid};

/// What the front learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrontEvent {
    /// The command runs.
    Started {
        /// Its process id.
        pid: Pid,
        /// How its tree is kept together.
        containment: Containment,
    },
    /// The command could not be started: this errno; negative when it was not the command's fault.
    NotStarted(i32),
    /// The command's main process stopped, went on, or ended.
    Command(Change),
    /// The guardian has sent the stop signal because its own timer said so.
    StopDue,
    /// Nothing of the tree is left.
    Empty,
    /// The guardian is dead; the tree is ours to kill.
    GuardianLost,
    /// A hook outside the tree has ended.
    HookEnded(Pid, Change),
    /// A signal for leasectl, not sent by the command's own tree.
    Signal(Heard),
}
