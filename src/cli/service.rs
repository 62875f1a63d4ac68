//! News for the service manager: that we are ready, what we are doing, and that we are alive.
//!
//! READY means queued or holding: a standby is ready; from `hold`, holding. It comes once. The watchdog is fed by the loop
//! that renews, and by nothing else, so that it starves when that loop stands still. It does not
//! starve because renewals fail or the guardian is silent: the loop deals with both, on time, and to
//! be killed over them would end a command whose lease may still be kept.

use std::time::Duration;

use super::leaving::about_to_go;
use super::phrases::{self, stop_reason};
use super::{held, named, os_error, printable};
use crate::clock::{BootClock, Clock, Instant};
use crate::commands::run::{Ended, Listener, News, RunPlan};
use crate::process::{NotTold, NotifySocket, ServiceManager, Told, name_of};
use crate::supervisor::{CommandEnd, Guards, Outcome, Restart};

/// How long after a full queue we try again; measured here, from the attempt. Too small, and a busy
/// service manager is knocked at for nothing; too large, and a start is seen late.
const RETRY: Duration = Duration::from_millis(250);

/// The shortest time from one sign of life to the next, so that an absurd `WATCHDOG_USEC` cannot keep
/// the loop from its work. Hurts nobody: no service manager counts in less than 20 ms.
const FASTEST: Duration = Duration::from_millis(10);

/// What SIGKILL, the end of the last process and the release may take beyond a grace, by the service
/// manager's clock. Too small, and `TimeoutStopSec=` cuts off what `--grace` allows.
const AFTERWARDS: Duration = Duration::from_secs(10);

/// A status is one line of `systemctl status`.
const LONGEST_STATUS: usize = 300;

/// Tells the service manager, when there is one.
#[derive(Debug)]
pub(super) struct Service {
    /// `None`: there is nobody to tell, or nobody any more.
    socket: Option<NotifySocket>,
    /// A further run follows, so that the end of one is not the end of the service.
    runs_again: bool,
    /// Ready means holding, and nothing less: what waits for us goes on then (`hold`).
    ready_when_held: bool,
    /// What people have to be told and have not been yet.
    warnings: Vec<String>,
    lease: String,
    program: Option<String>,
    /// What is done while nothing is wrong.
    holding: String,
    /// Why the last renewal failed.
    trouble: String,
    /// What has not reached the service manager yet. A later status replaces an earlier one.
    unsent: Unsent,
    /// The status that it has, or will have.
    status: String,
    ready: bool,
    stopping: bool,
    /// Half of what the watchdog waits for.
    feed_every: Option<Duration>,
    feed_at: Instant,
    retry_at: Instant,
}

#[derive(Debug, Default)]
struct Unsent {
    ready: bool,
    /// With the time that this will take at most.
    stopping: Option<Option<Duration>>,
    status: Option<String>,
}

impl Unsent {
    fn assignments(&self) -> Vec<String> {
        let mut all = Vec::new();
        if self.ready {
            all.push("READY=1".to_owned());
        }
        if let Some(takes) = self.stopping {
            all.push("STOPPING=1".to_owned());
            all.extend(takes.map(|span| format!("EXTEND_TIMEOUT_USEC={}", span.as_micros())));
        }
        all.extend(self.status.as_ref().map(|text| format!("STATUS={text}")));
        all
    }
}

impl Service {
    /// Looks for a service manager in the environment. One that cannot be told is worth a warning; the
    /// command runs all the same.
    pub(super) fn of_environment(plan: &RunPlan) -> Self {
        let own = i32::try_from(std::process::id()).unwrap_or(0);
        let (manager, wrong) = ServiceManager::read(std::env::var_os, own);
        let socket = manager.connect();
        let mut warnings: Vec<String> = wrong.iter().map(warning).collect();
        let socket = socket.unwrap_or_else(|error| {
            warnings.push(warning(&error));
            None
        });
        let feed_every = manager.watchdog.map(|limit| (limit / 2).max(FASTEST));
        let lease = named(plan.lease.as_str());
        Self {
            feed_at: match feed_every {
                Some(_) if socket.is_some() => BootClock.now(),
                _ => Instant::NEVER,
            },
            socket,
            ready_when_held: plan.settings.guards == Guards::Process,
            runs_again: plan.restart != Restart::Never,
            warnings,
            holding: format!("holding {lease}"),
            lease,
            program: plan.purpose.program.as_deref().map(printable),
            trouble: String::new(),
            unsent: Unsent::default(),
            status: String::new(),
            ready: false,
            stopping: false,
            feed_every,
            retry_at: Instant::NEVER,
        }
    }

    /// The run is over; `word` is what people are told of it.
    pub(super) fn over(&mut self, ended: &Ended, word: Option<&str>) {
        let lease = &self.lease;
        let text = match (word, ended.command, ended.outcome) {
            (Some(word), ..) => Some(word.to_owned()),
            (None, Some(end), _) => Some(format!("finished: the command {}", how(end))),
            (None, None, Outcome::Interrupted(signal)) => Some(format!(
                "ended by {} while waiting for {lease}; nothing was run",
                name_of(signal)
            )),
            (None, None, _) => None,
        };
        if let Some(text) = text {
            self.status(&text);
        }
        self.stop(None);
        self.send(false);
    }

    /// What people have to be told.
    pub(super) fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    fn status(&mut self, text: &str) {
        let mut letters = text.chars();
        let mut shown: String = letters.by_ref().take(LONGEST_STATUS).collect();
        if letters.next().is_some() {
            shown.push('…');
        }
        // Whoever waits hears of the same holder again and again.
        if shown != self.status {
            self.unsent.status = Some(shown.clone());
            self.status = shown;
        }
    }

    /// Waiting for the lease is what a standby is for.
    const fn get_ready(&mut self) {
        self.unsent.ready |= !self.ready;
        self.ready = true;
    }

    const fn stop(&mut self, takes: Option<Duration>) {
        if !self.stopping {
            self.unsent.stopping = Some(takes);
        }
        self.stopping = true;
    }

    /// Sends what is unsent, with a sign of life or without.
    fn send(&mut self, feed: bool) {
        let mut all = self.unsent.assignments();
        if feed {
            all.push("WATCHDOG=1".to_owned());
        }
        let Some(socket) = self.socket.as_ref().filter(|_| !all.is_empty()) else {
            return;
        };
        self.retry_at = Instant::NEVER;
        match socket.tell(&all) {
            Told::Done => self.unsent = Unsent::default(),
            Told::Full => {
                self.retry_at = BootClock.now() + RETRY;
                if feed {
                    self.feed_at = self.feed_at.min(self.retry_at);
                }
            }
            Told::Failed(error) => {
                self.socket = None;
                self.feed_at = Instant::NEVER;
                self.warnings.push(warning(&NotTold::Unreachable(error)));
            }
        }
    }

    /// What it is that we do now, in words; `None` where the news changes nothing about it.
    fn words(&mut self, news: &News<'_>) -> Option<String> {
        let lease = &self.lease;
        Some(match news {
            News::Waiting { why, by } => {
                format!("waiting for {lease}: {}", held::standing(*why, Some(by)))
            }
            News::StoreSilent { error } => {
                format!("waiting for {lease}: {}", phrases::because(*error))
            }
            News::Refused { why, by } => {
                format!("refused: {lease} is {}", held::standing(*why, *by))
            }
            News::HeldBack { event } => about_to_go(Some(event)),
            News::TooLate => format!("waiting for {lease}: it was granted too late to start"),
            News::Acquired { token, .. } => {
                let since = BootClock.wall();
                self.holding = format!("holding {lease} since {since}, token {token}");
                self.holding.clone()
            }
            News::Guarding { pid: Some(pid) } => {
                self.holding = format!("{}, guarding process {pid}", self.holding);
                self.holding.clone()
            }
            News::Started { .. } => {
                let program = self.program.as_deref().unwrap_or("the command");
                self.holding = format!("{}, running {program}", self.holding);
                self.holding.clone()
            }
            News::RenewFailed { error, .. } => {
                self.trouble = phrases::because(Some(error));
                return None;
            }
            News::Doubt { remaining } => format!(
                "{lease} in doubt: {}; the command is stopped at {} unless a renewal is answered",
                self.trouble,
                BootClock.wall().plus(*remaining)
            ),
            News::DoubtEnded => self.holding.clone(),
            News::Exited { end, .. } => format!("finishing: the command {}", how(*end)),
            News::Restarting { .. } => format!("queueing for {lease} again"),
            _ => format!("stopping: {}", stopping(news, lease)?),
        })
    }
}

/// Why the command is being stopped, and what has not died of it.
fn stopping(news: &News<'_>, lease: &str) -> Option<String> {
    Some(match news {
        News::Stopping { why, asked, .. } => stop_reason(*why, lease, *asked)
            .unwrap_or_else(|| "what the command left behind".to_owned()),
        News::Lost { why, .. } => format!("{lease} was lost: it {}", phrases::lost(*why)),
        News::GuardianLost { .. } => "the guardian is gone".to_owned(),
        News::Survivors { left, .. } if !left.is_empty() => {
            format!("{} processes were killed and are still there", left.len())
        }
        _ => return None,
    })
}

impl Listener for Service {
    fn hear(&mut self, news: &News<'_>) {
        if self.socket.is_none() {
            return;
        }
        match news {
            News::Waiting { .. } | News::Acquired { .. } if !self.ready_when_held => {
                self.get_ready();
            }
            News::Guarding { .. } => self.get_ready(),
            // A service manager that is told STOPPING stops everything for good.
            _ if self.runs_again => {}
            News::Stopping { kill_in, .. } => self.stop(Some(*kill_in + AFTERWARDS)),
            News::Lost { .. } | News::GuardianLost { .. } => self.stop(None),
            _ => {}
        }
        if let Some(text) = self.words(news) {
            self.status(&text);
        }
        // What found a full queue waits for its time: it is not knocked at with each piece of news.
        if self.retry_at == Instant::NEVER {
            self.send(false);
        }
    }

    fn follows_the_holder(&self) -> bool {
        self.socket.is_some()
    }

    fn wake_at(&self) -> Instant {
        self.feed_at.min(self.retry_at)
    }

    fn on_time(&mut self, now: Instant) {
        let feed = now >= self.feed_at;
        if let (true, Some(every)) = (feed, self.feed_every) {
            self.feed_at = now + every;
        }
        self.send(feed);
    }
}

fn how(end: CommandEnd) -> String {
    match end {
        CommandEnd::Exited(code) => format!("ended with exit code {code}"),
        CommandEnd::Killed(signal) => format!("was killed by {}", name_of(signal)),
    }
}

fn warning(error: &NotTold) -> String {
    match error {
        NotTold::Unreachable(why) => format!(
            "the service manager is not told: its socket, NOTIFY_SOCKET, {error}: {}; unset \
             NOTIFY_SOCKET if there is none",
            os_error(why)
        ),
        NotTold::UnknownAddress => format!(
            "the service manager is not told: its socket, NOTIFY_SOCKET, {error}; unset \
             NOTIFY_SOCKET, or let it name a socket of this machine"
        ),
        NotTold::Malformed(name) => format!(
            "the service manager's watchdog is not fed: {error}; unset {name} if nobody watches"
        ),
    }
}
