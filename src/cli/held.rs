//! Who has a lease, in words.

use std::time::Duration;

use super::phrases::span;
use super::{printable, quoted};
use crate::clock::{BootClock, Clock};
use crate::lease::{Asker, LeaseRecord, LeaseState, Observation, Pause, RefusedWhy, StopRequest};

/// Who holds without a record of ours in a store that others use too.
const FOREIGN: &str = "something that is not leasectl";

/// Why an attempt was refused, naming the holder, since when, and for how long still. Follows "is".
pub(super) fn describe(why: RefusedWhy, by: Option<&Observation>) -> String {
    match (why, by) {
        (RefusedWhy::Held, None) => "held: by somebody else".to_owned(),
        (RefusedWhy::Held, Some(by)) => match &by.record {
            Some(record) => format!("held: by {}{}{}", holder(record), left(by), note(record)),
            None if by.foreign => format!("held: by {FOREIGN}"),
            None => format!("held: by somebody who left no record{}", left(by)),
        },
        (RefusedWhy::Cooldown, by) => match by.and_then(|by| by.cooldown_until) {
            Some(until) => format!(
                "in its minimum hold: {} left, until {until}{}",
                span(until.since(BootClock.wall())),
                by.and_then(|by| by.record.as_ref())
                    .map_or_else(String::new, last_run)
            ),
            None => "in its minimum hold".to_owned(),
        },
        (RefusedWhy::Paused, by) => paused(by),
        (RefusedWhy::Guard | RefusedWhy::Young, by) => {
            let left = by.and_then(|by| by.expires_in);
            let left = left.map_or_else(String::new, |left| format!(", for {} more", span(left)));
            format!("{}{left}", kept_back(why))
        }
    }
}

/// Why nobody gets a lease from a store that may not know everything.
pub(super) const fn kept_back(why: RefusedWhy) -> &'static str {
    match why {
        RefusedWhy::Young => "kept back: the store is too new to promise rising tokens",
        _ => {
            "kept back: the store was restarted or lost data, and a holder unknown to it may still run"
        }
    }
}

/// The same where it stands for a while: with instants instead of spans, which would soon be wrong.
pub(super) fn standing(why: RefusedWhy, by: Option<&Observation>) -> String {
    let record = by.and_then(|by| by.record.as_ref());
    match (why, record, by.and_then(|by| by.cooldown_until)) {
        (RefusedWhy::Held, Some(record), _) => format!(
            "held by {}{}, since {}{}",
            who(record),
            program(record),
            record.acquired_at,
            note(record)
        ),
        (RefusedWhy::Held, None, _) => {
            let who = by.map_or_else(|| "somebody who left no record".to_owned(), holder_of);
            format!("held by {who}")
        }
        (RefusedWhy::Cooldown, _, Some(until)) => format!("in its minimum hold until {until}"),
        (RefusedWhy::Cooldown, _, None) => "in its minimum hold".to_owned(),
        (RefusedWhy::Paused, _, _) => paused(by),
        (RefusedWhy::Guard | RefusedWhy::Young, _, _) => kept_back(why).to_owned(),
    }
}

fn paused(by: Option<&Observation>) -> String {
    let pause = by.and_then(|by| by.paused.as_ref());
    pause.map_or_else(|| "paused".to_owned(), pause_in_words)
}

fn pause_in_words(pause: &Pause) -> String {
    let until = pause.until_at.map_or_else(
        || "until somebody resumes it".to_owned(),
        |until| format!("until {until}"),
    );
    let by = printable(&pause.asker.by);
    format!("paused by {by} {until}{}", reason(&pause.asker))
}

/// Who wants a lease back, when they said so, and why.
pub(super) fn asked_for(lease: &str, request: Option<&StopRequest>) -> String {
    let Some(StopRequest { asker, at }) = request else {
        return format!("an operator asked for {lease}");
    };
    let by = printable(&asker.by);
    format!("operator {by} asked for {lease} at {at}{}", reason(asker))
}

fn reason(asker: &Asker) -> String {
    let reason = asker.reason.as_deref();
    reason.map_or_else(String::new, |reason| format!(", reason {}", quoted(reason)))
}

/// Who holds, without more.
pub(super) fn holder_of(seen: &Observation) -> String {
    let record = seen.record.as_ref();
    let nobody = if seen.foreign {
        FOREIGN
    } else {
        "somebody who left no record"
    };
    record.map_or_else(
        || nobody.to_owned(),
        |record| format!("{}{}", who(record), program(record)),
    )
}

/// What a lease is. Follows "is".
pub(super) fn of_state(seen: &Observation) -> String {
    let why = seen.state.refuses();
    why.map_or_else(|| "free".to_owned(), |why| describe(why, Some(seen)))
}

/// What a lease is that may be free; nothing when it is.
pub(super) fn since_then(seen: &Observation) -> String {
    let why = seen.state.refuses();
    let now = |why| format!("; it is now {}", describe(why, Some(seen)));
    why.map_or_else(String::new, now)
}

/// Who holds a lease, and under which token. Follows "held".
pub(super) fn with_token(seen: &Observation) -> String {
    let record = seen.record.as_ref();
    let token = record.map_or_else(String::new, |record| {
        format!(" under token {}", record.token)
    });
    format!("by {}{token}", holder_of(seen))
}

/// How a lease is paused, and who has it all the same. Follows "is".
pub(super) fn kept_out(seen: &Observation) -> String {
    let held = if seen.state == LeaseState::Held {
        format!("; it stays with {} until its end", holder_of(seen))
    } else {
        String::new()
    };
    format!("{}{held}", paused(Some(seen)))
}

/// What kept everyone out. Follows "was".
pub(super) fn was_shut(before: &Observation) -> String {
    let paused = before.paused.as_ref().map(pause_in_words);
    let cooldown = before.cooldown_until;
    let cooldown = cooldown.map(|until| format!("in its minimum hold until {until}"));
    let both: Vec<String> = paused.into_iter().chain(cooldown).collect();
    both.join(", and ")
}

fn program(record: &LeaseRecord) -> String {
    let program = record.program.as_deref();
    program.map_or_else(String::new, |program| {
        format!(", running {}", printable(program))
    })
}

fn holder(record: &LeaseRecord) -> String {
    format!(
        "{}{}, since {} ({} ago)",
        who(record),
        program(record),
        record.acquired_at,
        span(BootClock.wall().since(record.acquired_at)),
    )
}

fn who(record: &LeaseRecord) -> String {
    let holder = &record.holder;
    let host = if holder.host == holder.label {
        String::new()
    } else {
        format!(" on {}", holder.host)
    };
    format!(
        "{}{}, pid {} of {}",
        printable(&holder.label),
        printable(&host),
        holder.pid,
        printable(&holder.user),
    )
}

fn last_run(record: &LeaseRecord) -> String {
    format!(", last held by {}{}", who(record), note(record))
}

fn note(record: &LeaseRecord) -> String {
    let note = record.note.as_deref();
    note.map_or_else(String::new, |note| format!(", note {}", quoted(note)))
}

fn left(by: &Observation) -> String {
    if by.ends_unseen {
        let ttl = by.record.as_ref().map(|record| record.ttl_s);
        let ttl = ttl.and_then(|ttl| Duration::try_from_secs_f64(ttl).ok());
        return ttl.map_or_else(String::new, |ttl| {
            format!(", for up to {} more unless renewed", span(ttl))
        });
    }
    by.expires_in.map_or_else(
        || ", until its last process ends".to_owned(),
        |left| format!(", for {} more unless renewed", span(left)),
    )
}
