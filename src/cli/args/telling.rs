//! Who is told what happens: hooks, events and the form of messages.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use crate::cli::values;

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
    pub(in crate::cli) const fn has_hooks(&self) -> bool {
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
