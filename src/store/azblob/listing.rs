//! All leases of a container, 5,000 blobs at a time.

use std::collections::{BTreeMap, HashMap};

use azure_core::xml::from_xml;
use serde::Deserialize;

use super::look::{AskBlob, Blob, Lease, date, observation};
use super::metadata::Metadata;
use super::names::{Named, beginning, lease_blob, read};
use super::store::AzblobStore;
use super::trouble::Trouble;
use super::verdict::{self, Asked as Op, Verdict};
use super::wire::Request;
use crate::lease::{LeaseName, LeaseState, Observation};

#[derive(Debug, Deserialize)]
struct Page {
    #[serde(rename = "Blobs", default)]
    blobs: Blobs,
    #[serde(rename = "NextMarker", default)]
    next: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Blobs {
    #[serde(rename = "Blob", default)]
    blobs: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "Properties")]
    properties: Properties,
    #[serde(rename = "Metadata", default)]
    metadata: Option<HashMap<String, Option<String>>>,
}

#[derive(Debug, Deserialize)]
struct Properties {
    #[serde(rename = "LeaseState", default)]
    state: Option<String>,
    #[serde(rename = "LeaseDuration", default)]
    duration: Option<String>,
    #[serde(rename = "Etag", default)]
    etag: Option<String>,
}

/// What was listed of one lease.
#[derive(Debug, Default)]
pub(super) struct Found {
    blob: Option<Blob>,
    ask: Option<AskBlob>,
}

/// Those that are held or shut, or have a record, by name.
pub(super) async fn list(store: &AzblobStore, prefix: &str) -> Result<Vec<Observation>, Trouble> {
    let beginning = store.at(&beginning(prefix));
    let mut found: BTreeMap<LeaseName, Found> = BTreeMap::new();
    let mut marker = String::new();
    let mut now = 0;
    loop {
        let answer = store.send(&Request::list(&beginning, &marker)).await?;
        match verdict::of(Op::Look, &answer, true) {
            Verdict::Yes => {}
            Verdict::Absent => return Ok(Vec::new()),
            other => return Err(other.unexpected()),
        }
        now = date(&answer)?.max(now);
        match page(&answer.body, &store.config.place.prefix, now, &mut found)? {
            Some(next) => marker = next,
            None => break,
        }
    }
    Ok(shown(found, prefix, now))
}

/// Reads a page; `below` is what the names of our blobs begin with. Where the next one begins, if there is one.
pub(super) fn page(
    body: &[u8],
    below: &str,
    now: u64,
    found: &mut BTreeMap<LeaseName, Found>,
) -> Result<Option<String>, Trouble> {
    let page: Page = from_xml(body)
        .map_err(|_| Trouble::Garbled("its list of blobs cannot be read".to_owned()))?;
    for entry in page.blobs.blobs {
        sort_in(below, entry, now, found);
    }
    Ok(page.next.filter(|next| !next.is_empty()))
}

/// What was found of the leases whose names begin with `prefix`.
pub(super) fn shown(found: BTreeMap<LeaseName, Found>, prefix: &str, now: u64) -> Vec<Observation> {
    let all = found.into_iter();
    let begins = all.filter(|(name, _)| name.as_str().starts_with(prefix));
    let seen = begins.map(|(name, found)| {
        let ask = found.ask.unwrap_or_else(|| AskBlob::none(now));
        observation(&name, found.blob.as_ref(), &ask)
    });
    seen.filter(|seen| seen.record.is_some() || seen.state != LeaseState::Free)
        .collect()
}

/// What is no blob of a lease is nobody's business.
fn sort_in(below: &str, entry: Entry, now: u64, found: &mut BTreeMap<LeaseName, Found>) {
    let Some(named) = entry.name.strip_prefix(below).and_then(read) else {
        return;
    };
    let mut metadata = Metadata::default();
    for (key, value) in entry.metadata.unwrap_or_default() {
        metadata.put(&key, value.unwrap_or_default());
    }
    let properties = entry.properties;
    let asked = |metadata| asked(&properties, metadata, now);
    let seen = |metadata| seen(&properties, metadata, now);
    // A name that was cut is in the blob; it has to be the one that the blob's name was made from.
    let whole = |name: Option<LeaseName>, blob: &str| {
        name.filter(|name| blob.strip_prefix(below) == Some(&lease_blob(name)))
    };
    match named {
        Named::Lease(name) => found.entry(name).or_default().blob = Some(seen(metadata)),
        Named::Ask(name) => found.entry(name).or_default().ask = Some(asked(metadata)),
        Named::Cut { ask: false } => {
            let name = metadata.any_record().map(|record| record.lease);
            if let Some(name) = whole(name, &entry.name) {
                found.entry(name).or_default().blob = Some(seen(metadata));
            }
        }
        Named::Cut { ask: true } => {
            let ask = asked(metadata);
            let name = ask.asks.as_ref().and_then(|asks| asks.lease.clone());
            let blob = entry.name.strip_suffix(".ask").unwrap_or_default();
            if let Some(name) = whole(name, blob) {
                found.entry(name).or_default().ask = Some(ask);
            }
        }
    }
}

fn asked(properties: &Properties, metadata: Metadata, now: u64) -> AskBlob {
    AskBlob {
        etag: properties.etag.clone(),
        asks: metadata.ask(),
        metadata,
        date: now,
    }
}

fn seen(properties: &Properties, metadata: Metadata, now: u64) -> Blob {
    Blob {
        lease: Lease::read(
            properties.state.as_deref().unwrap_or_default(),
            properties.duration.as_deref(),
        ),
        etag: properties.etag.clone().unwrap_or_default(),
        metadata,
        date: now,
        modified: 0,
        created: None,
    }
}
