//! `--prometheus`: the text format that node_exporter's textfile collector reads, from the same
//! observations. Times are seconds since 1970, so that a file that is read late does not lie.

use std::fmt::Write;

use crate::clock::WallTime;
use crate::lease::{EndedRun, LeaseState, Observation, OutcomeWord, StoreLabel};
use crate::letters::acts_on_a_terminal;

/// A lease at one moment.
struct Sight<'a> {
    seen: &'a Observation,
    last_run: Option<EndedRun>,
    at: WallTime,
}

/// One metric: its name, what it says, and its value for a lease that has one.
type Metric = (&'static str, &'static str, fn(&Sight<'_>) -> Option<f64>);

const METRICS: [Metric; 16] = [
    ("held", "Whether somebody has the lease.", |lease| {
        // What is not known is no 0: the series is absent.
        (!lease.seen.unsure).then(|| truth(lease.seen.state == LeaseState::Held))
    }),
    (
        "paused",
        "Whether an operator keeps everyone new out.",
        |lease| Some(truth(lease.seen.paused.is_some())),
    ),
    (
        "in_minimum_hold",
        "Whether nobody has the lease and its minimum hold keeps everyone out.",
        |lease| Some(truth(lease.seen.state == LeaseState::Cooldown)),
    ),
    (
        "stop_requested",
        "Whether the holder was asked to give the lease back.",
        |lease| Some(truth(lease.seen.stop_request.is_some())),
    ),
    (
        "token",
        "The fencing token of the present or last hold.",
        |lease| {
            let record = lease.seen.record.as_ref()?;
            // Tokens are below 2^53, and would be rounded above, which no alarm minds.
            #[expect(clippy::cast_precision_loss, reason = "said above")]
            Some(record.token.get() as f64)
        },
    ),
    (
        "acquired_timestamp_seconds",
        "When the present holder acquired the lease.",
        |lease| {
            let record = lease.seen.record.as_ref();
            let record = record.filter(|_| lease.seen.state == LeaseState::Held)?;
            Some(seconds(record.acquired_at))
        },
    ),
    (
        "expires_timestamp_seconds",
        "When the lease ends by the store's clock unless it is renewed; absent where a hold ends with its process.",
        |lease| Some(seconds(lease.at.plus(lease.seen.expires_in?))),
    ),
    (
        "paused_until_timestamp_seconds",
        "When the pause ends by itself; absent when it does not.",
        |lease| lease.seen.paused.as_ref()?.until_at.map(seconds),
    ),
    (
        "minimum_hold_until_timestamp_seconds",
        "When the minimum hold ends.",
        |lease| lease.seen.cooldown_until.map(seconds),
    ),
    (
        "last_run_start_timestamp_seconds",
        "When the last run that is over acquired the lease.",
        |lease| Some(seconds(lease.last_run.as_ref()?.started_at)),
    ),
    (
        "last_run_end_timestamp_seconds",
        "When it ended; absent when nobody wrote it down.",
        |lease| lease.last_run.as_ref()?.ended_at.map(seconds),
    ),
    (
        "last_run_duration_seconds",
        "How long its command ran.",
        |lease| lease.last_run.as_ref()?.ran_s,
    ),
    (
        "last_run_exit_code",
        "The exit code of its command; absent when a signal killed it.",
        |lease| lease.last_run.as_ref()?.exit_code.map(f64::from),
    ),
    (
        "last_run_success",
        "Whether its command completed with exit code 0.",
        |lease| {
            let run = lease.last_run.as_ref()?;
            let completed = run.outcome == OutcomeWord::Completed;
            Some(truth(completed && run.exit_code == Some(0)))
        },
    ),
    (
        "last_run_vanished",
        "Whether nobody wrote down how it ended.",
        |lease| {
            Some(truth(
                lease.last_run.as_ref()?.outcome == OutcomeWord::Vanished,
            ))
        },
    ),
    (
        "last_success_timestamp_seconds",
        "When a command last completed with exit code 0.",
        |lease| Some(seconds(lease.seen.record.as_ref()?.last_success_at?)),
    ),
];

/// All metrics of these leases.
#[must_use]
pub fn prometheus(store: &StoreLabel, at: WallTime, seen: &[Observation]) -> String {
    let store = escaped(store.as_str());
    let sights: Vec<Sight<'_>> = seen
        .iter()
        .map(|seen| Sight {
            seen,
            last_run: seen
                .record
                .as_ref()
                .and_then(|record| record.last_run_if(seen.state == LeaseState::Held)),
            at,
        })
        .collect();
    let mut text = String::new();
    for (name, says, value) in METRICS {
        let name = format!("leasectl_lease_{name}");
        let mut samples = String::new();
        for sight in &sights {
            if let Some(value) = value(sight) {
                let lease = escaped(sight.seen.name.as_str());
                // Writing to a String cannot fail.
                writeln!(
                    samples,
                    "{name}{{store=\"{store}\",lease=\"{lease}\"}} {value}"
                )
                .ok();
            }
        }
        family(&mut text, &name, says, &samples);
    }
    family(
        &mut text,
        "leasectl_lease_holder_info",
        "Who has the lease; the value is always 1.",
        &infos(&store, seen),
    );
    let stamp = format!(
        "leasectl_status_timestamp_seconds{{store=\"{store}\"}} {}\n",
        seconds(at)
    );
    family(
        &mut text,
        "leasectl_status_timestamp_seconds",
        "When these leases were looked at.",
        &stamp,
    );
    text
}

/// A metric's head and samples; nothing when it has none.
fn family(text: &mut String, name: &str, says: &str, samples: &str) {
    if !samples.is_empty() {
        write!(text, "# HELP {name} {says}\n# TYPE {name} gauge\n{samples}").ok();
    }
}

/// No process id: each would be a series of its own.
fn infos(store: &str, seen: &[Observation]) -> String {
    let mut samples = String::new();
    for seen in seen.iter().filter(|seen| seen.state == LeaseState::Held) {
        let Some(record) = &seen.record else { continue };
        let holder = &record.holder;
        let labels = [
            ("holder", holder.label.as_str()),
            ("host", &holder.host),
            ("user", &holder.user),
            ("program", record.program.as_deref().unwrap_or_default()),
        ];
        let lease = escaped(seen.name.as_str());
        write!(
            samples,
            "leasectl_lease_holder_info{{store=\"{store}\",lease=\"{lease}\""
        )
        .ok();
        for (key, value) in labels {
            write!(samples, ",{key}=\"{}\"", tamed(value)).ok();
        }
        samples.push_str("} 1\n");
    }
    samples
}

/// A foreign text as a label's value: what the format would take and a terminal would obey is U+FFFD.
fn tamed(value: &str) -> String {
    let safe = |letter| {
        if acts_on_a_terminal(letter) {
            '\u{fffd}'
        } else {
            letter
        }
    };
    escaped(&value.chars().map(safe).collect::<String>())
}

/// A label's value: backslash, quote and newline as the format demands.
fn escaped(value: &str) -> String {
    let mut safe = String::with_capacity(value.len());
    for letter in value.chars() {
        match letter {
            '\\' => safe.push_str("\\\\"),
            '"' => safe.push_str("\\\""),
            '\n' => safe.push_str("\\n"),
            letter => safe.push(letter),
        }
    }
    safe
}

const fn truth(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

fn seconds(at: WallTime) -> f64 {
    // 2^53 milliseconds are 285,000 years.
    #[expect(clippy::cast_precision_loss, reason = "exact for ages")]
    let millis = at.unix_millis() as f64;
    millis / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        assert_eq!(escaped("a\\b\"c\nd"), "a\\\\b\\\"c\\nd");
        assert_eq!(
            tamed("a\\\n\u{1b}[2J\u{202e}"),
            "a\\\\\u{fffd}\u{fffd}[2J\u{fffd}"
        );
    }
}
