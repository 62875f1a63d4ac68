//! What `hold` is made of.

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
        return carrying::carry_out(typed, None);
    }
    match background::part() {
        Ok(Side::Parent(exit)) => exit,
        Ok(Side::Child(parent)) => carrying::carry_out(typed, Some(parent)),
        Err(error) => {
            let why = format!("the lease cannot be held: {}", os_error(&error));
            Voice::text(LogLevel::Error).last_word(LogLevel::Error, &why);
            background::leave_the_eval(exit::INVALID);
            Exit::Code(exit::INVALID)
        }
    }
}

impl LeaseVerb for HoldArgs {
    fn common(&self) -> Common<'_> {
        Common {
            claim: &self.claim,
            asked: &self.stop.asked,
            telling: &self.telling,
            loudness: &self.loudness,
            store: &self.store,
            times: &self.times,
            record: &self.record,
        }
    }

    fn plan(&self) -> Result<Planned, Refused> {
        plan::hold(self)
    }

    fn whom(&self) -> Whom {
        self.pid.map_or(Whom::Nobody, |pid| {
            Whom::Process(plan::process_in_words(pid))
        })
    }

    fn announcer(&self, parent: Option<Parting>) -> Result<Option<Announcer>, Refused> {
        Announcer::new(self, parent).map(Some)
    }

    fn last_word(&self, ended: &Ended) -> Option<String> {
        ending::last_word(ended, self)
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
