//! What the news are called in words, for lines on standard error and for the service manager.

use std::io;
use std::time::Duration;

use super::held::asked_for;
use super::leaving::about_to_go;
use super::{os_error, printable};
use crate::commands::events::LogLevel;
use crate::commands::run::{Asked, HookFate, HookName};
use crate::lease::{Jump, LostWhy, Pace, StoreError};
use crate::process::{Containment, Survivor, name_of};
use crate::supervisor::{CommandEnd, StopWhy};

/// Who is guarded, and gets the signals.
#[derive(Debug)]
pub(super) enum Whom {
    /// A command, with all that it started.
    Command,
    /// A process that was there before, in words.
    Process(String),
    /// Nobody.
    Nobody,
}

impl Whom {
    pub(super) fn words(&self) -> &str {
        match self {
            Self::Command => "the whole command",
            Self::Process(process) => process,
            Self::Nobody => "no process",
        }
    }
}

/// How much it matters, and how it is said.
pub(super) type Told = Option<(LogLevel, String)>;

/// A hook that went well is no news.
pub(super) fn of_hook(hook: HookName, fate: &HookFate) -> Told {
    let how = match fate {
        HookFate::Ended(CommandEnd::Exited(0)) => {
            return Some((LogLevel::Debug, format!("the {} hook ended", hook.word())));
        }
        HookFate::Ended(CommandEnd::Exited(code)) => format!("failed with exit code {code}"),
        HookFate::Ended(CommandEnd::Killed(signal)) => {
            format!("was killed by {}", name_of(*signal))
        }
        HookFate::NotStarted(error) => format!("could not be started: {}", os_error(error)),
        HookFate::TooSlow => "did not end within 10s and was killed".to_owned(),
        HookFate::NotWaitedFor => "was killed: a signal ended the wait for it".to_owned(),
        HookFate::NotDead => "was killed and is still there; it is not waited for".to_owned(),
    };
    // The one that keeps the command from starting is named by the last word.
    let level = match hook {
        HookName::Acquired => LogLevel::Debug,
        HookName::Doubt | HookName::Lost | HookName::Released => LogLevel::Warn,
    };
    Some((level, format!("the {} hook {how}", hook.word())))
}

/// Why the command is being stopped; `None` for leftovers, which have names, and for a hook, which has a
/// line of its own.
pub(super) fn stop_reason(why: StopWhy, lease: &str, asked: Option<Asked<'_>>) -> Option<String> {
    Some(match why {
        StopWhy::Lost(why) => format!("{lease} was lost: it {}", lost(why)),
        StopWhy::NotRenewed => format!("{lease} could not be renewed in time"),
        StopWhy::RunTimeout => "--run-timeout was reached".to_owned(),
        StopWhy::Operator => asked_for(lease, asked.and_then(Asked::operator)),
        StopWhy::ScheduledEvent => about_to_go(asked.and_then(Asked::event)),
        StopWhy::Leftovers | StopWhy::Hook => return None,
        StopWhy::Internal => "the guardian is gone".to_owned(),
        StopWhy::Interrupted => "a signal came before the command was started".to_owned(),
    })
}

pub(super) fn renew_failed(error: &StoreError, remaining: Option<Duration>, whom: &Whom) -> String {
    let until = remaining.map_or_else(
        || "trying again".to_owned(),
        |left| {
            let left = span(left);
            match whom {
                Whom::Command => {
                    format!("the command is stopped in {left} unless a renewal is answered")
                }
                Whom::Process(process) => {
                    format!("{process} is stopped in {left} unless a renewal is answered")
                }
                Whom::Nobody => format!("it is given up in {left} unless a renewal is answered"),
            }
        },
    );
    format!("{}; {until}", because(Some(error)))
}

pub(super) fn started(pid: i32, containment: Containment) -> String {
    let how = match containment {
        Containment::Tree => "kept together by descent (no cgroup of its own could be made)",
        Containment::Cgroup => "in a cgroup of its own",
    };
    format!("started process {pid}, {how}")
}

/// What stays when its parent has ended; of the command's, there is an option that leaves it alone.
pub(super) fn left_behind(left: &[Survivor], of_hook: bool) -> String {
    let left = processes(left);
    if of_hook {
        return format!("--on-acquired left {left} behind; stopping them");
    }
    format!(
        "the command ended and left {left} behind; stopping them (--leftovers wait or leave changes \
         that)"
    )
}

/// Processes by number and name, not more than a line can hold.
pub(super) fn processes(left: &[Survivor]) -> String {
    const MOST: usize = 8;
    let mut parts: Vec<String> = left.iter().take(MOST).map(process).collect();
    if left.len() > MOST {
        parts.push(format!("and {} more", left.len() - MOST));
    }
    parts.join(", ")
}

fn process(survivor: &Survivor) -> String {
    let Survivor {
        pid,
        program,
        ours_to_kill,
    } = survivor;
    let note = if *ours_to_kill {
        ""
    } else {
        ", of another user: it cannot be killed"
    };
    format!("{pid} ({}{note})", printable(program))
}

pub(super) fn lost(why: LostWhy) -> &'static str {
    match why {
        LostWhy::Expired => "ran out at the store",
        LostWhy::Taken => "now belongs to somebody else",
        LostWhy::Broken => "was taken away by an operator",
        LostWhy::Vanished => "is no longer known to the store",
        LostWhy::ClockJump => "ran out at the store, whose clock was set forward",
    }
}

/// Whoever keeps the store's machine has to hear of it: the next jump may be longer than a lease.
pub(super) fn clock_jump(jump: Jump, pace: Pace) -> String {
    if let Pace::Runs { fast } = pace {
        return clock_runs(jump.rate, fast);
    }
    let by = span(jump.by);
    let then = if jump.forward {
        let rate = jump.rate;
        format!("until the next renewal the lease counts as running out {rate:.1} times as fast")
    } else {
        "the lease goes on".to_owned()
    };
    let way = if jump.forward { "forward" } else { "back" };
    format!(
        "the store's clock was set {way} by {by}: {then}; let it be slewed (chrony, NTP), not set"
    )
}

/// Said once, however many renewals it goes on for.
fn clock_runs(rate: f64, fast: bool) -> String {
    if fast {
        format!(
            "the store's clock runs about {rate:.1} times as fast as ours: as long as it does, the lease counts as \
             running out that fast; let it be kept in step (chrony, NTP)"
        )
    } else {
        "the store's clock runs slower than ours: the lease goes on; let it be kept in step (chrony, NTP)"
            .to_owned()
    }
}

pub(super) fn because(error: Option<&StoreError>) -> String {
    error.map_or_else(
        || "the store gave no answer".to_owned(),
        |error| super::chain(error),
    )
}

/// A span for people: never finer than it is worth.
pub(super) fn span(span: Duration) -> String {
    let rounded = if span >= Duration::from_secs(10) {
        Duration::from_secs(span.as_secs())
    } else {
        Duration::from_millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
    };
    humantime::format_duration(rounded).to_string()
}

/// That an event is missing where events are written.
pub(super) fn event_lost(error: &io::Error) -> String {
    let why = match error.raw_os_error() {
        Some(libc::EAGAIN) => "whoever reads it has stopped reading".to_owned(),
        Some(libc::EPIPE | libc::ECONNRESET) => "whoever read it is gone".to_owned(),
        _ => os_error(error),
    };
    format!(
        "an event could not be written to --events: {why}; it is lost, and so is every other until one can, without \
         another word"
    )
}
