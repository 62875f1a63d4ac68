//! What can be typed. Nothing is resolved or opened here; `plan.rs` makes it usable.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use super::completions::CompletionsArgs;
use super::man_page::ManArgs;
use super::{guide, values};
use crate::process::SignalName;
use crate::supervisor::Wait;

/// Run a command only while this machine holds a named lease
///
/// A lease is a name that one holder has at a time. leasectl takes it, runs the command, and gives
/// it back once every process of the command is gone.
///
/// When the lease is lost, or leasectl is killed, the whole command is stopped before the lease can
/// belong to anyone else.
#[derive(Debug, Parser)]
#[command(
    name = "leasectl",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    subcommand_help_heading = "Verbs",
    subcommand_value_name = "VERB",
    after_long_help = guide::LEASECTL
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
    ///
    /// Acquires the lease, runs COMMAND, and gives the lease back once every process of the command
    /// is gone. Without --wait it tries once; when somebody else has the lease, nothing is run.
    ///
    /// Durations have a unit: 500ms, 30s, 5m, 1h30m.
    Run(Box<RunArgs>),

    /// Print a script that completes what is typed
    ///
    /// The script teaches a shell the verbs, options and values of leasectl, and after -- those of the
    /// command. It goes to standard output.
    Completions(CompletionsArgs),

    /// Print a man page
    ///
    /// The page is in the form that man reads, and goes to standard output.
    Man(ManArgs),
}

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

    /// The lease, by any name you choose
    ///
    /// 1 to 512 bytes of UTF-8, compared byte by byte, without control characters. It need not be created first.
    #[arg(short, long, value_name = "NAME", allow_hyphen_values = true)]
    pub lease: OsString,

    /// Wait for the lease this long; else try once
    #[arg(short, long, value_name = "DURATION|forever", value_parser = values::wait)]
    #[arg(allow_hyphen_values = true)]
    pub wait: Option<Wait>,

    /// What flock(1) calls trying once, which is what is done without --wait. Its users type it.
    #[arg(short, long, alias = "nb", hide = true, conflicts_with = "wait")]
    pub nonblock: bool,

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
    /// Even if the command is done sooner. Counted from the acquisition, however the command ends, crashes included. For jobs that are
    /// started by several clocks: well under the interval of the job.
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    #[arg(allow_hyphen_values = true)]
    pub min_hold: Option<Duration>,

    /// Run again: on-lost, always
    ///
    /// A standby service: waits for the lease for ever, and queues and runs again after a loss
    /// (on-lost), or also after the command has ended (always); 1s later, then 2s, doubling up to 1m,
    /// and one ttl after an operator's release. TERM, INT or QUIT to leasectl ends it.
    #[arg(long, value_name = "WHEN", value_enum, hide_possible_values = true)]
    pub restart: Option<RestartArg>,

    /// Print errors only
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Print also what went well
    #[arg(short, long)]
    pub verbose: bool,

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

/// Which store.
#[derive(Args, Debug)]
#[command(next_help_heading = "Store")]
pub struct StoreArgs {
    /// Where leases are kept [env: LEASECTL_STORE]
    ///
    /// URL of the store: file: (the default directory of this user), file:///DIR or memory: (one
    /// process, for tests). When nobody chooses one, it is file:, and one line says so. A URL with a
    /// password is refused here, because every user can read it: use --store-file.
    #[arg(long, value_name = "URL", conflicts_with = "store_file")]
    pub store: Option<OsString>,

    /// File with that URL [env: LEASECTL_STORE_FILE]
    ///
    /// One line; a password is allowed. A regular file, not a symlink, of root or yourself, with mode
    /// 0600.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub store_file: Option<PathBuf>,
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

    /// Asks it to end [default: TERM]
    ///
    /// By name or number: TERM, SIGTERM, 15. Sent to the whole command.
    #[arg(long, value_name = "SIGNAL", value_parser = values::stop_signal, default_value = "TERM")]
    #[arg(hide_default_value = true)]
    pub stop_signal: SignalName,

    /// From that to SIGKILL [default: 10s]
    ///
    /// Between the stop signal and SIGKILL when leasectl decides to stop the command (--run-timeout,
    /// --leftovers); the lease is renewed meanwhile. When the lease itself ends, --expiry-grace
    /// counts instead.
    #[arg(long, value_name = "DURATION", value_parser = values::duration, default_value = "10s")]
    #[arg(allow_hyphen_values = true, hide_default_value = true)]
    pub grace: Duration,

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
    #[arg(allow_hyphen_values = true)]
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

/// Who is told what happens.
#[derive(Args, Debug)]
#[command(next_help_heading = "Hooks and events")]
pub struct TellingArgs {
    /// Run before it; has to succeed
    ///
    /// Run by /bin/sh once the lease is held, as a part of the command: it is stopped and killed like
    /// the command, and what it leaves running goes with the command. When it fails, or takes longer
    /// than 10s, the command is not started: exit code 125. It finds the event as one line of JSON on
    /// its input.
    #[arg(long, value_name = "CMD", allow_hyphen_values = true)]
    #[arg(value_hint = ValueHint::CommandString)]
    pub on_acquired: Option<OsString>,

    /// Run when a renewal is unanswered
    ///
    /// The lease is still held, for $LEASECTL_REMAINING_S seconds. Like the next two it is run by
    /// /bin/sh beside everything else, for 10s at most, and its failure is a warning.
    #[arg(long, value_name = "CMD", allow_hyphen_values = true)]
    #[arg(value_hint = ValueHint::CommandString)]
    pub on_doubt: Option<OsString>,

    /// Run when the lease was lost
    ///
    /// After the command is dead, and without the lease.
    #[arg(long, value_name = "CMD", allow_hyphen_values = true)]
    #[arg(value_hint = ValueHint::CommandString)]
    pub on_lost: Option<OsString>,

    /// Run when it was given back
    ///
    /// Without the lease.
    #[arg(long, value_name = "CMD", allow_hyphen_values = true)]
    #[arg(value_hint = ValueHint::CommandString)]
    pub on_released: Option<OsString>,

    /// Events as lines of JSON
    ///
    /// Appended to FILE, or written to the open descriptor N (fd:3). Nothing waits for whoever reads
    /// them: a line that cannot be written at once is dropped, which shows as a gap in `seq`.
    #[arg(long, value_name = "FILE|fd:N", value_parser = values::events)]
    #[arg(value_hint = ValueHint::FilePath)]
    pub events: Option<EventsArg>,

    /// Of messages: text (default), json
    ///
    /// json: what is printed on standard error is one event of kind `log` a line.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormatArg::Text)]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub log_format: LogFormatArg,
}

impl TellingArgs {
    /// Whether there are any hooks.
    pub(super) const fn has_hooks(&self) -> bool {
        self.on_acquired.is_some()
            || self.on_doubt.is_some()
            || self.on_lost.is_some()
            || self.on_released.is_some()
    }
}

/// `--events`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventsArg {
    /// A file that is appended to.
    File(PathBuf),
    /// A descriptor that is open already.
    Descriptor(i32),
}

/// `--log-format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormatArg {
    /// For people
    Text,
    /// For programs
    Json,
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
