//! Parse, plan, run, report, and the number to exit with.

use std::ffi::OsString;
use std::io::Write;

use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::args::{Cli, RunArgs, Verb};
use super::exit::{self, Exit};
use super::plan::{self, Planned};
use super::report::{self, Level, Printer};
use super::{chain, held, os_error, printable};
use crate::commands::run::{self, Ended};
use crate::lease::{COMFORTABLE_TTL, Expiry, RefusedWhy};
use crate::supervisor::{AskedBy, LossReason, Outcome};

/// Does what the arguments say.
#[must_use]
pub fn main(arguments: impl Iterator<Item = OsString>) -> Exit {
    match Cli::try_parse_from(arguments) {
        Ok(Cli {
            verb: Verb::Run(typed),
        }) => run(&typed),
        Err(error) => usage(&error),
    }
}

fn run(typed: &RunArgs) -> Exit {
    let Planned { plan, choice } = match plan::run(typed) {
        Ok(planned) => planned,
        Err(why) => return invalid(&why),
    };
    let level = match (typed.quiet, typed.verbose) {
        (true, _) => Level::Quiet,
        (false, true) => Level::Verbose,
        (false, false) => Level::Normal,
    };
    if level >= Level::Normal {
        if choice.is_default {
            report::last_word(&format!(
                "no store was chosen; using {}, which only this machine and user share \
                 (--store file: says it is meant)",
                plan.store.label()
            ));
        }
        let ttl = plan.settings.timing.ttl();
        if ttl < COMFORTABLE_TTL && plan.store.promises().expiry == Expiry::StoreClock {
            report::last_word("--ttl below 10s: the margin does not cover an overloaded machine");
        }
    }
    let mut printer = Printer::new(level, plan.lease.as_str(), plan.stop_signal.to_string());
    match run::run(&plan, &mut printer) {
        Ok(ended) => {
            let code = i32::from(typed.held_exit_code);
            if let Some(text) = last_word(&ended, typed) {
                report::last_word(&text);
            }
            Exit::of_run(&ended, code)
        }
        Err(error) => invalid(&format!(
            "the command could not be guarded: {}; nothing was run",
            os_error(&error)
        )),
    }
}

fn invalid(why: &str) -> Exit {
    report::last_word(why);
    Exit::Code(exit::INVALID)
}

/// What is said at the end of a run that did not simply complete.
fn last_word(ended: &Ended, typed: &RunArgs) -> Option<String> {
    let lease = printable(&typed.lease.to_string_lossy());
    let program = typed
        .command
        .first()
        .map(|word| printable(&word.to_string_lossy()));
    let error = || {
        ended
            .error
            .as_ref()
            .map_or_else(String::new, |error| format!(": {}", chain(error)))
    };
    Some(match ended.outcome {
        Outcome::Completed(_) | Outcome::Interrupted(_) => return None,
        Outcome::Refused(why) => return refused(ended, why, &lease, typed),
        Outcome::Lost {
            why: LossReason::Store(why),
        } => {
            format!(
                "lease {lease} {}; the command was killed",
                report::lost(why)
            )
        }
        Outcome::Lost {
            why: LossReason::NotRenewed,
        } => {
            format!(
                "lease {lease} could not be renewed in time{}; the command was stopped",
                error()
            )
        }
        Outcome::Lost {
            why: LossReason::GuardianDied,
        } if !ended.started => {
            "the guardian ended before the command was started; nothing was run".to_owned()
        }
        Outcome::Lost {
            why: LossReason::GuardianDied,
        } => "the guardian was killed or did not answer; the command was killed".to_owned(),
        Outcome::TimedOut => "--run-timeout was reached; the command was stopped".to_owned(),
        Outcome::Asked(AskedBy::Operator) => {
            format!("lease {lease} was handed over because an operator asked for it")
        }
        Outcome::Asked(AskedBy::ScheduledEvent) => {
            format!("lease {lease} was handed over because this machine is about to go away")
        }
        Outcome::NotShownDead => format!(
            "processes of the command could not be killed or shown dead; lease {lease} is left to run \
             out and they may still be running"
        ),
        Outcome::Unreachable => {
            format!("the store could not be reached{}; nothing was run", error())
        }
        Outcome::Failed(_) => format!(
            "lease {lease} cannot be acquired{}; nothing was run",
            error()
        ),
        Outcome::NotStarted { errno } => {
            let why = os_error(&std::io::Error::from_raw_os_error(errno));
            format!(
                "{} could not be started: {why}",
                program.unwrap_or_default()
            )
        }
    })
}

/// With an exit code of 0 for it, being refused is no news: cron would mail it.
fn refused(ended: &Ended, why: RefusedWhy, lease: &str, typed: &RunArgs) -> Option<String> {
    if typed.held_exit_code == 0 {
        return None;
    }
    let by = ended.refused_by.as_ref();
    let how = by.map_or_else(|| "held".to_owned(), |by| held::describe(why, by));
    let hint = if typed.wait.is_some() {
        "waited in vain"
    } else {
        "use --wait to queue for it"
    };
    Some(format!("lease {lease} is {how}; nothing was run; {hint}"))
}

/// Help and version are asked for and go to stdout; everything else is one line and 125.
fn usage(error: &clap::Error) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let written = write!(std::io::stdout(), "{}", error.render());
            Exit::Code(if written.is_ok() { 0 } else { exit::INVALID })
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            invalid("no verb was given; see leasectl --help")
        }
        _ => invalid(&usage_line(error)),
    }
}

fn usage_line(error: &clap::Error) -> String {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(all)) => Some(all.join(", ")),
        _ => None,
    };
    let argument = text(ContextKind::InvalidArg)
        .map(|name| printable(&name))
        .unwrap_or_default();
    // "--ttl <DURATION>" names the option well enough by its first word.
    let argument = match argument.split_once(" <") {
        Some((option, _)) if option.starts_with('-') => option.to_owned(),
        _ => argument,
    };
    let value = text(ContextKind::InvalidValue)
        .map(|value| printable(&value))
        .unwrap_or_default();
    match error.kind() {
        ErrorKind::ValueValidation => {
            let why = std::error::Error::source(error)
                .map(ToString::to_string)
                .unwrap_or_default();
            format!("{argument} {value:?} cannot be used: {why}")
        }
        ErrorKind::InvalidValue if value.is_empty() => format!("{argument} needs a value"),
        ErrorKind::InvalidValue => {
            let valid = text(ContextKind::ValidValue).unwrap_or_default();
            format!("{argument} {value:?} cannot be used: it is one of {valid}")
        }
        ErrorKind::UnknownArgument if !argument.starts_with('-') => {
            format!(
                "{argument:?} was not expected; a command goes after --: leasectl run ... -- {argument}"
            )
        }
        ErrorKind::MissingRequiredArgument if argument.contains("COMMAND") => {
            let lease = if argument.contains("--lease") {
                "neither a lease nor a"
            } else {
                "no"
            };
            format!("{lease} command was given; write leasectl run --lease NAME -- COMMAND")
        }
        ErrorKind::MissingRequiredArgument => {
            format!("no {argument} was given; write leasectl run --lease NAME -- COMMAND")
        }
        _ => first_lines(error),
    }
}

/// clap's own words, without its usage lines.
fn first_lines(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:"))
        .filter(|line| !line.is_empty())
        .collect();
    let joined = lines.join("; ");
    printable(joined.strip_prefix("error: ").unwrap_or(&joined))
}
