//! `--check`: whether a lease is held, for an `if`. What is not known is neither yes nor no (P8).

use crate::commands::holders::is_here;
use crate::lease::{FencingToken, LeaseState, Observation};

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Checked {
    /// It is held, as was asked.
    Held,
    /// It is not, or not so.
    NotHeld,
    /// It cannot be told, and why.
    Unknown(&'static str),
}

/// Whether the lease is held; by a process of this machine, under that very token, when that is asked.
pub fn check(seen: &Observation, here: bool, token: Option<FencingToken>) -> Checked {
    if seen.unsure {
        return Checked::Unknown(
            "it cannot be asked, and what its last holder left does not tell: ask as the user it \
             belongs to",
        );
    }
    if seen.state != LeaseState::Held {
        return Checked::NotHeld;
    }
    if !here && token.is_none() {
        return Checked::Held;
    }
    let Some(record) = &seen.record else {
        return Checked::Unknown("it is held by somebody who left no record that can be read");
    };
    if token.is_some_and(|token| token != record.token) {
        return Checked::NotHeld;
    }
    match is_here(&record.holder).filter(|_| here) {
        Some(false) => Checked::NotHeld,
        None if here => Checked::Unknown("neither machine id nor boot id tell where its holder is"),
        Some(true) | None => Checked::Held,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::status::changes::tests::{free, held, unrecorded};

    #[test]
    fn every_doubt_is_neither_yes_nor_no() {
        let token = |number| FencingToken::new(number).ok();
        let elsewhere = |machine: &str, boot: &str| {
            let mut seen = held(7);
            if let Some(record) = &mut seen.record {
                (record.holder.machine, record.holder.boot) = (machine.into(), boot.into());
            }
            seen
        };
        let unsure = |seen| Observation {
            unsure: true,
            ..seen
        };
        for (seen, here, asked, expected) in [
            (held(7), false, None, Some(true)),
            (held(7), true, None, Some(true)),
            (held(7), true, token(7), Some(true)),
            (held(7), false, token(8), Some(false)),
            (elsewhere("", "another"), true, None, Some(false)),
            (elsewhere("", "another"), true, token(8), Some(false)),
            (elsewhere("", ""), true, None, None),
            (elsewhere("", ""), false, token(7), Some(true)),
            (free(7), false, None, Some(false)),
            (free(7), true, token(7), Some(false)),
            (unrecorded(), false, None, Some(true)),
            (unrecorded(), true, None, None),
            (unrecorded(), false, token(7), None),
            (unsure(free(7)), false, None, None),
            (unsure(held(7)), false, None, None),
        ] {
            let answer = match check(&seen, here, asked) {
                Checked::Held => Some(true),
                Checked::NotHeld => Some(false),
                Checked::Unknown(_) => None,
            };
            assert_eq!(answer, expected, "{seen:?} {here} {asked:?}");
        }
    }
}
