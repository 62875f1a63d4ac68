//! The poller: its beat, its requests, and when it gives the seat up.

use super::{Coordinator, MOST_FAILED_WRITES, Post, Reading};
use crate::clock::{BootClock, Clock, Instant};
use crate::notices::cache::encode;
use crate::notices::polling::{Followed, Step};
use crate::notices::source::Role;

impl Coordinator {
    pub(super) fn poll(&mut self, ticked: bool) -> Option<Instant> {
        if !self.still_sits() {
            self.post = Post::Reader(Reading::default());
            self.teller
                .role(Role::Reader, "another process has taken the seat");
            return Some(BootClock.now());
        }
        if ticked {
            self.publish();
        }
        match &mut self.post {
            Post::Poller(polling) => polling.begin(BootClock.now()),
            _ => Some(BootClock.now()),
        }
    }

    fn still_sits(&self) -> bool {
        match (&self.post, &self.directory) {
            (Post::Poller(polling), Some(directory)) => polling
                .seat
                .as_ref()
                .is_some_and(|seat| seat.is_in_force(directory)),
            _ => false,
        }
    }

    /// The beat, with or without an answer.
    pub(super) fn publish(&mut self) {
        let (Post::Poller(polling), Some(directory)) = (&mut self.post, &self.directory) else {
            return;
        };
        let there = directory.cache(&self.settings.boot).ok().flatten();
        // Written by somebody who asked later: we are deposed, and see it in a moment.
        if there.is_some_and(|there| there.header.asked_ns > polling.header.asked_ns) {
            return;
        }
        polling.header.beat_ns = BootClock.now().as_nanos();
        let bytes = encode(&polling.header, &polling.answer);
        match directory.put_cache(&bytes) {
            Ok(()) => self.failed_writes = 0,
            Err(distrust) => {
                self.failed_writes += 1;
                if self.failed_writes >= MOST_FAILED_WRITES {
                    self.go_alone(&distrust);
                }
            }
        }
    }

    /// A request has come a step further.
    pub(super) fn follow(&mut self, step: Step) {
        let sits = self.still_sits();
        let (Post::Poller(polling) | Post::Direct(polling, _)) = &mut self.post else {
            return;
        };
        // Whoever was deposed while it waited neither asks nor tells.
        if polling.seat.is_some() && !sits {
            return;
        }
        let followed = match step {
            Step::Slot(slot) => {
                polling.send(slot);
                return;
            }
            Step::Name(answer) => polling.named(answer),
            Step::Events(answer) => polling.answered(answer),
        };
        let cut_off = polling.is_cut_off() && polling.seat.is_some();
        match followed {
            Followed::Nothing => {}
            Followed::Good => {
                self.trouble_told = false;
                let at = Instant::from_nanos(polling.header.good_ns);
                self.teller
                    .document(&polling.answer, &polling.header.vm, at);
            }
            Followed::Trouble(trouble) if !self.trouble_told => {
                self.trouble_told = true;
                self.teller.warn(trouble.to_string());
            }
            Followed::Trouble(_) => {}
        }
        self.publish();
        if cut_off {
            self.left_at = Some(BootClock.now());
            self.post = Post::Reader(Reading::default());
            self.teller
                .role(Role::Stale, "nobody answers this process; another may try");
        }
    }
}
