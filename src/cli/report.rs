//! News as lines for people, on stderr. Nothing here may wait or fail: a full pipe costs a line,
//! never a renewal.

use std::io::Write;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{named, printable};
use crate::commands::run::{Listener, News};
use crate::lease::{FencingToken, LostWhy, Observation, RefusedWhy, StoreError};
use crate::process::{Containment, Survivor};
use crate::supervisor::StopWhy;

/// How much is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Errors only.
    Quiet,
    /// And what people have to know.
    Normal,
    /// And what went well.
    Verbose,
}

/// Prints to stderr.
#[derive(Debug)]
pub(super) struct Printer {
    level: Level,
    lease: String,
    stop_signal: String,
    /// From which level on waiting is told.
    waiting_from: Level,
    /// The holder that was last said to be waited for: said again only when it changes.
    waited_for: Option<Awaited>,
}

/// What is waited for: the end of this hold, or of a minimum hold.
type Awaited = (RefusedWhy, Option<FencingToken>);

impl Printer {
    pub(super) fn new(level: Level, lease: &str, stop_signal: String) -> Self {
        Self {
            level,
            lease: named(lease),
            stop_signal,
            waiting_from: Level::Normal,
            waited_for: None,
        }
    }

    /// To be refused is no news, and so neither is to wait: cron would mail it.
    pub(super) const fn do_not_tell_of_waiting(&mut self) {
        self.waiting_from = Level::Verbose;
    }
}

/// Prints the last word of a failed run; for that it waits a little.
pub(super) fn last_word(text: &str) {
    line(text, PollTimeout::from(500_u16));
}

/// Prints a line while the command runs; for that it does not wait at all.
pub(super) fn in_passing(text: &str) {
    line(text, PollTimeout::ZERO);
}

/// One line, one write. A pipe that is full, or a terminal that was stopped, loses it.
fn line(text: &str, patience: PollTimeout) {
    let mut all = format!("leasectl: {text}\n");
    // A pipe takes this much in one piece whenever it is ready to be written to.
    if all.len() > 4096 {
        all = all.chars().take(1_000).collect();
        all.push_str("…\n");
    }
    let stderr = std::io::stderr();
    let mut fds = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
    if poll(&mut fds, patience).is_ok_and(|ready| ready > 0) {
        stderr.lock().write_all(all.as_bytes()).ok();
    }
}

impl Listener for Printer {
    fn hear(&mut self, news: &News<'_>) {
        let told = match news {
            News::Waiting { why, by } => self.waiting(*why, by),
            _ => self
                .of_the_lease(news)
                .or_else(|| self.of_the_command(news)),
        };
        if let Some((level, text)) = told
            && level <= self.level
        {
            line(&text, PollTimeout::ZERO);
        }
    }
}

/// From which level on it is told, and how.
type Told = Option<(Level, String)>;

impl Printer {
    fn waiting(&mut self, why: RefusedWhy, by: &Observation) -> Told {
        let awaited = (why, by.record.as_ref().map(|record| record.token));
        if self.waited_for == Some(awaited) {
            return None;
        }
        self.waited_for = Some(awaited);
        let how = super::held::describe(why, Some(by));
        Some((
            self.waiting_from,
            format!("{} is {how}; waiting", self.lease),
        ))
    }

    fn of_the_lease(&self, news: &News<'_>) -> Told {
        let lease = &self.lease;
        Some(match news {
            News::StoreSilent { error } => {
                (Level::Normal, format!("{}; trying again", because(*error)))
            }
            News::Acquired {
                token,
                waited,
                store,
                ..
            } => {
                let waited = span(*waited);
                let text = format!("acquired {lease} on {store} after {waited}, token {token}");
                (Level::Verbose, text)
            }
            News::TooLate => {
                let text = format!("{lease} was granted too late to start; trying again");
                (Level::Normal, text)
            }
            News::Renewed {
                remaining: Some(remaining),
                ..
            } => {
                let remaining = span(*remaining);
                let text =
                    format!("renewed {lease}; SIGKILL is {remaining} away without a renewal");
                (Level::Verbose, text)
            }
            News::RenewFailed {
                error, remaining, ..
            } => (Level::Normal, renew_failed(error, *remaining)),
            News::DoubtEnded => {
                let text = format!("the store answers again; {lease} is still ours");
                (Level::Normal, text)
            }
            News::Lost { why, .. } => (
                Level::Normal,
                format!("{lease} was lost: it {}", lost(*why)),
            ),
            News::Released { .. } => (Level::Verbose, format!("released {lease}")),
            News::ReleaseUncertain { error, .. } => {
                let why = because(*error);
                let text = format!("{why}; {lease} ends by itself when its time has run out");
                (Level::Normal, text)
            }
            _ => return None,
        })
    }

    fn of_the_command(&self, news: &News<'_>) -> Told {
        let text = match news {
            News::Started { pid, containment } => {
                return Some((Level::Verbose, started(*pid, *containment)));
            }
            News::Killing => {
                let text = "sending SIGKILL to the whole command".to_owned();
                return Some((Level::Verbose, text));
            }
            News::Stopping { why, kill_in } => self.stopping(*why, *kill_in)?,
            News::Paused {
                kill_in: Some(left),
            } => format!(
                "stopped; the lease ends in {} and the command will be killed then",
                span(*left)
            ),
            News::Paused { kill_in: None } => "stopped; the lease stays held meanwhile".to_owned(),
            News::Leftovers([]) | News::Survivors { left: [], .. } => return None,
            News::Leftovers(left) => format!(
                "the command ended and left {} behind; stopping them (--leftovers wait or leave \
                 changes that)",
                processes(left)
            ),
            News::Survivors { left, held } => format!(
                "killed and still there: {}; {} {}",
                processes(left),
                self.lease,
                if *held {
                    "stays held"
                } else {
                    "is no longer ours"
                }
            ),
            News::GuardianLost => "the guardian is gone; killing the command".to_owned(),
            News::SecondSignalGivesUp => {
                "still waiting for processes that do not die; another signal gives up on them"
                    .to_owned()
            }
            _ => return None,
        };
        Some((Level::Normal, text))
    }

    fn stopping(&self, why: StopWhy, kill_in: Duration) -> Option<String> {
        // The line that names leftovers has been printed.
        let why = stop_reason(why, &self.lease)?;
        Some(format!(
            "{why}: sending {} to the whole command, and SIGKILL in {}",
            self.stop_signal,
            span(kill_in)
        ))
    }
}

/// Why the command is being stopped; `None` for leftovers: it has ended, and they have names.
pub(super) fn stop_reason(why: StopWhy, lease: &str) -> Option<String> {
    Some(match why {
        StopWhy::Lost(why) => format!("{lease} was lost: it {}", lost(why)),
        StopWhy::NotRenewed => format!("{lease} could not be renewed in time"),
        StopWhy::RunTimeout => "--run-timeout was reached".to_owned(),
        StopWhy::Operator => "an operator asked for the lease".to_owned(),
        StopWhy::ScheduledEvent => "this machine is about to go away".to_owned(),
        StopWhy::Leftovers => return None,
        StopWhy::Internal => "the guardian is gone".to_owned(),
    })
}

fn renew_failed(error: &StoreError, remaining: Option<Duration>) -> String {
    let until = remaining.map_or_else(
        || "trying again".to_owned(),
        |left| {
            let left = span(left);
            format!("the command is stopped in {left} unless a renewal is answered")
        },
    );
    format!("{}; {until}", because(Some(error)))
}

fn started(pid: i32, containment: Containment) -> String {
    let how = match containment {
        Containment::Tree => "kept together by descent (no cgroup of its own could be made)",
        Containment::Cgroup => "in a cgroup of its own",
    };
    format!("started process {pid}, {how}")
}

/// Processes by number and name, not more than a line can hold.
fn processes(left: &[Survivor]) -> String {
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
        LostWhy::Vanished => "is no longer known to the store",
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
