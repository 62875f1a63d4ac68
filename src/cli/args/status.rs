//! `leasectl status`, and the question that completion scripts ask.

use std::ffi::OsString;

use clap::{Args, ValueEnum};

use super::StoreArgs;
use crate::cli::{guide, values};
use crate::commands::status::Kind;
use crate::lease::FencingToken;

/// `leasectl status`. The first paragraph of each doc is for `-h`, and has to fit beside the option in
/// 80 columns; the others are for `--help`.
#[derive(Args, Debug)]
#[command(after_long_help = guide::STATUS, after_help = guide::STATUS_HINT)]
pub struct StatusArgs {
    /// Only these leases; every one by default
    ///
    /// One that nobody ever had is shown as free.
    #[arg(value_name = "NAME")]
    pub leases: Vec<OsString>,

    /// Those that begin with this
    ///
    /// With names, beside them: the leases that are named and those that begin so.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub prefix: Option<String>,

    /// Where leases are kept
    #[command(flatten)]
    pub store: StoreArgs,

    /// How it is shown
    #[command(flatten)]
    pub form: FormArgs,

    /// Watching
    #[command(flatten)]
    pub watching: WatchArgs,

    /// Asking for an `if`
    #[command(flatten)]
    pub checking: CheckArgs,
}

/// How it is shown.
#[derive(Args, Debug)]
#[command(next_help_heading = "Form")]
pub struct FormArgs {
    /// One JSON object; lines with --watch
    ///
    /// leasectl.status/1, for programs: every key is present. With --watch a line of leasectl.watch/1 for
    /// each change, also on a terminal.
    #[arg(long, conflicts_with_all = ["prometheus", "by_holder", "check"])]
    pub json: bool,

    /// Metrics for node_exporter
    ///
    /// In the text format that its textfile collector reads.
    #[arg(long, conflicts_with_all = ["by_holder", "watch", "check"])]
    pub prometheus: bool,

    /// Who has how many
    ///
    /// The holders of these leases, the one with the most first.
    #[arg(long, conflicts_with_all = ["watch", "check"])]
    pub by_holder: bool,
}

/// Watching.
#[derive(Args, Debug)]
#[command(next_help_heading = "Watching")]
pub struct WatchArgs {
    /// Go on showing what changes
    ///
    /// On a terminal the table is drawn again in its place; Ctrl-C ends it. Elsewhere, and with --json, --only or
    /// --count, there is one line of JSON for each change (leasectl.watch/1), after one `appeared` for
    /// each lease that is there at the start. Whoever reads may go away: that ends it quietly.
    #[arg(long, conflicts_with = "check")]
    pub watch: bool,

    /// Only these changes, as in lost,expired
    ///
    /// appeared, acquired, changed (one holder directly after another), released, lost (its holder said
    /// so), expired (its holder is gone without a word), paused, resumed.
    #[arg(
        long,
        value_name = "KIND,...",
        value_enum,
        value_delimiter = ',',
        requires = "watch"
    )]
    #[arg(hide_possible_values = true)]
    pub only: Vec<KindArg>,

    /// End after so many lines
    #[arg(long, value_name = "N", requires = "watch", value_parser = values::count)]
    #[arg(allow_hyphen_values = true)]
    pub count: Option<u64>,

    /// End when NAME is so: held, free
    ///
    /// With exit code 0, at once when it is so already. free: it can be had, so neither held nor paused nor
    /// in its minimum hold.
    #[arg(long, value_name = "STATE", value_enum, requires = "watch")]
    #[arg(hide_possible_values = true)]
    pub until: Option<UntilArg>,
}

/// Asking for an `if`.
#[derive(Args, Debug)]
#[command(next_help_heading = "Asking")]
pub struct CheckArgs {
    /// Print nothing; exit 0: held, 1: not
    ///
    /// Whether NAME is held. What cannot be told is neither: exit code 123, and the reason.
    #[arg(long)]
    pub check: bool,

    /// Only if this machine holds it
    #[arg(long, requires = "check")]
    pub here: bool,

    /// Only if it is held under this token
    ///
    /// As LEASECTL_TOKEN has it in the command: whether that grant is still the one that holds.
    #[arg(long, value_name = "N", requires = "check", value_parser = values::token)]
    #[arg(allow_hyphen_values = true)]
    pub token: Option<FencingToken>,
}

/// `--only`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KindArg {
    /// It was there at the start
    Appeared,
    /// Somebody has it
    Acquired,
    /// One holder directly after another
    Changed,
    /// It was given back
    Released,
    /// Its holder lost it and said so
    Lost,
    /// Its holder is gone without a word
    Expired,
    /// An operator keeps everyone out
    Paused,
    /// And does no longer
    Resumed,
}

impl From<KindArg> for Kind {
    fn from(typed: KindArg) -> Self {
        match typed {
            KindArg::Appeared => Self::Appeared,
            KindArg::Acquired => Self::Acquired,
            KindArg::Changed => Self::Changed,
            KindArg::Released => Self::Released,
            KindArg::Lost => Self::Lost,
            KindArg::Expired => Self::Expired,
            KindArg::Paused => Self::Paused,
            KindArg::Resumed => Self::Resumed,
        }
    }
}

/// `--until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum UntilArg {
    /// Somebody has it
    Held,
    /// It can be had
    Free,
}

/// `leasectl __names`: what completion scripts call.
#[derive(Args, Debug)]
pub struct CompleteLeasesArgs {
    /// What is typed of the name
    #[arg(long, allow_hyphen_values = true)]
    pub prefix: OsString,

    /// The words before it
    #[arg(last = true)]
    pub words: Vec<OsString>,
}
