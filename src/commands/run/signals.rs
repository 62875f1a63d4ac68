//! Signals and job control: what is done here, and what is the supervisor's.

use std::time::Duration;

use super::driver::Driver;
use super::news::News;
use crate::process::{
    Change, Heard, JobControl, ask_ourselves_to_stop, has_terminal, somebody_can_continue_us,
    stop_as_asked,
};
use crate::supervisor::{CommandEnd, Event, Phase, asks_to_end};

impl Driver<'_> {
    /// What became of the command; `None`: nothing that the supervisor has to know.
    pub(super) async fn command_changed(&mut self, change: Change) -> Option<Event> {
        if !matches!(change, Change::Stopped(_)) {
            self.aside = None;
        }
        let end = match change {
            Change::Exited(code) => CommandEnd::Exited(code),
            Change::Killed(signal) => CommandEnd::Killed(signal),
            Change::Continued => {
                self.paused = false;
                return None;
            }
            // A hook that stops (it reads the terminal in the background) is no job of the shell's.
            Change::Stopped(_) if self.preparing.is_some() => return None,
            Change::Stopped(signal) => {
                self.pause(signal).await;
                return None;
            }
        };
        if self.prepared(end) {
            return Some(Event::Prepared(end));
        }
        let now = self.clock.now();
        let ran = self.started_at.map_or(Duration::ZERO, |at| now.since(at));
        // Of a process that was there before nobody tells how it has ended, or whether.
        if !self.is_hold() {
            self.audience.hear(&News::Exited { end, ran });
        }
        self.ended_at = Some(now);
        Some(Event::CommandExited(end))
    }

    /// The command was stopped from the terminal: so are we, or the shell would not know. Lease time
    /// goes on; the guardian, which nothing stops, kills when it has run out.
    async fn pause(&mut self, signal: i32) {
        // It may have been continued since, and then nobody would continue us.
        self.paused = false;
        if !self.front.is_still_stopped() {
            return;
        }
        if !has_terminal() {
            return self.front.stay_awake();
        }
        if !somebody_can_continue_us() {
            // The kernel does not let a key stop a group that no shell looks after, and neither do we.
            return self.front.forward(libc::SIGCONT);
        }
        self.step_aside().await;
        let kill_in = self.until_stop();
        self.audience.hear(&News::Paused { kill_in });
        self.paused = true;
        self.front.pause(signal);
    }

    /// Lets another process ask what is announced, until we go on.
    async fn step_aside(&mut self) {
        // Two at once would wait for each other.
        self.aside = None;
        if let Some(source) = &mut self.source {
            self.aside = Some(source.step_aside().await);
        }
    }

    /// Job control is done here; everything else is the supervisor's.
    pub(super) async fn hear_signal(&mut self, heard: Heard) -> Option<Event> {
        let runs = self.started_at.is_some() && self.supervisor.phase() != Phase::Done;
        match heard.job_control() {
            None => self.hear_request(&heard),
            Some(JobControl::Continue) => {
                self.aside = None;
                self.audience.hear(&News::Redraw);
                self.front.resume();
                None
            }
            Some(JobControl::Stop) if !runs || self.is_hold() => {
                self.audience.hear(&News::Suspended);
                ask_ourselves_to_stop(heard.number);
                self.step_aside().await;
                stop_as_asked(heard.number);
                // Where the kernel stops nobody, nobody tells us that we go on either.
                self.aside = None;
                None
            }
            // What the terminal sent, the command has got too.
            Some(asked @ (JobControl::Stop | JobControl::Resize)) => {
                if asked == JobControl::Resize {
                    self.audience.hear(&News::Redraw);
                }
                if runs && !heard.from_terminal && !self.is_hold() {
                    self.front.forward(heard.number);
                }
                None
            }
        }
    }

    fn hear_request(&mut self, heard: &Heard) -> Option<Event> {
        if matches!(heard.number, libc::SIGTERM | libc::SIGINT | libc::SIGQUIT) {
            self.told_to_end = true;
            if self.finished.is_some() {
                self.kill_hooks();
            }
        }
        if self.is_hold() && self.is_held() {
            if asks_to_end(heard.number) {
                self.need.ends();
            }
            return None;
        }
        Some(Event::Signal {
            number: heard.number,
            from_terminal: heard.from_terminal,
        })
    }
}
