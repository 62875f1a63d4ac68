//! What one look at a lease shows: its blob, its ask blob, and both as an observation. Pure.

use super::asks::{Asks, at};
use super::metadata::Metadata;
use super::trouble::Trouble;
use super::wire::Answer;
use crate::lease::{
    EndedRun, FencingToken, LeaseName, LeaseRecord, LeaseState, Observation, OutcomeWord,
};

/// The lease of a blob, as the service tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lease {
    /// Available, expired or broken.
    None,
    /// For a time, and renewed.
    Fixed,
    /// For ever: not one of ours.
    Infinite,
    /// Ends by itself, and nobody can renew it.
    Breaking,
}

impl Lease {
    pub(super) fn read(state: &str, duration: Option<&str>) -> Self {
        match (state, duration) {
            ("leased", Some("infinite")) => Self::Infinite,
            ("leased", _) => Self::Fixed,
            ("breaking", _) => Self::Breaking,
            _ => Self::None,
        }
    }
}

/// A lease's blob.
#[derive(Clone, Debug)]
pub(super) struct Blob {
    pub(super) lease: Lease,
    pub(super) etag: String,
    pub(super) metadata: Metadata,
    /// The service's clock when it answered, in seconds since 1970.
    pub(super) date: u64,
    pub(super) modified: u64,
    pub(super) created: Option<u64>,
}

impl Blob {
    pub(super) fn read(answer: &Answer) -> Result<Self, Trouble> {
        let missing = |what: &str| Trouble::Garbled(format!("its answer has no {what}"));
        let state = answer.header("x-ms-lease-state");
        let state = state.ok_or_else(|| missing("x-ms-lease-state"))?;
        let metadata = answer.metadata().ok_or_else(|| {
            Trouble::Unfit("the blob has metadata that is not text; remove it".to_owned())
        })?;
        Ok(Self {
            lease: Lease::read(state, answer.header("x-ms-lease-duration")),
            etag: answer
                .header("etag")
                .ok_or_else(|| missing("etag"))?
                .to_owned(),
            metadata,
            date: date(answer)?,
            modified: answer
                .instant("last-modified")
                .ok_or_else(|| missing("last-modified"))?,
            created: answer.instant("x-ms-creation-time"),
        })
    }

    /// Whether nobody else can take it.
    pub(super) fn is_locked(&self) -> bool {
        self.lease != Lease::None
    }

    /// The token of the hold that is on, if it is one of ours.
    pub(super) fn held_under(&self) -> Option<FencingToken> {
        let ours = matches!(self.lease, Lease::Fixed | Lease::Breaking);
        (ours && self.metadata.is_running())
            .then(|| self.metadata.token())
            .flatten()
    }
}

/// The service's clock.
pub(super) fn date(answer: &Answer) -> Result<u64, Trouble> {
    let date = answer.instant("date");
    date.ok_or_else(|| Trouble::Garbled("its answer has no date".to_owned()))
}

/// What operators ask; of an ask blob that is not there, nothing.
#[derive(Clone, Debug)]
pub(super) struct AskBlob {
    /// `None`: there is no such blob.
    pub(super) etag: Option<String>,
    /// `None`: it cannot be read.
    pub(super) asks: Option<Asks>,
    pub(super) metadata: Metadata,
    pub(super) date: u64,
}

impl AskBlob {
    pub(super) fn read(answer: &Answer) -> Result<Self, Trouble> {
        let metadata = answer.metadata().unwrap_or_default();
        Ok(Self {
            etag: answer.header("etag").map(str::to_owned),
            asks: metadata.ask(),
            metadata,
            date: date(answer)?,
        })
    }

    /// That of a lease of which nothing was ever asked.
    pub(super) fn none(date: u64) -> Self {
        Self {
            etag: None,
            asks: Some(Asks::default()),
            metadata: Metadata::default(),
            date,
        }
    }
}

/// The end of a minimum hold that runs, in the service's seconds.
pub(super) fn cooldown_until(blob: &Blob, ask: &AskBlob) -> Option<u64> {
    let token = blob.metadata.token()?;
    let until = blob.metadata.not_before()?;
    (until > ask.date.max(blob.date) && !ask.cleared(token)).then_some(until)
}

/// Both together, as people are shown them.
pub(super) fn observation(name: &LeaseName, blob: Option<&Blob>, ask: &AskBlob) -> Observation {
    let Some(blob) = blob else {
        let paused = ask.paused();
        return Observation {
            state: paused
                .as_ref()
                .map_or(LeaseState::Free, |_| LeaseState::Paused),
            paused,
            ..Observation::untouched(name.clone())
        };
    };
    let cooldown = cooldown_until(blob, ask);
    let paused = ask.paused();
    let held = blob.is_locked();
    let state = match (held, &paused, cooldown) {
        (true, _, _) => LeaseState::Held,
        (false, Some(_), _) => LeaseState::Paused,
        (false, None, Some(_)) => LeaseState::Cooldown,
        (false, None, None) => LeaseState::Free,
    };
    let stop_request = blob.held_under().and_then(|token| ask.stop_request(token));
    Observation {
        state,
        record: shown_record(name, blob, ask),
        foreign: held && blob.held_under().is_none(),
        ends_unseen: held,
        cooldown_until: cooldown.map(at),
        paused,
        stop_request,
        ..Observation::untouched(name.clone())
    }
}

/// The record, unless somebody else holds, who wrote none.
fn shown_record(name: &LeaseName, blob: &Blob, ask: &AskBlob) -> Option<LeaseRecord> {
    let foreign = blob.is_locked() && blob.held_under().is_none();
    let mut record = blob.metadata.record(name).filter(|_| !foreign)?;
    if ask.cleared(record.token) {
        record.not_before_at = None;
    }
    if !blob.is_locked() {
        told_how_it_ended(&mut record, ask);
    }
    Some(record)
}

/// A hold that was taken away could not write its own end: whoever took it said so elsewhere.
pub(super) fn told_how_it_ended(record: &mut LeaseRecord, ask: &AskBlob) {
    let Some(revoked) = ask.revoked(record.token).filter(|_| record.ended.is_none()) else {
        return;
    };
    record.ended = Some(EndedRun {
        token: record.token,
        host: record.holder.host.clone(),
        started_at: record.acquired_at,
        ended_at: Some(at(revoked.at)),
        ran_s: None,
        outcome: OutcomeWord::Operator,
        exit_code: None,
        signal: None,
        renewals: record.renewals,
        by: Some(revoked.asker.by.clone()),
        reason: revoked.asker.reason.clone(),
    });
}
