//! The number that makes a late writer recognisable (P7).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A fencing token: successive grants of one name have strictly rising tokens.
///
/// The guarded command hands it to whatever it writes to, and that refuses a lower one than it has
/// seen: the only protection that also covers what no lease can see, such as a hypervisor pause.
/// From 1, and below 2^63, so that it fits every database's signed integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct FencingToken(u64);

/// The number is 0, or 2^63 and more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a fencing token; tokens are numbers from 1 below 2^63")]
pub struct TokenError(u64);

impl FencingToken {
    /// Checks `number`.
    ///
    /// # Errors
    /// [`TokenError`] when it is out of range.
    pub const fn new(number: u64) -> Result<Self, TokenError> {
        if number == 0 || number >= 1 << 63 {
            Err(TokenError(number))
        } else {
            Ok(Self(number))
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for FencingToken {
    type Error = TokenError;

    fn try_from(number: u64) -> Result<Self, TokenError> {
        Self::new(number)
    }
}

impl From<FencingToken> for u64 {
    fn from(token: FencingToken) -> Self {
        token.0
    }
}

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_from_one_below_two_to_the_sixty_third() {
        assert!(FencingToken::new(0).is_err());
        assert!(FencingToken::new(1 << 63).is_err());
        assert_eq!(
            FencingToken::new((1 << 63) - 1).map(FencingToken::get),
            Ok((1 << 63) - 1)
        );
    }
}
