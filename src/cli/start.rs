//! From the words to the exit: a run, or a text that was asked for.

use std::ffi::OsString;

use clap::Parser;

use super::args::{Cli, Verb};
use super::exit::{self, Exit};
use super::voice::Voice;
use super::{output, run, usage};
use crate::commands::events::LogLevel;

/// Does what the arguments say.
#[must_use]
pub fn main(arguments: impl Iterator<Item = OsString>) -> Exit {
    let words: Vec<OsString> = arguments.collect();
    let text = match Cli::try_parse_from(&words) {
        Ok(Cli { verb }) => match verb {
            Verb::Run(typed) => return run::run(&typed),
        },
        Err(error) => usage::answer(&error, &words),
    };
    match text.and_then(|text| output::print(&text)) {
        Ok(()) => Exit::Code(0),
        Err(why) => {
            Voice::text(LogLevel::Error).last_word(LogLevel::Error, &why);
            Exit::Code(exit::INVALID)
        }
    }
}
