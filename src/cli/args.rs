//! What can be typed. Nothing is resolved or opened here; `plan.rs` makes it usable.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::values;
use crate::process::SignalName;
use crate::supervisor::Wait;

/// Run a command only while this machine holds a named lease.
///
/// The whole command is stopped before the lease can belong to anyone else.
#[derive(Debug, Parser)]
#[command(
    name = "leasectl",
    version,
    max_term_width = 100,
    disable_help_subcommand = true
)]
#[command(arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run a command while holding a lease
    Run(Box<RunArgs>),
}

const RUN_EXAMPLES: &str = "\
Examples:
  leasectl run --lease nightly -- ./job.sh
  leasectl run --lease nightly --held-exit-code 0 --min-hold 10m -- ./job.sh      (from cron)
  leasectl run --lease deploy --wait 5m -- ./deploy.sh

Exit codes:
  the command's own; killed by signal n: leasectl dies of n too
  120  refused: held or in its minimum hold; nothing was run (--held-exit-code changes it)
  121  lease lost or not renewed in time, or the guardian died; the command was stopped
  122  the command's processes could not be shown dead; the lease is left to run out
  123  store unreachable; nothing was run
  124  --run-timeout reached; the command was stopped
  125  usage, configuration, permission, or an internal error before the command started
  126  command not executable
  127  command not found

The command finds LEASECTL_LEASE, LEASECTL_TOKEN, LEASECTL_HOLDER and LEASECTL_STORE_LABEL in its
environment. LEASECTL_TOKEN rises with every holder: have what you write to refuse a lower one.";

/// Run a command while holding a lease
///
/// Acquires the lease, runs COMMAND, and gives the lease back once every process of the command is
/// gone. Without --wait it tries once; when somebody else has the lease, nothing is run.
#[derive(Args, Debug)]
#[command(after_long_help = RUN_EXAMPLES, after_help = "See --help for exit codes and examples.")]
pub struct RunArgs {
    /// Name of the lease: 1 to 512 bytes of UTF-8
    #[arg(short, long, value_name = "NAME", allow_hyphen_values = true)]
    pub lease: OsString,

    /// Where leases are kept
    #[command(flatten)]
    pub store: StoreArgs,

    /// Queue for the lease this long, or forever; without it, try once
    #[arg(short, long, value_name = "DURATION|forever", value_parser = values::wait)]
    #[arg(allow_hyphen_values = true)]
    pub wait: Option<Wait>,

    /// Exit code when the lease was refused; with 0 that is silent, for cron
    #[arg(
        short = 'E',
        long,
        value_name = "N",
        default_value_t = 120,
        allow_hyphen_values = true
    )]
    pub held_exit_code: u8,

    /// Times of the lease
    #[command(flatten)]
    pub times: TimeArgs,

    /// Others are kept out this long from the acquisition on, even if the command is done sooner
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    #[arg(allow_hyphen_values = true)]
    pub min_hold: Option<Duration>,

    /// How the command is stopped
    #[command(flatten)]
    pub stop: StopArgs,

    /// What the record says
    #[command(flatten)]
    pub record: RecordArgs,

    /// Print errors only
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Print also what went well
    #[arg(short, long)]
    pub verbose: bool,

    /// The command and its arguments, after --
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// Which store.
#[derive(Args, Debug)]
#[command(next_help_heading = "Store")]
pub struct StoreArgs {
    /// URL of the store: file:, file:///DIR or memory:; also read from LEASECTL_STORE.
    /// Without one, the file store of this machine and user
    #[arg(long, value_name = "URL", conflicts_with = "store_file")]
    pub store: Option<OsString>,

    /// File that contains the store's URL, for URLs with a password: a regular file, mode 0600;
    /// also read from LEASECTL_STORE_FILE
    #[arg(long, value_name = "PATH")]
    pub store_file: Option<PathBuf>,
}

/// Times of the lease.
#[derive(Args, Debug)]
#[command(next_help_heading = "Times of the lease")]
pub struct TimeArgs {
    /// Time to live of the lease without a renewal, 2s to 24h [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    #[arg(allow_hyphen_values = true)]
    pub ttl: Option<Duration>,

    /// From one renewal to the next [default: ttl/5]
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    #[arg(allow_hyphen_values = true)]
    pub renew_every: Option<Duration>,

    /// From the stop signal to SIGKILL when the lease runs out or leasectl dies [default: ttl/6]
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    #[arg(allow_hyphen_values = true)]
    pub expiry_grace: Option<Duration>,

    /// How much the rates of two machines' clocks may differ, 0 to 0.5 [default: 0.10]
    #[arg(long, value_name = "FRACTION", value_parser = values::fraction)]
    #[arg(allow_hyphen_values = true)]
    pub max_drift: Option<f64>,
}

/// How the command is stopped.
#[derive(Args, Debug)]
#[command(next_help_heading = "Stopping")]
pub struct StopArgs {
    /// Signal that asks the command to end
    #[arg(long, value_name = "SIGNAL", value_parser = values::stop_signal, default_value = "TERM")]
    pub stop_signal: SignalName,

    /// From the stop signal to SIGKILL when leasectl decides to stop the command, renewing meanwhile
    #[arg(long, value_name = "DURATION", value_parser = values::duration, default_value = "10s")]
    #[arg(allow_hyphen_values = true)]
    pub grace: Duration,

    /// Longest run of the command
    #[arg(long, value_name = "DURATION", value_parser = values::some_duration)]
    #[arg(allow_hyphen_values = true)]
    pub run_timeout: Option<Duration>,

    /// What happens to processes that the command left behind
    #[arg(long, value_name = "POLICY", value_enum, default_value_t = LeftoversArg::Stop)]
    pub leftovers: LeftoversArg,

    /// How long they may take to end by themselves before that
    #[arg(long, value_name = "DURATION", value_parser = values::duration, default_value = "1s")]
    #[arg(allow_hyphen_values = true)]
    pub leftovers_settle: Duration,
}

/// What the record says.
#[derive(Args, Debug)]
#[command(next_help_heading = "Record")]
pub struct RecordArgs {
    /// Text shown with the lease
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub note: Option<String>,

    /// Key and value shown with the lease; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = values::key_value)]
    pub meta: Vec<(String, String)>,

    /// Who holds, in the record [default: the host name]
    #[arg(long, value_name = "LABEL", value_parser = values::label)]
    pub holder: Option<String>,

    /// How much of the command the record names
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = RecordArg::Program)]
    pub record: RecordArg,
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

/// `--record`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RecordArg {
    /// The program
    Program,
    /// The program and its arguments
    Args,
    /// Neither
    Nothing,
}
