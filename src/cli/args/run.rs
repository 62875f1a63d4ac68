//! `leasectl run`; `plan.rs` makes it usable.

use std::ffi::OsString;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};

use super::{
    AskedArgs, ClaimArgs, LoudnessArgs, NoticeArgs, RecordArgs, StoreArgs, TellingArgs, TimeArgs,
};
use crate::cli::{guide, values};

/// `leasectl run`. The first paragraph of each doc is for `-h`, and has to fit beside the option in
/// 80 columns; the others are for `--help`.
#[derive(Args, Debug)]
#[command(after_long_help = guide::RUN, after_help = guide::RUN_HINT)]
#[command(override_usage = "leasectl run --lease NAME [OPTIONS] -- COMMAND [ARG]...")]
pub struct RunArgs {
    /// The command and its arguments, after --
    ///
    /// It is started directly, not through a shell.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    #[arg(value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,

    /// What is asked for
    #[command(flatten)]
    pub claim: ClaimArgs,

    /// What flock(1) calls trying once, which is what is done without --wait. Its users type it.
    #[arg(short, long, alias = "nb", hide = true, conflicts_with = "wait")]
    pub nonblock: bool,

    /// Run again: on-lost, always
    ///
    /// A standby service: waits for the lease for ever, and queues and runs again after a loss
    /// (on-lost), or also after the command has ended (always); 1s later, then 2s, doubling up to 1m,
    /// and one ttl after an operator's release. TERM, INT or QUIT to leasectl ends it.
    #[arg(long, value_name = "WHEN", value_enum, hide_possible_values = true)]
    pub restart: Option<RestartArg>,

    /// How much is said
    #[command(flatten)]
    pub loudness: LoudnessArgs,

    // The groups come last: a heading holds for everything below it.
    /// Where leases are kept
    #[command(flatten)]
    pub store: StoreArgs,

    /// How the command is stopped
    #[command(flatten)]
    pub stop: StopArgs,

    /// Times of the lease
    #[command(flatten)]
    pub times: TimeArgs,

    /// What the record says
    #[command(flatten)]
    pub record: RecordArgs,

    /// Who is told
    #[command(flatten)]
    pub telling: TellingArgs,
}

/// How the command is stopped.
#[derive(Args, Debug)]
#[command(next_help_heading = "Stopping the command")]
pub struct StopArgs {
    /// Longest run of the command
    ///
    /// When it is over, the command is stopped and leasectl exits with 124.
    #[arg(long, value_name = "DURATION", value_parser = values::some_duration)]
    #[arg(allow_hyphen_values = true)]
    pub run_timeout: Option<Duration>,

    /// Signal and grace
    #[command(flatten)]
    pub asked: AskedArgs,

    /// Left behind: stop (default), wait, leave
    ///
    /// What happens to processes that the command left behind. stop: they are stopped, with the stop
    /// signal and the grace. wait: the lease is held until all of them have ended. leave: they go on
    /// without the lease, for a command that starts a daemon.
    #[arg(long, value_name = "POLICY", value_enum, default_value_t = LeftoversArg::Stop)]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub leftovers: LeftoversArg,

    /// Time to end first [default: 1s]
    ///
    /// How long what was left behind gets to end by itself, silently and still under the lease.
    #[arg(long, value_name = "DURATION", value_parser = values::duration, default_value = "1s")]
    #[arg(allow_hyphen_values = true, hide_default_value = true)]
    pub leftovers_settle: Duration,

    /// Leaving before the machine does
    #[command(flatten)]
    pub events: NoticeArgs,
}

/// `--restart`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RestartArg {
    /// After a loss
    OnLost,
    /// Also after the command has ended
    Always,
}

/// `--leftovers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LeftoversArg {
    /// Stop them, with the stop signal and the grace
    Stop,
    /// Hold the lease until all of them have ended
    Wait,
    /// Let them go on without the lease
    Leave,
}
