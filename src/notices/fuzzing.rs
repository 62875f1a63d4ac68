//! Whatever a metadata service answers, and whatever stands in the cache of its answers.

use super::cache::{self, Cache};
use super::document::{LARGEST_DOCUMENT, Names, parse};
use super::http;
use super::{Change, Differ};
use crate::clock::Instant;
use crate::fuzzing::checks::{one_line, tame};

const NAME: &str = "web_0";
const BOOT: &str = "b";
const NOW: Instant = Instant::from_nanos(100_000_000_000);

/// A document: nobody panics, no event is about a machine that it does not name, and all texts are one line.
pub(crate) fn document(bytes: &[u8]) {
    let document = match parse(bytes, &Names::new([NAME.to_owned()])) {
        Ok(document) => document,
        Err(error) => return one_line(&error.to_string()),
    };
    assert!(bytes.len() <= LARGEST_DOCUMENT && document.notices.len() <= 500);
    document
        .warnings
        .iter()
        .for_each(|warning| one_line(warning));
    for notice in &document.notices {
        let named = notice
            .resources
            .iter()
            .any(|one| one.eq_ignore_ascii_case(NAME));
        assert_eq!(notice.ours, named);
        assert!(notice.duration_s >= -1 && !notice.id.is_empty());
        let texts = [
            &notice.id,
            &notice.event_type,
            &notice.status,
            &notice.source,
            &notice.description,
        ];
        for text in texts.into_iter().chain(&notice.resources) {
            assert!(!text.contains(char::is_control), "{text:?}");
        }
    }
    let mut differ = Differ::default();
    let first = differ.take(&document);
    assert!(
        first
            .iter()
            .all(|update| matches!(update.change, Change::Appeared | Change::Started))
    );
    // The same again is no news.
    assert_eq!(differ.take(&document), []);
    let gone = differ.take(&super::Document::default());
    assert!(gone.iter().all(|update| update.change == Change::Gone));
    assert_eq!(gone.len(), document.notices.len());
}

/// An answer, as it comes: what is whole stays the same when more comes, and nothing larger than a document
/// is taken in.
pub(crate) fn answer(bytes: &[u8]) {
    let so_far = http::read(bytes, false);
    let ended = http::read(bytes, true);
    if let Ok(Some(answer)) = &so_far {
        assert_eq!(ended.as_ref().ok(), Some(&Some(answer.clone())));
    }
    for read in [&so_far, &ended] {
        match read {
            Ok(Some(answer)) => assert!(answer.body.len() <= LARGEST_DOCUMENT),
            Ok(None) => {}
            Err(error) => one_line(&error.to_string()),
        }
    }
    let half = http::read(&bytes[..bytes.len() / 2], false);
    if let Ok(Some(half)) = half {
        match so_far {
            Ok(whole) => assert_eq!(whole, Some(half)),
            Err(error) => assert_eq!(error, http::NoAnswer::TooLarge),
        }
    }
    if let Ok(Some(answer)) = ended {
        document(&answer.body);
    }
}

/// A cache: what is believed is of this boot, not from the future, and comes back as it was.
pub(crate) fn cache(bytes: &[u8]) {
    read(bytes);
    // With the right checksum, whatever it says.
    let line = bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(bytes.len());
    let (line, rest) = bytes.split_at(line);
    if let Ok(header) = serde_json::from_slice(line) {
        read(&cache::encode(&header, rest.get(1..).unwrap_or_default()));
    }
}

fn read(bytes: &[u8]) {
    match cache::decode(bytes, BOOT, NOW) {
        Err(why) => tame(&why.to_string()),
        Ok(None) => {}
        Ok(Some(found)) => {
            let Cache { header, answer } = &found;
            assert_eq!(header.boot, BOOT);
            assert!(header.beat_ns <= NOW.as_nanos() && answer.len() <= LARGEST_DOCUMENT);
            assert!(header.silent_at() > Instant::from_nanos(header.beat_ns));
            assert!(header.fresh(NOW).is_none_or(|at| at <= NOW));
            let written = cache::encode(header, answer);
            // Escapes are written out, so that a header that just fitted may not any more.
            if let Ok(again) = cache::decode(&written, BOOT, NOW) {
                assert_eq!(again.as_ref(), Some(&found));
            }
        }
    }
}
