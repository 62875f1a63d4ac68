//! What the file store writes: file names, the fencing counter's bytes, the record's page. Pure.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::clock::{Instant, WallTime};
use crate::lease::{LARGEST_RECORD, LeaseName, LeaseRecord};

const LONGEST_ENCODED: usize = 200;

/// The part of a lease's file names that is its own.
///
/// `A-Z a-z 0-9 . _ -` stand for themselves, except a leading dot; every other byte is `%XX`. What
/// would be longer than 200 bytes is `=` and the SHA-256 of the name: no encoded name has an `=`,
/// so no two names share a file.
pub(super) fn encoded(name: &LeaseName) -> String {
    let mut text = String::new();
    for (at, byte) in name.as_str().bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if plain && !(at == 0 && byte == b'.') {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    if text.len() > LONGEST_ENCODED {
        text = format!("={}", hex(&Sha256::digest(name.as_str())));
    }
    text
}

/// The name whose files are called `own`; `None` for what [`encoded`] does not make.
pub(super) fn decoded(own: &str) -> Option<LeaseName> {
    let mut bytes = Vec::with_capacity(own.len());
    let mut rest = own.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        bytes.push(u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    let name = LeaseName::new(str::from_utf8(&bytes).ok()?).ok()?;
    (encoded(&name) == own).then_some(name)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn checksum(bytes: &[u8]) -> [u8; 8] {
    let digest = Sha256::digest(bytes);
    let mut sum = [0; 8];
    sum.iter_mut()
        .zip(digest.iter())
        .for_each(|(to, from)| *to = *from);
    sum
}

// The fencing counter's file. Each part has a page of its own, so that writing one page back never
// rewrites another, even on disks whose sectors are 4,096 bytes.

/// Where the two durable slots begin.
pub(super) const SLOTS_AT: [u64; 2] = [0, 4096];
/// Where the volatile region begins.
pub(super) const REGION_AT: u64 = 8192;
/// The length of every part.
pub(super) const SECTOR: usize = 512;
/// The length of the file.
pub(super) const COUNTER_LENGTH: usize = 8192 + SECTOR;

const SLOT_MAGIC: &[u8; 8] = b"lease-r1";
const REGION_MAGIC: &[u8; 8] = b"lease-v1";
const BOOT_ID_LENGTH: usize = 36;

/// How long others are kept out after an acquisition, by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MinHold {
    /// The end while this boot lasts.
    pub(super) boot: Instant,
    /// The end after a reboot.
    pub(super) wall: WallTime,
    /// The whole of it: a wall clock that was set back must not stretch it.
    pub(super) span: Duration,
}

/// The volatile region: what is true while the boot that it names lasts, and the minimum hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Region {
    /// The boot id.
    pub(super) boot: String,
    /// The next token.
    pub(super) next: u64,
    /// Up to here the reservation is known to be on the disk.
    pub(super) synced: u64,
    /// The minimum hold of the last acquisition.
    pub(super) hold: Option<MinHold>,
}

/// The file, read: what is torn or was never written is `None`.
#[derive(Debug)]
pub(super) struct Image {
    /// The reservations: every token up to the greater may have been used.
    pub(super) slots: [Option<u64>; 2],
    /// The volatile region.
    pub(super) region: Option<Region>,
}

fn sector(payload: &[u8]) -> [u8; SECTOR] {
    let mut sector = [0; SECTOR];
    let sum = checksum(payload);
    let bytes = payload.iter().chain(&sum);
    sector
        .iter_mut()
        .zip(bytes)
        .for_each(|(to, from)| *to = *from);
    sector
}

/// The checked payload of `length` bytes that begins at `at`.
fn payload(bytes: &[u8], at: u64, length: usize) -> Option<&[u8]> {
    let part = bytes.get(usize::try_from(at).ok()?..)?;
    let (payload, rest) = part.split_at_checked(length)?;
    (rest.get(..8)? == checksum(payload)).then_some(payload)
}

/// A durable slot.
pub(super) fn slot(reserved: u64) -> [u8; SECTOR] {
    let mut payload = SLOT_MAGIC.to_vec();
    payload.extend(reserved.to_le_bytes());
    sector(&payload)
}

/// The volatile region.
pub(super) fn region(region: &Region) -> [u8; SECTOR] {
    let mut payload = REGION_MAGIC.to_vec();
    let boot = region.boot.bytes().chain(std::iter::repeat(0));
    payload.extend(boot.take(BOOT_ID_LENGTH));
    let hold = region.hold.map_or([0; 3], |hold| {
        let span = u64::try_from(hold.span.as_millis()).unwrap_or(u64::MAX);
        [hold.boot.as_nanos(), hold.wall.unix_millis(), span]
    });
    for number in [region.next, region.synced].into_iter().chain(hold) {
        payload.extend(number.to_le_bytes());
    }
    sector(&payload)
}

/// The whole file of a new counter.
pub(super) fn new_counter(reserved: u64, volatile: &Region) -> Vec<u8> {
    let mut bytes = vec![0; COUNTER_LENGTH];
    let parts = SLOTS_AT
        .map(|at| (at, slot(reserved)))
        .into_iter()
        .chain([(REGION_AT, region(volatile))]);
    for (at, part) in parts {
        let room = bytes.iter_mut().skip(usize::try_from(at).unwrap_or(0));
        room.zip(part).for_each(|(to, from)| *to = from);
    }
    bytes
}

impl Image {
    /// Reads the file's bytes.
    pub(super) fn read(bytes: &[u8]) -> Self {
        Self {
            slots: SLOTS_AT.map(|at| read_slot(bytes, at)),
            region: read_region(bytes),
        }
    }
}

fn read_slot(bytes: &[u8], at: u64) -> Option<u64> {
    let payload = payload(bytes, at, 16)?.strip_prefix(SLOT_MAGIC)?;
    number(payload, 0)
}

fn read_region(bytes: &[u8]) -> Option<Region> {
    let payload = payload(bytes, REGION_AT, 8 + BOOT_ID_LENGTH + 5 * 8)?;
    let (boot, numbers) = payload
        .strip_prefix(REGION_MAGIC)?
        .split_at_checked(BOOT_ID_LENGTH)?;
    let span = Duration::from_millis(number(numbers, 4)?);
    let hold = MinHold {
        boot: Instant::from_nanos(number(numbers, 2)?),
        wall: WallTime::from_unix_millis(number(numbers, 3)?),
        span,
    };
    Some(Region {
        boot: str::from_utf8(boot).ok()?.trim_end_matches('\0').to_owned(),
        next: number(numbers, 0)?,
        synced: number(numbers, 1)?,
        hold: (!span.is_zero()).then_some(hold),
    })
}

fn number(bytes: &[u8], index: usize) -> Option<u64> {
    let eight = bytes.get(index * 8..index * 8 + 8)?;
    Some(u64::from_le_bytes(eight.try_into().ok()?))
}

// The record's file: the JSON, a second line with its checksum, and blanks up to one page. It is
// always written as one page in one call, in place. A reader that holds no lock may see two records
// mixed, and after a power cut so may the next holder: the checksum tells.

/// The record as its file holds it. One that is too long loses what is said of the run before it,
/// then the reason given for its own end; the rest [`LeaseRecord::of_grant`] has seen to.
pub(super) fn record_page(record: &LeaseRecord) -> [u8; LARGEST_RECORD] {
    let mut record = record.clone();
    let mut page = [b' '; LARGEST_RECORD];
    for shorten in [
        |record: &mut LeaseRecord| record.last_run = None,
        |record: &mut LeaseRecord| {
            record
                .ended
                .iter_mut()
                .for_each(|ended| ended.reason = None);
        },
        |_: &mut LeaseRecord| {},
    ] {
        let json = record.to_json();
        let text = format!("{json}\n\"{}\"", hex(&checksum(json.as_bytes())));
        if text.len() < page.len() {
            page.iter_mut()
                .zip(text.bytes())
                .for_each(|(to, from)| *to = from);
            break;
        }
        shorten(&mut record);
    }
    if let Some(last) = page.last_mut() {
        *last = b'\n';
    }
    page
}

/// Reads a record's file; `None` for anything that is not the whole record of `name`.
pub(super) fn read_record(bytes: &[u8], name: &LeaseName) -> Option<LeaseRecord> {
    read_any_record(bytes).filter(|record| record.lease == *name)
}

/// Reads a record's file, whatever lease it is of.
pub(super) fn read_any_record(bytes: &[u8]) -> Option<LeaseRecord> {
    if bytes.len() > LARGEST_RECORD {
        return None;
    }
    let end = bytes.iter().position(|&byte| byte == b'\n')?;
    let (json, rest) = bytes.split_at(end);
    let sum = format!("\"{}\"", hex(&checksum(json)));
    (rest.trim_ascii() == sum.as_bytes())
        .then(|| LeaseRecord::from_json(json))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> String {
        encoded(&LeaseName::new(name).unwrap())
    }

    #[test]
    fn no_name_leaves_the_directory_and_no_two_share_a_file() {
        assert_eq!(of("nightly-2.0_x"), "nightly-2.0_x");
        assert_eq!(of("../../etc/cron.d/x"), "%2E.%2F..%2Fetc%2Fcron.d%2Fx");
        assert_eq!((of("."), of("..")), ("%2E".into(), "%2E.".into()));
        assert_eq!(of("a%2Fb"), "a%252Fb");
        assert_eq!(of("=x"), "%3Dx");
        assert_eq!(of(&"x".repeat(200)).len(), 200);
        let long = of(&"x".repeat(201));
        assert_eq!((long.len(), long.starts_with('=')), (65, true));
        assert_ne!(long, of(&"x".repeat(202)));
    }

    #[test]
    fn a_file_tells_its_lease() {
        for name in ["nightly-2.0_x", "../../etc", ".", "a%2Fb", "=x", "é ü", "%"] {
            let name = LeaseName::new(name).unwrap();
            assert_eq!(decoded(&encoded(&name)), Some(name));
        }
        for own in [".", "a/b", "%2f", "%", "%4", "%41", "%FF", "%+1", "", "=00"] {
            assert_eq!(decoded(own), None, "{own}");
        }
    }

    #[test]
    fn a_region_survives_its_own_bytes_and_nothing_else_does() {
        let volatile = Region {
            boot: "0f9e1c9e-5f2b-4e63-a1c8-0c8e8b7f1a55".to_owned(),
            next: 7,
            synced: 1024,
            hold: Some(MinHold {
                boot: Instant::from_nanos(5),
                wall: WallTime::from_unix_millis(6),
                span: Duration::from_secs(60),
            }),
        };
        let bytes = new_counter(1024, &volatile);
        let image = Image::read(&bytes);
        assert_eq!(image.slots, [Some(1024), Some(1024)]);
        assert_eq!(image.region, Some(volatile));
        for at in 0..100 {
            let mut hurt = bytes.clone();
            hurt[8192 + at] ^= 1;
            assert!((at >= 92) == Image::read(&hurt).region.is_some(), "{at}");
        }
        for length in 0..24 {
            assert_eq!(Image::read(&bytes[..length]).slots, [None, None]);
        }
        assert_eq!(Image::read(&[0; 9000]).slots, [None, None]);
    }
}
