//! `--watch` for programs: a line of JSON for each change.

use std::io::{ErrorKind, Write, stdout};
use std::os::fd::AsFd;
use std::time::Duration;

use super::show::{does_not_answer, is_so};
use crate::cli::args::{UntilArg, WatchArgs};
use crate::cli::exit::Exit;
use crate::cli::operating::Failed;
use crate::cli::os_error;
use crate::clock::{BootClock, Clock};
use crate::commands::status::{Flow, Follower, Viewer};
use crate::lease::Observation;
use crate::process::{Heard, nobody_reads};
use crate::registry::OpenError;

/// The lines that were asked for.
pub(super) struct Lines {
    follower: Follower,
    count: Option<u64>,
    until: Option<UntilArg>,
    /// What went wrong with standard output.
    failed: Option<std::io::Error>,
    /// That the store does not answer was said.
    troubled: bool,
}

impl Lines {
    pub(super) fn new(typed: &WatchArgs) -> Self {
        let only: Vec<_> = typed.only.iter().map(|kind| (*kind).into()).collect();
        Self {
            follower: Follower::new(&only),
            count: typed.count,
            until: typed.until,
            failed: None,
            troubled: false,
        }
    }

    /// Writes lines, no more than were asked for.
    fn put(&mut self, lines: &[String]) -> Flow {
        let before = self.follower.told() - lines.len() as u64;
        let left = self
            .count
            .map_or(u64::MAX, |count| count.saturating_sub(before));
        let lines = lines
            .iter()
            .take(usize::try_from(left).unwrap_or(usize::MAX));
        let text: String = lines.map(String::as_str).collect();
        let mut out = stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) => {
                self.failed = Some(error);
                Flow::End
            }
            Ok(())
                if self
                    .count
                    .is_some_and(|count| self.follower.told() >= count) =>
            {
                Flow::End
            }
            Ok(()) => Flow::GoOn,
        }
    }

    /// How it ends. Whoever has read enough is no error.
    pub(super) fn end(self) -> Result<Exit, Failed> {
        match self.failed {
            Some(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failed::invalid(format!(
                "standard output could not be written: {}; write it elsewhere",
                os_error(&error)
            ))),
            _ => Ok(Exit::Code(0)),
        }
    }
}

impl Viewer for Lines {
    fn picture(&mut self, seen: &[Observation]) -> Flow {
        self.troubled = false;
        let lines = self.follower.lines(seen, BootClock.now(), BootClock.wall());
        // A holder whose record is still being written is told of with the next picture.
        let all_told = self.follower.look_again().is_none();
        match self.put(&lines) {
            Flow::GoOn if all_told && is_so(self.until, seen) => Flow::End,
            flow => flow,
        }
    }

    fn trouble(&mut self, error: &OpenError) {
        if !std::mem::replace(&mut self.troubled, true) {
            does_not_answer(error);
        }
    }

    fn tick(&mut self) -> Flow {
        // Nothing may happen for days, and nobody be there to hear of it.
        if nobody_reads(stdout().as_fd()) {
            Flow::End
        } else {
            Flow::GoOn
        }
    }

    fn signal(&mut self, _: &Heard) -> Flow {
        Flow::End
    }

    fn look_again(&self) -> Option<Duration> {
        self.follower.look_again()
    }
}
