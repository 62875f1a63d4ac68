//! Leases as programs are shown them (`leasectl.status/1`).

use serde::Serialize;

use crate::clock::WallTime;
use crate::commands::holders::{HolderObject, holders};
use crate::lease::{EndedRun, LeaseState, Observation, Pause, StopRequest, StoreLabel};
use crate::letters::acts_on_a_terminal;

const SCHEMA: &str = "leasectl.status/1";

#[derive(Serialize)]
struct Status<'a> {
    schema: &'static str,
    at: WallTime,
    store: &'a str,
    leases: Vec<LeaseObject<'a>>,
}

/// One lease. Every key is there, null where unknown.
#[derive(Serialize)]
struct LeaseObject<'a> {
    lease: &'a str,
    state: &'static str,
    certain: bool,
    slots: u32,
    holders: Vec<HolderObject>,
    cooldown_until_at: Option<WallTime>,
    paused: Option<&'a Pause>,
    stop_request: Option<&'a StopRequest>,
    waiters: Option<u64>,
    last_run: Option<EndedRun>,
    last_success_at: Option<WallTime>,
}

/// One object, in one line.
#[must_use]
pub fn json(store: &StoreLabel, at: WallTime, seen: &[Observation]) -> String {
    let status = Status {
        schema: SCHEMA,
        at,
        store: store.as_str(),
        leases: seen.iter().map(of).collect(),
    };
    let mut text = line(&status);
    text.push('\n');
    text
}

/// The word for a state, for programs.
pub(super) const fn word(state: LeaseState) -> &'static str {
    match state {
        LeaseState::Held => "held",
        LeaseState::Paused => "paused",
        LeaseState::Cooldown => "cooldown",
        LeaseState::Free => "free",
    }
}

/// JSON that is safe on a terminal as well: what JSON lets stand and a terminal would obey is escaped.
pub(in crate::commands) fn line(value: &impl Serialize) -> String {
    // Serialising plain data cannot fail.
    let text = serde_json::to_string(value).unwrap_or_default();
    if !text.contains(acts_on_a_terminal) {
        return text;
    }
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        if acts_on_a_terminal(letter) {
            // JSON writes what is beyond 16 bits as two.
            for unit in letter.encode_utf16(&mut [0; 2]) {
                safe.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            safe.push(letter);
        }
    }
    safe
}

fn of(seen: &Observation) -> LeaseObject<'_> {
    let held = seen.state == LeaseState::Held;
    let record = seen.record.as_ref();
    LeaseObject {
        lease: seen.name.as_str(),
        state: if seen.foreign {
            "foreign"
        } else {
            word(seen.state)
        },
        certain: !seen.unsure,
        slots: 1,
        holders: holders(seen),
        cooldown_until_at: seen.cooldown_until,
        paused: seen.paused.as_ref(),
        stop_request: seen.stop_request.as_ref(),
        waiters: None,
        last_run: record.and_then(|record| record.last_run_if(held)),
        last_success_at: record.and_then(|record| record.last_success_at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped_and_stays_the_same_text() {
        let hostile = "a\u{1b}[2J\u{9b}1m\u{202e}\u{7f}\u{feff}\u{61c}\u{e0041} grün";
        let text = line(&hostile);
        assert!(
            text.chars().all(|letter| !letter.is_control())
                && !text.contains(['\u{202e}', '\u{61c}', '\u{e0041}']),
            "{text}"
        );
        assert!(text.contains("grün"));
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), hostile);
    }
}
