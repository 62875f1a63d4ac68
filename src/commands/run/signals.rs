//! Signals and job control: what is done here, and what is the supervisor's.

use super::driver::Driver;
use super::news::News;
use crate::process::{Heard, JobControl, has_terminal, somebody_can_continue_us, stop_ourselves};
use crate::supervisor::{Event, Phase, asks_to_end};

impl Driver<'_> {
    /// The command was stopped from the terminal: so are we, or the shell would not know. Lease time
    /// goes on; the guardian, which nothing stops, kills when it has run out.
    pub(super) fn pause(&mut self, signal: i32) {
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
        let kill_in = self.until_stop();
        self.audience.hear(&News::Paused { kill_in });
        self.paused = true;
        self.front.pause(signal);
    }

    /// Job control is done here; everything else is the supervisor's.
    pub(super) fn hear_signal(&mut self, heard: Heard) -> Option<Event> {
        let runs = self.started_at.is_some() && self.supervisor.phase() != Phase::Done;
        match heard.job_control() {
            None => self.hear_request(&heard),
            Some(JobControl::Continue) => {
                self.audience.hear(&News::Redraw);
                self.front.resume();
                None
            }
            Some(JobControl::Stop) if !runs || self.is_hold() => {
                self.audience.hear(&News::Suspended);
                stop_ourselves(heard.number);
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
