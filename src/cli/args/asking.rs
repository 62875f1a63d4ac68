//! What operators ask of leases: `leasectl release`, `pause` and `resume`.

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;

use super::StoreArgs;
use crate::cli::{guide, values};
use crate::lease::FencingToken;
use crate::supervisor::Wait;

/// `leasectl release`.
#[derive(Args, Debug)]
#[command(after_long_help = guide::RELEASE)]
pub struct ReleaseArgs {
    /// The lease
    #[arg(value_name = "NAME")]
    pub lease: OsString,

    /// Wait so long for its end [default: 1m]
    ///
    /// When the lease is still held by then, the exit code is 120; the request stands. With 0s nothing is waited
    /// for.
    #[arg(short, long, value_name = "DURATION|forever", value_parser = values::wait)]
    #[arg(
        default_value = "1m",
        allow_hyphen_values = true,
        hide_default_value = true
    )]
    pub wait: Wait,

    /// Why; its holder and the record are told
    ///
    /// At most 512 bytes.
    #[arg(long, value_name = "TEXT", value_parser = values::note, allow_hyphen_values = true)]
    pub reason: Option<String>,

    /// Take it away without asking
    ///
    /// From the holder with this --token and from no other. Its command may still be running then, and
    /// that of the next holder runs beside it: only what refuses a lower fencing token is safe. For a
    /// holder that is known to be dead, or is cut off for good. The file store refuses it, because
    /// there a lease ends with its processes: it names the one to kill.
    #[arg(long, requires = "whose", conflicts_with = "wait")]
    pub force: bool,

    /// The holder's token, as status shows it
    #[arg(long, value_name = "N", requires = "force", value_parser = values::token)]
    #[arg(allow_hyphen_values = true, group = "whose")]
    pub token: Option<FencingToken>,

    /// Its holder is not leasectl
    ///
    /// With --force, instead of --token: for a lease that status shows as foreign, because another tool took it
    /// (azblob://). A hold of leasectl is never taken away so.
    #[arg(long, requires = "force", group = "whose")]
    pub foreign: bool,

    /// Print errors only
    #[arg(short, long)]
    pub quiet: bool,

    /// Where leases are kept
    #[command(flatten)]
    pub store: StoreArgs,
}

/// `leasectl pause`.
#[derive(Args, Debug)]
#[command(after_long_help = guide::PAUSE)]
pub struct PauseArgs {
    /// The leases
    #[arg(value_name = "NAME", required = true)]
    pub leases: Vec<OsString>,

    /// It ends by itself after this time
    ///
    /// By the store's clock. Without it the pause lasts until leasectl resume.
    #[arg(long = "for", value_name = "DURATION", value_parser = values::pause)]
    #[arg(allow_hyphen_values = true)]
    pub lasts: Option<Duration>,

    /// Why; whoever is refused is told
    ///
    /// At most 512 bytes.
    #[arg(long, value_name = "TEXT", value_parser = values::note, allow_hyphen_values = true)]
    pub reason: Option<String>,

    /// Print errors only
    #[arg(short, long)]
    pub quiet: bool,

    /// Where leases are kept
    #[command(flatten)]
    pub store: StoreArgs,
}

/// `leasectl resume`.
#[derive(Args, Debug)]
#[command(after_long_help = guide::RESUME)]
pub struct ResumeArgs {
    /// The leases
    #[arg(value_name = "NAME", required = true)]
    pub leases: Vec<OsString>,

    /// Print errors only
    #[arg(short, long)]
    pub quiet: bool,

    /// Where leases are kept
    #[command(flatten)]
    pub store: StoreArgs,
}
