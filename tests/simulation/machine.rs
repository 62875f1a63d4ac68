//! One machine: the real supervisor and the real keeper, a guardian, a tree, and a clock of its own rate.
//! It plays the driver's part (`commands/run/driver.rs`) without a process and without a sleep.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use leasectl::clock::{Clock, Instant, ManualClock};
use leasectl::keeper::Keeper;
use leasectl::lease::{Attempt, Claim, Effect, Hold, LeaseStore, Refusal, Renewal};
use leasectl::supervisor::{Event, Settings, Supervisor};

use crate::guardian::{Due, Guardian};
use crate::link::Link;
use crate::mutant::Mutant;
use crate::pace::Pace;
use crate::random::Random;
use crate::scene::claim;
use crate::tally::Tally;

pub(crate) const NEVER: u64 = u64::MAX;
/// From SIGKILL to the end of the last process; less than the smallest margin.
pub(crate) const SLOWEST_KILL: Duration = Duration::from_millis(20);

pub(crate) type Request = (Kind, Pin<Box<dyn Future<Output = Reply>>>, Instant);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Acquire,
    Renew,
    Release,
}

pub(crate) enum Reply {
    Acquired(Instant, Box<Attempt>),
    Renewed(Instant, Renewal),
    Released,
    Nothing,
}

pub(crate) struct Machine {
    pub(crate) link: Arc<Link>,
    pub(crate) pace: Pace,
    pub(crate) guardian: Guardian,
    /// Until then the front is stopped; the guardian and the tree are not.
    pub(crate) frozen_until: u64,
    /// Until then the whole machine sleeps.
    pub(crate) asleep_until: u64,
    pub(crate) hold: Option<Hold>,
    /// When the tree ends.
    pub(crate) ends_at: u64,
    pub(crate) settings: Settings,
    pub(crate) mutant: Option<Mutant>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) keeper: Keeper,
    pub(crate) supervisor: Supervisor,
    pub(crate) claim: Claim,
    pub(crate) request: Option<Request>,
    pub(crate) look_again_at: u64,
    pub(crate) inbox: VecDeque<Event>,
    /// When a new run begins; none while one is on.
    pub(crate) begins_at: u64,
    pub(crate) running: bool,
    /// How long it takes the command to end by itself, at most.
    pub(crate) longest_run: Duration,
    pub(crate) ends_tree_late: u64,
    /// Stopping has begun, and is over by then (P10).
    pub(crate) stopped_by: u64,
}

fn keeper(link: &Arc<Link>, clock: &Arc<ManualClock>) -> Keeper {
    let store: Arc<dyn LeaseStore> = Arc::<Link>::clone(link);
    let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(clock);
    Keeper::new(store, clock, Duration::from_secs(3600))
}

impl Machine {
    pub(crate) fn new(settings: Settings, pace: Pace, mutant: Option<Mutant>) -> Self {
        let clock = Arc::new(ManualClock::at(pace.at(0).as_nanos()));
        let link = Arc::new(Link::new());
        // What is awaited never sleeps for real: the limit of an attempt is kept on the machine's clock.
        let keeper = keeper(&link, &clock);
        let now = clock.now();
        Self {
            link,
            pace,
            guardian: Guardian::new(settings.timing.expiry_grace(), mutant),
            frozen_until: 0,
            asleep_until: 0,
            hold: None,
            ends_at: NEVER,
            settings,
            mutant,
            clock,
            keeper,
            supervisor: Supervisor::new(settings, now),
            claim: claim(settings.timing.ttl()),
            request: None,
            look_again_at: NEVER,
            inbox: VecDeque::new(),
            begins_at: 0,
            running: false,
            longest_run: settings.timing.ttl() * 2,
            ends_tree_late: 0,
            stopped_by: NEVER,
        }
    }

    /// Whether the tree runs at `now`.
    pub(crate) const fn executes(&self, now: u64) -> bool {
        self.guardian.alive && now >= self.asleep_until
    }

    pub(crate) const fn seeks(&self) -> bool {
        self.running && self.hold.is_none()
    }

    /// When something happens here next, by the true clock.
    pub(crate) fn next(&self) -> u64 {
        let guardian = self.pace.when(self.guardian.wake_at());
        let tree = if self.guardian.alive {
            self.ends_at
        } else {
            NEVER
        };
        self.front_next()
            .min(guardian)
            .min(tree)
            .max(self.asleep_until)
    }

    fn front_next(&self) -> u64 {
        let mut next = self.begins_at;
        if !self.running && self.guardian.alive {
            // A new run is another guardian's.
            return NEVER;
        }
        if self.running {
            let timer = self
                .request
                .as_ref()
                .map_or(NEVER, |(_, _, at)| self.pace.when(*at));
            let wake = self.pace.when(self.supervisor.wake_at());
            next = wake.min(timer).min(self.look_again_at);
            let mail = self.link.mail.lock().unwrap();
            if !self.inbox.is_empty() || !mail.answers.is_empty() {
                next = 0;
            }
        }
        next.max(self.frozen_until)
    }

    /// Lets everything happen that is due.
    pub(crate) fn act(&mut self, now: u64, dice: &mut Random, tally: &mut Tally) {
        if now < self.asleep_until {
            return;
        }
        let local = self.pace.at(now);
        self.clock.advance(local.since(self.clock.now()));
        if self.guardian.alive && now >= self.ends_at {
            self.tree_ended(now);
        }
        match self.guardian.due(local) {
            Due::Nothing => {}
            Due::Stop => {
                self.stop_signal(now, self.settings.timing.expiry_grace(), dice);
                self.inbox.push_back(Event::StopDue);
            }
            Due::Kill => {
                tally.killed_on_time += u64::from(self.guardian.killed_on_time);
                self.kill_tree(now, dice);
            }
        }
        if now >= self.front_next() {
            self.front(now, dice, tally);
        }
    }

    fn front(&mut self, now: u64, dice: &mut Random, tally: &mut Tally) {
        if !self.running {
            self.begin(now);
            return self.tell(Event::Begin, now, dice, tally);
        }
        // What waits is heard in any order.
        let guardian_first = dice.one_in(2);
        if guardian_first {
            self.hear_guardian(now, dice, tally);
        }
        self.hear_answer(now, dice, tally);
        if !guardian_first {
            self.hear_guardian(now, dice, tally);
        }
        if now >= self.look_again_at && self.running {
            self.look_again_at = NEVER;
            self.tell(Event::LookAgain, now, dice, tally);
        }
        if self.running && self.supervisor.wake_at() <= self.clock.now() {
            self.tell(Event::Tick, now, dice, tally);
        }
        // An answer to what was given up comes in on a connection that is closed.
        self.link.mail.lock().unwrap().answers.clear();
    }

    fn hear_guardian(&mut self, now: u64, dice: &mut Random, tally: &mut Tally) {
        while let Some(event) = self.inbox.pop_front() {
            self.tell(event, now, dice, tally);
        }
    }

    fn begin(&mut self, now: u64) {
        self.guardian = Guardian::new(self.settings.timing.expiry_grace(), self.mutant);
        self.claim_anew();
        self.supervisor = Supervisor::new(self.settings, self.pace.at(now));
        self.inbox.clear();
        self.hold = None;
        self.running = true;
        self.begins_at = NEVER;
    }

    pub(crate) fn claim_anew(&mut self) {
        let owner = self.claim.owner;
        self.claim = claim(self.settings.timing.ttl());
        if self.mutant == Some(Mutant::OwnerReused) {
            self.claim.owner = owner;
        }
    }

    fn hear_answer(&mut self, now: u64, dice: &mut Random, tally: &mut Tally) {
        let Some((kind, future, limit)) = &mut self.request else {
            return;
        };
        let (kind, limit) = (*kind, *limit);
        let mut context = Context::from_waker(Waker::noop());
        let reply = match future.as_mut().poll(&mut context) {
            Poll::Ready(reply) => reply,
            Poll::Pending if self.clock.now() >= limit => {
                if self.repeats_by_itself(kind) {
                    return;
                }
                Reply::Nothing
            }
            Poll::Pending => return,
        };
        self.request = None;
        let event = self.understand(kind, reply, dice, tally);
        self.tell(event, now, dice, tally);
    }

    fn attempted(&mut self, asked_at: Instant, attempt: Attempt) -> Event {
        match attempt {
            Attempt::Granted(hold) => {
                let late = self.mutant == Some(Mutant::GrantFromAnswer);
                let ttl = hold.ttl;
                self.hold = Some(hold);
                let asked_at = if late { self.clock.now() } else { asked_at };
                Event::Granted { asked_at, ttl }
            }
            Attempt::Refused(refusal) => {
                let Refusal {
                    why, look_again, ..
                } = refusal;
                Event::Refused { why, look_again }
            }
        }
    }

    fn understand(
        &mut self,
        kind: Kind,
        reply: Reply,
        dice: &mut Random,
        tally: &mut Tally,
    ) -> Event {
        let heard_at = self.clock.now();
        match (reply, kind) {
            (Reply::Acquired(asked_at, attempt), _) => self.attempted(asked_at, *attempt),
            (Reply::Renewed(asked_at, Renewal::Extended { .. }), _) => {
                let late = self.mutant == Some(Mutant::RenewalFromAnswer);
                let asked_at = if late { heard_at } else { asked_at };
                Event::Renewed {
                    asked_at,
                    rate: 1.0,
                }
            }
            (Reply::Renewed(_, Renewal::Lost { why, .. }), _) => {
                tally.known_losses += 1;
                Event::RenewalLost(why)
            }
            (Reply::Released, _) => Event::Released { certain: true },
            (Reply::Nothing, Kind::Acquire) => {
                tally.silent_acquires += 1;
                let spread = [0.8, 0.9, 1.0, 1.1, 1.2][dice.below(5) as usize];
                let effect = Effect::Unknown;
                Event::AttemptUnanswered { effect, spread }
            }
            (Reply::Nothing, Kind::Renew) => {
                tally.silent_renewals += 1;
                if self.mutant == Some(Mutant::DoubtIsYes) {
                    let asked_at = heard_at;
                    return Event::Renewed {
                        asked_at,
                        rate: 1.0,
                    };
                }
                Event::RenewalUnanswered
            }
            (Reply::Nothing, Kind::Release) => {
                tally.silent_releases += 1;
                Event::Released { certain: false }
            }
        }
    }

    fn tell(&mut self, event: Event, now: u64, dice: &mut Random, tally: &mut Tally) {
        for action in self.supervisor.step(self.clock.now(), event) {
            self.perform(action, now, dice, tally);
        }
    }
}
