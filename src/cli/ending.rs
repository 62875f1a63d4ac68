//! The last word of a run that did not simply complete: what happened, why, and what to do.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use super::args::RunArgs;
use super::leaving::about_to_go;
use super::phrases::{self, span};
use super::{chain, held, named, os_error, quoted};
use crate::commands::run::Ended;
use crate::lease::RefusedWhy;
use crate::process::name_of;
use crate::supervisor::{AskedBy, CommandEnd, LossReason, Outcome, Unprepared, Wait};

/// What is said at the end; nothing when the command ended by itself.
pub(super) fn last_word(ended: &Ended, typed: &RunArgs) -> Option<String> {
    let lease = named(&typed.claim.lease.to_string_lossy());
    let error = || {
        ended
            .error
            .as_ref()
            .map_or_else(String::new, |error| format!(": {}", chain(error)))
    };
    let stopped = fate(ended, "stopped");
    let nothing = nothing_was_run(ended);
    Some(match ended.outcome {
        Outcome::Completed(_) | Outcome::Interrupted(_) => return None,
        Outcome::Refused(why) => return refused(ended, why, &lease, typed),
        Outcome::Lost {
            why: LossReason::NotRenewed,
        } if ended.ran_out_stopped => format!(
            "{lease} ran out while leasectl was stopped (Ctrl-Z), for it could not be renewed meanwhile; \
             the command was killed"
        ),
        Outcome::Lost { why } => lost(why, ended, &lease, &error()),
        Outcome::TimedOut => format!(
            "the command ran longer than --run-timeout{}; it was stopped",
            typed
                .stop
                .run_timeout
                .map_or_else(String::new, |limit| format!(" {}", span(limit)))
        ),
        Outcome::Asked(AskedBy::Operator) => {
            let asked = held::asked_for("it", ended.asked_by.as_ref());
            format!("{lease} was handed over: {asked}; {stopped}")
        }
        Outcome::Asked(AskedBy::ScheduledEvent) => left(ended, &lease),
        Outcome::NotShownDead => format!(
            "processes of the command could not be shown dead and may still be running; {lease} is \
             not given back but left to run out"
        ),
        Outcome::Unreachable => {
            let hint = match typed.claim.wait {
                None | Some(Wait::No) => "; --wait DURATION tries longer",
                Some(_) => "",
            };
            format!("{lease} was not acquired{}; {nothing}{hint}", error())
        }
        Outcome::Failed(_) => format!("{lease} was not acquired{}; {nothing}", error()),
        Outcome::NotStarted { errno } => not_started(errno, ended, typed),
        Outcome::NotPrepared(why) => not_prepared(why),
    })
}

fn left(ended: &Ended, lease: &str) -> String {
    let why = about_to_go(ended.event.as_ref());
    if ended.started {
        let stopped = fate(ended, "stopped");
        format!("{lease} was handed over: {why}; {stopped}")
    } else {
        let nothing = nothing_was_run(ended);
        format!("{lease} is left to others: {why}; {nothing}")
    }
}

/// What became of the command. The hook before it may have run without it.
fn fate(ended: &Ended, how: &str) -> String {
    let how = if ended.started { how } else { "not started" };
    format!("the command was {how}")
}

fn lost(why: LossReason, ended: &Ended, lease: &str, error: &str) -> String {
    let (stopped, killed) = (fate(ended, "stopped"), fate(ended, "killed"));
    match why {
        LossReason::Store(why) => format!("{lease} was lost: it {}; {killed}", phrases::lost(why)),
        LossReason::NotRenewed => format!("{lease} could not be renewed in time{error}; {stopped}"),
        LossReason::GuardianDied if ended.started => {
            "the guardian was killed or did not answer; the command was killed".to_owned()
        }
        LossReason::GuardianDied => {
            let nothing = nothing_was_run(ended);
            format!("the guardian ended before the command was started; {nothing}")
        }
    }
}

/// With an exit code of 0 for it, being refused is no news: cron would mail it.
fn refused(ended: &Ended, why: RefusedWhy, lease: &str, typed: &RunArgs) -> Option<String> {
    if typed.claim.held_exit_code == 0 {
        return None;
    }
    let how = held::describe(why, ended.refused_by.as_ref());
    let hint = match typed.claim.wait {
        None | Some(Wait::No) => "; --wait DURATION waits for it".to_owned(),
        Some(Wait::For(limit)) => format!(", although --wait was {}", span(limit)),
        Some(Wait::Forever) => String::new(),
    };
    let nothing = nothing_was_run(ended);
    Some(format!("{lease} is {how}; {nothing}{hint}"))
}

fn not_prepared(why: Unprepared) -> String {
    let how = failure_of_hook(why);
    format!("--on-acquired {how}; the command was not started")
}

/// Follows the hook's name.
pub(super) fn failure_of_hook(why: Unprepared) -> String {
    match why {
        Unprepared::Ended(CommandEnd::Exited(code)) => format!("failed with exit code {code}"),
        Unprepared::Ended(CommandEnd::Killed(signal)) => {
            format!("was killed by {}", name_of(signal))
        }
        Unprepared::NotStarted { errno } => {
            let error = io::Error::from_raw_os_error(errno.abs());
            format!("could not be started: {}", os_error(&error))
        }
        Unprepared::TooSlow => "did not end within 10s and was killed".to_owned(),
    }
}

/// With `--restart` an earlier run may have run the command.
const fn nothing_was_run(ended: &Ended) -> &'static str {
    if ended.ran_before {
        "the command was not run again"
    } else {
        "nothing was run"
    }
}

/// Nothing was run: in the words of the kernel, and in those of whoever has to mend it.
fn not_started(errno: i32, ended: &Ended, typed: &RunArgs) -> String {
    let program = typed.command.first().map_or(OsStr::new(""), |word| word);
    let has_slash = program.as_encoded_bytes().contains(&b'/');
    let shown = quoted(&program.to_string_lossy());
    let words = os_error(&io::Error::from_raw_os_error(errno.abs()));
    let why = match errno {
        libc::ENOENT if has_slash => {
            "was not found, or the interpreter in its first line was not".to_owned()
        }
        libc::ENOENT => "was not found in any directory of PATH".to_owned(),
        libc::ENOEXEC => {
            format!("cannot be executed: {words}; a script needs a first line such as #!/bin/sh")
        }
        libc::EACCES if Path::new(program).is_dir() => "is a directory".to_owned(),
        libc::EACCES => format!("cannot be executed: {words}; is it executable (chmod +x)?"),
        libc::ETIME => "was not started: its lease had run out by then".to_owned(),
        ..=-1 => format!("was not started: {words}"),
        _ => format!("cannot be executed: {words}"),
    };
    format!("{shown} {why}; {}", nothing_was_run(ended))
}
