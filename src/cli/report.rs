//! News as lines for people.

use std::time::Duration;

use super::leaving::of_the_machine;
use super::phrases::{
    Told, Whom, because, clock_jump, event_lost, left_behind, lost, of_hook, processes,
    renew_failed, span, started, stop_reason,
};
use super::voice::Voice;
use super::waiting::Display;
use super::{named, terminal};
use crate::clock::{BootClock, Clock, Instant};
use crate::commands::events::LogLevel;
use crate::commands::run::{Asked, Listener, News};
use crate::lease::{FencingToken, Observation, RefusedWhy};
use crate::supervisor::{StopWhy, Wait};

/// Says what a run has to tell.
#[derive(Debug)]
pub(super) struct Printer {
    pub(super) voice: Voice,
    lease: String,
    stop_signal: String,
    /// Who is stopped.
    whom: Whom,
    /// How much it matters that we wait.
    waiting: LogLevel,
    /// The holder that was last said to be waited for: said again only when it changes.
    waited_for: Option<Awaited>,
    /// Where waiting is shown on a terminal, in place of being said.
    display: Option<Display>,
}

/// What is waited for: the end of this hold, or of a minimum hold.
type Awaited = (RefusedWhy, Option<FencingToken>);

impl Printer {
    pub(super) fn new(voice: Voice, lease: &str, stop_signal: String) -> Self {
        Self {
            voice,
            lease: named(lease),
            stop_signal,
            whom: Whom::Command,
            waiting: LogLevel::Info,
            waited_for: None,
            display: None,
        }
    }

    /// Shows waiting as one line that is kept up to date, where there is a terminal for it. `limit`: how
    /// long is waited.
    pub(super) fn show_waiting(&mut self, limit: Wait) {
        let lease = &self.lease;
        let can = self.voice.can_draw();
        self.display = can.then(|| Display::new(lease, limit, BootClock.now()));
    }

    /// It is not a command that is guarded.
    pub(super) fn guards(&mut self, whom: Whom) {
        self.whom = whom;
    }

    /// To be refused is no news, and so neither is to wait: cron would mail it.
    pub(super) const fn do_not_tell_of_waiting(&mut self) {
        self.waiting = LogLevel::Debug;
    }
}

impl Listener for Printer {
    fn hear(&mut self, news: &News<'_>) {
        match news {
            News::Acquired { token, .. } => {
                self.voice.under(Some(*token));
                self.wait_is_over();
            }
            News::Refused { .. } | News::HeldBack { .. } => self.wait_is_over(),
            News::Suspended => self.voice.erase(),
            News::Redraw => drop(self.draw(true)),
            _ => {}
        }
        let told = match news {
            News::Waiting { why, by } => self.waiting(*why, by),
            _ => of_the_machine(news)
                .or_else(|| self.of_the_lease(news))
                .or_else(|| self.of_the_command(news)),
        };
        if let Some((level, text)) = told {
            self.voice.say(level, &text);
            // It took the place of what was drawn.
            self.draw(false);
        }
        if let News::Restarting { .. } = news {
            self.voice.under(None);
            self.waited_for = None;
        }
    }

    fn wake_at(&self) -> Instant {
        let display = self.display.as_ref();
        display.map_or(Instant::NEVER, Display::wake_at)
    }

    fn on_time(&mut self, now: Instant) {
        if let Some(display) = &mut self.display {
            display.on_time(now);
            self.draw(false);
        }
    }

    fn follows_the_holder(&self) -> bool {
        self.voice.says(self.waiting)
    }
}

impl Printer {
    fn waiting(&mut self, why: RefusedWhy, by: &Observation) -> Told {
        if let Some(display) = &mut self.display
            && self.voice.says(self.waiting)
        {
            display.shows(why, by, BootClock.now());
        }
        if self.draw(false) {
            return None;
        }
        let awaited = (why, by.record.as_ref().map(|record| record.token));
        if self.waited_for == Some(awaited) {
            return None;
        }
        self.waited_for = Some(awaited);
        let how = super::held::describe(why, Some(by));
        Some((self.waiting, format!("{} is {how}; waiting", self.lease)))
    }

    /// Draws what is shown of the wait. False when nothing is, or not here and now: we may be in the
    /// background, where the line that the cursor is on is somebody else's.
    fn draw(&mut self, afresh: bool) -> bool {
        let display = self.display.as_ref().filter(|display| display.is_on());
        let Some(display) = display else {
            return false;
        };
        let Some(columns) = terminal::columns() else {
            self.voice.leave_the_drawing();
            return false;
        };
        let text = display.text(columns, BootClock.now());
        self.voice.draw(&text, afresh);
        true
    }

    fn wait_is_over(&mut self) {
        self.waited_for = None;
        if let Some(display) = &mut self.display {
            display.ends();
        }
        self.voice.erase();
    }

    fn of_the_lease(&self, news: &News<'_>) -> Told {
        let lease = &self.lease;
        Some(match news {
            News::StoreSilent { error } => {
                (LogLevel::Warn, format!("{}; trying again", because(*error)))
            }
            News::Acquired {
                token,
                waited,
                store,
                ..
            } => {
                let waited = span(*waited);
                let text = format!("acquired {lease} on {store} after {waited}, token {token}");
                (LogLevel::Debug, text)
            }
            News::TooLate => {
                let text = format!("{lease} was granted too late to start; trying again");
                (LogLevel::Warn, text)
            }
            News::Renewed {
                remaining: Some(remaining),
                ..
            } => {
                let remaining = span(*remaining);
                let text =
                    format!("renewed {lease}; SIGKILL is {remaining} away without a renewal");
                (LogLevel::Debug, text)
            }
            News::RenewFailed {
                error, remaining, ..
            } => (LogLevel::Warn, renew_failed(error, *remaining, &self.whom)),
            News::DoubtEnded => {
                let text = format!("the store answers again; {lease} is still ours");
                (LogLevel::Info, text)
            }
            News::Lost { why, .. } => (
                LogLevel::Warn,
                format!("{lease} was lost: it {}", lost(*why)),
            ),
            News::Released { .. } => (LogLevel::Debug, format!("released {lease}")),
            News::ReleaseUncertain { error, .. } => {
                let why = because(*error);
                let text = format!("{why}; {lease} ends by itself when its time has run out");
                (LogLevel::Warn, text)
            }
            _ => return of_what_is_around(news),
        })
    }

    fn of_the_command(&self, news: &News<'_>) -> Told {
        let text = match news {
            News::Started { pid, containment } => {
                return Some((LogLevel::Debug, started(*pid, *containment)));
            }
            News::Guarding { .. } => return self.of_whom("guarding"),
            News::Killing { .. } => return self.of_whom("sending SIGKILL to"),
            News::Stopping {
                why,
                kill_in,
                asked,
            } => self.stopping(*why, *kill_in, *asked)?,
            News::Paused {
                kill_in: Some(left),
            } => format!(
                "stopped; the lease ends in {} and the command will be killed then",
                span(*left)
            ),
            News::Paused { kill_in: None } => "stopped; the lease stays held meanwhile".to_owned(),
            News::Leftovers { left: [], .. } | News::Survivors { left: [], .. } => return None,
            News::Leftovers { left, of_hook } => left_behind(left, *of_hook),
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
            News::GuardianLost { running: true } if matches!(self.whom, Whom::Command) => {
                "the guardian is gone; killing the command".to_owned()
            }
            // What follows for a process that was there before, says the next line.
            News::GuardianLost { running: true } => return None,
            News::GuardianLost { running: false } => "the guardian is gone".to_owned(),
            News::Hook { hook, fate, .. } => return of_hook(*hook, fate),
            News::Restarting { delay } => {
                let text = format!("queueing for {} again in {}", self.lease, span(*delay));
                return Some((LogLevel::Info, text));
            }
            News::SecondSignalGivesUp => {
                "still waiting for processes that do not die; another signal gives up on them"
                    .to_owned()
            }
            _ => return None,
        };
        Some((LogLevel::Warn, text))
    }

    fn of_whom(&self, done: &str) -> Told {
        let text = format!("{done} {}", self.whom.words());
        Some((LogLevel::Debug, text))
    }

    fn stopping(
        &self,
        why: StopWhy,
        kill_in: Duration,
        asked: Option<Asked<'_>>,
    ) -> Option<String> {
        // We were stopped ourselves meanwhile: the last word tells all of it.
        if why == StopWhy::NotRenewed && kill_in.is_zero() {
            return None;
        }
        // The line that names leftovers has been printed, and the one about a hook follows.
        let why = stop_reason(why, &self.lease, asked)?;
        if let Whom::Nobody = self.whom {
            return Some(why);
        }
        Some(format!(
            "{why}: sending {} to {}, and SIGKILL in {}",
            self.stop_signal,
            self.whom.words(),
            span(kill_in)
        ))
    }
}

fn of_what_is_around(news: &News<'_>) -> Told {
    Some(match news {
        News::ClockJump { jump, pace } => (LogLevel::Warn, clock_jump(*jump, *pace)),
        News::EventLost { error } => (LogLevel::Warn, event_lost(error)),
        News::ClockSteady => {
            let text = "the store's clock keeps time again".to_owned();
            (LogLevel::Info, text)
        }
        _ => return None,
    })
}
