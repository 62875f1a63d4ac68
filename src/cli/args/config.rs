//! `leasectl config`; `cli/config/` reads the files.

use std::ffi::OsString;

use clap::Args;

use super::StoreArgs;
use crate::cli::guide;

/// `leasectl config`.
#[derive(Args, Debug)]
#[command(after_long_help = guide::CONFIG)]
pub struct ConfigArgs {
    /// The lease; without it what holds for every lease
    #[arg(value_name = "NAME")]
    pub lease: Option<OsString>,

    /// Where leases are kept
    #[command(flatten)]
    pub store: StoreArgs,
}
