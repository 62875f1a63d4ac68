//! `leasectl scheduled-events`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};

use crate::cli::{guide, values};
use crate::commands::scheduled_events::Types;
use crate::notices::{API_VERSION, Endpoint};

/// `leasectl scheduled-events`.
#[derive(Args, Debug)]
#[command(after_long_help = guide::SCHEDULED_EVENTS, after_help = guide::SCHEDULED_EVENTS_HINT)]
pub struct ScheduledEventsArgs {
    /// What to do: list, watch, ack
    #[arg(value_enum, default_value = "list", hide_default_value = true)]
    #[arg(hide_possible_values = true)]
    pub action: ActionArg,

    /// With ack: the events to approve
    #[arg(value_name = "EVENT_ID")]
    pub events: Vec<String>,

    /// With list: one JSON object
    ///
    /// leasectl.scheduled_events/1, for programs. watch always prints lines of JSON.
    #[arg(long)]
    pub json: bool,

    /// With watch: run this for each change
    ///
    /// By /bin/sh, one after another, with the line on standard input and the event in LEASECTL_EVENT_ID,
    /// LEASECTL_EVENT_TYPE, LEASECTL_EVENT_STATUS, LEASECTL_EVENT_NOT_BEFORE and LEASECTL_EVENT_CHANGE.
    #[arg(long, value_name = "CMD", allow_hyphen_values = true)]
    #[arg(value_hint = ValueHint::CommandString)]
    pub exec: Option<String>,

    /// With watch: end after so many lines
    #[arg(long, value_name = "N", value_parser = values::count, allow_hyphen_values = true)]
    pub count: Option<u64>,

    /// With ack: approve every event that is meant
    #[arg(long, conflicts_with = "events")]
    pub all: bool,

    /// Which events are meant
    #[command(flatten)]
    pub filter: FilterArgs,

    /// Where they come from
    #[command(flatten)]
    pub source: NoticeSourceArgs,
}

/// Which events are meant.
#[derive(Args, Debug)]
#[command(next_help_heading = "Which events")]
pub struct FilterArgs {
    /// Of these types only, as in reboot,preempt
    ///
    /// freeze, reboot, redeploy, preempt, terminate, or whatever else the service calls a type, in any
    /// case; all is the default.
    #[arg(
        long,
        value_name = "TYPE,...|all",
        default_value = "all",
        hide_default_value = true
    )]
    #[arg(value_parser = values::event_types)]
    pub types: Types,

    /// Also those of other machines
    ///
    /// The service tells of the neighbours in the same availability or scale set as well.
    #[arg(long)]
    pub all_resources: bool,

    /// None that are shorter than this
    ///
    /// A Freeze often takes a few seconds. One of unknown duration is never too short.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "0s",
        hide_default_value = true
    )]
    #[arg(value_parser = values::duration, allow_hyphen_values = true)]
    pub min_duration: Duration,
}

/// Where they come from.
#[derive(Args, Debug)]
#[command(next_help_heading = "Source")]
pub struct NoticeSourceArgs {
    /// This machine's name to the service
    ///
    /// May be given several times. By default what the service says (compute.name): it is not the host
    /// name.
    #[arg(long, value_name = "NAME", value_parser = values::some_text)]
    pub resource: Vec<String>,

    /// The service, or a file with its document
    ///
    /// http://ADDRESS or http://ADDRESS:PORT with a literal address, or file:///PATH. By default http://169.254.169.254.
    #[arg(long, value_name = "URL", value_parser = values::endpoint)]
    #[arg(default_value = "http://169.254.169.254", hide_default_value = true)]
    pub endpoint: Endpoint,

    /// The version to ask for [default: 2020-07-01]
    #[arg(long, value_name = "VERSION", value_parser = values::api_version)]
    #[arg(default_value = API_VERSION, hide_default_value = true)]
    pub api_version: String,

    /// Share one poller in this directory
    ///
    /// Of one owner (0755 or 0700), or of a group that trusts itself (2770). One that cannot be written
    /// here is only read.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    #[arg(conflicts_with = "no_coordination")]
    pub cache_dir: Option<PathBuf>,

    /// Ask alone, every 5 seconds
    ///
    /// That is too rare for a Preempt, which comes with 30 seconds of notice.
    #[arg(long)]
    pub no_coordination: bool,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ActionArg {
    /// What is announced now
    List,
    /// What becomes of it, as it happens
    Watch,
    /// Let events begin before their time
    Ack,
}
