//! How a run ended, in words.

use super::style::Tone;
use super::when::{brief, clock};
use crate::cli::printable;
use crate::clock::WallTime;
use crate::lease::{EndedRun, LeaseRecord, LeaseState, Observation, OutcomeWord};

/// What the last column says: the command that runs, or how the last one ended.
pub(super) fn doing(seen: &Observation, now: WallTime) -> String {
    let Some(record) = &seen.record else {
        return match seen.state {
            LeaseState::Held => "its holder left no record".to_owned(),
            _ => "no run is known".to_owned(),
        };
    };
    if seen.state == LeaseState::Held {
        return command(record);
    }
    record
        .last_run_if(false)
        .map_or_else(String::new, |run| ended(&run, record, now))
}

fn command(record: &LeaseRecord) -> String {
    let words = record.program.iter().chain(record.args.iter().flatten());
    let words: Vec<String> = words.map(|word| printable(word)).collect();
    words.join(" ")
}

fn ended(run: &EndedRun, record: &LeaseRecord, now: WallTime) -> String {
    let (how, well) = how(run);
    let host = printable(&run.host);
    let when = match (run.ended_at, run.ran_s) {
        (Some(at), Some(ran)) => {
            let ran = std::time::Duration::try_from_secs_f64(ran).unwrap_or_default();
            let ago = brief(now.since(at));
            format!("{ago} ago on {host} after {}", brief(ran))
        }
        (Some(at), None) => format!("{} ago on {host}", brief(now.since(at))),
        (None, _) => format!("began {} on {host}", clock(run.started_at, now)),
    };
    let success = record.last_success_at.filter(|_| !well);
    let success = success.map_or_else(String::new, |at| {
        format!("; last success {} ago", brief(now.since(at)))
    });
    format!("{how}, {when}{success}")
}

/// How it ended, and whether that is well.
fn how(run: &EndedRun) -> (String, bool) {
    let bad = |text: &str| Tone::Bad.word(text);
    let by = || run.by.as_deref().map(printable);
    let text = match run.outcome {
        OutcomeWord::Completed => match (run.exit_code, &run.signal) {
            (Some(0), _) => return ("completed".to_owned(), true),
            (Some(code), _) => format!("{} with exit code {code}", bad("failed")),
            (None, Some(signal)) => format!("{} by SIG{}", bad("killed"), printable(signal)),
            (None, None) => "ended".to_owned(),
        },
        OutcomeWord::Lost => format!("{} the lease", bad("lost")),
        OutcomeWord::TimedOut => format!("{} by --run-timeout", bad("stopped")),
        OutcomeWord::Operator => {
            let by = by().unwrap_or_else(|| "an operator".to_owned());
            return (format!("handed over to {by}"), true);
        }
        OutcomeWord::ScheduledEvent => return ("handed over, a scheduled event".to_owned(), true),
        OutcomeWord::NotShownDead => format!("{} be shown dead", bad("could not")),
        OutcomeWord::NotStarted => bad("not started"),
        OutcomeWord::Vanished => format!("{} without a word", bad("vanished")),
        OutcomeWord::Refused
        | OutcomeWord::Unreachable
        | OutcomeWord::Invalid
        | OutcomeWord::Interrupted => run.outcome.as_str().to_owned(),
    };
    (text, false)
}
