//! What the verbs of operators have in common: a store that somebody chose, a line for each thing done,
//! and an exit code for the first that could not be done.

use std::sync::Arc;

use super::args::StoreArgs;
use super::exit::{self, Exit};
use super::voice::Voice;
use super::{chain, choice, os_error};
use crate::commands::events::LogLevel;
use crate::commands::operator::Operator;
use crate::lease::{LeaseStore, StoreError};

/// Why something was not done, and the number for it.
#[derive(Clone, Debug)]
pub(super) struct Failed {
    pub(super) exit: i32,
    /// One line: what happened, why, what to do.
    pub(super) why: String,
}

impl Failed {
    pub(super) const fn invalid(why: String) -> Self {
        Self {
            exit: exit::INVALID,
            why,
        }
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self {
            exit: exit::of_store_error(&error),
            why: chain(&error),
        }
    }
}

/// Opens the store that was chosen.
pub(super) fn open(typed: &StoreArgs) -> Result<Arc<dyn LeaseStore>, Failed> {
    let choice = choice::choose(typed).map_err(Failed::invalid)?;
    choice.open().map_err(Failed::invalid)
}

/// An operator at that store.
pub(super) fn at(typed: &StoreArgs) -> Result<Operator, Failed> {
    let store = open(typed)?;
    Operator::at(store).map_err(|error| {
        Failed::invalid(format!("the store cannot be asked: {}", os_error(&error)))
    })
}

/// Says what is done, on standard error.
#[derive(Debug)]
pub(super) struct Desk(Voice);

impl Desk {
    pub(super) const fn new(quiet: bool) -> Self {
        Self(Voice::text(if quiet {
            LogLevel::Error
        } else {
            LogLevel::Info
        }))
    }

    pub(super) fn say(&mut self, level: LogLevel, text: &str) {
        self.0.last_word(level, text);
    }

    /// The number that stands for what was done, after the reason when it was not.
    pub(super) fn end(&mut self, done: Result<(), Failed>) -> Exit {
        match done {
            Ok(()) => Exit::Code(0),
            Err(Failed { exit, why }) => {
                self.say(LogLevel::Error, &why);
                Exit::Code(exit)
            }
        }
    }
}
