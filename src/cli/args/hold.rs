//! `leasectl hold`; `hold/plan.rs` makes it usable.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

use super::{
    AskedArgs, ClaimArgs, LoudnessArgs, NoticeArgs, RecordArgs, StoreArgs, TellingArgs, TimeArgs,
};
use crate::cli::{guide, values};

/// `leasectl hold`.
#[derive(Args, Debug)]
#[command(after_long_help = guide::HOLD, after_help = guide::HOLD_HINT)]
#[command(override_usage = "leasectl hold --lease NAME [OPTIONS]")]
pub struct HoldArgs {
    /// What is asked for
    #[command(flatten)]
    pub claim: ClaimArgs,

    /// Guard this process, until its end
    ///
    /// In a script: --pid $$. When the lease cannot be kept, it gets the stop signal, and SIGKILL before
    /// anybody else can have the lease. What it has started itself is not stopped.
    #[arg(short, long, value_name = "PID", value_parser = values::pid)]
    #[arg(allow_hyphen_values = true)]
    pub pid: Option<i32>,

    /// Return once it is held; for eval
    ///
    /// Prints shell assignments: eval "$(leasectl hold --background --pid $$ --lease NAME)". When it is
    /// not held, it prints a statement that ends the script with the exit code. Needs --pid, which is
    /// not the parent: that is the subshell of $( ), which ends at once.
    #[arg(short, long, conflicts_with_all = ["json", "until_eof"])]
    pub background: bool,

    /// Give it back after this time
    ///
    /// Counted from when it is held; --pid goes on without it.
    #[arg(long = "for", value_name = "DURATION", value_parser = values::some_duration)]
    #[arg(allow_hyphen_values = true)]
    pub lasts: Option<Duration>,

    /// Give it back at the end of input
    ///
    /// For whoever keeps a pipe to it open, such as coproc: however that ends, its end of the pipe closes.
    #[arg(long)]
    pub until_eof: bool,

    /// Print one JSON object when held
    #[arg(long)]
    pub json: bool,

    /// This file is there while it is held
    ///
    /// It has the assignments of --background in it, for a shell to read.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub ready_file: Option<PathBuf>,

    /// Write the line to descriptor N too
    ///
    /// And close it, once the lease is held: what a supervisor such as s6 waits for.
    #[arg(long, value_name = "N", value_parser = values::descriptor)]
    #[arg(allow_hyphen_values = true)]
    pub ready_fd: Option<i32>,

    /// How much is said
    #[command(flatten)]
    pub loudness: LoudnessArgs,

    /// Where leases are kept
    #[command(flatten)]
    pub store: StoreArgs,

    /// How the process is stopped
    #[command(flatten)]
    pub stop: HoldStopArgs,

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

/// How the process is stopped.
#[derive(Args, Debug)]
#[command(next_help_heading = "Stopping the process")]
pub struct HoldStopArgs {
    /// Signal and grace
    #[command(flatten)]
    pub asked: AskedArgs,

    /// Leaving before the machine does
    #[command(flatten)]
    pub events: NoticeArgs,
}
