//! Labels that tell people who holds a lease. Never compared to decide anything (P6).

use serde::{Deserialize, Serialize};

/// Who holds, in words (`leasectl.record/1`, key `holder`).
///
/// `machine`, `boot`, `pid` and `start_ticks` together name one process of one boot of one machine,
/// so that a reader on that machine can tell whether it still lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// `--holder`, by default the host name.
    pub label: String,
    /// The host name.
    pub host: String,
    /// A hash of the machine id; empty where the machine has none.
    #[serde(default)]
    pub machine: String,
    /// The kernel's boot id.
    #[serde(default)]
    pub boot: String,
    /// The process that holds: the leasectl in front.
    pub pid: u32,
    /// When that process started, in clock ticks since boot (proc(5), stat field 22).
    #[serde(default)]
    pub start_ticks: u64,
    /// The user's name, or its number where it has none.
    #[serde(default)]
    pub user: String,
    /// The version of leasectl that holds.
    #[serde(default)]
    pub version: String,
}
