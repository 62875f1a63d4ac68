//! No hold yet: asking, waiting for our turn, pausing after errors (DESIGN section 4, last paragraph).

use std::time::Duration;

use super::action::{Action, Note};
use super::event::{AskedBy, Event, Fatal};
use super::holding::Holding;
use super::outcome::{LossReason, Outcome};
use super::preparing::Preparing;
use super::settings::{Settings, Wait};
use super::state::{Done, Moment, State};
use crate::clock::Instant;
use crate::lease::{Effect, RefusedWhy, Tenure};

/// The pause after the first error; it doubles with each further one.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
/// The pause does not grow beyond this.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// From this many errors in a row the pause is the longest one.
const DOUBLINGS: u32 = 5;
/// How long, without `--wait`, a store that cannot be reached is tried, from the beginning. Too
/// small: a restart of the store fails cron jobs; too large: a dead store hangs scripts.
const PATIENCE: Duration = Duration::from_secs(10);

/// No hold; nothing runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seeking {
    began: Instant,
    doing: Doing,
    /// Errors in a row.
    errors: u32,
    /// An attempt has gone unanswered, and people were told.
    silence_told: bool,
    /// The store may know of us: we stand in its queue, or it granted what we got no answer to.
    known: bool,
    /// What was granted was given back since we last asked.
    given_back: bool,
    /// What the store said last.
    last_word: Option<RefusedWhy>,
    /// Without `--wait`: so long what ends by itself is waited out, counted from when we first heard of it.
    guarded_until: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Nothing,
    /// For a word on whether the machine stays.
    Listening,
    Asking,
    Queueing,
    Pausing {
        until: Instant,
    },
    GivingBack,
}

impl Seeking {
    pub(super) const fn new(began: Instant) -> Self {
        Self {
            began,
            doing: Doing::Nothing,
            errors: 0,
            silence_told: false,
            known: false,
            given_back: false,
            last_word: None,
            guarded_until: None,
        }
    }

    pub(super) fn wake_at(&self) -> Instant {
        match self.doing {
            Doing::Pausing { until } => until,
            // The driver bounds requests and waits; until it reports there is nothing to decide.
            _ => Instant::NEVER,
        }
    }

    pub(super) fn due(self, moment: &mut Moment<'_>) -> Option<State> {
        match self.doing {
            Doing::Pausing { until } if moment.now >= until => {
                if moment.now >= self.give_up_at(moment.settings) {
                    Some(self.give_up(moment))
                } else {
                    Some(self.ask(moment))
                }
            }
            _ => None,
        }
    }

    pub(super) fn hear(mut self, moment: &mut Moment<'_>, event: Event) -> State {
        match event {
            Event::Begin if self.doing == Doing::Nothing => self.begin(moment),
            Event::LookAgain if self.doing == Doing::Queueing => self.ask(moment),
            Event::Granted { asked_at, ttl } => self.granted(moment, asked_at, ttl),
            Event::Refused { why, look_again } if self.doing == Doing::Asking => {
                self.refused(moment, why, look_again)
            }
            Event::AttemptUnanswered { effect, spread } if self.awaits_answer() => {
                self.known |= effect == Effect::Unknown;
                if !self.silence_told {
                    self.silence_told = true;
                    moment.note(Note::StoreSilent);
                }
                self.pause(moment, spread)
            }
            Event::AttemptFailed(fatal) => self.failed(moment, fatal),
            Event::Released { certain } if self.doing == Doing::GivingBack => {
                self.known |= !certain;
                self.given_back = true;
                self.pause(moment, 1.0)
            }
            Event::Signal { number, .. } => self.leave(moment, Outcome::Interrupted(number)),
            Event::MachineStays if self.doing == Doing::Listening => self.may_ask(moment),
            Event::StopAsked => self.leave(moment, Outcome::Asked(AskedBy::Operator)),
            Event::MachineGoes { .. } => {
                self.leave(moment, Outcome::Asked(AskedBy::ScheduledEvent))
            }
            // Who waited for it is not told that it was held.
            Event::NotNeeded => {
                let outcome = self.outcome();
                self.leave(moment, outcome)
            }
            Event::GuardianLost => {
                let why = LossReason::GuardianDied;
                self.leave(moment, Outcome::Lost { why })
            }
            _ => State::Seeking(self),
        }
    }

    const fn awaits_answer(&self) -> bool {
        matches!(self.doing, Doing::Asking | Doing::Queueing)
    }

    fn begin(mut self, moment: &mut Moment<'_>) -> State {
        if moment.settings.only_if_machine_stays {
            self.doing = Doing::Listening;
            return State::Seeking(self);
        }
        self.may_ask(moment)
    }

    fn may_ask(mut self, moment: &mut Moment<'_>) -> State {
        let pause = moment.settings.pause_first;
        if pause.is_zero() {
            return self.ask(moment);
        }
        let until = self.began + pause;
        self.doing = Doing::Pausing { until };
        State::Seeking(self)
    }

    fn ask(mut self, moment: &mut Moment<'_>) -> State {
        self.doing = Doing::Asking;
        let anew = std::mem::take(&mut self.given_back);
        moment.order(Action::Acquire { anew });
        State::Seeking(self)
    }

    fn granted(
        mut self,
        moment: &mut Moment<'_>,
        asked_at: Instant,
        ttl: Option<Duration>,
    ) -> State {
        // An instant in the future cannot have been read before the request was sent (P3).
        let asked_at = asked_at.min(moment.now);
        let tenure = Tenure::new(asked_at, ttl, moment.settings.timing);
        if self.doing == Doing::GivingBack {
            // A second answer for one owner; the release under way may have been the earlier.
            self.known = true;
            return State::Seeking(self);
        }
        if tenure.may_start(moment.now) {
            return match moment.settings.prepare {
                true => Preparing::begin(moment, tenure),
                false => Holding::begin(moment, tenure),
            };
        }
        moment.note(Note::TooLate);
        // Nothing has run under it, so it can go back at once (P5).
        moment.order(Action::Release(Outcome::Unreachable));
        self.doing = Doing::GivingBack;
        State::Seeking(self)
    }

    fn refused(
        mut self,
        moment: &mut Moment<'_>,
        why: RefusedWhy,
        look_again: Option<Duration>,
    ) -> State {
        self.errors = 0;
        self.last_word = Some(why);
        if moment.settings.wait == Wait::No {
            match look_again.filter(|_| why.is_bounded()) {
                Some(rest) => self.wait_out(moment, rest),
                None => return self.give_up(moment),
            }
        }
        self.known = true;
        let end = self.give_up_at(moment.settings);
        if moment.now >= end {
            return self.give_up(moment);
        }
        let rest = (end != Instant::NEVER).then(|| end.since(moment.now));
        let at_most = match (rest, look_again) {
            (Some(rest), Some(look_again)) => Some(rest.min(look_again)),
            (rest, look_again) => rest.or(look_again),
        };
        moment.order(Action::Wait { at_most });
        self.doing = Doing::Queueing;
        State::Seeking(self)
    }

    /// A guard ends at a time that the store knows. Another restart begins another, so that there is room for
    /// one more; a store that goes on for ever is given up.
    fn wait_out(&mut self, moment: &Moment<'_>, rest: Duration) {
        let longest = rest + moment.settings.timing.ttl() + PATIENCE;
        self.guarded_until.get_or_insert(moment.now + longest);
    }

    /// Errors back off; losing a race does not.
    fn pause(mut self, moment: &mut Moment<'_>, spread: f64) -> State {
        let end = self.give_up_at(moment.settings);
        self.doing = Doing::Pausing { until: moment.now };
        if moment.now >= end {
            return self.give_up(moment);
        }
        let longest = SHORTEST_PAUSE * 2_u32.pow(self.errors.min(DOUBLINGS));
        // A driver's slip must neither hammer the store nor end in a panic.
        let spread = if spread.is_finite() { spread } else { 1.0 };
        let pause = longest.min(LONGEST_PAUSE).mul_f64(spread.clamp(0.8, 1.2));
        self.errors = self.errors.saturating_add(1);
        let until = (moment.now + pause).min(end);
        self.doing = Doing::Pausing { until };
        State::Seeking(self)
    }

    fn failed(mut self, moment: &mut Moment<'_>, fatal: Fatal) -> State {
        if self.doing == Doing::Asking {
            self.doing = Doing::Nothing;
        }
        self.leave(moment, Outcome::Failed(fatal))
    }

    fn give_up_at(&self, settings: &Settings) -> Instant {
        match settings.wait {
            Wait::No => {
                let patience = self.began + PATIENCE;
                self.guarded_until
                    .map_or(patience, |until| until.max(patience))
            }
            Wait::For(longest) => self.began + longest,
            Wait::Forever => Instant::NEVER,
        }
    }

    /// The wait is over, after an answer or in a pause: there is no request in flight.
    fn give_up(mut self, moment: &mut Moment<'_>) -> State {
        self.doing = Doing::Nothing;
        let outcome = self.outcome();
        self.leave(moment, outcome)
    }

    /// What has come of it so far: the store's last word, if there was one.
    fn outcome(&self) -> Outcome {
        let last_word = self.last_word;
        last_word.map_or(Outcome::Unreachable, Outcome::Refused)
    }

    /// Ends without having run anything, and leaves nothing of ours in the store.
    fn leave(self, moment: &mut Moment<'_>, outcome: Outcome) -> State {
        let in_flight = self.awaits_answer() || self.doing == Doing::GivingBack;
        if in_flight || self.known {
            moment.order(Action::Withdraw);
        }
        Done::without_a_run(moment, outcome)
    }
}
