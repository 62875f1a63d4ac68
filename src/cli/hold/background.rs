//! `hold --background`: what the process in the foreground prints for `eval`.
//!
//! `eval "$(false)"` is a success, so that a hold that failed has to say so in the text itself.

use std::ffi::OsString;
use std::io;

use crate::cli::exit::{self, Exit};
use crate::cli::output;
use crate::cli::voice::Voice;
use crate::commands::events::LogLevel;
use crate::process::{self, Parted, Parting};

/// On which side of the parting we are.
pub(super) enum Side {
    /// In the foreground, and done.
    Parent(Exit),
    /// In the background; there is somebody who waits to hear that it is held.
    Child(Parting),
}

pub(super) fn part() -> io::Result<Side> {
    Ok(match process::part()? {
        Parted::Background(parent) => Side::Child(parent),
        Parted::Word(assignments) => Side::Parent(match output::print(&assignments) {
            Ok(()) => Exit::Code(0),
            Err(why) => {
                Voice::text(LogLevel::Error).last_word(LogLevel::Error, &why);
                Exit::Code(exit::INVALID)
            }
        }),
        Parted::Ended(code) => {
            // One that ended well without ever having held is no success.
            let code = if code == 0 { exit::REFUSED } else { code };
            leave_the_eval(code);
            Side::Parent(Exit::Code(code))
        }
    })
}

/// Prints the statement that leaves a script with this code. In an interactive shell it only sets `$?`: it
/// would close the terminal otherwise.
pub(in crate::cli) fn leave_the_eval(code: i32) {
    let statement = format!("case $- in *i*) (exit {code});; *) exit {code};; esac\n");
    // Where it cannot be written, nobody evaluates it either.
    output::print(&statement).ok();
}

/// Whether `hold --background` was typed, right or wrong: then standard output is for `eval`, and must not
/// have a message in it.
pub(in crate::cli) fn with_background(words: &[OsString]) -> bool {
    let is_short = |word: &str| {
        let letters = word.strip_prefix('-').unwrap_or_default();
        letters.starts_with(|first: char| first != '-') && letters.contains('b')
    };
    let mut words = words.iter().skip(1).map(|word| word.to_string_lossy());
    let is_hold = words.next().is_some_and(|verb| verb == "hold");
    let asked = is_hold && words.any(|word| word == "--background" || is_short(&word));
    if asked {
        process::keep_output_clean().ok();
    }
    asked
}
