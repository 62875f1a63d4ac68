//! Asking the service: one request at a time, each in a slot, each answer into the cache's first line.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::cache::{Cache, Header, State};
use super::client::{Client, FIRST_LIMIT, LIMIT, Trouble};
use super::document::{Names, parse};
use super::pacing::{POLL, Pacing};
use super::seat::Seat;
use super::slot::Slot;
use crate::clock::{BootClock, Clock, Instant, spread};

/// Between two requests of a process that asks for itself only. Shorter, and many of them take the
/// machine's whole allowance; longer helps nobody against a Preempt, and this does not either.
const ALONE: Duration = Duration::from_millis(5_500);
/// Until the name is asked for again: after silence, and after an answer without a name.
const NAME_AGAIN: Duration = Duration::from_secs(10);
const NAME_LATER: Duration = Duration::from_secs(60);
/// After so many requests without any answer somebody with a better network may have the seat.
const MOST_SILENT: u32 = 3;

type Request = Pin<Box<dyn Future<Output = Step> + Send>>;

/// How far a request has come.
#[derive(Debug)]
pub(super) enum Step {
    /// It may be sent.
    Slot(Slot),
    /// The answer about events.
    Events(Result<Vec<u8>, Trouble>),
    /// The answer about the name.
    Name(Result<String, Trouble>),
}

/// What follows from an answer.
#[derive(Debug)]
#[must_use]
pub(super) enum Followed {
    /// Nothing to tell.
    Nothing,
    /// A good document.
    Good,
    /// Trouble.
    Trouble(Trouble),
}

/// Who asks, and what it has heard.
pub(super) struct Polling {
    /// None for one who asks for itself only.
    pub(super) seat: Option<Seat>,
    pub(super) header: Header,
    pub(super) answer: Vec<u8>,
    client: Client,
    pacing: Pacing,
    next_at: Instant,
    name_at: Instant,
    /// Nobody answered when the name was asked for.
    name_unheard: bool,
    asked_at: Instant,
    request: Option<Request>,
    silent: u32,
    good: bool,
}

impl fmt::Debug for Polling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Polling")
            .field("seat", &self.seat)
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

impl Polling {
    /// Starts where the one before has stopped. `last_asked`: by the stamps of the seats.
    pub(super) fn new(
        client: Client,
        seat: Option<Seat>,
        header: Header,
        before: Option<Cache>,
        last_asked: Option<Instant>,
    ) -> Self {
        let mut header = header;
        let mut answer = Vec::new();
        if let Some(before) = before {
            header.asked_ns = before.header.asked_ns;
            header.good_ns = before.header.good_ns;
            header.state = before.header.state;
            header.status = before.header.status;
            header.vm = before.header.vm;
            answer = before.answer;
        }
        let cached = (header.asked_ns > 0).then(|| Instant::from_nanos(header.asked_ns));
        let last = last_asked.max(cached);
        Self {
            seat,
            header,
            answer,
            client,
            pacing: Pacing::default(),
            next_at: last.map_or(Instant::from_nanos(0), |last| last + POLL),
            name_at: Instant::from_nanos(0),
            name_unheard: false,
            asked_at: Instant::from_nanos(0),
            request: None,
            silent: 0,
            good: false,
        }
    }

    /// Begins a request if one is due; when the next will be due otherwise.
    pub(super) fn begin(&mut self, now: Instant) -> Option<Instant> {
        if self.request.is_some() {
            return None;
        }
        if now < self.next_at {
            return Some(self.next_at);
        }
        self.request = Some(Box::pin(async { Step::Slot(Slot::take().await) }));
        None
    }

    /// The next step of the request under way; never without one.
    pub(super) async fn step(&mut self) -> Step {
        match &mut self.request {
            Some(request) => {
                let step = request.await;
                self.request = None;
                step
            }
            None => std::future::pending().await,
        }
    }

    /// Sends the request that has got its slot.
    pub(super) fn send(&mut self, slot: Slot) {
        tokio::spawn(slot.keep());
        let now = BootClock.now();
        self.asked_at = now;
        if let Some(seat) = &self.seat {
            // Before the request: a successor that reads no stamp would ask in the same second.
            seat.stamp(&self.header.boot, now);
        }
        self.header.asked_ns = now.as_nanos();
        let client = self.client.clone();
        let request: Request = if self.header.vm.is_empty() && now >= self.name_at {
            Box::pin(async move { Step::Name(client.name().await) })
        } else {
            let limit = if self.header.good_ns == 0 {
                FIRST_LIMIT
            } else {
                LIMIT
            };
            Box::pin(async move { Step::Events(client.events(limit).await) })
        };
        self.request = Some(request);
    }

    /// Takes in what the service says of the name.
    pub(super) fn named(&mut self, answer: Result<String, Trouble>) -> Followed {
        let now = BootClock.now();
        // The events are what matters: they are asked for at once, whatever this was.
        self.next_at = now;
        match answer {
            Ok(name) => {
                self.header.vm = name;
                self.name_at = now + NAME_LATER;
            }
            Err(trouble) if trouble.is_an_answer() => self.name_at = now + NAME_LATER,
            Err(trouble) => {
                self.name_unheard = true;
                self.name_at = now + NAME_AGAIN;
                self.next_at = now + self.rest(POLL);
                // One that is slow may be about to answer for the first time; one that is not there is not.
                if now.since(self.asked_at) < LIMIT {
                    return Followed::Trouble(trouble);
                }
            }
        }
        Followed::Nothing
    }

    /// Takes in what the service says of events.
    pub(super) fn answered(&mut self, answer: Result<Vec<u8>, Trouble>) -> Followed {
        let now = BootClock.now();
        let answer = answer.and_then(|bytes| match parse(&bytes, &Names::default()) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(Trouble::Garbled(error.to_string())),
        });
        match answer {
            Ok(bytes) => {
                self.silent = 0;
                self.good = true;
                self.answer = bytes;
                self.header.state = State::Ok;
                self.header.status = 200;
                self.header.good_ns = now.as_nanos();
                // It does answer after all.
                if std::mem::take(&mut self.name_unheard) {
                    self.name_at = now;
                }
                let pause = self.pacing.after_good();
                self.next_at = self.asked_at + self.rest(pause);
                Followed::Good
            }
            Err(trouble) => {
                self.silent = if trouble.is_an_answer() {
                    0
                } else {
                    self.silent + 1
                };
                self.header.state = State::Failing;
                self.header.status = status(&trouble);
                let pause = self.pacing.after(&trouble);
                self.next_at = now + self.rest(pause);
                Followed::Trouble(trouble)
            }
        }
    }

    fn rest(&self, pause: Duration) -> Duration {
        match self.seat {
            Some(_) => pause,
            None => pause.max(ALONE.mul_f64(spread(0.09))),
        }
    }

    /// Whether nobody has answered this poller at all, so that another should try.
    pub(super) const fn is_cut_off(&self) -> bool {
        self.silent >= MOST_SILENT && !self.good
    }
}

const fn status(trouble: &Trouble) -> u16 {
    match trouble {
        Trouble::Misunderstood { status, .. }
        | Trouble::NotHere(status)
        | Trouble::Failing(status) => *status,
        Trouble::Updating => 410,
        Trouble::TooOften { .. } => 429,
        Trouble::Garbled(_) => 200,
        Trouble::Silent(_) => 0,
    }
}

/// Returns in the earlier half of a second, at random: whoever notices the same thing at the same time
/// does not act on it at the same time.
pub(super) fn a_moment(longest: Duration) -> Duration {
    longest.mul_f64(spread(0.5) - 0.5)
}
