//! `leasectl doctor`.

use clap::Args;

use super::StoreArgs;
use crate::cli::guide;

/// `leasectl doctor`.
#[derive(Args, Debug)]
#[command(after_long_help = guide::DOCTOR)]
pub struct DoctorArgs {
    /// Where leases are kept
    #[command(flatten)]
    pub store: StoreArgs,
}
