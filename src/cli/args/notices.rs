//! Leaving before the machine does: options that `run` and `hold` have.

use std::time::Duration;

use clap::Args;

use crate::cli::values;
use crate::commands::run::{LeaveFor, Reasons};
use crate::notices::Endpoint;

/// How long before its date an event is acted on: as long as the longest ordinary notice.
const NOTICE: Duration = Duration::from_secs(15 * 60);

/// Leaving before the machine does.
#[derive(Args, Debug)]
pub struct NoticeArgs {
    /// Leave before the machine goes
    ///
    /// When an event of one of these types (freeze, reboot, redeploy, preempt, terminate; with commas between
    /// them) comes near for this machine, what is guarded is stopped with --grace, and SIGKILL no later than
    /// 5s before the event; the lease is given back, so that another machine takes over: exit code 118. One
    /// that is near already keeps it from starting. A sensible choice is reboot,redeploy,preempt,terminate: a
    /// freeze of seconds is no reason to leave.
    #[arg(long, value_name = "TYPES|all", value_parser = values::types_to_leave_for)]
    pub scheduled_events: Option<EventTypes>,

    /// So long before the event [default: 15m]
    ///
    /// Failing hardware is announced days ahead: the machine keeps working until then.
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    #[arg(allow_hyphen_values = true, hide_short_help = true)]
    pub notice: Option<Duration>,

    /// Who announces them [default: Azure]
    ///
    /// http://ADDRESS:PORT: a service that answers as Azure's metadata service does (the default is the one
    /// of every machine there). Or file:///PATH: a file with the document, of root or yourself and writable
    /// by nobody else, in which this machine has its host name.
    #[arg(long, value_name = "URL", value_parser = values::endpoint)]
    #[arg(hide_short_help = true)]
    pub scheduled_events_endpoint: Option<Endpoint>,
}

/// `--scheduled-events`: the types, or all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventTypes(pub Option<Vec<String>>);

impl NoticeArgs {
    /// Which events are a reason to leave.
    pub(in crate::cli) fn leave_for(&self) -> Result<Option<LeaveFor>, String> {
        let Some(EventTypes(types)) = &self.scheduled_events else {
            let needless = [
                ("--notice", self.notice.is_some()),
                (
                    "--scheduled-events-endpoint",
                    self.scheduled_events_endpoint.is_some(),
                ),
            ];
            return match needless.iter().find(|(_, typed)| *typed) {
                None => Ok(None),
                Some((option, _)) => Err(format!(
                    "{option} does nothing without --scheduled-events; say for which to leave, or all"
                )),
            };
        };
        Ok(Some(LeaveFor {
            reasons: Reasons {
                types: types.clone(),
                notice: self.notice.unwrap_or(NOTICE),
            },
            endpoint: self.scheduled_events_endpoint.clone().unwrap_or_default(),
        }))
    }
}
