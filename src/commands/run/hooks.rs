//! Hooks: what each is run for, what it is told, and how long it may take (INTERFACES, "Hooks").
//!
//! A hook can hold up nothing: it runs while everything else goes on, and is killed after ten seconds.
//! `acquired` is another matter. It is a part of the guarded tree and comes before the command, so that
//! the supervisor decides about it; here it is only put together.

use std::ffi::OsString;
use std::io;
use std::time::Duration;

use super::driver::Driver;
use super::news::News;
use crate::clock::Instant;
use crate::process::{Change, HookImage, Pid};
use crate::supervisor::{CommandEnd, StopWhy};

/// From its start to SIGKILL.
const LONGEST: Duration = Duration::from_secs(10);

/// From SIGKILL until nobody waits for it any more. What can be killed is gone sooner; what runs as
/// another user (sudo), or hangs in the kernel, must not keep leasectl from its end or its next run.
const DYING: Duration = Duration::from_secs(1);

/// Which hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookName {
    /// The lease is held, and the command has not started.
    Acquired,
    /// Renewals have gone unanswered.
    Doubt,
    /// The tree is dead, because the lease was lost or not renewed.
    Lost,
    /// The lease was given back.
    Released,
}

impl HookName {
    /// Its name in options, events and `LEASECTL_EVENT`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Acquired => "acquired",
            Self::Doubt => "doubt",
            Self::Lost => "lost",
            Self::Released => "released",
        }
    }
}

/// What became of a hook.
#[derive(Debug)]
pub enum HookFate {
    /// It ended by itself.
    Ended(CommandEnd),
    /// It could not be started.
    NotStarted(io::Error),
    /// It took too long and was killed.
    TooSlow,
    /// A signal ended the wait for it, and it was killed.
    NotWaitedFor,
    /// It was killed, and is still there.
    NotDead,
}

/// What to run: each a text for the shell (`--on-acquired` and its like).
#[derive(Clone, Debug, Default)]
pub struct HookCommands {
    /// Before the command.
    pub acquired: Option<OsString>,
    /// In doubt.
    pub doubt: Option<OsString>,
    /// After a loss.
    pub lost: Option<OsString>,
    /// After the release.
    pub released: Option<OsString>,
}

impl HookCommands {
    const fn of(&self, hook: HookName) -> Option<&OsString> {
        match hook {
            HookName::Acquired => self.acquired.as_ref(),
            HookName::Doubt => self.doubt.as_ref(),
            HookName::Lost => self.lost.as_ref(),
            HookName::Released => self.released.as_ref(),
        }
    }

    /// The hook that the guardian starts, with what it finds in its environment.
    pub(super) fn before_the_command(
        &self,
        environment: &[(OsString, OsString)],
    ) -> Option<HookImage> {
        let command = self.acquired.clone()?;
        let mut environment = environment.to_vec();
        set(&mut environment, "EVENT", HookName::Acquired.word().into());
        Some(HookImage {
            command,
            environment,
        })
    }
}

fn set(environment: &mut Vec<(OsString, OsString)>, what: &str, value: OsString) {
    environment.push((format!("LEASECTL_{what}").into(), value));
}

/// A hook that is due: its name, the line for its input, and what it finds in its environment beside
/// what every hook finds there.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) hook: HookName,
    pub(super) line: String,
    pub(super) facts: Vec<(&'static str, String)>,
}

/// A hook that runs outside the tree.
#[derive(Debug)]
pub(super) struct Running {
    pid: Pid,
    hook: HookName,
    began: Instant,
    too_slow: bool,
    killed_at: Option<Instant>,
}

impl Running {
    /// When its time, or that of its death, is over.
    fn until(&self) -> Instant {
        match self.killed_at {
            None => self.began + LONGEST,
            Some(at) => at + DYING,
        }
    }
}

impl Driver<'_> {
    /// Starts a hook, if one was asked for.
    pub(super) fn start_hook(&mut self, due: &Due) {
        let Some(command) = self.plan.hooks.of(due.hook) else {
            return;
        };
        let mut environment = self.plan.environment.clone();
        set(&mut environment, "EVENT", due.hook.word().into());
        if let Some(hold) = &self.hold {
            set(&mut environment, "TOKEN", hold.token.to_string().into());
        }
        for (what, value) in &due.facts {
            set(&mut environment, what, value.into());
        }
        let began = self.clock.now();
        match self
            .front
            .start_hook(command, &environment, due.line.as_bytes())
        {
            Ok(pid) => self.hooks.push(Running {
                pid,
                hook: due.hook,
                began,
                too_slow: false,
                killed_at: None,
            }),
            Err(error) => {
                let fate = HookFate::NotStarted(error);
                self.tell_of_hook(due.hook, &fate, began);
            }
        }
    }

    /// When something has to be done about the first of the running hooks.
    pub(super) fn hooks_wake_at(&self) -> Instant {
        let ends = self.hooks.iter().map(Running::until);
        ends.min().unwrap_or(Instant::NEVER)
    }

    /// Kills the hooks that have had their time, and gives up those that do not die.
    pub(super) fn check_hooks(&mut self) {
        let now = self.clock.now();
        for mut running in std::mem::take(&mut self.hooks) {
            match running.killed_at {
                _ if now < running.until() => {}
                Some(_) => {
                    self.tell_of_hook(running.hook, &HookFate::NotDead, running.began);
                    continue;
                }
                None => {
                    (running.too_slow, running.killed_at) = (true, Some(now));
                    self.front.kill_hook(running.pid);
                }
            }
            self.hooks.push(running);
        }
    }

    /// Somebody does not want to wait for the hooks that still run.
    pub(super) fn kill_hooks(&mut self) {
        let now = self.clock.now();
        for running in &mut self.hooks {
            running.killed_at.get_or_insert(now);
            self.front.kill_hook(running.pid);
        }
    }

    pub(super) fn hook_ended(&mut self, pid: Pid, change: Change) {
        let Some(at) = self.hooks.iter().position(|running| running.pid == pid) else {
            return;
        };
        let Running {
            hook,
            began,
            too_slow,
            killed_at,
            ..
        } = self.hooks.swap_remove(at);
        let fate = match (too_slow, change) {
            (true, _) => HookFate::TooSlow,
            (false, Change::Killed(_)) if killed_at.is_some() => HookFate::NotWaitedFor,
            (false, Change::Killed(signal)) => HookFate::Ended(CommandEnd::Killed(signal)),
            (false, Change::Exited(code)) => HookFate::Ended(CommandEnd::Exited(code)),
            (false, Change::Stopped(_) | Change::Continued) => return,
        };
        self.tell_of_hook(hook, &fate, began);
    }

    pub(super) fn tell_of_hook(&mut self, hook: HookName, fate: &HookFate, began: Instant) {
        let took = self.clock.now().since(began);
        self.audience.hear(&News::Hook { hook, fate, took });
    }

    /// The `acquired` hook, as the first part of the tree.
    pub(super) fn prepare(&mut self) {
        let Some(hold) = &self.hold else { return };
        self.preparing = Some(self.clock.now());
        let line = std::mem::take(&mut self.audience.acquired);
        self.front.prepare(hold.token.get(), line.as_bytes());
    }

    /// Whether what has ended is the `acquired` hook.
    pub(super) fn prepared(&mut self, end: CommandEnd) -> bool {
        let Some(began) = self.preparing.take() else {
            return false;
        };
        let fate = match self.supervisor.stop_why() {
            Some(StopWhy::Hook) => HookFate::TooSlow,
            _ => HookFate::Ended(end),
        };
        self.tell_of_hook(HookName::Acquired, &fate, began);
        true
    }

    /// If it is the `acquired` hook that could not be started, that is told.
    pub(super) fn hook_not_started(&mut self, errno: i32) {
        if let Some(began) = self.preparing.take() {
            let fate = HookFate::NotStarted(io::Error::from_raw_os_error(errno.abs()));
            self.tell_of_hook(HookName::Acquired, &fate, began);
        }
    }

    /// What `lost` and `released` find in their environment of the run that is over.
    pub(super) fn facts_of_the_end(&self) -> Vec<(&'static str, String)> {
        let mut facts = Vec::new();
        if let Some(outcome) = self.outcome {
            facts.push(("OUTCOME", outcome.word().as_str().to_owned()));
        }
        if let Some(end) = self.command_end() {
            let code = match end {
                CommandEnd::Exited(code) => code,
                CommandEnd::Killed(signal) => 128 + signal,
            };
            facts.push(("EXIT_CODE", code.to_string()));
        }
        facts
    }
}
