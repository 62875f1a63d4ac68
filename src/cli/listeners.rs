//! Who listens to a run on this floor: people at standard error, the service manager, and whoever waits
//! for a hold.

use super::hold::Announcer;
use super::report::Printer;
use super::service::Service;
use crate::clock::Instant;
use crate::commands::events::LogLevel;
use crate::commands::run::{Listener, News};

/// All of them.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) printer: Printer,
    pub(super) service: Service,
    /// Who waits for the lease to be held.
    pub(super) announcer: Option<Announcer>,
}

impl Listeners {
    /// Tells people what is wrong with the service manager's socket.
    pub(super) fn pass_warnings_on(&mut self) {
        for warning in self.service.warnings() {
            self.printer.voice.say(LogLevel::Warn, &warning);
        }
    }
}

impl Listener for Listeners {
    fn hear(&mut self, news: &News<'_>) {
        self.printer.hear(news);
        self.service.hear(news);
        if let Some(announcer) = &mut self.announcer {
            for warning in announcer.hear(news) {
                self.printer.voice.say(LogLevel::Warn, &warning);
            }
        }
        self.pass_warnings_on();
    }

    fn wake_at(&self) -> Instant {
        self.printer.wake_at().min(self.service.wake_at())
    }

    fn on_time(&mut self, now: Instant) {
        if now >= self.printer.wake_at() {
            self.printer.on_time(now);
        }
        if now >= self.service.wake_at() {
            self.service.on_time(now);
            self.pass_warnings_on();
        }
    }

    fn follows_the_holder(&self) -> bool {
        self.printer.follows_the_holder() || self.service.follows_the_holder()
    }
}
