//! Whatever stands in the file store's files: records, the counter, what operators asked, and names of files.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use nix::errno::Errno;

use super::asks::Asks;
use super::counter::{Counter, Medium, Now};
use super::wire::{
    Image, MinHold, REGION_AT, Region, SLOTS_AT, decoded, encoded, new_counter, read_any_record,
    record_page, region, slot,
};
use crate::clock::{Instant, WallTime};
use crate::lease::{LARGEST_RECORD, LeaseName, LeaseRecord};

const BOOT: &str = "00000000-0000-4000-8000-000000000001";

fn now() -> Now {
    Now {
        boot: Instant::from_nanos(1_000_000_000_000),
        wall: WallTime::from_unix_millis(1_795_000_000_000),
    }
}

/// The same bytes as each of the files.
pub(crate) fn files(bytes: &[u8]) {
    record(bytes);
    asks(bytes);
    counter(bytes.to_vec());
    counter(checked(Input(bytes)));
    if let Ok(text) = str::from_utf8(bytes) {
        names(text);
    }
}

/// What is written is a page that is read as it was, whatever record it is of.
fn record(bytes: &[u8]) {
    for record in [read_any_record(bytes), LeaseRecord::from_json(bytes)]
        .into_iter()
        .flatten()
    {
        let page = record_page(&record);
        if let Some(read) = read_any_record(&page) {
            assert_eq!((&read.lease, read.token), (&record.lease, record.token));
        } else {
            // Too long even without what is said of the runs: others wrote it, and no hold of ours does.
            assert!(record.to_json().len() > LARGEST_RECORD / 2, "{record:?}");
        }
    }
}

fn asks(bytes: &[u8]) {
    let Some(mut asks) = Asks::parse(bytes) else {
        return;
    };
    if let Some((pause, rest)) = asks.pause(BOOT, now()) {
        assert!(!rest.is_zero() && (pause.until_at.is_some() || rest == Duration::MAX));
    }
    asks.open_again(Some(7));
    assert!(asks.pause(BOOT, now()).is_none() && asks.has_cleared(7));
}

fn names(text: &str) {
    if let Some(name) = decoded(text) {
        assert_eq!(encoded(&name), text);
    }
    if let Ok(name) = LeaseName::new(text) {
        let own = encoded(&name);
        assert!(own.len() <= 200 && !own.starts_with('.'), "{own}");
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-%=".contains(&byte);
        assert!(own.bytes().all(plain), "{own}");
        assert!(own.starts_with('=') || decoded(&own) == Some(name), "{own}");
    }
}

/// Numbers and pieces from the front of an input; zeros when it is used up.
#[derive(Clone, Copy)]
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// The next `length` bytes, or what is left.
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn number(&mut self) -> u64 {
        let mut number = [0; 8];
        number
            .iter_mut()
            .zip(self.take(8))
            .for_each(|(to, from)| *to = *from);
        u64::from_le_bytes(number)
    }
}

/// A counter's file whose checksums are right, whatever it says.
fn checked(mut input: Input<'_>) -> Vec<u8> {
    let hold = MinHold {
        boot: Instant::from_nanos(input.number()),
        wall: WallTime::from_unix_millis(input.number()),
        span: Duration::from_millis(input.number()),
    };
    let volatile = Region {
        boot: BOOT.to_owned(),
        next: input.number(),
        synced: input.number(),
        hold: Some(hold),
    };
    let mut bytes = new_counter(1, &volatile);
    let parts = SLOTS_AT.map(|at| (at, slot(input.number())));
    for (at, part) in parts.into_iter().chain([(REGION_AT, region(&volatile))]) {
        write(&mut bytes, at, &part);
    }
    bytes
}

fn write(bytes: &mut Vec<u8>, at: u64, part: &[u8]) {
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    bytes.resize(bytes.len().max(at + part.len()), 0);
    bytes
        .iter_mut()
        .skip(at)
        .zip(part)
        .for_each(|(to, from)| *to = *from);
}

#[derive(Clone)]
struct Memory(Rc<RefCell<Vec<u8>>>);

impl Medium for Memory {
    fn read(&self) -> Result<Vec<u8>, Errno> {
        Ok(self.0.borrow().clone())
    }

    fn write(&self, at: u64, bytes: &[u8]) -> Result<(), Errno> {
        write(&mut self.0.borrow_mut(), at, bytes);
        Ok(())
    }

    fn flush(&self) -> Result<(), Errno> {
        Ok(())
    }
}

/// Tokens rise, whatever the file says, and in the next boot they go on above those of this one (P7).
fn counter(bytes: Vec<u8>) {
    let image = Image::read(&bytes);
    let medium = Memory(Rc::new(RefCell::new(bytes)));
    let mut last = 0;
    for boot in [BOOT, BOOT, "another boot"] {
        let Ok(mut counter) = Counter::open(medium.clone(), boot, now()) else {
            // It has no number, or so high a one that no block is left above it, or was the last of them given:
            // refused, never guessed.
            let high = image
                .slots
                .iter()
                .flatten()
                .any(|number| *number > (1 << 63) - 8192);
            assert!(
                last == 0 || last > (1 << 63) - 8192 || high,
                "{last} {image:?}"
            );
            return;
        };
        // Nobody is kept out for longer than was asked for.
        let span = image
            .region
            .as_ref()
            .and_then(|region| region.hold)
            .map(|hold| hold.span);
        assert!(last > 0 || counter.rest(now()) <= span.unwrap_or_default());
        for _ in 0..3 {
            let Ok(token) = counter.take(None, now()) else {
                return;
            };
            assert!(token.get() > last, "{token} after {last}");
            last = token.get();
        }
    }
}
