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

    fn say(&self, level: Level, text: &str) {
        if level <= self.level {
            line(text, PollTimeout::ZERO);
        }
    }
}

/// Prints the last word of a failed run; for that it waits a little.
pub(super) fn last_word(text: &str) {
    line(text, PollTimeout::from(500_u16));
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
        match news {
            News::Waiting { why, by } => self.waiting(*why, by),
            News::StoreSilent { error } => {
                self.say(Level::Normal, &format!("{}; trying again", because(*error)));
            }
            News::Acquired {
                token,
                waited,
                store,
                ..
            } => self.say(
                Level::Verbose,
                &format!(
                    "acquired {} on {store} after {}, token {token}",
                    self.lease,
                    span(*waited)
                ),
            ),
            News::TooLate => self.say(
                Level::Normal,
                "the lease was granted too late to start under it; giving it back and trying again",
            ),
            News::Started { pid, containment } => self.started(*pid, *containment),
            News::Renewed { remaining } => {
                let text = format!(
                    "renewed; SIGKILL is {} away without a renewal",
                    span(*remaining)
                );
                self.say(Level::Verbose, &text);
            }
            News::RenewFailed { error, remaining } => {
                let until = remaining.map_or_else(
                    || "trying again".to_owned(),
                    |left| {
                        let left = span(left);
                        format!("the command is stopped in {left} unless a renewal is answered")
                    },
                );
                self.say(Level::Normal, &format!("{}; {until}", because(Some(error))));
            }
            News::Doubt { .. } => {}
            News::DoubtEnded => {
                self.say(Level::Normal, "the store answers again; the lease is ours")
            }
            News::Lost(why) => self.say(
                Level::Normal,
                &format!("{} was lost: it {}", self.lease, lost(*why)),
            ),
            News::Stopping { why, kill_in } => self.stopping(*why, *kill_in),
            News::Killing => self.say(Level::Verbose, "sending SIGKILL to the whole command"),
            News::Paused { kill_in } => self.paused(*kill_in),
            News::Leftovers(left) => self.leftovers(left),
            News::Survivors { left, held } => self.survivors(left, *held),
            News::GuardianLost => {
                self.say(Level::Normal, "the guardian is gone; killing the command");
            }
            News::SecondSignalGivesUp => self.say(
                Level::Normal,
                "still waiting for processes that do not die; another signal gives up on them",
            ),
            News::GaveUp => {}
            News::Released => self.say(Level::Verbose, &format!("released {}", self.lease)),
            News::ReleaseUncertain { error } => self.say(
                Level::Normal,
                &format!(
                    "{}; the lease ends by itself when its time has run out",
                    because(*error)
                ),
            ),
        }
    }
}

impl Printer {
    fn waiting(&mut self, why: RefusedWhy, by: &Observation) {
        let awaited = (why, by.record.as_ref().map(|record| record.token));
        if self.waited_for != Some(awaited) {
            let how = super::held::describe(why, Some(by));
            self.say(
                self.waiting_from,
                &format!("{} is {how}; waiting", self.lease),
            );
            self.waited_for = Some(awaited);
        }
    }

    fn started(&self, pid: i32, containment: Containment) {
        let how = match containment {
            Containment::Tree => "kept together by descent (no cgroup of its own could be made)",
            Containment::Cgroup => "in a cgroup of its own",
        };
        self.say(Level::Verbose, &format!("started process {pid}, {how}"));
    }

    fn stopping(&self, why: StopWhy, kill_in: Duration) {
        let why = match why {
            StopWhy::Lost(why) => format!("{} was lost: it {}", self.lease, lost(why)),
            StopWhy::NotRenewed => format!("{} could not be renewed in time", self.lease),
            StopWhy::RunTimeout => "--run-timeout was reached".to_owned(),
            StopWhy::Operator => "an operator asked for the lease".to_owned(),
            StopWhy::ScheduledEvent => "this machine is about to go away".to_owned(),
            // The line that names them has been printed.
            StopWhy::Leftovers => return,
            StopWhy::Internal => "the guardian is gone".to_owned(),
        };
        let text = format!(
            "{why}: sending {} to the whole command, and SIGKILL in {}",
            self.stop_signal,
            span(kill_in)
        );
        self.say(Level::Normal, &text);
    }

    fn paused(&self, kill_in: Option<Duration>) {
        let text = match kill_in {
            Some(left) => format!(
                "stopped; the lease ends in {} and the command will be killed then",
                span(left)
            ),
            None => "stopped; the lease stays held meanwhile".to_owned(),
        };
        self.say(Level::Normal, &text);
    }

    fn leftovers(&self, left: &[Survivor]) {
        if !left.is_empty() {
            let text = format!(
                "the command ended and left {} behind; stopping them (--leftovers wait or leave \
                 changes that)",
                processes(left)
            );
            self.say(Level::Normal, &text);
        }
    }

    fn survivors(&self, left: &[Survivor], held: bool) {
        if !left.is_empty() {
            let held = if held {
                "stays held"
            } else {
                "is no longer ours"
            };
            let text = format!(
                "killed and still there: {}; {} {held}",
                processes(left),
                self.lease
            );
            self.say(Level::Normal, &text);
        }
    }
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

fn because(error: Option<&StoreError>) -> String {
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
