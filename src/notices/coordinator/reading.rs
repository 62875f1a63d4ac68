//! The reader: what it hears, and when it takes the seat.

use std::time::Duration;

use super::{AWAY, Coordinator, DEAF_LOOK, NOBODY_CAME, Post};
use crate::clock::{BootClock, Clock, Instant};
use crate::notices::cache::Cache;
use crate::notices::directory::Distrust;
use crate::notices::hearing::Heard;
use crate::notices::polling::{Polling, a_moment};
use crate::notices::seat::{self, Candidate, Seat, Try};
use crate::notices::source::Role;

/// So long after a look that found the poller silent another has to find the same: whoever wakes up from a
/// suspend or a SIGCONT with us has spoken by then.
const CERTAIN: Duration = Duration::from_secs(1);
/// Who has not looked for so long was asleep itself.
const ASLEEP: Duration = Duration::from_secs(2);

/// What a reader has heard of the poller.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// The first of an unbroken row of looks that heard nothing.
    began: Option<Instant>,
    looked: Option<Instant>,
    /// When the next look may tell more.
    next: Option<Instant>,
}

impl Silence {
    /// `heard_until`: when what was heard last is silence, unless it is silence already.
    fn look(&mut self, heard_until: Option<Instant>, now: Instant) {
        let slept = self.looked.is_none_or(|at| now.since(at) > ASLEEP);
        self.looked = Some(now);
        self.began = match heard_until {
            Some(_) => None,
            None if slept => Some(now),
            None => self.began.or(Some(now)),
        };
        self.next = heard_until.or(self.began.map(|began| began + CERTAIN));
    }

    fn is_certain(&self, now: Instant) -> bool {
        self.began.is_some_and(|began| now.since(began) >= CERTAIN)
    }
}

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
                let now = BootClock.now();
                let next = reading.tries.iter().copied();
                next.chain(reading.depose.map(|(at, _)| at))
                    .chain(reading.silence.next.filter(|at| *at > now))
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
        let heard_until = alive.map(|cache| cache.header.silent_at());
        if let Some(cache) = alive {
            let cache = cache.clone();
            self.tell(&cache);
        }
        let kept_away = self.is_kept_away(now, heard_until.is_none());
        let Post::Reader(reading) = &mut self.post else {
            return Ok(());
        };
        reading.silence.look(heard_until, now);
        if heard_until.is_some() {
            reading.depose = None;
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
            (None, Some(number)) if reading.silence.is_certain(now) => {
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

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::from_nanos(1_000_000_000_000);

    fn after(millis: u64) -> Instant {
        START + Duration::from_millis(millis)
    }

    #[test]
    fn silence_is_certain_one_second_after_it_was_found() {
        let mut silence = Silence::default();
        silence.look(Some(after(3_001)), after(500));
        assert_eq!(silence.next, Some(after(3_001)), "looked at when it begins");
        silence.look(Some(after(3_001)), after(1_500));
        silence.look(Some(after(3_001)), after(2_500));
        silence.look(None, after(3_001));
        assert!(!silence.is_certain(after(3_001)));
        assert_eq!(silence.next, Some(after(4_001)));
        silence.look(None, after(3_500));
        silence.look(None, after(4_001));
        assert!(silence.is_certain(after(4_001)));
        silence.look(Some(after(7_001)), after(4_100));
        assert!(!silence.is_certain(after(4_100)), "it spoke");
    }

    #[test]
    fn our_own_sleep_is_nobodys_silence() {
        let mut silence = Silence::default();
        silence.look(None, after(0));
        silence.look(None, after(900));
        // Stopped for ten seconds, as the poller may have been.
        silence.look(None, after(10_900));
        assert!(!silence.is_certain(after(10_900)));
        silence.look(None, after(11_900));
        assert!(silence.is_certain(after(11_900)));
    }
}
