//! What is known of a run when it is over.

use std::io;
use std::time::Duration;

use crate::lease::{Observation, StopRequest, StoreError};
use crate::notices::Notice;
use crate::supervisor::{CommandEnd, Outcome};

/// How a run ended, with what is known of it.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub outcome: Outcome,
    /// How the command's main process ended, when it did.
    pub command: Option<CommandEnd>,
    /// Whether the guardian was told to start a command. One that dies right after has perhaps done
    /// so without a report, so that only without the order it is certain that nothing was run.
    pub started: bool,
    /// Whether an earlier run started one (`--restart`).
    pub ran_before: bool,
    /// Whether the lease ran out while leasectl was stopped along with the command (Ctrl-Z).
    pub ran_out_stopped: bool,
    /// How long ago the command was started, when it was.
    pub ran: Option<Duration>,
    /// TERM, INT or QUIT was sent to leasectl: no further run follows.
    pub told_to_end: bool,
    /// Nobody needed the lease any more (`hold`).
    pub needless: bool,
    /// Who asked for the lease, when an operator did.
    pub asked_by: Option<StopRequest>,
    /// The event that the machine is about to go away for, when that was the reason.
    pub event: Option<Notice>,
    /// Who had the lease, when that was the reason.
    pub refused_by: Option<Observation>,
    /// The store's last error, when that was the reason.
    pub error: Option<StoreError>,
}

/// The front could not go on. The guardian stops what was started.
#[derive(Debug)]
pub struct Unguarded {
    /// Why.
    pub error: io::Error,
    /// Whether a command may have been started.
    pub started: bool,
}

impl From<io::Error> for Unguarded {
    fn from(error: io::Error) -> Self {
        Self {
            error,
            started: false,
        }
    }
}
