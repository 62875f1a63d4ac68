//! Leaving before the machine does: options that `run` and `hold` have.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

use crate::cli::values;
use crate::commands::run::{LeaveFor, Reasons};
use crate::commands::scheduled_events::Choice;
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

    /// Not for shorter events [default: 0s]
    ///
    /// An event that keeps the machine away for less than this is no reason to leave. One of unknown duration
    /// is never too short.
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    #[arg(allow_hyphen_values = true, hide_short_help = true)]
    pub min_duration: Option<Duration>,

    /// Let the event begin once we have left
    ///
    /// Approves it, so that nobody waits for its date, once the lease has been given back for certain and the
    /// last leasectl of this machine that leaves for it is done. Only an event about this machine alone: for
    /// others the command to type is printed.
    #[arg(long, hide_short_help = true, conflicts_with = "no_coordination")]
    pub ack_when_done: bool,

    /// This machine's name to the service
    ///
    /// May be given several times. By default what the service says (compute.name), which is not the host
    /// name; the host name when it is a file that announces them.
    #[arg(long, value_name = "NAME", value_parser = values::some_text)]
    #[arg(hide_short_help = true)]
    pub resource: Vec<String>,

    /// Who announces them [default: Azure]
    ///
    /// http://ADDRESS:PORT: a service that answers as Azure's metadata service does (the default is the one
    /// of every machine there). Or file:///PATH: a file with the document, of root or yourself and writable
    /// by nobody else, in which this machine has its host name.
    #[arg(long, value_name = "URL", value_parser = values::endpoint)]
    #[arg(hide_short_help = true)]
    pub scheduled_events_endpoint: Option<Endpoint>,

    /// Share one poller in this directory
    ///
    /// Of one owner (0755 or 0700), or of a group that trusts itself (2770). One that cannot be written here
    /// is only read. By default a directory of this user, after root's.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    #[arg(hide_short_help = true, conflicts_with = "no_coordination")]
    pub cache_dir: Option<PathBuf>,

    /// Ask alone, every 5 seconds
    ///
    /// That is too rare for a Preempt, which comes with 30 seconds of notice.
    #[arg(long, hide_short_help = true)]
    pub no_coordination: bool,
}

/// `--scheduled-events`: the types, or all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventTypes(pub Option<Vec<String>>);

impl NoticeArgs {
    /// Which events are a reason to leave.
    pub(in crate::cli) fn leave_for(&self) -> Result<Option<LeaveFor>, String> {
        let Some(EventTypes(types)) = &self.scheduled_events else {
            return match self.first_given() {
                None => Ok(None),
                Some(option) => Err(format!(
                    "{option} does nothing without --scheduled-events; say for which to leave, or all"
                )),
            };
        };
        let endpoint = self.scheduled_events_endpoint.clone().unwrap_or_default();
        if matches!(endpoint, Endpoint::File(_)) {
            self.suits_a_file()?;
        }
        Ok(Some(LeaveFor {
            reasons: Reasons {
                types: types.clone(),
                notice: self.notice.unwrap_or(NOTICE),
                min_duration: self.min_duration.unwrap_or_default(),
            },
            endpoint,
            resources: self.resource.clone(),
            sharing: match &self.cache_dir {
                _ if self.no_coordination => Choice::Alone,
                Some(directory) => Choice::Directory(directory.clone()),
                None => Choice::Default,
            },
            ack_when_done: self.ack_when_done,
        }))
    }

    /// Of the options that say more about it, the first that was given.
    fn first_given(&self) -> Option<&'static str> {
        let options = [
            ("--notice", self.notice.is_some()),
            ("--min-duration", self.min_duration.is_some()),
            ("--ack-when-done", self.ack_when_done),
            ("--resource", !self.resource.is_empty()),
            (
                "--scheduled-events-endpoint",
                self.scheduled_events_endpoint.is_some(),
            ),
            ("--cache-dir", self.cache_dir.is_some()),
            ("--no-coordination", self.no_coordination),
        ];
        let mut given = options.into_iter().filter(|(_, given)| *given);
        given.next().map(|(option, _)| option)
    }

    /// What cannot be done with a file is refused, not left out.
    fn suits_a_file(&self) -> Result<(), String> {
        if self.ack_when_done {
            return Err(
                "--ack-when-done needs a service: what is announced in a file cannot be approved; \
                 leave it out"
                    .to_owned(),
            );
        }
        if self.cache_dir.is_some() {
            return Err(
                "--cache-dir does nothing with a file, which each process reads by itself; leave it out"
                    .to_owned(),
            );
        }
        Ok(())
    }
}
