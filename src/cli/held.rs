//! Who has a lease, in words.

use super::printable;
use super::report::span;
use crate::clock::{BootClock, Clock};
use crate::lease::{LeaseRecord, Observation, RefusedWhy};

/// Why an attempt was refused, naming the holder, since when, and until when.
pub(super) fn describe(why: RefusedWhy, by: &Observation) -> String {
    match why {
        RefusedWhy::Held => match &by.record {
            Some(record) => format!("held by {}{}", holder(record), left(by)),
            None => format!("held by somebody who left no record{}", left(by)),
        },
        RefusedWhy::Cooldown => match by.cooldown_until {
            Some(until) => format!("in its minimum hold until {until}"),
            None => "in its minimum hold".to_owned(),
        },
    }
}

fn holder(record: &LeaseRecord) -> String {
    let holder = &record.holder;
    let program = record
        .program
        .as_deref()
        .map(|program| format!(" running {}", printable(program)));
    let host = if holder.host == holder.label {
        String::new()
    } else {
        format!(" on {}", holder.host)
    };
    format!(
        "{}{}, pid {} of {}{}, since {} ({} ago)",
        printable(&holder.label),
        printable(&host),
        holder.pid,
        printable(&holder.user),
        program.unwrap_or_default(),
        record.acquired_at,
        span(BootClock.wall().since(record.acquired_at)),
    )
}

fn left(by: &Observation) -> String {
    by.expires_in.map_or_else(
        || ", until its last process ends".to_owned(),
        |left| format!(", for {} more unless renewed", span(left)),
    )
}
