//! Parse, do what a verb says, and the number to exit with.

use std::ffi::OsString;

use clap::Parser;

use super::args::{Cli, Verb};
use super::exit::{self, Exit};
use super::voice::Voice;
use super::{run, usage};
use crate::commands::events::LogLevel;

/// Does what the arguments say.
#[must_use]
pub fn main(arguments: impl Iterator<Item = OsString>) -> Exit {
    let words: Vec<OsString> = arguments.collect();
    match Cli::try_parse_from(&words) {
        Ok(Cli {
            verb: Verb::Run(typed),
        }) => run::run(&typed),
        Err(error) => match usage::answer(&error, &words) {
            Ok(code) => Exit::Code(code),
            Err(why) => {
                Voice::text(LogLevel::Error).last_word(LogLevel::Error, &why);
                Exit::Code(exit::INVALID)
            }
        },
    }
}
