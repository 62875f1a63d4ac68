//! `leasectl run` from what was typed to the number it exits with, and who is told on the way.

use super::args::{EventsArg, LogFormatArg, RunArgs};
use super::exit::{self, Exit};
use super::listeners::Listeners;
use super::plan::{self, Planned, Refused};
use super::report::{Printer, span};
use super::service::Service;
use super::voice::Voice;
use super::{ending, os_error, quoted};
use crate::commands::events::{EventLog, Heading, LogLevel, Stream};
use crate::commands::run::{self, Ended, News, RunPlan, Unguarded};
use crate::lease::{COMFORTABLE_TTL, Expiry, OutcomeWord};
use crate::process::Outlet;

/// Runs what was typed.
pub(super) fn run(typed: &RunArgs) -> Exit {
    let heading = Heading::of(&typed.lease.to_string_lossy());
    let mut voice = voice(typed, &heading);
    let outlet = match typed.telling.events.as_ref().map(outlet).transpose() {
        Ok(outlet) => outlet,
        Err(why) => {
            voice.last_word(LogLevel::Error, &why);
            return Exit::Code(exit::INVALID);
        }
    };
    let stop_signal = typed.stop.stop_signal.to_string();
    let mut programs = EventLog::new(
        Stream::new(heading, outlet),
        stop_signal.clone(),
        typed.telling.has_hooks(),
    );
    let lease = typed.lease.to_string_lossy();
    let (exit, outcome, ended) = match plan::run(typed) {
        Ok(planned) => {
            let label = planned.plan.store.label().as_str();
            programs.in_store(label);
            voice.in_store(label);
            let mut printer = Printer::new(voice, &lease, stop_signal);
            printer.show_waiting(planned.plan.settings.wait);
            if typed.held_exit_code == 0 {
                printer.do_not_tell_of_waiting();
            }
            let service = Service::of_environment(&planned.plan);
            let mut people = Listeners { printer, service };
            carry_out(typed, &planned, &mut people, &mut programs)
        }
        Err(why) => {
            voice.last_word(LogLevel::Error, &why);
            (Exit::Code(exit::INVALID), OutcomeWord::Invalid, None)
        }
    };
    programs.hear(&News::Ended {
        outcome,
        exit_code: exit.number(),
        command: ended.and_then(|ended| ended.command),
    });
    exit
}

fn carry_out(
    typed: &RunArgs,
    planned: &Planned,
    people: &mut Listeners,
    programs: &mut EventLog,
) -> (Exit, OutcomeWord, Option<Ended>) {
    let Planned { plan, choice } = planned;
    people.pass_warnings_on();
    announce(&mut people.printer.voice, plan, choice.is_default);
    let (why, exit, outcome) = match run::run(plan, people, programs) {
        Ok(ended) => {
            let word = ending::last_word(&ended, typed);
            people.service.over(&ended, word.as_deref());
            if let Some(text) = word {
                people.printer.voice.last_word(LogLevel::Error, &text);
            }
            let exit = Exit::of_run(&ended, i32::from(typed.held_exit_code));
            return (exit, ended.outcome.word(), Some(ended));
        }
        Err(Unguarded {
            error,
            started: false,
        }) => (
            format!(
                "the command could not be guarded: {}; nothing was run",
                os_error(&error)
            ),
            Exit::Code(exit::INVALID),
            OutcomeWord::Invalid,
        ),
        Err(Unguarded { error, .. }) => (
            format!(
                "the command can no longer be guarded: {}; the guardian stops it",
                os_error(&error)
            ),
            Exit::Code(exit::LOST),
            OutcomeWord::Lost,
        ),
    };
    people.printer.voice.last_word(LogLevel::Error, &why);
    (exit, outcome, None)
}

fn voice(typed: &RunArgs, heading: &Heading) -> Voice {
    let loudest = match (typed.quiet, typed.verbose) {
        (true, _) => LogLevel::Error,
        (false, true) => LogLevel::Debug,
        (false, false) => LogLevel::Info,
    };
    match typed.telling.log_format {
        LogFormatArg::Text => Voice::text(loudest),
        LogFormatArg::Json => Voice::json(loudest, heading.clone()),
    }
}

/// What cannot be opened now would be missed only when it is needed (P12).
fn outlet(events: &EventsArg) -> Result<Outlet, Refused> {
    match events {
        EventsArg::File(path) => Outlet::append(path).map_err(|error| {
            format!(
                "--events {} cannot be opened: {}; name a file that can be written to",
                quoted(&path.to_string_lossy()),
                os_error(&error)
            )
        }),
        EventsArg::Descriptor(number) => Outlet::descriptor(*number).map_err(|error| {
            let why = match error.raw_os_error() {
                Some(libc::EBADF) => "it is not open".to_owned(),
                Some(libc::EINVAL) => "it is not open for writing".to_owned(),
                _ => os_error(&error),
            };
            format!("--events fd:{number} cannot be used: {why}; open it, as in {number}>>FILE")
        }),
    }
}

/// What people have to know before anything is done.
fn announce(voice: &mut Voice, plan: &RunPlan, store_is_default: bool) {
    if store_is_default {
        let text = format!(
            "no store was chosen: using {}, which only this user of this machine shares; say --store \
             file: if that is meant",
            plan.store.label()
        );
        voice.last_word(LogLevel::Warn, &text);
    }
    let ttl = plan.settings.timing.ttl();
    if ttl < COMFORTABLE_TTL && plan.store.promises().expiry == Expiry::StoreClock {
        let text = format!(
            "--ttl {} is short: below {} the margin does not cover an overloaded machine",
            span(ttl),
            span(COMFORTABLE_TTL)
        );
        voice.last_word(LogLevel::Warn, &text);
    }
}
