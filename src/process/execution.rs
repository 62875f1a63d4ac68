//! What the guardian knows of the command it guards, and what time asks of it.
//!
//! No I/O: a small machine that is told what happened and answers what is due, so that it can be
//! tested without a process.

use std::time::Duration;

use super::message::Part;
use super::sys::{Change, Pid};
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
    /// Nothing has been run yet, or nothing is left of what was.
    None,
    /// It was forked.
    Main(Pid),
    /// Its program could not be executed; its process is about to be reaped.
    Stillborn(Pid),
    /// The `acquired` hook has ended well; what it left may live, and the command may follow.
    Prepared,
    /// It has ended; what it left may live.
    Leftovers,
    /// As before, and the front said to leave them alone.
    LetGo,
}

/// Job control, of the command's main process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Job {
    Going,
    /// It is stopped, and the front may not know it yet.
    Stopped,
    /// It is stopped, and the front knows.
    Paused,
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
        /// The last pass met processes that no pass had met before.
        storm: bool,
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
    /// Which part of the tree is run, or was run last.
    part: Part,
    over: bool,
    /// Whether the command's main process is stopped.
    job: Job,
    /// The lease ran out under the command: it was not the front that had it stopped.
    ran_out: bool,
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
            part: Part::Command,
            over: false,
            job: Job::Going,
            ran_out: false,
            look_again: Instant::NEVER,
        }
    }

    pub(super) const fn arm(&mut self, stop: Instant, kill: Instant) {
        self.armed = Some((stop, kill));
    }

    /// Armed, nothing running, nothing stopping, and the stop instant is still to come (P4).
    pub(super) fn may_start(&self, now: Instant) -> bool {
        matches!(self.command, Command::None | Command::Prepared)
            && !self.over
            && self.stage == Stage::Running
            && !self.front_gone
            && self.armed.is_some_and(|(stop, _)| now < stop)
    }

    pub(super) const fn born(&mut self, pid: Pid, part: Part) {
        self.command = Command::Main(pid);
        self.part = part;
    }

    /// Which part of the tree is run, or was run last.
    pub(super) const fn part(&self) -> Part {
        self.part
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
            Command::None | Command::Prepared | Command::Leftovers | Command::LetGo => None,
        }
    }

    /// Whether the command, or what is guarded in its place, is there.
    pub(super) const fn has_main(&self) -> bool {
        matches!(self.part, Part::Command) && self.command().is_some()
    }

    /// Whether stopping has begun.
    pub(super) fn is_ending(&self) -> bool {
        self.stage != Stage::Running
    }

    /// Killing has begun: stops are our own doing from here on and of no interest to anybody.
    pub(super) const fn is_killing(&self) -> bool {
        matches!(self.stage, Stage::Killing { .. })
    }

    /// The main process stopped, went on, or ended.
    pub(super) const fn changed(&mut self, change: Change) {
        self.job = match change {
            Change::Stopped(_) => Job::Stopped,
            Change::Continued | Change::Exited(_) | Change::Killed(_) => Job::Going,
        };
    }

    /// Whether the main process is stopped, as far as it was reaped.
    pub(super) fn is_paused(&self) -> bool {
        self.job != Job::Going
    }

    /// The front has been told of the stop. True when there is one still.
    pub(super) fn pause(&mut self) -> bool {
        if self.job == Job::Stopped {
            self.job = Job::Paused;
        }
        self.job == Job::Paused
    }

    /// Whether the front, which was continued, wants this stop undone. It may have been continued before
    /// the command was stopped once more, and say so only afterwards: it knows nothing of that stop yet.
    pub(super) fn may_resume(&self) -> bool {
        self.job == Job::Paused
    }

    /// Whether the lease ran out: what is stopped then and killed, the front did not order.
    pub(super) const fn ran_out(&self) -> bool {
        self.ran_out
    }

    /// The main process of the part has ended. Only a hook that ends well is followed by anything: a
    /// guardian that has been told of its failure starts no command, whatever it is told afterwards.
    pub(super) fn main_ended(&mut self, well: bool) {
        if let Command::Main(_) = self.command {
            self.command = match self.part {
                Part::Hook if well && self.stage == Stage::Running => Command::Prepared,
                Part::Hook | Part::Command => Command::Leftovers,
            };
        }
    }

    pub(super) fn has_tree(&self) -> bool {
        self.command != Command::None
    }

    /// Whether the tree, which may be empty, waits for its command.
    pub(super) fn awaits_command(&self) -> bool {
        self.command == Command::Prepared && self.stage == Stage::Running
    }

    /// Nothing of the tree is left, and nothing follows.
    pub(super) const fn emptied(&mut self) {
        self.over = true;
        self.command = Command::None;
        self.stage = Stage::Running;
        self.armed = None;
        self.job = Job::Going;
        self.ran_out = false;
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
        self.over || (self.front_gone && matches!(self.command, Command::None | Command::LetGo))
    }

    /// Stops the tree because the front is gone. True when the stop signal has to be sent now.
    pub(super) fn lose_front(&mut self, now: Instant, expiry_grace: Duration) -> bool {
        self.front_gone = true;
        match self.command {
            Command::None | Command::LetGo => false,
            Command::Main(_) | Command::Stillborn(_) | Command::Prepared | Command::Leftovers => {
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
                storm: true,
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
            self.ran_out |= self.armed.is_some_and(|(_, kill)| now >= kill);
            self.kill(now);
            let Stage::Killing { began, storm, .. } = self.stage else {
                return Ending::NotYet;
            };
            return Ending::Kill {
                freeze: storm && now.since(began) >= FREEZE_AFTER,
            };
        }
        if let (Stage::Running, Some((stop, _))) = (self.stage, self.armed)
            && now >= stop
        {
            self.ran_out = true;
            self.stop(now, self.expiry_grace);
            return Ending::StopDue;
        }
        Ending::NotYet
    }

    /// Notes a pass of SIGKILL: while it met new processes the next one follows at once (a storm);
    /// what does not die although it was killed is tried again at a growing distance.
    pub(super) fn killed(&mut self, now: Instant, pass: Pass) {
        if let Stage::Killing {
            next, pause, storm, ..
        } = &mut self.stage
        {
            *storm = pass.fresh > 0;
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
mod tests;
