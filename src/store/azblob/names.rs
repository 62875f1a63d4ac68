//! From lease names to blob names and back. Pure.
//!
//! `A-Z a-z 0-9 - _ .` stay; every other byte becomes `~` and two upper-case hexadecimal digits: URL libraries
//! never encode `~` again, and `/` would be a folder where the account has a hierarchical namespace. Two more
//! bytes are escaped, both dots: a last one, which Azure refuses and which would make `.` and `..`, and that of a
//! final `.ask`, which would make the lease `x.ask` the ask blob of `x`.

use sha2::{Digest, Sha256};

use crate::lease::{LeaseName, OwnerId};

/// The end of an ask blob's name.
const ASK: &str = ".ask";
/// Longer names are cut, and end in a hash.
const LONGEST: usize = 800;
const LONGEST_CUT: usize = 734;
/// Comes from no escape.
const CUT: &str = "~~";

/// What a blob's name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// The blob of this lease.
    Lease(LeaseName),
    /// The ask blob of this lease.
    Ask(LeaseName),
    /// A name that was cut: the lease's name is in the blob.
    Cut {
        /// Whether it is an ask blob.
        ask: bool,
    },
}

/// The name of the lease's blob, without the prefix.
pub(super) fn lease_blob(name: &LeaseName) -> String {
    let text = name.as_str();
    let mut encoded = escape(text);
    if let Some(start) = encoded.strip_suffix(ASK).map(str::len) {
        encoded.replace_range(start..=start, "~2E");
    } else if encoded.ends_with('.') {
        encoded.replace_range(encoded.len() - 1.., "~2E");
    }
    if encoded.len() <= LONGEST {
        return encoded;
    }
    encoded.truncate(cut(&encoded));
    encoded.push_str(CUT);
    encoded.push_str(&hex(&Sha256::digest(text.as_bytes())));
    encoded
}

/// The name of the lease's ask blob, without the prefix.
pub(super) fn ask_blob(name: &LeaseName) -> String {
    lease_blob(name) + ASK
}

/// What every blob of a lease begins with whose name begins with `prefix`.
pub(super) fn beginning(prefix: &str) -> String {
    let mut encoded = escape(prefix);
    encoded.truncate(cut(&encoded));
    // The two rules about the end may turn a last dot, or that of `.ask`, into an escape.
    for end in [".", ".a", ".as", ASK] {
        if encoded.ends_with(end) {
            encoded.truncate(encoded.len() - end.len());
            break;
        }
    }
    encoded
}

/// Reads a blob's name; `None`: none of ours.
pub(super) fn read(blob: &str) -> Option<Named> {
    let (text, ask) = match blob.strip_suffix(ASK) {
        Some(text) => (text, true),
        None => (blob, false),
    };
    if let Some((_, hash)) = text.split_once(CUT) {
        let ours = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
        return ours.then_some(Named::Cut { ask });
    }
    let name = LeaseName::new(&unescape(text)?).ok()?;
    // One name, one blob: what is written otherwise was not written by us.
    (lease_blob(&name) == text).then_some(if ask {
        Named::Ask(name)
    } else {
        Named::Lease(name)
    })
}

/// The owner id as a lease id: a GUID in lower case, because Azurite takes the upper case for another.
pub(super) fn lease_id(owner: &OwnerId) -> String {
    let digits = hex(owner.bytes());
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-{}-{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32)
    )
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn escape(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("~{byte:02X}"));
        }
    }
    encoded
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'~' {
            bytes.push(first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        let digits = str::from_utf8(digits).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

/// How much of an encoded name fits: whole escapes only.
fn cut(encoded: &str) -> usize {
    if encoded.len() <= LONGEST_CUT {
        return encoded.len();
    }
    let end = encoded.get(..LONGEST_CUT).unwrap_or(encoded);
    match end.rfind('~') {
        Some(at) if at + 3 > LONGEST_CUT => at,
        _ => LONGEST_CUT,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> LeaseName {
        LeaseName::new(text).unwrap()
    }

    fn blob(text: &str) -> String {
        lease_blob(&name(text))
    }

    #[test]
    fn a_name_is_a_blob_of_its_own() {
        assert_eq!(blob("nightly"), "nightly");
        assert_eq!(blob("a/b c"), "a~2Fb~20c");
        assert_eq!(blob("."), "~2E");
        assert_eq!(blob(".."), ".~2E");
        assert_eq!(blob("x.ask"), "x~2Eask");
        assert_eq!(blob("x.ask."), "x.ask~2E");
        assert_eq!(blob("%2F$~"), "~252F~24~7E");
        assert_eq!(ask_blob(&name("x")), "x.ask");
        assert_eq!(ask_blob(&name("x.ask")), "x~2Eask.ask");
    }

    #[test]
    fn a_long_name_is_cut_between_escapes_and_ends_in_a_hash() {
        let long = blob(&"\u{540d}".repeat(170));
        assert!(long.len() <= LONGEST, "{}", long.len());
        assert_eq!(long.find(CUT), Some(732));
        assert_eq!(read(&long), Some(Named::Cut { ask: false }));
        assert_eq!(read(&(long + ASK)), Some(Named::Cut { ask: true }));
        assert_ne!(blob(&":".repeat(511)), blob(&":".repeat(512)));
    }

    #[test]
    fn what_was_not_written_by_us_is_no_lease() {
        for odd in [
            "a/b", "~61", "~2f", "x.", "~zz", "~", "a~~b", "~FF", "", "~+1",
        ] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn names_come_back(text in "\\PC{1,60}(\\.ask|\\.|)") {
            let Ok(name) = LeaseName::new(&text) else { return Ok(()) };
            let blob = lease_blob(&name);
            prop_assert!(!blob.ends_with('.') && !blob.ends_with(ASK));
            if blob.len() < LONGEST_CUT {
                prop_assert_eq!(read(&blob), Some(Named::Lease(name.clone())));
                prop_assert_eq!(read(&ask_blob(&name)), Some(Named::Ask(name)));
            }
        }

        #[test]
        fn a_name_is_found_by_its_beginning(text in "[a.sk/é]{1,9}", at in 0_usize..9) {
            let name = LeaseName::new(&text).unwrap();
            let Some(start) = text.get(..at.min(text.len())) else { return Ok(()) };
            prop_assert!(lease_blob(&name).starts_with(&beginning(start)));
        }
    }
}
