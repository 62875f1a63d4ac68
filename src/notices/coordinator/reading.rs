//! The reader: what it hears, and when it takes the seat.

use std::time::Duration;

use super::{AWAY, Coordinator, DEAF_LOOK, NOBODY_CAME, Post, SILENT_TICKS};
use crate::clock::{BootClock, Clock, Instant};
use crate::notices::cache::Cache;
use crate::notices::directory::Distrust;
use crate::notices::hearing::Heard;
use crate::notices::polling::{Polling, a_moment};
use crate::notices::seat::{self, Candidate, Seat, Try};
use crate::notices::source::Role;

impl Coordinator {
    pub(super) fn read(&mut self, ticked: bool) -> Option<Instant> {
        match self.look(ticked) {
            Ok(()) => {}
            Err(distrust) if distrust.may_pass() => {}
            Err(distrust) => self.go_alone(&distrust),
        }
        let deaf = self.hearing.is_none().then(|| BootClock.now() + DEAF_LOOK);
        match &self.post {
            Post::Reader(reading) => {
                let next = reading.tries.iter().copied();
                next.chain(reading.depose.map(|(at, _)| at))
                    .chain(deaf)
                    .min()
            }
            // The next round begins at once.
            _ => Some(BootClock.now()),
        }
    }

    fn look(&mut self, ticked: bool) -> Result<(), Distrust> {
        let Some(directory) = &self.directory else {
            return Ok(());
        };
        let cache = match directory.cache(&self.settings.boot) {
            Ok(cache) => cache,
            Err(distrust) => {
                self.teller
                    .warn(format!("scheduled events: {distrust}; it is not used"));
                None
            }
        };
        let now = BootClock.now();
        let alive = cache.as_ref().filter(|cache| cache.header.has_beat(now));
        if let Some(cache) = alive {
            let cache = cache.clone();
            self.tell(&cache);
        }
        let silent = alive.is_none();
        let kept_away = self.is_kept_away(now, silent);
        let Post::Reader(reading) = &mut self.post else {
            return Ok(());
        };
        if !silent {
            (reading.silent_ticks, reading.depose) = (0, None);
        } else if ticked {
            reading.silent_ticks += 1;
        }
        let due = reading.tries.iter().any(|at| *at <= now);
        reading.tries.retain(|at| *at > now);
        if kept_away {
            return Ok(());
        }
        self.take_the_seat(now, ticked || due, cache)
    }

    /// Takes the seat if it is free (`try_it`), or if its holder has been silent for long enough.
    fn take_the_seat(
        &mut self,
        now: Instant,
        try_it: bool,
        cache: Option<Cache>,
    ) -> Result<(), Distrust> {
        let (Post::Reader(reading), Some(directory)) = (&mut self.post, &self.directory) else {
            return Ok(());
        };
        if try_it {
            let candidate = Candidate::find(directory, reading.candidate.take())?;
            match candidate.try_take(directory)? {
                Try::Taken(seat) => return self.sit_down(seat, cache, "the seat was free"),
                Try::Held(candidate) => reading.candidate = Some(candidate),
            }
        }
        let number = reading.candidate.as_ref().map(Candidate::number);
        match (reading.depose, number) {
            (Some((at, number)), _) if at <= now => {
                reading.depose = None;
                if let Some(seat) = Seat::above(directory, number)? {
                    return self.sit_down(seat, cache, "the poller was silent");
                }
            }
            (None, Some(number)) if reading.silent_ticks >= SILENT_TICKS => {
                reading.depose = Some((now + a_moment(Duration::from_millis(500)), number));
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether others with a better network should have the seat.
    fn is_kept_away(&mut self, now: Instant, silent: bool) -> bool {
        let Some(left_at) = self.left_at else {
            return false;
        };
        let span = now.since(left_at);
        let kept = span < AWAY && !(silent && span >= NOBODY_CAME);
        if !kept {
            self.left_at = None;
        }
        kept
    }

    fn sit_down(&mut self, seat: Seat, cache: Option<Cache>, why: &str) -> Result<(), Distrust> {
        let Some(directory) = &self.directory else {
            return Ok(());
        };
        let now = BootClock.now();
        let last_asked = seat::last_asked(directory, &self.settings.boot, now);
        seat.clear_below(directory);
        let header = self.header(seat.number());
        let polling = Polling::new(self.client(), Some(seat), header, cache, last_asked);
        if let Some(at) = polling.header.fresh(now) {
            self.teller
                .document(&polling.answer, &polling.header.vm, at);
        }
        self.post = Post::Poller(Box::new(polling));
        self.teller.role(Role::Poller, why);
        self.publish();
        Ok(())
    }

    pub(super) fn heard(&mut self, heard: &Heard) {
        if let Post::Reader(reading) = &mut self.post
            && let Some(candidate) = &reading.candidate
            && heard.closed.contains(&seat::name(candidate.number()))
        {
            // All readers hear of it at once; the lock goes a moment after the close is told.
            let now = BootClock.now();
            let soon = now + a_moment(Duration::from_millis(20));
            let later = now + Duration::from_millis(50) + a_moment(Duration::from_millis(50));
            reading
                .tries
                .extend([soon, later, now + Duration::from_millis(300)]);
        }
    }
}
