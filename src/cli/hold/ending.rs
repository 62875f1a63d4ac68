//! The last word of a hold: what happened, why, and what to do.

use super::plan::process_in_words;
use crate::cli::args::HoldArgs;
use crate::cli::leaving::about_to_go;
use crate::cli::{chain, held, named, phrases};
use crate::commands::run::Ended;
use crate::lease::RefusedWhy;
use crate::supervisor::{AskedBy, LossReason, Outcome, Unprepared, Wait};

/// What is said at the end; nothing when it was given back as it was meant to be.
pub(super) fn last_word(ended: &Ended, typed: &HoldArgs) -> Option<String> {
    let lease = named(&typed.claim.lease.to_string_lossy());
    let error = || {
        let error = ended.error.as_ref();
        error.map_or_else(String::new, |error| format!(": {}", chain(error)))
    };
    let fate = fate(typed);
    Some(match ended.outcome {
        Outcome::Completed(_) | Outcome::Interrupted(_) => return None,
        Outcome::Refused(why) => return refused(ended, why, &lease, typed),
        Outcome::Lost {
            why: LossReason::Store(why),
        } => format!("{lease} was lost: it {}{fate}", phrases::lost(why)),
        Outcome::Lost {
            why: LossReason::NotRenewed,
        } => format!("{lease} could not be renewed in time{}{fate}", error()),
        Outcome::Lost {
            why: LossReason::GuardianDied,
        } => format!("the guardian of {lease} was killed or did not answer{fate}"),
        Outcome::Asked(AskedBy::Operator) => {
            let asked = held::asked_for("it", ended.asked_by.as_ref());
            format!("{lease} was handed over: {asked}{fate}")
        }
        Outcome::Asked(AskedBy::ScheduledEvent) => left(ended, &lease, &fate),
        Outcome::NotShownDead => {
            let process = typed
                .pid
                .map_or_else(|| "what the hook left".to_owned(), process_in_words);
            format!(
                "{process} could not be shown dead and may still be running; {lease} is not given back \
                 but left to run out"
            )
        }
        Outcome::Unreachable => {
            let hint = match typed.claim.wait {
                None | Some(Wait::No) => "; --wait DURATION tries longer",
                Some(_) => "",
            };
            format!("{lease} was not acquired{}{hint}", error())
        }
        Outcome::Failed(_) | Outcome::NotStarted { .. } | Outcome::TimedOut => {
            format!("{lease} was not acquired{}", error())
        }
        Outcome::NotPrepared(why) => not_prepared(why),
    })
}

fn left(ended: &Ended, lease: &str, fate: &str) -> String {
    let why = about_to_go(ended.event.as_ref());
    match ended.started {
        true => format!("{lease} was handed over: {why}{fate}"),
        false => format!("{lease} is left to others: {why}; nothing is held"),
    }
}

/// What became of the process.
fn fate(typed: &HoldArgs) -> String {
    let stopped = |pid| format!("; process {pid} was stopped");
    typed.pid.map_or_else(String::new, stopped)
}

fn refused(ended: &Ended, why: RefusedWhy, lease: &str, typed: &HoldArgs) -> Option<String> {
    if typed.claim.held_exit_code == 0 {
        return None;
    }
    let how = held::describe(why, ended.refused_by.as_ref());
    let hint = match typed.claim.wait {
        _ if ended.needless => ", and nobody waits for it any more".to_owned(),
        None | Some(Wait::No) => "; --wait DURATION waits for it".to_owned(),
        Some(Wait::For(limit)) => format!(", although --wait was {}", phrases::span(limit)),
        Some(Wait::Forever) => String::new(),
    };
    Some(format!("{lease} is {how}{hint}"))
}

fn not_prepared(why: Unprepared) -> String {
    format!(
        "--on-acquired {}; nothing is held",
        crate::cli::ending::failure_of_hook(why)
    )
}
