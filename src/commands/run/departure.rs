//! Which announced event makes us leave, and by when (DESIGN section 9). No I/O and no clock: what is known,
//! and the time of both clocks, are handed in.
//!
//! The wall clock decides here, as the date of an event is one of the wall clock's, and is looked at anew
//! each second: it may step. By the boot clock it is only counted from there.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::{Instant, WallTime};
use crate::notices::{Change, Differ, Document, Notice, Update};

/// SIGKILL comes so long before the event's date: killing, releasing and starting elsewhere take time. Too
/// small, and the machine may be gone before the lease is given back.
const BEFORE_IT: Duration = Duration::from_secs(5);
/// The longest grace when the event has no date or has started: the machine may go at any moment.
const UNDATED_GRACE: Duration = Duration::from_secs(5);

/// Which events are a reason to leave (`--scheduled-events`, `--notice`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reasons {
    /// The types, in any case; `None`: all of them.
    pub types: Option<Vec<String>>,
    /// How long before its date an event is acted on. Too small, and the command cannot be stopped in time;
    /// too large, and a machine is out of service for days before failing hardware goes.
    pub notice: Duration,
    /// None that are shorter (`--min-duration`).
    pub min_duration: Duration,
}

impl Reasons {
    /// Whether an event is of a wanted type, long enough, and of this machine.
    pub(super) fn wants(&self, notice: &Notice) -> bool {
        let listed = |types: &Vec<String>| {
            let mut types = types.iter();
            types.any(|one| one.eq_ignore_ascii_case(&notice.event_type))
        };
        let long = !notice.is_shorter_than(self.min_duration);
        notice.ours && long && self.types.as_ref().is_none_or(listed)
    }

    /// Whether it is time to leave because of it.
    pub(super) fn is_due(&self, notice: &Notice, wall: WallTime) -> bool {
        date(notice).is_none_or(|at| at.since(wall) <= self.notice)
    }
}

/// When it begins, unless it has, or may at any moment.
fn date(notice: &Notice) -> Option<WallTime> {
    notice.not_before.filter(|_| !notice.has_started())
}

/// When SIGKILL has to have been sent.
pub(super) fn kill_by(notice: &Notice, wall: WallTime, now: Instant) -> Instant {
    match date(notice).map(|at| at.since(wall)) {
        Some(left) if !left.is_zero() => now + left.saturating_sub(BEFORE_IT),
        // A date that has passed is one of an event that is about to start.
        _ => now + UNDATED_GRACE,
    }
}

/// The time between two looks at what is due.
const LOOK: Duration = Duration::from_secs(1);
/// So long a first answer is waited for before the lease is claimed all the same. Too small, and a claim is
/// made by a machine that is about to go; too large, and a silent service holds up every start.
const FIRST_ANSWER: Duration = Duration::from_secs(1);
/// Of what was seen and can no longer be asked about, this long after its date nothing is left to wait for.
const FORGOTTEN: Duration = Duration::from_secs(30 * 60);
/// A date that is sooner by less than this is the same one, looked at by two clocks.
const SAME: Duration = Duration::from_millis(200);

/// What is announced, and what has been made of it. It outlives a run (`--restart`).
#[derive(Debug, Default)]
pub(super) struct Departure {
    reasons: Option<Reasons>,
    /// All that was announced when the service was heard last.
    announced: Vec<Notice>,
    /// What of it has been told to people and programs.
    told: Differ,
    /// When each was seen first.
    seen_at: BTreeMap<String, Instant>,
    /// The service has answered, in this run.
    heard: bool,
    before: Before,
    /// By when SIGKILL has to have been sent, as the supervisor knows it.
    kill_by: Option<Instant>,
    cause: Option<Notice>,
    look_at: Option<Instant>,
}

/// What is to be known before the lease is claimed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Before {
    /// Nothing, or nothing any more.
    #[default]
    Nothing,
    /// Whether something is due; until then.
    AnAnswer { until: Instant },
    /// That nothing is due any more: we have left because of it.
    ItsEnd,
}

/// What to do after a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    Nothing,
    /// The machine goes.
    Goes { kill_by: Instant },
    /// The machine stays, as far as anybody says.
    Stays {
        /// Nobody has said anything.
        unheard: bool,
    },
}

impl Departure {
    pub(super) fn new(reasons: Option<Reasons>) -> Self {
        Self {
            reasons,
            ..Self::default()
        }
    }

    /// A run begins.
    pub(super) fn begins(&mut self, now: Instant) {
        if self.reasons.is_none() {
            return;
        }
        self.before = match self.cause.take() {
            Some(_) => Before::ItsEnd,
            None => Before::AnAnswer {
                until: now + FIRST_ANSWER,
            },
        };
        (self.kill_by, self.heard, self.look_at) = (None, false, Some(now));
    }

    /// Whether the service has answered, in this run.
    pub(super) const fn is_heard(&self) -> bool {
        self.heard
    }

    /// The event that makes, or made, us leave.
    pub(super) const fn cause(&self) -> Option<&Notice> {
        self.cause.as_ref()
    }

    /// What there is to leave for, now or later; nothing while we stand aside.
    pub(super) fn wanted(&self) -> impl Iterator<Item = &Notice> {
        let reasons = self
            .reasons
            .as_ref()
            .filter(|_| self.before != Before::ItsEnd);
        let announced = self.announced.iter();
        announced.filter(move |one| reasons.is_some_and(|reasons| reasons.wants(one)))
    }

    /// Whether it is still announced, and has not begun.
    pub(super) fn is_to_come(&self, notice: &Notice) -> bool {
        let mut announced = self.announced.iter();
        announced.any(|one| one.is_same_as(notice) && !one.has_started())
    }

    /// When it was seen first.
    pub(super) fn seen_at(&self, notice: &Notice) -> Option<Instant> {
        self.seen_at.get(&notice.id.to_ascii_lowercase()).copied()
    }

    /// Whether it is a reason to leave, but not yet.
    pub(super) fn is_ahead(&self, notice: &Notice, wall: WallTime) -> bool {
        let reasons = self.reasons.as_ref();
        reasons.is_some_and(|reasons| reasons.wants(notice) && !reasons.is_due(notice, wall))
    }

    /// What became of which event, and what of that has not been told yet. The first updates of a run have
    /// all that is announced.
    pub(super) fn hear(&mut self, updates: Vec<Update>, now: Instant) -> Vec<Update> {
        if !std::mem::replace(&mut self.heard, true) {
            self.announced.clear();
        }
        let mut document = Document::default();
        for update in updates {
            document.incarnation = update.incarnation;
            self.announced.retain(|one| !one.is_same_as(&update.notice));
            if update.change != Change::Gone {
                let key = update.notice.id.to_ascii_lowercase();
                self.seen_at.entry(key).or_insert(now);
                self.announced.push(update.notice);
            }
        }
        self.look_at = Some(now);
        document.notices.clone_from(&self.announced);
        self.told.take(&document)
    }

    /// When to look next; never, when there is nothing to look at.
    pub(super) fn wake_at(&self) -> Instant {
        self.look_at.unwrap_or(Instant::NEVER)
    }

    /// What follows from what is known. `fresh`: the service answers.
    pub(super) fn look(&mut self, now: Instant, wall: WallTime, fresh: bool) -> Verdict {
        if !fresh {
            self.forget(now, wall);
        }
        let verdict = self.verdict(now, wall);
        self.look_at = match self.before {
            Before::AnAnswer { until } if !self.heard => Some(until),
            Before::Nothing if self.announced.is_empty() => None,
            _ => Some(now + LOOK),
        };
        verdict
    }

    fn verdict(&mut self, now: Instant, wall: WallTime) -> Verdict {
        match (self.before, self.due(now, wall)) {
            (Before::Nothing, None) | (Before::ItsEnd, Some(_)) => Verdict::Nothing,
            (Before::AnAnswer { until }, None) if !self.heard && now < until => Verdict::Nothing,
            (Before::AnAnswer { .. } | Before::ItsEnd, None) => {
                self.before = Before::Nothing;
                Verdict::Stays {
                    unheard: !self.heard,
                }
            }
            (_, Some((kill_by, cause))) => self.goes(kill_by, cause),
        }
    }

    fn goes(&mut self, kill_by: Instant, cause: Notice) -> Verdict {
        let known = self.kill_by.replace(kill_by);
        if let Some(known) = known.filter(|known| kill_by + SAME >= *known) {
            self.kill_by = Some(known);
            return Verdict::Nothing;
        }
        self.before = Before::Nothing;
        self.cause = Some(cause);
        Verdict::Goes { kill_by }
    }

    /// The event that leaves the least time, of those that are due.
    fn due(&self, now: Instant, wall: WallTime) -> Option<(Instant, Notice)> {
        let reasons = self.reasons.as_ref()?;
        let wanted = self.announced.iter().filter(|one| reasons.wants(one));
        let due = wanted.filter(|one| reasons.is_due(one, wall));
        let first = due.min_by_key(|one| kill_by(one, wall, now))?;
        Some((kill_by(first, wall, now), first.clone()))
    }

    /// Without answers nobody says that an event is over: half an hour after its date it is.
    fn forget(&mut self, now: Instant, wall: WallTime) {
        let seen_at = &self.seen_at;
        self.announced.retain(|one| {
            let seen_at = seen_at.get(&one.id.to_ascii_lowercase());
            let passed = match date(one) {
                Some(at) => wall.since(at),
                None => now.since(seen_at.copied().unwrap_or(now)),
            };
            passed < FORGOTTEN
        });
    }
}

#[cfg(test)]
mod tests;
