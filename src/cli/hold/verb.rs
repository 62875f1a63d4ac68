//! What `hold` is made of.

use std::cell::RefCell;

use super::announcer::Announcer;
use super::background::{self, Side};
use super::{ending, plan};
use crate::cli::args::HoldArgs;
use crate::cli::carrying::{self, Common, LeaseVerb};
use crate::cli::exit::{self, Exit};
use crate::cli::os_error;
use crate::cli::phrases::Whom;
use crate::cli::plan::{Planned, Refused};
use crate::cli::voice::Voice;
use crate::commands::events::LogLevel;
use crate::commands::run::{Ended, Unguarded};
use crate::process::Parting;

/// Holds what was typed.
pub(in crate::cli) fn hold(typed: &HoldArgs) -> Exit {
    if !typed.background {
        return carrying::carry_out(&Holding {
            typed,
            parent: RefCell::default(),
        });
    }
    match background::part() {
        Ok(Side::Parent(exit)) => exit,
        Ok(Side::Child(parent)) => carrying::carry_out(&Holding {
            typed,
            parent: RefCell::new(Some(parent)),
        }),
        Err(error) => {
            let why = format!("the lease cannot be held: {}", os_error(&error));
            Voice::text(LogLevel::Error).last_word(LogLevel::Error, &why);
            background::leave_the_eval(exit::INVALID);
            Exit::Code(exit::INVALID)
        }
    }
}

/// A hold, and who waits in the foreground to hear of it.
struct Holding<'a> {
    typed: &'a HoldArgs,
    parent: RefCell<Option<Parting>>,
}

impl LeaseVerb for Holding<'_> {
    fn common(&self) -> Common<'_> {
        Common {
            claim: &self.typed.claim,
            asked: &self.typed.stop.asked,
            telling: &self.typed.telling,
            loudness: &self.typed.loudness,
            store: &self.typed.store,
        }
    }

    fn plan(&self) -> Result<Planned, Refused> {
        plan::hold(self.typed)
    }

    fn whom(&self) -> Whom {
        self.typed.pid.map_or(Whom::Nobody, |pid| {
            Whom::Process(plan::process_in_words(pid))
        })
    }

    fn announcer(&self) -> Result<Option<Announcer>, Refused> {
        Announcer::new(self.typed, self.parent.take()).map(Some)
    }

    fn last_word(&self, ended: &Ended) -> Option<String> {
        ending::last_word(ended, self.typed)
    }

    fn unguarded(&self, Unguarded { error, started }: &Unguarded) -> String {
        let error = os_error(error);
        if *started {
            format!("the lease can no longer be guarded: {error}; the guardian gives it up")
        } else {
            format!("the lease could not be guarded: {error}; nothing is held")
        }
    }
}
