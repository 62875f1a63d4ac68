//! Whatever a Blob service sends, taken apart as its answers and its lists are.

use std::collections::BTreeMap;

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::link;
use super::listing;
use super::look::{AskBlob, Blob, observation};
use super::metadata::Metadata;
use super::names::{Named, ask_blob, lease_blob, read};
use super::trouble::Trouble;
use super::verdict::{self, Asked, Verdict};
use super::wire::Answer;
use crate::fuzzing::checks::LONGEST_LINE;
use crate::lease::{Doing, EndedRun, LeaseName, OwnerId, StoreLabel, in_one_line};

/// An answer, as it comes over HTTP/1.1.
pub(crate) fn answer(bytes: &[u8]) {
    let Ok(name) = LeaseName::new("nightly") else {
        return;
    };
    for method in [Method::HEAD, Method::PUT] {
        let Some(answer) = read_http(bytes, &method) else {
            return;
        };
        verdicts(&answer);
        let blob = Blob::read(&answer).map_err(short).ok();
        let ask = AskBlob::read(&answer).map_err(short).ok();
        if let Some(ask) = ask {
            let seen = observation(&name, blob.as_ref(), &ask);
            assert_eq!(seen.name, name);
            if let Some(record) = &seen.record {
                assert_eq!(record.lease, name);
            }
        }
        if let Some(metadata) = answer.metadata() {
            keeps(&metadata, &name);
        }
    }
}

fn read_http(bytes: &[u8], method: &Method) -> Option<Answer> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut headers);
    let Ok(httparse::Status::Complete(start)) = head.parse(bytes) else {
        return None;
    };
    let mut map = HeaderMap::new();
    for header in head.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        map.append(name, HeaderValue::from_bytes(header.value).ok()?);
    }
    Some(link::answer(
        method,
        head.code?,
        map,
        bytes.get(start..)?.to_vec(),
    ))
}

/// Only a yes is a yes, and only with our lease id; what the service cannot have done is no loss (P8).
fn verdicts(answer: &Answer) {
    let yes = (200..300).contains(&answer.status);
    for asked in Asked::ALL {
        for ours in [true, false] {
            match verdict::of(asked, answer, ours) {
                Verdict::Yes => assert!(yes && ours, "{asked:?} {answer:?}"),
                Verdict::Lost(_) => assert!(
                    yes || matches!(answer.status, 404 | 409 | 412),
                    "{asked:?} {answer:?}"
                ),
                Verdict::Held => {
                    assert!(matches!(answer.status, 409 | 412) && asked == Asked::Acquire);
                }
                Verdict::No(trouble) => short(trouble),
                Verdict::Unchanged | Verdict::Absent | Verdict::Exists | Verdict::Again => {
                    assert!(!yes, "{asked:?} {answer:?}");
                }
            }
        }
    }
}

/// A new hold is read from what it is written into, can be sent, and takes nothing away that is not ours.
fn keeps(metadata: &Metadata, name: &LeaseName) {
    let record = metadata.record(name);
    let (Some(record), Ok(owner)) = (record, OwnerId::fresh()) else {
        return;
    };
    let mut written = metadata.clone();
    written.begin(&owner, &record, Some(7));
    assert!(written.is_held_by(&owner));
    assert_eq!(
        (written.token(), written.not_before()),
        (Some(record.token), Some(7))
    );
    for (key, value) in written.all() {
        assert!(
            value.is_ascii() && !value.contains("  "),
            "{key}: {value:?}"
        );
        assert!(HeaderValue::from_str(value).is_ok(), "{key}: {value:?}");
    }
    let mut ended = written.clone();
    let mut over = record.clone();
    over.ended = over.last_run.take();
    ended.end(&over);
    assert!(
        metadata
            .all()
            .keys()
            .all(|key| ended.all().contains_key(key) || key == "ended" || key == "notbefore")
    );
    // What a hold may begin in takes its end, whoever else wrote what there and wherever they ran.
    let short_host = |run: &EndedRun| run.host.len() <= 64;
    if over.ended.as_ref().is_some_and(short_host) {
        assert!(ended.fits() || !written.has_room_for_the_end());
    }
}

/// A page of a list.
pub(crate) fn list(bytes: &[u8]) {
    for below in ["", "jobs/"] {
        let mut found = BTreeMap::new();
        if let Err(trouble) = listing::page(bytes, below, 1_795_000_000, &mut found) {
            short(trouble);
        }
        for seen in listing::shown(found, "", 1_795_000_000) {
            if let Some(record) = seen.record {
                assert_eq!(record.lease, seen.name);
            }
        }
    }
    if let Ok(text) = str::from_utf8(bytes) {
        names(text);
    }
}

/// One name, one blob, and none that is another's.
fn names(text: &str) {
    match read(text) {
        Some(Named::Lease(name)) => assert_eq!(lease_blob(&name), text),
        Some(Named::Ask(name)) => assert_eq!(ask_blob(&name), text),
        Some(Named::Cut { .. }) | None => {}
    }
    if let Ok(name) = LeaseName::new(text) {
        let blob = lease_blob(&name);
        assert!(
            blob.len() <= 800 && !blob.contains('/') && !blob.ends_with('.'),
            "{blob}"
        );
        match read(&blob) {
            Some(Named::Lease(read)) => assert_eq!(read, name),
            Some(Named::Cut { ask: false }) => {}
            other => panic!("{blob} is read as {other:?}"),
        }
    }
}

/// What people read of it fits a line, whatever a service has to say.
fn short(trouble: Trouble) {
    let store = StoreLabel::new("azblob://a/b".to_owned());
    let line = in_one_line(&trouble.into_error(&store, Doing::Renew));
    assert!(line.len() <= LONGEST_LINE, "{} bytes", line.len());
}
