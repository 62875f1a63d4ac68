//! Processes that are still there, for messages.

use super::sys::{self, Pid};

/// A process that is still there, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survivor {
    /// Its number.
    pub pid: Pid,
    /// Its name, as the kernel has it.
    pub program: String,
    /// Whether the kernel lets us signal it.
    pub ours_to_kill: bool,
}

impl Survivor {
    /// What can be said of process `pid`.
    pub(super) fn of(pid: Pid) -> Self {
        let name = std::fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
        let program = String::from_utf8_lossy(&name)
            .trim_end_matches('\n')
            .to_owned();
        Self {
            pid,
            program,
            ours_to_kill: sys::send(pid, 0).is_ok(),
        }
    }
}
