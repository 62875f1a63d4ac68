//! Parse, plan, run, report, and the number to exit with.

use std::ffi::OsString;

use clap::Parser;

use super::args::{Cli, RunArgs, Verb};
use super::audience::Audience;
use super::exit::{self, Exit};
use super::plan::{self, Planned};
use super::report::{self, Level, Printer, span};
use super::service::Service;
use super::{ending, os_error, usage};
use crate::commands::run::{self, RunPlan, Unguarded};
use crate::lease::{COMFORTABLE_TTL, Expiry};

/// Does what the arguments say.
#[must_use]
pub fn main(arguments: impl Iterator<Item = OsString>) -> Exit {
    let words: Vec<OsString> = arguments.collect();
    match Cli::try_parse_from(&words) {
        Ok(Cli {
            verb: Verb::Run(typed),
        }) => run(&typed),
        Err(error) => match usage::answer(&error, &words) {
            Ok(code) => Exit::Code(code),
            Err(why) => invalid(&why),
        },
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
        announce(&plan, choice.is_default);
    }
    let mut printer = Printer::new(level, plan.lease.as_str(), plan.stop_signal.to_string());
    if typed.held_exit_code == 0 {
        printer.do_not_tell_of_waiting();
    }
    let mut service = Service::of_environment(&plan, level);
    match run::run(&plan, &mut Audience(vec![&mut printer, &mut service])) {
        Ok(ended) => {
            let code = i32::from(typed.held_exit_code);
            let word = ending::last_word(&ended, typed);
            service.over(&ended, word.as_deref());
            if let Some(text) = word {
                report::last_word(&text);
            }
            Exit::of_run(&ended, code)
        }
        Err(Unguarded {
            error,
            started: false,
        }) => invalid(&format!(
            "the command could not be guarded: {}; nothing was run",
            os_error(&error)
        )),
        Err(Unguarded { error, .. }) => {
            report::last_word(&format!(
                "the command can no longer be guarded: {}; the guardian stops it",
                os_error(&error)
            ));
            Exit::Code(exit::LOST)
        }
    }
}

/// What people have to know before anything is done.
fn announce(plan: &RunPlan, store_is_default: bool) {
    if store_is_default {
        report::last_word(&format!(
            "no store was chosen: using {}, which only this user of this machine shares; say --store \
             file: if that is meant",
            plan.store.label()
        ));
    }
    let ttl = plan.settings.timing.ttl();
    if ttl < COMFORTABLE_TTL && plan.store.promises().expiry == Expiry::StoreClock {
        report::last_word(&format!(
            "--ttl {} is short: below {} the margin does not cover an overloaded machine",
            span(ttl),
            span(COMFORTABLE_TTL)
        ));
    }
}

fn invalid(why: &str) -> Exit {
    report::last_word(why);
    Exit::Code(exit::INVALID)
}
