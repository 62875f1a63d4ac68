//! What the guardian knows of the command it guards, and what time asks of it.
//!
//! No I/O: a small machine that is told what happened and answers what is due, so that it can be
//! tested without a process.

use std::time::Duration;

use super::sys::Pid;
use super::tree::Pass;
use crate::clock::Instant;

/// After this long, killing is not enough: the storm is frozen first.
const FREEZE_AFTER: Duration = Duration::from_millis(100);
/// Between two passes over processes that were all met before; doubled up to the last value.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The command, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    /// Nothing is run, and nothing of an earlier command is left.
    None,
    /// It was forked.
    Main(Pid),
    /// Its program could not be executed; its process is about to be reaped.
    Stillborn(Pid),
    /// It has ended; what it left may live.
    Leftovers,
    /// As before, and the front said to leave them alone.
    LetGo,
}

/// How far stopping has gone. It never goes back (P10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Running,
    Stopping {
        began: Instant,
        grace: Duration,
    },
    Killing {
        began: Instant,
        next: Instant,
        pause: Duration,
    },
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Nothing.
    NotYet,
    /// The stop signal, because the lease was not renewed and nobody told us to stop before.
    StopDue,
    /// One pass of SIGKILL.
    Kill {
        /// Freeze first: the storm outran plain killing.
        freeze: bool,
    },
}

/// The guardian's knowledge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Execution {
    command: Command,
    stage: Stage,
    armed: Option<(Instant, Instant)>,
    expiry_grace: Duration,
    front_gone: bool,
    look_again: Instant,
}

impl Execution {
    pub(super) const fn new(expiry_grace: Duration) -> Self {
        Self {
            command: Command::None,
            stage: Stage::Running,
            armed: None,
            expiry_grace,
            front_gone: false,
            look_again: Instant::NEVER,
        }
    }

    pub(super) const fn arm(&mut self, stop: Instant, kill: Instant) {
        self.armed = Some((stop, kill));
    }

    /// Armed, nothing running, nothing stopping, and the stop instant is still to come (P4).
    pub(super) fn may_start(&self, now: Instant) -> bool {
        self.command == Command::None
            && self.stage == Stage::Running
            && !self.front_gone
            && self.armed.is_some_and(|(stop, _)| now < stop)
    }

    pub(super) const fn born(&mut self, pid: Pid) {
        self.command = Command::Main(pid);
    }

    pub(super) const fn stillborn(&mut self) {
        if let Command::Main(pid) = self.command {
            self.command = Command::Stillborn(pid);
        }
    }

    pub(super) const fn was_stillborn(&self) -> bool {
        matches!(self.command, Command::Stillborn(_))
    }

    /// The command's main process, until it has been reaped.
    pub(super) const fn command(&self) -> Option<Pid> {
        match self.command {
            Command::Main(pid) | Command::Stillborn(pid) => Some(pid),
            Command::None | Command::Leftovers | Command::LetGo => None,
        }
    }

    /// Killing has begun: stops are our own doing from here on and of no interest to anybody.
    pub(super) const fn is_killing(&self) -> bool {
        matches!(self.stage, Stage::Killing { .. })
    }

    pub(super) fn main_ended(&mut self) {
        if let Command::Main(_) = self.command {
            self.command = Command::Leftovers;
        }
    }

    pub(super) fn has_tree(&self) -> bool {
        self.command != Command::None
    }

    /// Nothing of the tree is left: ready for the next command.
    pub(super) const fn emptied(&mut self) {
        self.command = Command::None;
        self.stage = Stage::Running;
        self.armed = None;
        self.look_again = Instant::NEVER;
    }

    pub(super) const fn let_go(&mut self) {
        if let Command::Leftovers = self.command {
            self.command = Command::LetGo;
        }
    }

    pub(super) const fn front_is_gone(&self) -> bool {
        self.front_gone
    }

    /// Whether the guardian has nothing left to do.
    pub(super) fn is_over(&self) -> bool {
        self.front_gone && matches!(self.command, Command::None | Command::LetGo)
    }

    /// Stops the tree because the front is gone. True when the stop signal has to be sent now.
    pub(super) fn lose_front(&mut self, now: Instant, expiry_grace: Duration) -> bool {
        self.front_gone = true;
        match self.command {
            Command::None | Command::LetGo => false,
            Command::Main(_) | Command::Stillborn(_) | Command::Leftovers => {
                self.stop(now, expiry_grace)
            }
        }
    }

    /// Begins stopping. True when the stop signal has to be sent now; a second order only shortens
    /// the grace.
    pub(super) fn stop(&mut self, now: Instant, grace: Duration) -> bool {
        match &mut self.stage {
            Stage::Running => {
                self.stage = Stage::Stopping { began: now, grace };
                true
            }
            Stage::Stopping {
                began,
                grace: running,
            } => {
                let left = (*began + *running).min(now + grace);
                *running = left.since(*began);
                false
            }
            Stage::Killing { .. } => false,
        }
    }

    pub(super) const fn kill(&mut self, now: Instant) {
        if !matches!(self.stage, Stage::Killing { .. }) {
            self.stage = Stage::Killing {
                began: now,
                next: now,
                pause: FIRST_PAUSE,
            };
        }
    }

    /// The SIGKILL instant: the end of the grace, never later than what is armed.
    pub(super) fn kill_at(&self) -> Instant {
        let armed = self.armed.map_or(Instant::NEVER, |(_, kill)| kill);
        match self.stage {
            Stage::Running => armed,
            Stage::Stopping { began, grace } => armed.min(began + grace),
            Stage::Killing { next, .. } => next,
        }
    }

    /// When something is due, if nothing happens before.
    pub(super) fn wake_at(&self) -> Instant {
        if matches!(self.command, Command::None | Command::LetGo) {
            return Instant::NEVER;
        }
        let stop = match (self.stage, self.armed) {
            (Stage::Running, Some((stop, _))) => stop,
            _ => Instant::NEVER,
        };
        self.kill_at().min(stop).min(self.look_again)
    }

    pub(super) fn look_again(&mut self, now: Instant) {
        self.look_again = now + FIRST_PAUSE;
    }

    /// What is due at `now`.
    pub(super) fn due(&mut self, now: Instant) -> Ending {
        if matches!(self.command, Command::None | Command::LetGo) {
            return Ending::NotYet;
        }
        if now >= self.kill_at() {
            self.kill(now);
            let Stage::Killing { began, .. } = self.stage else {
                return Ending::NotYet;
            };
            return Ending::Kill {
                freeze: now.since(began) >= FREEZE_AFTER,
            };
        }
        if let (Stage::Running, Some((stop, _))) = (self.stage, self.armed)
            && now >= stop
        {
            self.stop(now, self.expiry_grace);
            return Ending::StopDue;
        }
        Ending::NotYet
    }

    /// Notes a pass of SIGKILL: while it met new processes the next one follows at once (a storm);
    /// what does not die although it was killed is tried again at a growing distance.
    pub(super) fn killed(&mut self, now: Instant, pass: Pass) {
        if let Stage::Killing { next, pause, .. } = &mut self.stage {
            if pass.fresh > 0 {
                *pause = FIRST_PAUSE;
                *next = now + Duration::from_millis(1);
            } else {
                *next = now + *pause;
                *pause = (*pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    fn running(stop: u64, kill: u64) -> Execution {
        let mut execution = Execution::new(Duration::from_millis(300));
        execution.arm(at(stop), at(kill));
        assert!(execution.may_start(at(0)));
        execution.born(42);
        execution
    }

    #[test]
    fn nothing_starts_before_it_is_armed_or_after_the_stop_instant() {
        let mut execution = Execution::new(Duration::ZERO);
        assert!(!execution.may_start(at(0)));
        execution.arm(at(100), at(200));
        assert!(execution.may_start(at(99)));
        assert!(!execution.may_start(at(100)));
        execution.born(42);
        assert!(!execution.may_start(at(0)), "one command at a time");
    }

    #[test]
    fn a_lease_that_is_not_renewed_is_stopped_and_killed_on_time() {
        let mut execution = running(1_000, 1_300);
        assert_eq!(execution.due(at(999)), Ending::NotYet);
        assert_eq!(execution.wake_at(), at(1_000));
        assert_eq!(execution.due(at(1_000)), Ending::StopDue);
        assert_eq!(execution.due(at(1_001)), Ending::NotYet);
        assert_eq!(execution.wake_at(), at(1_300));
        assert_eq!(execution.due(at(1_300)), Ending::Kill { freeze: false });
        assert_eq!(execution.due(at(1_400)), Ending::Kill { freeze: true });
    }

    #[test]
    fn stopping_is_never_undone_and_a_late_answer_stays_within_the_grace() {
        let mut execution = running(1_000, 1_300);
        assert_eq!(execution.due(at(1_100)), Ending::StopDue);
        execution.arm(at(9_000), at(9_300));
        assert_eq!(execution.due(at(1_399)), Ending::NotYet);
        assert_eq!(execution.due(at(1_400)), Ending::Kill { freeze: false });
    }

    #[test]
    fn the_grace_never_reaches_past_the_kill_instant() {
        let mut execution = running(1_000, 1_300);
        assert!(execution.stop(at(500), Duration::from_secs(10)));
        assert!(
            !execution.stop(at(600), Duration::from_secs(10)),
            "one stop signal"
        );
        assert_eq!(execution.wake_at(), at(1_300));
        execution.arm(at(99_000), at(99_300));
        assert_eq!(execution.wake_at(), at(10_500));
    }

    #[test]
    fn losing_the_front_stops_at_once_with_the_expiry_grace() {
        let mut execution = running(10_000, 13_000);
        assert!(execution.lose_front(at(500), Duration::from_millis(300)));
        assert!(!execution.is_over());
        assert_eq!(execution.due(at(800)), Ending::Kill { freeze: false });
        execution.main_ended();
        execution.emptied();
        assert!(execution.is_over());
    }

    #[test]
    fn what_was_let_go_is_left_alone() {
        let mut execution = running(10_000, 13_000);
        execution.main_ended();
        execution.let_go();
        assert!(!execution.lose_front(at(1), Duration::ZERO));
        assert!(execution.is_over());
        assert_eq!(execution.due(at(20_000)), Ending::NotYet);
    }

    #[test]
    fn a_known_loss_kills_at_once() {
        let mut execution = running(10_000, 13_000);
        execution.kill(at(5));
        assert_eq!(execution.due(at(5)), Ending::Kill { freeze: false });
        execution.killed(
            at(5),
            Pass {
                fresh: 2,
                running: 2,
            },
        );
        assert_eq!(
            execution.wake_at(),
            at(6),
            "a storm is killed without pause"
        );
        execution.killed(
            at(6),
            Pass {
                fresh: 0,
                running: 1,
            },
        );
        execution.killed(
            at(11),
            Pass {
                fresh: 0,
                running: 1,
            },
        );
        assert_eq!(
            execution.wake_at(),
            at(21),
            "what does not die is tried at a growing distance"
        );
    }
}
