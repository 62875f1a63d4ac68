//! What does not fit into a table: a line for each thing that an operator has to know of a lease.

use super::when::{brief, clock};
use crate::cli::{printable, quoted};
use crate::clock::WallTime;
use crate::lease::{Asker, LeaseState, Observation, Pause};

/// The lines of one lease.
pub(super) fn of(seen: &Observation, now: WallTime) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(pause) = &seen.paused {
        lines.push(paused(pause, seen.state, now));
    }
    if let Some(request) = &seen.stop_request {
        let (by, why) = asker(&request.asker);
        let at = clock(request.at, now);
        let ago = brief(now.since(request.at));
        lines.push(format!(
            "its holder was asked at {at} ({ago} ago) by {by} to give it back{why}"
        ));
    }
    if let Some(until) = seen.cooldown_until {
        let (at, left) = (clock(until, now), brief(until.since(now)));
        lines.push(format!(
            "its minimum hold keeps others out until {at} ({left} left); leasectl resume ends it"
        ));
    }
    let record = seen.record.as_ref();
    lines.extend(who_is_not_known(seen).map(str::to_owned));
    if let Some(note) = record.and_then(|record| record.note.as_deref()) {
        lines.push(format!("note {}", quoted(note)));
    }
    let meta = record
        .map(|record| &record.meta)
        .filter(|meta| !meta.is_empty());
    if let Some(meta) = meta {
        let pairs = meta
            .iter()
            .map(|(key, value)| printable(&format!("{key}={value}")));
        lines.push(pairs.collect::<Vec<_>>().join(" "));
    }
    lines
}

/// Why it is not said who has it.
fn who_is_not_known(seen: &Observation) -> Option<&'static str> {
    if seen.unsure {
        Some(
            "its lock may not be looked at, and its record does not tell: this may be wrong; ask as the \
             user it belongs to",
        )
    } else if seen.foreign {
        Some(
            "another tool has it, and nobody can be asked for it; leasectl release --force --foreign takes it \
             away",
        )
    } else if seen.state == LeaseState::Held && seen.record.is_none() {
        Some(
            "who has it cannot be told: there is no record, or none that this leasectl can read; perhaps \
             its leasectl was killed, and the command is being stopped",
        )
    } else {
        None
    }
}

fn paused(pause: &Pause, state: LeaseState, now: WallTime) -> String {
    let (by, why) = asker(&pause.asker);
    let at = clock(pause.at, now);
    let until = pause.until_at.map_or_else(
        || "until leasectl resume".to_owned(),
        |until| {
            format!(
                "until {} ({} left)",
                clock(until, now),
                brief(until.since(now))
            )
        },
    );
    let all_the_same = if state == LeaseState::Held {
        "; its holder is left alone"
    } else {
        ""
    };
    format!("paused at {at} by {by} {until}{why}{all_the_same}")
}

fn asker(asker: &Asker) -> (String, String) {
    let reason = asker.reason.as_deref();
    let why = reason.map_or_else(String::new, |reason| format!(", reason {}", quoted(reason)));
    (printable(&asker.by), why)
}
