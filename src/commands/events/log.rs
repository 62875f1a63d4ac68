//! From news to events: which there are, in which order, and each of them once.

use std::io;
use std::time::Duration;

use super::body::{Body, End, HookEnd, Process};
use super::line::seconds;
use super::stream::Stream;
use crate::clock::{BootClock, Clock};
use crate::commands::holders::holders;
use crate::commands::run::{Asked, HookFate, News};
use crate::lease::{FencingToken, Observation, RefusedWhy, in_one_line};
use crate::process::{Containment, Survivor, name_of};
use crate::supervisor::{CommandEnd, StopWhy};

/// The reason of a loss that the store did not tell of.
pub const NOT_RENEWED: &str = "not_renewed";

/// Why nothing was run, or is no longer: the machine goes.
const SCHEDULED_EVENT: &str = "scheduled_event";

/// The events of one process.
#[derive(Debug)]
pub struct EventLog {
    stream: Stream,
    stop_signal: String,
    /// Hooks read the lines too.
    for_hooks: bool,
    /// Whom the last `waiting` named.
    awaited: Option<(RefusedWhy, Option<FencingToken>)>,
    /// `stopping` was told of this tenure.
    stopping: bool,
}

impl EventLog {
    /// Writes to `stream`. `stop_signal`: what the command is asked to end with; `for_hooks`: whether
    /// there are any.
    #[must_use]
    pub const fn new(stream: Stream, stop_signal: String, for_hooks: bool) -> Self {
        Self {
            stream,
            stop_signal,
            for_hooks,
            awaited: None,
            stopping: false,
        }
    }

    /// The store's label is known now.
    pub fn in_store(&mut self, label: &str) {
        self.stream.in_store(label);
    }

    /// Whether somebody reads who has the lease while we wait.
    #[must_use]
    pub const fn follows_the_holder(&self) -> bool {
        self.stream.outlet().is_some()
    }

    /// Why an event could not be written: told once, after the first.
    pub fn first_loss(&mut self) -> Option<io::Error> {
        self.stream.first_loss()
    }

    /// Writes what the news mean to programs. `None`: nothing that they have not been told.
    pub fn hear(&mut self, news: &News<'_>) -> Option<String> {
        if !self.for_hooks && self.stream.outlet().is_none() {
            return None;
        }
        let body = of_the_machine(news)
            .or_else(|| self.of_the_wait(news))
            .or_else(|| self.of_the_hold(news))
            .or_else(|| self.of_the_stop(news))
            .or_else(|| of_the_command(news))?;
        let line = self.stream.say(&body);
        if let News::Restarting { .. } = news {
            // Who waits again has no token: read by token, a tenure ends here. Whom it waits for is
            // told again, because it is another wait.
            self.stream.under(None);
            self.awaited = None;
        }
        Some(line)
    }

    fn of_the_wait(&mut self, news: &News<'_>) -> Option<Body> {
        Some(match news {
            News::Waiting { why, by } => self.waiting(*why, by)?,
            News::Refused { why, by } => Body::Refused {
                reason: word(*why),
                holders: by.map_or_else(Vec::new, holders),
                until_at: by.and_then(until),
            },
            News::HeldBack { .. } => Body::Refused {
                reason: SCHEDULED_EVENT,
                holders: Vec::new(),
                until_at: None,
            },
            News::Acquired {
                token, ttl, waited, ..
            } => {
                self.stream.under(Some(*token));
                (self.stopping, self.awaited) = (false, None);
                Body::Acquired {
                    ttl_s: ttl.map(seconds),
                    waited_s: seconds(*waited),
                    slot: 0,
                }
            }
            News::Restarting { delay } => Body::Restarting {
                delay_s: seconds(*delay),
            },
            _ => return None,
        })
    }

    fn of_the_hold(&self, news: &News<'_>) -> Option<Body> {
        Some(match news {
            News::Renewed {
                renewals,
                took,
                remaining,
            } => Body::Renewed {
                renewals: *renewals,
                took_s: seconds(*took),
                remaining_s: remaining.map(seconds),
            },
            News::ClockJump { jump, .. } => Body::ClockJump {
                by_s: seconds(jump.by) * if jump.forward { 1.0 } else { -1.0 },
                rate: jump.rate,
            },
            News::RenewFailed {
                attempt,
                error,
                remaining,
                last_renewed_at,
            } => Body::RenewFailed {
                attempt: *attempt,
                error: in_one_line(error),
                will_retry: !self.stopping,
                remaining_s: remaining.map(seconds),
                last_renewed_at: *last_renewed_at,
            },
            News::Doubt { remaining } => Body::Doubt {
                remaining_s: seconds(*remaining),
            },
            News::Lost {
                why,
                last_renewed_at,
            } => Body::Lost {
                reason: why.word(),
                last_renewed_at: *last_renewed_at,
            },
            News::NotRenewed { last_renewed_at } => Body::Lost {
                reason: NOT_RENEWED,
                last_renewed_at: *last_renewed_at,
            },
            News::Released { renewals, held } => released(true, *renewals, *held),
            News::ReleaseUncertain { renewals, held, .. } => released(false, *renewals, *held),
            _ => return None,
        })
    }

    fn of_the_stop(&mut self, news: &News<'_>) -> Option<Body> {
        let (why, asked, signal, kill_in) = match news {
            News::Stopping {
                why,
                asked,
                kill_in,
            } => (why, asked, self.stop_signal.clone(), *kill_in),
            // After a stop signal it was announced; without one it is the beginning.
            News::Killing { why, asked } if !self.stopping => {
                (why, asked, "KILL".to_owned(), Duration::ZERO)
            }
            _ => return None,
        };
        let asker = asked.and_then(Asked::operator).map(|asked| &asked.asker);
        let event = asked.and_then(Asked::event);
        self.stopping = true;
        Some(Body::Stopping {
            why: reason(*why),
            signal,
            kill_in_s: seconds(kill_in),
            by: asker.map(|asker| asker.by.clone()),
            reason: asker.and_then(|asker| asker.reason.clone()),
            event_id: event.map(|event| event.id.clone()),
        })
    }

    /// Once, and again when the holder changes.
    fn waiting(&mut self, why: RefusedWhy, by: &Observation) -> Option<Body> {
        let awaited = (why, by.record.as_ref().map(|record| record.token));
        if self.awaited == Some(awaited) {
            return None;
        }
        self.awaited = Some(awaited);
        Some(Body::Waiting {
            state: word(why),
            holders: holders(by),
        })
    }
}

fn of_the_machine(news: &News<'_>) -> Option<Body> {
    Some(match news {
        News::ScheduledEvent { update, .. } => Body::ScheduledEvent {
            change: update.change.word(),
            notice: update.notice.clone(),
            incarnation: update.incarnation,
        },
        News::Notices { role, why } => Body::Notices {
            role: role.word(),
            why: (*why).to_owned(),
        },
        _ => return None,
    })
}

fn of_the_command(news: &News<'_>) -> Option<Body> {
    Some(match news {
        News::Started { pid, containment } => Body::Started {
            pid: *pid,
            containment: match containment {
                Containment::Tree => "tree",
                Containment::Cgroup => "cgroup",
            },
        },
        News::Exited { end, ran } => {
            let (exit_code, signal) = parts(*end);
            let ran_s = seconds(*ran);
            Body::Exited(End {
                exit_code,
                signal,
                ran_s,
            })
        }
        News::Leftovers { left, .. } if !left.is_empty() => Body::Leftovers {
            processes: left.iter().map(process).collect(),
        },
        News::Hook { hook, fate, took } => Body::Hook {
            hook: hook.word(),
            end: hook_end(fate),
            took_s: seconds(*took),
        },
        News::Ended {
            outcome,
            exit_code,
            command,
        } => {
            let (command_exit_code, command_signal) = command.map_or((None, None), parts);
            Body::Ended {
                outcome: *outcome,
                exit_code: *exit_code,
                command_exit_code,
                command_signal,
            }
        }
        _ => return None,
    })
}

fn process(survivor: &Survivor) -> Process {
    Process {
        pid: survivor.pid,
        program: survivor.program.clone(),
    }
}

fn hook_end(fate: &HookFate) -> HookEnd {
    match fate {
        HookFate::Ended(CommandEnd::Exited(code)) => HookEnd::ExitCode(*code),
        HookFate::Ended(CommandEnd::Killed(signal)) => HookEnd::Signal(name_of(*signal)),
        HookFate::NotStarted(error) => HookEnd::Error(error.to_string()),
        HookFate::NotWaitedFor => HookEnd::Error("a signal ended the wait for it".to_owned()),
        HookFate::TooSlow => HookEnd::Error("it did not end within 10s".to_owned()),
        HookFate::NotDead => HookEnd::Error("it was killed and is still there".to_owned()),
    }
}

fn released(certain: bool, renewals: u64, held: Duration) -> Body {
    Body::Released {
        certain,
        renewals,
        held_s: seconds(held),
    }
}

/// The word for a refusal, which is the word for the lease's state, too.
const fn word(why: RefusedWhy) -> &'static str {
    match why {
        RefusedWhy::Held => "held",
        RefusedWhy::Cooldown => "cooldown",
        RefusedWhy::Paused => "paused",
        RefusedWhy::Guard => "guard",
        RefusedWhy::Young => "young",
    }
}

/// When it may be had, as far as that can be told.
fn until(by: &Observation) -> Option<crate::clock::WallTime> {
    let expires = by.expires_in.map(|left| BootClock.wall().plus(left));
    let pause = by.paused.as_ref().and_then(|pause| pause.until_at);
    // What keeps everyone out after the hold is over says more than the hold.
    pause.max(by.cooldown_until).or(expires)
}

const fn reason(why: StopWhy) -> &'static str {
    match why {
        StopWhy::Lost(_) => "lost",
        StopWhy::NotRenewed => NOT_RENEWED,
        StopWhy::RunTimeout => "run_timeout",
        StopWhy::Operator => "operator",
        StopWhy::ScheduledEvent => SCHEDULED_EVENT,
        StopWhy::Leftovers => "leftovers",
        StopWhy::Internal | StopWhy::Hook | StopWhy::Interrupted => "internal",
    }
}

fn parts(end: CommandEnd) -> (Option<i32>, Option<String>) {
    match end {
        CommandEnd::Exited(code) => (Some(code), None),
        CommandEnd::Killed(signal) => (None, Some(name_of(signal))),
    }
}
