//! A supervisor and a clock turned by hand, for tests that read like a protocol.

use std::time::Duration;

use crate::clock::Instant;
use crate::lease::{Timing, TimingOptions};
use crate::supervisor::{
    Action, CommandEnd, Deadline, Event, Guards, Leftovers, Phase, Settings, Supervisor, Wait,
};

/// When every test begins: not at zero, so that a difference is never mistaken for an instant.
const START: u64 = 1_000_000_000_000;

/// The first asking, and every one that follows another.
pub(super) const ACQUIRE: Action = Action::Acquire { anew: false };

pub(super) const OK: CommandEnd = CommandEnd::Exited(0);

/// The instant `seconds` after the beginning.
pub(super) fn at(seconds: f64) -> Instant {
    Instant::from_nanos(START) + Duration::from_secs_f64(seconds)
}

pub(super) fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// The defaults: ttl 30 s (stop 20, kill 25, dead 27, renew 6, attempt 3), grace 10 s, settle 1 s.
pub(super) fn settings() -> Settings {
    Settings {
        timing: Timing::new(TimingOptions::default()).unwrap(),
        wait: Wait::No,
        guards: Guards::Command,
        pause_first: secs(0.0),
        only_if_machine_stays: false,
        prepare: false,
        run_timeout: None,
        grace: secs(10.0),
        leftovers: Leftovers::Stop,
        leftovers_settle: secs(1.0),
    }
}

/// What the guardian is told after a request sent at `asked_at` was answered.
pub(super) fn armed(asked_at: f64) -> Action {
    Action::Arm(Deadline {
        stop: at(asked_at + 20.0),
        kill: at(asked_at + 25.0),
    })
}

#[derive(Debug)]
pub(super) struct Rig(pub(super) Supervisor);

impl Rig {
    pub(super) fn new(settings: Settings) -> Self {
        Self(Supervisor::new(settings, at(0.0)))
    }

    /// One that has begun, at 0 s.
    pub(super) fn seeking(settings: Settings) -> Self {
        let mut rig = Self::new(settings);
        assert_eq!(rig.step(0.0, Event::Begin), [ACQUIRE]);
        rig
    }

    /// One whose command runs under a lease asked for at 0 s.
    pub(super) fn holding(settings: Settings) -> Self {
        let mut rig = Self::seeking(settings);
        let granted = Event::Granted {
            asked_at: at(0.0),
            ttl: Some(secs(30.0)),
        };
        assert_eq!(rig.step(0.1, granted), [armed(0.0), Action::Start]);
        assert_eq!(rig.step(0.2, Event::CommandStarted { pid: 7 }), []);
        rig
    }

    /// As `holding`, without a deadline: the file store.
    pub(super) fn holding_without_end(settings: Settings) -> Self {
        let mut rig = Self::seeking(settings);
        let granted = Event::Granted {
            asked_at: at(0.0),
            ttl: None,
        };
        assert_eq!(rig.step(0.1, granted).len(), 2);
        assert_eq!(rig.step(0.2, Event::CommandStarted { pid: 7 }), []);
        rig
    }

    #[must_use]
    pub(super) fn step(&mut self, seconds: f64, event: Event) -> Vec<Action> {
        let actions = self.0.step(at(seconds), event);
        assert!(
            self.0.wake_at() > at(seconds),
            "a deadline that has passed was not acted on"
        );
        actions
    }

    /// Ticks at the instant asked for, which has to be this one.
    #[must_use]
    pub(super) fn tick(&mut self, seconds: f64) -> Vec<Action> {
        assert_eq!(self.0.wake_at(), at(seconds));
        self.step(seconds, Event::Tick)
    }

    pub(super) fn phase(&self) -> Phase {
        self.0.phase()
    }
}

/// A signal that a process sent.
pub(super) fn sent(number: i32) -> Event {
    Event::Signal {
        number,
        from_terminal: false,
    }
}

/// A signal that the terminal sent.
pub(super) fn typed(number: i32) -> Event {
    Event::Signal {
        number,
        from_terminal: true,
    }
}
