//! Where notices are had from and with whom they are shared; nothing is opened here.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::directory::Trusted;
use super::document::Names;
use super::hearing::Watch;

/// Root's directory: what is in it serves all users of the machine.
pub const ROOT_DIRECTORY: &str = "/run/leasectl/scheduled-events";

/// How one process learns of events.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) address: SocketAddr,
    pub(super) api_version: String,
    /// The names that were typed.
    pub(super) names: Names,
    /// Where we would be poller; none: no coordination.
    pub(super) own: Option<PathBuf>,
    /// Whose cache goes before ours, and who may own it.
    pub(super) upper: Option<(PathBuf, Trusted)>,
    pub(super) boot: String,
    pub(super) watch: Watch,
}

/// With whom a process shares its poller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Root's cache first, then this directory of the user's own. For root, the directory is
    /// [`ROOT_DIRECTORY`], and there is no other.
    Default(PathBuf),
    /// A directory that the operator named; and the user's own, for when it cannot be written here and
    /// nobody keeps it up to date.
    Named {
        /// The directory.
        directory: PathBuf,
        /// The user's own.
        own: PathBuf,
    },
    /// Nobody.
    Alone,
}

/// Everything that a source is opened with.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Which version of the interface is asked for ([`API_VERSION`](super::API_VERSION)).
    pub api_version: String,
    /// By which names this machine is meant; none: by the name that the service says.
    pub names: Names,
    /// With whom it is shared.
    pub sharing: Sharing,
    /// The kernel's id of this boot: stamps of another are void.
    pub boot: String,
    /// Has a descriptor watched (`process::watch`).
    pub watch: Watch,
}
