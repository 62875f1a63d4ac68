//! `leasectl run`: a command that is started.

use super::args::RunArgs;
use super::carrying::{self, Common, LeaseVerb};
use super::exit::Exit;
use super::hold::Announcer;
use super::phrases::Whom;
use super::plan::{self, Planned, Refused};
use super::{ending, os_error};
use crate::commands::run::{Ended, Unguarded};
use crate::process::Parting;

/// Runs what was typed.
pub(super) fn run(typed: &RunArgs) -> Exit {
    carrying::carry_out(typed, None)
}

impl LeaseVerb for RunArgs {
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
        plan::run(self)
    }

    fn whom(&self) -> Whom {
        Whom::Command
    }

    fn announcer(&self, _: Option<Parting>) -> Result<Option<Announcer>, Refused> {
        Ok(None)
    }

    fn last_word(&self, ended: &Ended) -> Option<String> {
        ending::last_word(ended, self)
    }

    fn unguarded(&self, Unguarded { error, started }: &Unguarded) -> String {
        let error = os_error(error);
        if *started {
            format!("the command can no longer be guarded: {error}; the guardian stops it")
        } else {
            format!("the command could not be guarded: {error}; nothing was run")
        }
    }
}
