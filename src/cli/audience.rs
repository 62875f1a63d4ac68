//! Several listeners as one: each hears everything, and gets its own time.

use crate::clock::Instant;
use crate::commands::run::{Listener, News};

/// All who listen, in the order in which they are told.
pub(super) struct Audience<'a>(pub(super) Vec<&'a mut dyn Listener>);

impl Listener for Audience<'_> {
    fn hear(&mut self, news: &News<'_>) {
        for listener in &mut self.0 {
            listener.hear(news);
        }
    }

    fn wake_at(&self) -> Instant {
        let all = self.0.iter().map(|listener| listener.wake_at());
        all.min().unwrap_or(Instant::NEVER)
    }

    fn on_time(&mut self, now: Instant) {
        for listener in &mut self.0 {
            if now >= listener.wake_at() {
                listener.on_time(now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wakes once, and notes what it is told.
    struct Sleeper {
        wake_at: Instant,
        heard: usize,
        woken: usize,
    }

    impl Sleeper {
        const fn until(nanos: u64) -> Self {
            Self {
                wake_at: Instant::from_nanos(nanos),
                heard: 0,
                woken: 0,
            }
        }
    }

    impl Listener for Sleeper {
        fn hear(&mut self, _: &News<'_>) {
            self.heard += 1;
        }

        fn wake_at(&self) -> Instant {
            self.wake_at
        }

        fn on_time(&mut self, _: Instant) {
            self.woken += 1;
            self.wake_at = Instant::NEVER;
        }
    }

    #[test]
    fn each_hears_everything_and_is_woken_at_its_own_time() {
        let (mut early, mut late) = (Sleeper::until(5), Sleeper::until(9));
        let mut audience = Audience(vec![&mut late, &mut early]);
        audience.hear(&News::Killing);
        assert_eq!(audience.wake_at(), Instant::from_nanos(5));
        audience.on_time(Instant::from_nanos(5));
        assert_eq!(audience.wake_at(), Instant::from_nanos(9));
        audience.on_time(Instant::from_nanos(9));
        assert_eq!(audience.wake_at(), Instant::NEVER);
        assert_eq!((early.heard, late.heard), (1, 1));
        assert_eq!((early.woken, late.woken), (1, 1));
        assert_eq!(Audience(Vec::new()).wake_at(), Instant::NEVER);
    }
}
