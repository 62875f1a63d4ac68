//! A blob's metadata, and what of it is ours. Pure.
//!
//! Values are ASCII: Azure takes nothing else. Keys that are not ours are kept as they are.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::names::{hex, lease_id};
use crate::lease::{EndedRun, FencingToken, LARGEST_RECORD, LeaseName, LeaseRecord, OwnerId};

/// Azure's limit for names and values together. Azurite has none, so it is checked here.
const LARGEST: usize = 8192;
/// What is kept free of it for how a run ended, when that is said as shortly as it can be.
const ROOM_FOR_THE_END: usize = 640;
/// Our format of the metadata.
const FORMAT: &str = "1";

const LEASECTL: &str = "leasectl";
const TOKEN: &str = "token";
const CLAIM: &str = "claim";
const NOT_BEFORE: &str = "notbefore";
const RECORD: &str = "record";
const ENDED: &str = "ended";
const HOLDER: &str = "holder";
const ASK: &str = "ask";

/// Keys in lower case, and values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata(BTreeMap<String, String>);

impl Metadata {
    /// That of one who asks: of an ask blob that does not exist yet.
    pub(super) fn of_ask<T: Serialize>(mut self, ask: &T) -> Self {
        self.put(LEASECTL, FORMAT.to_owned());
        self.put(ASK, ascii(ask));
        self
    }

    pub(super) fn put(&mut self, key: &str, value: String) {
        self.0.insert(key.to_ascii_lowercase(), value);
    }

    pub(super) const fn all(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// Whether Azure would take it.
    pub(super) fn fits(&self) -> bool {
        self.size() <= LARGEST
    }

    /// Whether Azure would take it, and later how the run ended as well.
    pub(super) fn has_room_for_the_end(&self) -> bool {
        self.size() + ROOM_FOR_THE_END <= LARGEST
    }

    fn size(&self) -> usize {
        self.0.iter().map(|(k, v)| k.len() + v.len()).sum()
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    fn is_ours(&self) -> bool {
        self.get(LEASECTL) == Some(FORMAT)
    }

    /// The last token that was granted. Believed in any format: a token is never lowered.
    pub(super) fn token(&self) -> Option<FencingToken> {
        FencingToken::new(self.get(TOKEN)?.parse().ok()?).ok()
    }

    /// Whether the hold is that of `owner`, and its run is not over.
    pub(super) fn is_held_by(&self, owner: &OwnerId) -> bool {
        self.is_ours() && self.get(CLAIM) == Some(&claim_of(owner)) && self.get(ENDED).is_none()
    }

    /// Whether a run of ours is on, as far as the metadata tells.
    pub(super) fn is_running(&self) -> bool {
        self.is_ours() && self.token().is_some() && self.get(ENDED).is_none()
    }

    /// The end of the minimum hold, in seconds since 1970.
    pub(super) fn not_before(&self) -> Option<u64> {
        self.get(NOT_BEFORE)?.parse().ok()
    }

    /// The record, with how its run ended.
    pub(super) fn record(&self, name: &LeaseName) -> Option<LeaseRecord> {
        let record = self.any_record()?;
        (record.lease == *name).then_some(record)
    }

    /// The same of a lease whose name is only in the record.
    pub(super) fn any_record(&self) -> Option<LeaseRecord> {
        if !self.is_ours() {
            return None;
        }
        let mut record = LeaseRecord::from_json(self.get(RECORD)?.as_bytes())?;
        record.token = self.token()?;
        record.ended = self.ended();
        Some(record)
    }

    fn ended(&self) -> Option<EndedRun> {
        serde_json::from_str(self.get(ENDED)?).ok()
    }

    /// Writes a new hold. What is not ours stays.
    pub(super) fn begin(&mut self, owner: &OwnerId, record: &LeaseRecord, not_before: Option<u64>) {
        self.0.remove(ENDED);
        self.0.remove(NOT_BEFORE);
        self.put(LEASECTL, FORMAT.to_owned());
        self.put(TOKEN, record.token.to_string());
        self.put(CLAIM, claim_of(owner));
        if let Some(not_before) = not_before {
            self.put(NOT_BEFORE, not_before.to_string());
        }
        let label = ascii(&record.holder.label);
        let label = label.trim_matches('"');
        self.put(HOLDER, format!("{label}:{}", record.holder.pid));
        self.put(RECORD, fitting(record));
    }

    /// Writes how the run ended. What others keep there may leave no room for all of it: what is for people is
    /// left out then, so that everybody sees that the run is over, and its minimum hold with it.
    pub(super) fn end(&mut self, record: &LeaseRecord) {
        if record.not_before_at.is_none() {
            self.0.remove(NOT_BEFORE);
        }
        let mut running = record.clone();
        let mut ended = running.ended.take();
        loop {
            if let Some(ended) = &ended {
                self.put(ENDED, ascii(ended));
            }
            self.put(RECORD, fitting(&running));
            // The run before is not shown any more once this one is over.
            let mut shortened = || {
                running.last_run.take_if(|_| ended.is_some()).is_some()
                    || shorten(&mut running)
                    || ended.as_mut().is_some_and(shorten_end)
            };
            if self.fits() || !shortened() {
                return;
            }
        }
    }

    /// What is asked; `None`: it cannot be read. Absent: nothing is.
    pub(super) fn ask<T: DeserializeOwned + Default>(&self) -> Option<T> {
        match self.get(ASK) {
            None if self.is_ours() => Some(T::default()),
            Some(text) if self.is_ours() => serde_json::from_str(text).ok(),
            _ => None,
        }
    }
}

/// What of the owner id may be seen: the id itself is the right to renew and to release.
fn claim_of(owner: &OwnerId) -> String {
    let id = lease_id(owner);
    hex(&Sha256::digest(id.as_bytes()))
        .chars()
        .take(32)
        .collect()
}

/// The record in its place, what is for people cut until it fits: note, arguments, then the rest.
fn fitting(record: &LeaseRecord) -> String {
    let mut record = record.clone();
    loop {
        let text = ascii(&record);
        if text.len() <= LARGEST_RECORD || !shorten(&mut record) {
            return text;
        }
    }
}

/// Texts of so many bytes are left out rather than cut.
const SHORT: usize = 16;

fn cut(text: &mut String) {
    let half = text.chars().count() / 2;
    *text = text.chars().take(half).chain(['…']).collect();
}

/// Makes it shorter; false: there is nothing left to leave out.
fn shorten(record: &mut LeaseRecord) -> bool {
    if let Some(note) = record.note.as_mut().filter(|note| note.len() > SHORT) {
        cut(note);
    } else if record.args.take().is_some() {
    } else if !record.meta.is_empty() {
        record.meta.clear();
    } else if record.note.take().is_some() {
    } else if let Some(reason) = record.last_run.as_mut().and_then(|last| last.reason.take()) {
        drop(reason);
    } else {
        return record.program.take().is_some();
    }
    true
}

/// Who asked for the end, and why, in less words; false: there are none.
fn shorten_end(ended: &mut EndedRun) -> bool {
    match (&mut ended.reason, &mut ended.by) {
        (Some(reason), _) if reason.len() > SHORT => cut(reason),
        (reason @ Some(_), _) => *reason = None,
        (None, by @ Some(_)) => *by = None,
        (None, None) => return false,
    }
    true
}

/// JSON in ASCII, without two blanks in a row: signed headers may be folded on their way.
fn ascii<T: Serialize>(value: &T) -> String {
    // Serialising plain data cannot fail; an empty text reads as nothing.
    let json = serde_json::to_string(value).unwrap_or_default();
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        if letter == ' ' && text.ends_with(' ') {
            text.push_str("\\u0020");
        } else if letter.is_ascii() && letter != '\u{7f}' {
            text.push(letter);
        } else {
            let mut units = [0; 2];
            for unit in letter.encode_utf16(&mut units) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests;
