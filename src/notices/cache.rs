//! The cache file: one line about the poller, then the last good answer, byte for byte. Pure.
//!
//! The checksum finds accidents, not attackers: who may write the file is settled before it is read.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::document::LARGEST_DOCUMENT;
use crate::clock::Instant;

const SCHEMA: &str = "leasectl.scheduled_events_cache/1";
/// The longest first line.
const LARGEST_HEADER: usize = 2 * 1024;
/// The longest file.
pub(super) const LARGEST: usize = LARGEST_HEADER + LARGEST_DOCUMENT;
/// After so long without a beat the poller is silent. Shorter, and a busy machine deposes pollers that are
/// alive; longer, and a stopped one costs a Preempt.
const SILENT: Duration = Duration::from_secs(3);
/// After so long a document is no reason to act any more.
pub(super) const STALE: Duration = Duration::from_secs(5);

/// How the service is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// Nothing was answered yet.
    Starting,
    Ok,
    Failing,
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    schema: String,
    /// Of which boot its stamps are.
    pub(super) boot: String,
    pub(super) seat: u32,
    pub(super) pid: u32,
    /// When this was written, on the boot clock.
    pub(super) beat_ns: u64,
    /// When the service was last asked; 0: never.
    pub(super) asked_ns: u64,
    /// When it last gave a good answer; 0: never.
    pub(super) good_ns: u64,
    pub(super) state: State,
    pub(super) status: u16,
    /// By which name the service knows this machine; empty: unknown.
    pub(super) vm: String,
    bytes: usize,
    crc32: u32,
}

/// A cache, whole and of this boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cache {
    pub(super) header: Header,
    pub(super) answer: Vec<u8>,
}

/// Why a file is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unbelievable {
    #[error("it is no cache of scheduled events, or torn")]
    Torn,
    #[error("it was written in the future")]
    Future,
}

impl Header {
    /// A header without an answer yet.
    pub(super) fn new(boot: String, seat: u32) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            boot,
            seat,
            pid: std::process::id(),
            beat_ns: 0,
            asked_ns: 0,
            good_ns: 0,
            state: State::Starting,
            status: 0,
            vm: String::new(),
            bytes: 0,
            crc32: 0,
        }
    }

    /// Whether its poller is alive, as far as this tells.
    pub(super) fn has_beat(&self, now: Instant) -> bool {
        now.since(Instant::from_nanos(self.beat_ns)) <= SILENT
    }

    /// When it will have none any more, unless another comes.
    pub(super) fn silent_at(&self) -> Instant {
        Instant::from_nanos(self.beat_ns) + SILENT + Duration::from_nanos(1)
    }

    /// When the answer was given, unless that is too long ago to act on it.
    pub(super) fn fresh(&self, now: Instant) -> Option<Instant> {
        let at = Instant::from_nanos(self.good_ns);
        (self.good_ns > 0 && now.since(at) <= STALE).then_some(at)
    }
}

/// The bytes of a cache file.
pub(super) fn encode(header: &Header, answer: &[u8]) -> Vec<u8> {
    let mut header = header.clone();
    header.bytes = answer.len();
    header.crc32 = crc32fast::hash(answer);
    // A struct of texts and numbers always has a form in JSON.
    let mut bytes = serde_json::to_vec(&header).unwrap_or_default();
    bytes.push(b'\n');
    bytes.extend_from_slice(answer);
    bytes
}

/// Reads a cache file. `None`: it is of another boot, which every restart leaves behind.
pub(super) fn decode(
    bytes: &[u8],
    boot: &str,
    now: Instant,
) -> Result<Option<Cache>, Unbelievable> {
    let end = bytes
        .iter()
        .take(LARGEST_HEADER)
        .position(|byte| *byte == b'\n');
    let (line, answer) = bytes.split_at(end.ok_or(Unbelievable::Torn)?);
    let answer = answer.get(1..).unwrap_or_default();
    let header: Header = serde_json::from_slice(line).map_err(|_| Unbelievable::Torn)?;
    let whole = header.schema == SCHEMA
        && header.bytes == answer.len()
        && answer.len() <= LARGEST_DOCUMENT
        && header.crc32 == crc32fast::hash(answer);
    if !whole {
        return Err(Unbelievable::Torn);
    }
    if header.boot != boot {
        return Ok(None);
    }
    // One clock for all: no tolerance.
    let stamps = [header.beat_ns, header.asked_ns, header.good_ns];
    if stamps.iter().any(|stamp| *stamp > now.as_nanos()) {
        return Err(Unbelievable::Future);
    }
    Ok(Some(Cache {
        header,
        answer: answer.to_vec(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_nanos(100_000_000_000);

    fn header() -> Header {
        let mut header = Header::new("b".to_owned(), 3);
        header.beat_ns = NOW.as_nanos();
        header
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = encode(&header(), b"{\n}");
        let cache = decode(&bytes, "b", NOW).unwrap().unwrap();
        assert_eq!(cache.answer, b"{\n}");
        assert_eq!(
            (cache.header.seat, cache.header.beat_ns),
            (3, NOW.as_nanos())
        );
        assert_eq!(decode(&bytes, "another boot", NOW), Ok(None));
    }

    #[test]
    fn what_is_torn_or_changed_is_not_believed() {
        let bytes = encode(&header(), b"{\"Events\":[]}");
        for end in 0..bytes.len() {
            assert_eq!(
                decode(&bytes[..end], "b", NOW),
                Err(Unbelievable::Torn),
                "{end}"
            );
        }
        let mut changed = bytes.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(decode(&changed, "b", NOW), Err(Unbelievable::Torn));
        let long = [vec![b' '; LARGEST_HEADER], bytes].concat();
        assert_eq!(decode(&long, "b", NOW), Err(Unbelievable::Torn));
    }

    #[test]
    fn what_comes_from_the_future_is_not_believed() {
        for part in 0..3 {
            let mut header = header();
            let later = NOW.as_nanos() + 1;
            match part {
                0 => header.beat_ns = later,
                1 => header.asked_ns = later,
                _ => header.good_ns = later,
            }
            let bytes = encode(&header, b"");
            assert_eq!(decode(&bytes, "b", NOW), Err(Unbelievable::Future));
        }
    }

    #[test]
    fn beats_and_answers_grow_old() {
        let mut header = header();
        assert!(header.has_beat(NOW + SILENT) && !header.has_beat(header.silent_at()));
        assert_eq!(header.fresh(NOW), None);
        header.good_ns = NOW.as_nanos();
        assert_eq!(header.fresh(NOW + STALE), Some(NOW));
        assert_eq!(header.fresh(NOW + STALE * 2), None);
    }
}
