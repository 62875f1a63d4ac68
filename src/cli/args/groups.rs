//! Options that several verbs have.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};

use crate::cli::config::Configured;
use crate::cli::values;
use crate::process::SignalName;
use crate::supervisor::Wait;

/// What is asked for.
#[derive(Args, Debug)]
pub struct ClaimArgs {
    /// The lease, by any name you choose
    ///
    /// 1 to 512 bytes of UTF-8, compared byte by byte, without control characters. It need not be created first.
    #[arg(short, long, value_name = "NAME", allow_hyphen_values = true)]
    pub lease: OsString,

    /// Wait for the lease this long; else try once
    #[arg(short, long, value_name = "DURATION|forever", value_parser = values::wait)]
    #[arg(allow_hyphen_values = true)]
    pub wait: Option<Wait>,

    /// Exit code when refused [default: 120]
    ///
    /// Refused means held by another, or in its minimum hold, also when --wait ran out. With 0 that
    /// is silent, so that cron sends no mail.
    #[arg(
        short = 'E',
        long,
        value_name = "N",
        value_parser = values::exit_code,
        default_value = "120",
        hide_default_value = true,
        allow_hyphen_values = true,
        // What flock(1) calls it.
        alias = "conflict-exit-code"
    )]
    pub held_exit_code: u8,

    /// Keep others out at least this long
    ///
    /// Even if it is given back sooner. Counted from the acquisition, however it ends, crashes included.
    /// For jobs that are started by several clocks: well under the interval of the job.
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    #[arg(allow_hyphen_values = true)]
    pub min_hold: Option<Duration>,
}

/// How much is said.
#[derive(Args, Debug)]
pub struct LoudnessArgs {
    /// Print errors only
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Print also what went well
    #[arg(short, long)]
    pub verbose: bool,
}

/// Which store.
#[derive(Args, Debug)]
#[command(next_help_heading = "Store")]
pub struct StoreArgs {
    /// Where leases are kept [env: LEASECTL_STORE]
    ///
    /// URL of the store: file: (the default directory of this user), file:///DIR,
    /// redis://HOST:PORT/DATABASE (rediss:// with TLS, redis+unix:///PATH),
    /// redis-sentinel://HOSTS/PRIMARY, redis-cluster://HOSTS, azblob://ACCOUNT/CONTAINER or memory: (one
    /// process, for tests); or the NAME of one in the configuration. When nobody chooses one, it is file:, and one
    /// line says so. A URL with a password is refused here, because every user can read it; use --store-file for it.
    #[arg(long, value_name = "URL|NAME", conflicts_with = "store_file")]
    pub store: Option<OsString>,

    /// File with that URL [env: LEASECTL_STORE_FILE]
    ///
    /// One line; a password is allowed. A regular file, not a symlink, of root or yourself, with mode
    /// 0600.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub store_file: Option<PathBuf>,

    /// Settings [env: LEASECTL_CONFIG]
    ///
    /// A file in TOML with defaults for these options, for all leases or for some, instead of
    /// ~/.config/leasectl/config.toml and /etc/leasectl/config.toml. Of root or yourself, and writable by
    /// nobody else. leasectl config shows what it says.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,

    /// What these files say.
    #[arg(skip)]
    pub(in crate::cli) configured: Configured,
}

/// How what is guarded is asked to end.
#[derive(Args, Debug)]
pub struct AskedArgs {
    /// Asks it to end [default: TERM]
    ///
    /// By name or number: TERM, SIGTERM, 15. Sent to the whole command; by hold, to --pid.
    #[arg(long, value_name = "SIGNAL", value_parser = values::stop_signal, default_value = "TERM")]
    #[arg(hide_default_value = true)]
    pub stop_signal: SignalName,

    /// From that to SIGKILL [default: 10s]
    ///
    /// Between the stop signal and SIGKILL when leasectl decides to stop it (--run-timeout, --leftovers,
    /// an operator's release, an event of the machine); the lease is renewed meanwhile. When the lease itself ends, --expiry-grace
    /// counts instead.
    #[arg(long, value_name = "DURATION", value_parser = values::duration, default_value = "10s")]
    #[arg(allow_hyphen_values = true, hide_default_value = true)]
    pub grace: Duration,
}

/// Times of the lease.
#[derive(Args, Debug)]
#[command(next_help_heading = "Times of the lease")]
pub struct TimeArgs {
    /// A grant lasts so long [default: 30s]
    ///
    /// Unless it is renewed; 2s to 24h, measured by the store. The command is gone before that: with 30s after
    /// 27s without an answer from the store.
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    #[arg(allow_hyphen_values = true)]
    pub ttl: Option<Duration>,

    /// It is renewed so often [default: ttl/5]
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    #[arg(allow_hyphen_values = true)]
    pub renew_every: Option<Duration>,

    /// Time to stop at its end [default: ttl/6]
    ///
    /// From the stop signal to SIGKILL when the lease cannot be renewed or leasectl dies.
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    #[arg(allow_hyphen_values = true)]
    pub expiry_grace: Option<Duration>,

    /// Clocks differ in rate by [default: 0.1]
    ///
    /// How much the rates of two machines' clocks may differ, 0 to 0.5: that part of the ttl is not
    /// used.
    #[arg(long, value_name = "FRACTION", value_parser = values::fraction)]
    #[arg(allow_hyphen_values = true, hide_short_help = true)]
    pub max_drift: Option<f64>,
}

/// What the record says.
#[derive(Args, Debug)]
#[command(next_help_heading = "What others see")]
pub struct RecordArgs {
    /// A word to whoever is refused
    ///
    /// At most 512 bytes.
    #[arg(long, value_name = "TEXT", value_parser = values::note, allow_hyphen_values = true)]
    pub note: Option<String>,

    /// More for the record; repeatable
    ///
    /// Kept beside the lease; together at most 512 bytes.
    #[arg(long, value_name = "KEY=VALUE", value_parser = values::key_value)]
    pub meta: Vec<(String, String)>,

    /// Who we are [default: the host name]
    #[arg(long, value_name = "LABEL", value_parser = values::label, allow_hyphen_values = true)]
    pub holder: Option<String>,

    /// Named: program (default), args, nothing
    ///
    /// How much of the command is named: program, the program and its arguments (args), or nothing.
    /// Never the environment.
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = RecordArg::Program)]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub record: RecordArg,
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
