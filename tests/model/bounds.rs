//! How far the checker goes, and the variable that says so.

use std::env;

use crate::state::{LONGEST_TTL, MOST_ACQUISITIONS, MOST_GRANTS, MOST_MACHINES, MOST_MESSAGES};

/// All histories within these are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) machines: usize,
    /// Ticks of the store's clock.
    pub(crate) ttl: u8,
    /// On their way at the same time.
    pub(crate) messages: usize,
    /// Of each machine, each with an owner of its own.
    pub(crate) acquisitions: u8,
    /// Tokens given out.
    pub(crate) grants: u8,
}

impl Bounds {
    /// What CI explores.
    pub(crate) const SMALL: Self = Self {
        machines: 2,
        ttl: 4,
        messages: 2,
        acquisitions: 1,
        grants: 2,
    };

    /// Within these every mistake has to have been found.
    pub(crate) const FOR_MISTAKES: Self = Self {
        acquisitions: 2,
        grants: 3,
        ..Self::SMALL
    };

    /// `LEASECTL_MODEL="machines=3 messages=3"` changes what it names.
    pub(crate) fn from_environment() -> Self {
        let said = env::var("LEASECTL_MODEL").unwrap_or_default();
        let mut bounds = Self::SMALL;
        for part in said.split_whitespace() {
            let (name, value) = part
                .split_once('=')
                .unwrap_or_else(|| panic!("LEASECTL_MODEL: {part} is not NAME=NUMBER"));
            let value: u8 = value
                .parse()
                .unwrap_or_else(|error| panic!("LEASECTL_MODEL: {part}: {error}"));
            match name {
                "machines" => bounds.machines = value.into(),
                "ttl" => bounds.ttl = value,
                "messages" => bounds.messages = value.into(),
                "acquisitions" => bounds.acquisitions = value,
                "grants" => bounds.grants = value,
                _ => panic!("LEASECTL_MODEL: there is no {name}"),
            }
        }
        assert!(
            bounds.fit(),
            "LEASECTL_MODEL: {bounds:?} is too large or small"
        );
        bounds
    }

    fn fit(self) -> bool {
        (2..=MOST_MACHINES).contains(&self.machines)
            && (4..=LONGEST_TTL).contains(&self.ttl)
            && (1..=MOST_MESSAGES).contains(&self.messages)
            && (1..=MOST_ACQUISITIONS).contains(&self.acquisitions)
            && (1..=MOST_GRANTS).contains(&self.grants)
    }
}
