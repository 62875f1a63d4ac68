//! Parse, do what a verb says, and the number to exit with.

use std::ffi::OsString;

use super::args::{Cli, Verb};
use super::exit::{self, Exit};
use super::voice::Voice;
use super::{
    completions, config, doctor, hold, man_page, os_error, output, pause, release, run,
    scheduled_events, status, usage,
};
use crate::commands::events::LogLevel;

/// Does what the arguments say.
#[must_use]
pub fn main(arguments: impl Iterator<Item = OsString>) -> Exit {
    let words: Vec<OsString> = arguments.collect();
    let for_eval = hold::with_background(&words);
    let text = match config::parse(&words) {
        Ok(Cli { verb }) => match verb {
            Verb::Run(typed) => return run::run(&typed),
            Verb::Hold(typed) => return hold::hold(&typed),
            Verb::Status(typed) => return status::status(&typed),
            Verb::CompleteLeases(typed) => return status::complete_leases(&typed),
            Verb::Release(typed) => return release::release(&typed),
            Verb::Pause(typed) => return pause::pause(&typed),
            Verb::Resume(typed) => return pause::resume(&typed),
            Verb::ScheduledEvents(typed) => return scheduled_events::scheduled_events(&typed),
            Verb::Config(typed) => config::show(&typed),
            Verb::Doctor(typed) => return doctor::doctor(&typed),
            Verb::Completions(typed) => Ok(completions::script(typed.shell)),
            Verb::Man(typed) => man(typed.verb.as_deref()),
        },
        Err(answer) => answer,
    };
    match text.and_then(|text| output::print(&text)) {
        Ok(()) => Exit::Code(0),
        Err(why) => {
            Voice::text(LogLevel::Error).last_word(LogLevel::Error, &why);
            if for_eval {
                hold::leave_the_eval(exit::INVALID);
            }
            Exit::Code(exit::INVALID)
        }
    }
}

fn man(verb: Option<&str>) -> Result<String, String> {
    match man_page::page(verb) {
        Ok(Some(page)) => Ok(page),
        Ok(None) => Err(format!(
            "there is no verb {}; it is one of {}",
            usage::shown(verb.unwrap_or_default()),
            man_page::verbs()
        )),
        Err(error) => Err(format!(
            "the page could not be made: {}; this is a fault of leasectl",
            os_error(&error)
        )),
    }
}
