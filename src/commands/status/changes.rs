//! From pictures to changes (`leasectl.watch/1`), each told once. Pure: two pictures go in.
//!
//! What happened between two pictures is told as far as the records tell it: a holder that came and went is
//! known by the token it left. One that another came after as well is not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::object::{line, word};
use super::view::exists;
use crate::clock::{Instant, WallTime};
use crate::commands::holders::{HolderObject, holders, of_record};
use crate::lease::{
    EndedRun, FencingToken, LeaseName, LeaseState, Observation, OutcomeWord, Pause,
};

const SCHEMA: &str = "leasectl.watch/1";
/// How long somebody who holds without a record is given to write one, before that is told as it is.
const UNRECORDED: Duration = Duration::from_secs(1);

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It was there when the watch began.
    Appeared,
    /// Somebody has it, and nobody had it before.
    Acquired,
    /// One holder directly after another.
    Changed,
    /// It was given back.
    Released,
    /// Its holder lost it and said so.
    Lost,
    /// Its holder is gone without a word: its time ran out, or its processes ended.
    Expired,
    /// An operator keeps everyone out.
    Paused,
    /// And does no longer.
    Resumed,
}

#[derive(Debug, Serialize)]
struct Change {
    schema: &'static str,
    seq: u64,
    at: WallTime,
    kind: Kind,
    lease: String,
    from: Option<HolderObject>,
    to: Option<HolderObject>,
    cause: Option<&'static str>,
    state: &'static str,
    certain: bool,
    paused: Option<Pause>,
}

/// Goes from picture to picture.
#[derive(Debug)]
pub struct Follower {
    /// What was told of each lease; `None` before the first picture.
    told: Option<BTreeMap<LeaseName, Observation>>,
    /// Those who hold without a record and of whom nothing was told yet, since when.
    unrecorded: BTreeMap<LeaseName, Instant>,
    only: Option<BTreeSet<Kind>>,
    seq: u64,
}

impl Follower {
    /// Of all kinds, or only of these.
    #[must_use]
    pub fn new(only: &[Kind]) -> Self {
        Self {
            told: None,
            unrecorded: BTreeMap::new(),
            only: (!only.is_empty()).then(|| only.iter().copied().collect()),
            seq: 0,
        }
    }

    /// How many lines there were.
    #[must_use]
    pub const fn told(&self) -> u64 {
        self.seq
    }

    /// After this time the picture has to be looked at again, even if it stays as it is.
    #[must_use]
    pub fn look_again(&self) -> Option<Duration> {
        (!self.unrecorded.is_empty()).then_some(UNRECORDED)
    }

    /// The lines, each with its newline, by which this picture differs from what was told.
    #[must_use]
    pub fn lines(&mut self, seen: &[Observation], now: Instant, at: WallTime) -> Vec<String> {
        let mut steps = Vec::new();
        match self.told.take() {
            None => {
                for seen in seen.iter().filter(|seen| exists(seen)) {
                    steps.push(Step::of(Kind::Appeared, seen, None, holder(seen)));
                }
                let all = seen.iter().map(|seen| (seen.name.clone(), seen.clone()));
                self.told = Some(all.collect());
            }
            Some(mut told) => {
                let here: BTreeSet<_> = seen.iter().map(|seen| &seen.name).collect();
                let gone = told.keys().filter(|name| !here.contains(name));
                let gone: Vec<_> = gone.cloned().map(Observation::untouched).collect();
                for seen in gone.iter().chain(seen) {
                    let before = told.remove(&seen.name);
                    let before =
                        before.unwrap_or_else(|| Observation::untouched(seen.name.clone()));
                    let known = self.step(&before, seen, now, at, &mut steps);
                    told.insert(seen.name.clone(), known);
                }
                self.told = Some(told);
            }
        }
        steps
            .into_iter()
            .filter_map(|step| self.line(step, at))
            .collect()
    }

    /// What happened to one lease; answers what is known of it from here on.
    fn step(
        &mut self,
        before: &Observation,
        seen: &Observation,
        now: Instant,
        at: WallTime,
        steps: &mut Vec<Step>,
    ) -> Observation {
        let known = if self.is_to_come(before, seen, now) {
            Observation {
                paused: seen.paused.clone(),
                ..before.clone()
            }
        } else {
            hold_steps(before, seen, steps);
            let mut known = seen.clone();
            if known.state != LeaseState::Held && known.record.is_none() {
                // A record that cannot be read for a moment is no new one when it can be again.
                known.record.clone_from(&before.record);
            }
            known
        };
        pause_step(before, seen, at, steps);
        known
    }

    /// Whether nothing is told yet. What may be wrong is no news; a holder who left no record is left out
    /// while the one before may be on its way out, or its own record may come.
    fn is_to_come(&mut self, before: &Observation, seen: &Observation, now: Instant) -> bool {
        if seen.unsure {
            return true;
        }
        if !is_unrecorded(seen) || is_unrecorded(before) {
            self.unrecorded.remove(&seen.name);
            return false;
        }
        if before.state == LeaseState::Held {
            return true;
        }
        let since = *self.unrecorded.entry(seen.name.clone()).or_insert(now);
        let is_to_come = now.since(since) < UNRECORDED;
        if !is_to_come {
            self.unrecorded.remove(&seen.name);
        }
        is_to_come
    }

    fn line(&mut self, step: Step, at: WallTime) -> Option<String> {
        if self
            .only
            .as_ref()
            .is_some_and(|only| !only.contains(&step.kind))
        {
            return None;
        }
        self.seq += 1;
        let mut text = line(&Change {
            schema: SCHEMA,
            seq: self.seq,
            at,
            kind: step.kind,
            lease: step.seen.name.as_str().to_owned(),
            from: step.from,
            to: step.to,
            cause: step.cause,
            state: word(step.seen.state),
            certain: !step.seen.unsure,
            paused: step.seen.paused,
        });
        text.push('\n');
        Some(text)
    }
}

/// One change on its way to its line.
#[derive(Debug)]
struct Step {
    kind: Kind,
    seen: Observation,
    from: Option<HolderObject>,
    to: Option<HolderObject>,
    cause: Option<&'static str>,
}

impl Step {
    fn of(
        kind: Kind,
        seen: &Observation,
        from: Option<HolderObject>,
        to: Option<HolderObject>,
    ) -> Self {
        Self {
            kind,
            seen: seen.clone(),
            from,
            to,
            cause: None,
        }
    }

    fn because(self, cause: Option<&'static str>) -> Self {
        Self { cause, ..self }
    }
}

fn is_unrecorded(seen: &Observation) -> bool {
    seen.state == LeaseState::Held && seen.record.is_none()
}

fn holder(seen: &Observation) -> Option<HolderObject> {
    holders(seen).into_iter().next()
}

fn token(seen: &Observation) -> Option<FencingToken> {
    seen.record.as_ref().map(|record| record.token)
}

fn hold_steps(before: &Observation, seen: &Observation, steps: &mut Vec<Step>) {
    let is_held = |seen: &Observation| seen.state == LeaseState::Held;
    let from = holder(before);
    // The record of a hold that was not known of before.
    let new = seen.record.as_ref();
    let new = new.filter(|record| token(before) != Some(record.token));
    match (is_held(before), is_held(seen), new) {
        (true, true, None) | (false, false, None) => {}
        (false, true, _) => steps.push(Step::of(Kind::Acquired, seen, None, holder(seen))),
        (true, true, Some(record)) => steps.push(changed(seen, from, of_record(record))),
        (true, false, None) => steps.push(end_of(seen, from)),
        (true, false, Some(_)) if is_unrecorded(before) => {
            // Whether the record is of the one who left none is not known.
            steps.push(Step::of(Kind::Expired, seen, from, None));
        }
        // It came, and is gone already.
        (was_held, false, Some(record)) => {
            let to = of_record(record);
            steps.push(if was_held {
                changed(seen, from, to.clone())
            } else {
                Step::of(Kind::Acquired, seen, None, Some(to.clone()))
            });
            steps.push(end_of(seen, Some(to)));
        }
    }
}

/// One holder after another: how the one before ended is in the record of the next.
fn changed(seen: &Observation, from: Option<HolderObject>, to: HolderObject) -> Step {
    let record = seen.record.as_ref();
    let last = record.and_then(|record| record.last_run.as_ref());
    let same = |last: &&EndedRun| from.as_ref().is_some_and(|from| from.is_under(last.token));
    let cause = last.filter(same).map(|last| last.outcome.as_str());
    Step::of(Kind::Changed, seen, from, Some(to)).because(cause)
}

/// How the one who held last ended.
fn end_of(seen: &Observation, from: Option<HolderObject>) -> Step {
    let ended = seen
        .record
        .as_ref()
        .and_then(|record| record.ended.as_ref());
    let kind = match ended {
        Some(EndedRun {
            outcome: OutcomeWord::Lost,
            ..
        }) => Kind::Lost,
        Some(_) => Kind::Released,
        None => Kind::Expired,
    };
    let cause = ended.map_or(OutcomeWord::Vanished, |ended| ended.outcome);
    Step::of(kind, seen, from, None).because(Some(cause.as_str()))
}

fn pause_step(before: &Observation, seen: &Observation, at: WallTime, steps: &mut Vec<Step>) {
    if before.paused == seen.paused {
        return;
    }
    let held = holder(seen);
    steps.push(match (&before.paused, &seen.paused) {
        (_, Some(_)) => Step::of(Kind::Paused, seen, held.clone(), held),
        (before, None) => {
            let until = before.as_ref().and_then(|pause| pause.until_at);
            let over = until.is_some_and(|until| until <= at);
            let cause = if over { "expired" } else { "operator" };
            Step::of(Kind::Resumed, seen, held.clone(), held).because(Some(cause))
        }
    });
}

#[cfg(test)]
pub(super) mod tests;
