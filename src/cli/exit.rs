//! The numbers leasectl exits with: kept once released (DESIGN section 7).
//!
//! A number can collide with the command's own; what is printed says which it was.

use crate::commands::run::Ended;
use crate::lease::StoreError;
use crate::supervisor::{AskedBy, CommandEnd, Fatal, LossReason, Outcome};

/// `status --check`: it is not held, or not so.
pub const NOT_SO: i32 = 1;
/// A scheduled event of the machine: the lease was handed over, or nothing was started.
pub const SCHEDULED_EVENT: i32 = 118;
/// An operator asked for the lease: it was handed over.
pub const HANDED_OVER: i32 = 119;
/// Refused: held, in its minimum hold or paused; nothing was run. `--held-exit-code` changes it.
pub const REFUSED: i32 = 120;
/// The lease was lost or not renewed in time, or the guardian died; the command was stopped.
pub const LOST: i32 = 121;
/// The command's tree could not be shown dead; the lease was left to run out.
pub const NOT_SHOWN_DEAD: i32 = 122;
/// The store could not be reached; nothing was run.
pub const UNREACHABLE: i32 = 123;
/// `--run-timeout` was reached; the command was stopped.
pub const RUN_TIMEOUT: i32 = 124;
/// Usage, configuration or permission, or an internal error before the command started.
pub const INVALID: i32 = 125;
/// The command is there and cannot be executed.
pub const NOT_EXECUTABLE: i32 = 126;
/// The command was not found.
pub const NOT_FOUND: i32 = 127;

/// The number for a store's error, where nothing was run.
#[must_use]
pub const fn of_store_error(error: &StoreError) -> i32 {
    match error {
        StoreError::Unreachable { .. } | StoreError::Garbled { .. } => UNREACHABLE,
        StoreError::Denied { .. } | StoreError::Misconfigured { .. } => INVALID,
    }
}

/// How this process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With this code.
    Code(i32),
    /// By this signal, so that whoever waits sees what the command died of.
    Signal(i32),
}

impl Exit {
    /// The number as a shell shows it.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }

    /// The end of `run`, with the exit code for being refused.
    #[must_use]
    pub const fn of_run(ended: &Ended, when_refused: i32) -> Self {
        Self::Code(match ended.outcome {
            Outcome::Completed(CommandEnd::Exited(code)) => code,
            Outcome::Completed(CommandEnd::Killed(signal)) | Outcome::Interrupted(signal) => {
                return Self::Signal(signal);
            }
            Outcome::Refused(_) => when_refused,
            Outcome::Lost {
                why: LossReason::GuardianDied,
            } if !ended.started => INVALID,
            Outcome::Lost { .. } => LOST,
            Outcome::TimedOut => RUN_TIMEOUT,
            Outcome::Asked(AskedBy::Operator) => HANDED_OVER,
            Outcome::Asked(AskedBy::ScheduledEvent) => SCHEDULED_EVENT,
            Outcome::NotShownDead => NOT_SHOWN_DEAD,
            Outcome::Unreachable | Outcome::Failed(Fatal::Garbled) => UNREACHABLE,
            Outcome::Failed(Fatal::Denied | Fatal::Misconfigured) => INVALID,
            Outcome::NotStarted {
                errno: libc::ENOENT,
            } => NOT_FOUND,
            Outcome::NotPrepared(_) => INVALID,
            // The guardian found the start gate shut: nothing is wrong with the command.
            Outcome::NotStarted { errno: libc::ETIME } => LOST,
            // Nothing is wrong with the command: there was no process or descriptor for it.
            Outcome::NotStarted { errno: ..=-1 } => INVALID,
            Outcome::NotStarted { .. } => NOT_EXECUTABLE,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::{LostWhy, RefusedWhy};
    use crate::supervisor::Unprepared;

    fn exit(outcome: Outcome, started: bool) -> Exit {
        let ended = Ended {
            asked_by: None,
            event: None,
            needless: false,
            outcome,
            command: None,
            started,
            ran: None,
            told_to_end: false,
            ran_before: false,
            ran_out_stopped: false,
            refused_by: None,
            error: None,
        };
        Exit::of_run(&ended, 75)
    }

    #[test]
    fn every_outcome_has_its_documented_number() {
        use Exit::{Code, Signal};
        let lost = |why| Outcome::Lost { why };
        for (outcome, started, expected) in [
            (Outcome::Completed(CommandEnd::Exited(3)), true, Code(3)),
            (Outcome::Completed(CommandEnd::Killed(9)), true, Signal(9)),
            (Outcome::Interrupted(15), false, Signal(15)),
            (Outcome::Refused(RefusedWhy::Held), false, Code(75)),
            (lost(LossReason::Store(LostWhy::Taken)), true, Code(121)),
            (lost(LossReason::NotRenewed), true, Code(121)),
            (lost(LossReason::GuardianDied), true, Code(121)),
            (lost(LossReason::GuardianDied), false, Code(125)),
            (Outcome::TimedOut, true, Code(124)),
            (Outcome::Asked(AskedBy::Operator), true, Code(119)),
            (Outcome::Asked(AskedBy::ScheduledEvent), true, Code(118)),
            (Outcome::NotShownDead, true, Code(122)),
            (Outcome::Unreachable, false, Code(123)),
            (Outcome::Failed(Fatal::Garbled), false, Code(123)),
            (Outcome::Failed(Fatal::Denied), false, Code(125)),
            (Outcome::Failed(Fatal::Misconfigured), false, Code(125)),
            (
                Outcome::NotStarted {
                    errno: libc::ENOENT,
                },
                false,
                Code(127),
            ),
            (
                Outcome::NotStarted {
                    errno: libc::EACCES,
                },
                false,
                Code(126),
            ),
            (Outcome::NotPrepared(Unprepared::TooSlow), false, Code(125)),
            (Outcome::NotStarted { errno: libc::E2BIG }, false, Code(126)),
            (
                Outcome::NotStarted {
                    errno: -libc::EAGAIN,
                },
                false,
                Code(125),
            ),
            (Outcome::NotStarted { errno: libc::ETIME }, false, Code(121)),
        ] {
            assert_eq!(exit(outcome, started), expected, "{outcome:?}");
        }
    }
}
