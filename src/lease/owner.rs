//! Who an acquisition belongs to, as far as a store is concerned (P6).

use std::fmt;

use crate::mutant::{self, Mutant};

/// 128 fresh random bits per acquisition, and the only thing stores compare.
///
/// Never per host, process or configuration: a client that reuses its id can have an old, delayed
/// release delete its own new lease (safety.md, model variant B2). Never printed and never recorded:
/// whoever knows it could act as the holder.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OwnerId([u8; 16]);

impl OwnerId {
    /// Fresh bits from the kernel.
    ///
    /// # Errors
    /// When the kernel's random source cannot be read; there is no second-best source.
    pub fn fresh() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        if mutant::is(Mutant::OwnerReused) {
            return Ok(Self(bytes));
        }
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The bits, for a store's wire.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnerId(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_fresh_and_never_printed() {
        let one = OwnerId::fresh().unwrap();
        assert_ne!(one, OwnerId::fresh().unwrap());
        assert_eq!(format!("{one:?}"), "OwnerId(***)");
    }
}
