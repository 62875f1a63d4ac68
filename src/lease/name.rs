//! The name of a lease: checked once, here, and escaped by each store for itself.

use std::ffi::OsStr;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest lease name, in bytes.
pub const LONGEST_NAME: usize = 512;

/// A lease name: 1 to 512 bytes of UTF-8 without control characters, compared byte by byte.
///
/// Names are not normalised: two spellings of `é` are two leases, on every store alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct LeaseName(String);

/// Why a text is not a lease name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No bytes at all.
    #[error("the lease name is empty")]
    Empty,
    /// More than [`LONGEST_NAME`] bytes. The name itself is not repeated: it may be a megabyte.
    #[error("the lease name is {0} bytes; the limit is {LONGEST_NAME}")]
    TooLong(usize),
    /// A control character (C0, DEL or C1), which would act on the terminal that prints it.
    #[error("the lease name has the control character U+{code:04X} at byte {at}")]
    Control {
        /// The character's number.
        code: u32,
        /// Its place, counted in bytes from 0.
        at: usize,
    },
    /// Bytes that are not UTF-8.
    #[error("the lease name is not UTF-8 from byte {0} on")]
    NotUtf8(usize),
}

impl LeaseName {
    /// Checks `text`.
    ///
    /// # Errors
    /// [`NameError`] says which rule the text breaks.
    pub fn new(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > LONGEST_NAME {
            return Err(NameError::TooLong(text.len()));
        }
        if let Some((at, found)) = text.char_indices().find(|(_, c)| c.is_control()) {
            return Err(NameError::Control {
                code: u32::from(found),
                at,
            });
        }
        Ok(Self(text.to_owned()))
    }

    /// Checks a text from the command line, which may be any bytes.
    ///
    /// # Errors
    /// As [`LeaseName::new`], and [`NameError::NotUtf8`].
    pub fn from_os(text: &OsStr) -> Result<Self, NameError> {
        let bytes = text.as_encoded_bytes();
        match str::from_utf8(bytes) {
            Ok(text) => Self::new(text),
            Err(error) => Err(NameError::NotUtf8(error.valid_up_to())),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for LeaseName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::new(&text)
    }
}

impl fmt::Display for LeaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn names_are_bytes_of_utf8_without_control_characters() {
        for good in [
            "nightly",
            ".",
            "..",
            "-rf",
            "../../etc",
            "a b",
            "x'; DROP",
            "\u{e9}",
            "*",
        ] {
            assert_eq!(LeaseName::new(good).unwrap().as_str(), good);
        }
        assert!(LeaseName::new(&"x".repeat(512)).is_ok());
        assert_eq!(LeaseName::new(""), Err(NameError::Empty));
        assert_eq!(
            LeaseName::new(&"x".repeat(513)),
            Err(NameError::TooLong(513))
        );
        assert_eq!(
            LeaseName::new("a\u{1b}b"),
            Err(NameError::Control { code: 0x1b, at: 1 })
        );
        assert_eq!(
            LeaseName::new("\u{9b}"),
            Err(NameError::Control { code: 0x9b, at: 0 })
        );
        assert_eq!(
            LeaseName::from_os(OsStr::from_bytes(b"a\xff")),
            Err(NameError::NotUtf8(1))
        );
    }

    #[test]
    fn two_spellings_are_two_names() {
        assert_ne!(
            LeaseName::new("\u{e9}").unwrap(),
            LeaseName::new("e\u{301}").unwrap()
        );
    }
}
