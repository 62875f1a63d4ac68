//! What the command finds in its environment (INTERFACES, "Environment").

use std::ffi::{OsStr, OsString};

use crate::lease::{Holder, LeaseName, StoreLabel};

/// What leasectl sets anew, or what belongs to an outer leasectl, to a hook, or to leasectl itself
/// (systemd's notification socket is meant for the service's main process).
const NOT_PASSED_ON: [&str; 14] = [
    "LEASECTL_LEASE",
    "LEASECTL_TOKEN",
    "LEASECTL_HOLDER",
    "LEASECTL_STORE_LABEL",
    "LEASECTL_SLOT",
    "LEASECTL_EVENT",
    "LEASECTL_REASON",
    "LEASECTL_REMAINING_S",
    "LEASECTL_OUTCOME",
    "LEASECTL_EXIT_CODE",
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LEASECTL_STORE",
];

/// What becomes of `LEASECTL_STORE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChosenStore {
    /// It was not set.
    Unset,
    /// It is passed on as this text, from which a password has been taken: a leasectl inside the
    /// command then fails rather than use another store.
    PassedOn(OsString),
}

/// The environment of the command, but for `LEASECTL_TOKEN`, which is added when it is known.
pub fn command_environment(
    inherited: impl Iterator<Item = (OsString, OsString)>,
    lease: &LeaseName,
    holder: &Holder,
    label: &StoreLabel,
    store: &ChosenStore,
) -> Vec<(OsString, OsString)> {
    let mut environment: Vec<_> = inherited
        .filter(|(key, _)| !NOT_PASSED_ON.iter().any(|name| key == OsStr::new(name)))
        .collect();
    let mut set = |key: &str, value: OsString| environment.push((key.into(), value));
    set("LEASECTL_LEASE", lease.as_str().into());
    set(
        "LEASECTL_HOLDER",
        format!("{}:{}", holder.label, holder.pid).into(),
    );
    set("LEASECTL_STORE_LABEL", label.as_str().into());
    if let ChosenStore::PassedOn(text) = store {
        set("LEASECTL_STORE", text.clone());
    }
    environment
}
