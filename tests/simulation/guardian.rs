//! A guardian and the tree that it guards, as DESIGN section 3 has them, on the machine's own clock.

use std::time::Duration;

use leasectl::clock::Instant;
use leasectl::supervisor::Deadline;

use crate::mutant::Mutant;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Running,
    Stopping(Instant),
    Killing,
}

/// What the guardian's own timer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Stop,
    Kill,
}

#[derive(Debug)]
pub(crate) struct Guardian {
    armed: Option<Deadline>,
    stage: Stage,
    expiry_grace: Duration,
    mutant: Option<Mutant>,
    /// Something of the tree lives.
    pub(crate) alive: bool,
    /// SIGKILL was sent because the lease ran out.
    pub(crate) killed_on_time: bool,
}

impl Guardian {
    pub(crate) const fn new(expiry_grace: Duration, mutant: Option<Mutant>) -> Self {
        Self {
            armed: None,
            stage: Stage::Running,
            expiry_grace,
            mutant,
            alive: false,
            killed_on_time: false,
        }
    }

    pub(crate) fn arm(&mut self, deadline: Deadline) {
        if self.mutant == Some(Mutant::StoppingUndone) && self.stage != Stage::Killing {
            self.stage = Stage::Running;
        }
        self.armed = Some(deadline);
    }

    /// Whether the command may be born (P4).
    pub(crate) fn start(&mut self, now: Instant) -> bool {
        if self.mutant == Some(Mutant::StartedUnarmed) {
            self.armed = None;
            self.alive = true;
        } else {
            let in_time = self.armed.is_some_and(|armed| now < armed.stop);
            self.alive = in_time && self.stage == Stage::Running;
        }
        self.alive
    }

    /// True when the stop signal is sent now; a second order only shortens the grace.
    pub(crate) fn stop(&mut self, now: Instant, grace: Duration) -> bool {
        match self.stage {
            Stage::Running => {
                self.stage = Stage::Stopping(now + grace);
                true
            }
            Stage::Stopping(until) => {
                self.stage = Stage::Stopping(until.min(now + grace));
                false
            }
            Stage::Killing => false,
        }
    }

    pub(crate) const fn kill(&mut self) {
        self.stage = Stage::Killing;
    }

    pub(crate) fn lose_front(&mut self, now: Instant) -> bool {
        let guards = self.alive && self.mutant != Some(Mutant::NoGuardian);
        guards && self.stop(now, self.expiry_grace)
    }

    fn kill_at(&self) -> Instant {
        let armed = self.armed.map_or(Instant::NEVER, |armed| armed.kill);
        match self.stage {
            Stage::Running => armed,
            Stage::Stopping(until) => until.min(armed),
            Stage::Killing => Instant::NEVER,
        }
    }

    pub(crate) fn wake_at(&self) -> Instant {
        if !self.alive || self.mutant == Some(Mutant::NoGuardian) {
            return Instant::NEVER;
        }
        match (self.stage, self.armed) {
            (Stage::Running, Some(armed)) => armed.stop.min(armed.kill),
            _ => self.kill_at(),
        }
    }

    pub(crate) fn due(&mut self, now: Instant) -> Due {
        if now < self.wake_at() {
            return Due::Nothing;
        }
        if now >= self.kill_at() {
            self.killed_on_time |= self.armed.is_some_and(|armed| now >= armed.kill);
            self.stage = Stage::Killing;
            return Due::Kill;
        }
        self.stop(now, self.expiry_grace);
        Due::Stop
    }
}
