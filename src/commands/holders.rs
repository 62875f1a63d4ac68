//! A holder as programs are shown it: the same object in events and in `status`
//! (INTERFACES, "status --json").

use serde::Serialize;

use crate::clock::{BootClock, Clock, WallTime};
use crate::lease::{FencingToken, Holder, LeaseRecord, LeaseState, Observation};
use crate::process::identity::{boot_id, machine_hash};

/// One holder. Every key is there, null where unknown.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct HolderObject {
    slot: Option<u32>,
    token: Option<u64>,
    label: Option<String>,
    host: Option<String>,
    pid: Option<u32>,
    user: Option<String>,
    here: Option<bool>,
    program: Option<String>,
    args: Option<Vec<String>>,
    note: Option<String>,
    meta: Option<std::collections::BTreeMap<String, String>>,
    acquired_at: Option<WallTime>,
    held_s: Option<f64>,
    renewed_at: Option<WallTime>,
    renewals: Option<u64>,
    ttl_s: Option<f64>,
    expires_in_s: Option<f64>,
}

impl HolderObject {
    /// Whether this is the holder under `token`.
    #[must_use]
    pub(super) fn is_under(&self, token: FencingToken) -> bool {
        self.token == Some(token.get())
    }
}

/// Who holds, as far as it can be told: nobody, one with a record, or somebody who left none.
#[must_use]
pub(super) fn holders(seen: &Observation) -> Vec<HolderObject> {
    if seen.state != LeaseState::Held {
        return Vec::new();
    }
    let mut holder = seen.record.as_ref().map(of_record).unwrap_or_default();
    holder.expires_in_s = seen.expires_in.map(|left| left.as_secs_f64());
    vec![holder]
}

/// Whether a holder is on this machine; `None` when that cannot be told. Where one of the two has no machine
/// id (a container, often) the boot decides: no two machines have the same.
#[must_use]
pub(super) fn is_here(holder: &Holder) -> Option<bool> {
    let told = |there: &str, here: String| {
        let both = !there.is_empty() && !here.is_empty();
        both.then_some(there == here)
    };
    told(&holder.machine, machine_hash())
        .or_else(|| told(&holder.boot, boot_id().unwrap_or_default()))
}

/// The one who holds or held under a record.
#[must_use]
pub(super) fn of_record(record: &LeaseRecord) -> HolderObject {
    let holder = &record.holder;
    let ended = record.ended.as_ref().and_then(|ended| ended.ended_at);
    let until = ended.unwrap_or_else(|| BootClock.wall());
    HolderObject {
        slot: Some(0),
        token: Some(record.token.get()),
        label: Some(holder.label.clone()),
        host: Some(holder.host.clone()),
        pid: Some(holder.pid),
        user: Some(holder.user.clone()),
        here: is_here(holder),
        program: record.program.clone(),
        args: record.args.clone(),
        note: record.note.clone(),
        meta: Some(record.meta.clone()),
        acquired_at: Some(record.acquired_at),
        held_s: Some(until.since(record.acquired_at).as_secs_f64()),
        renewed_at: record.renewed_at,
        renewals: Some(record.renewals),
        ttl_s: Some(record.ttl_s),
        expires_in_s: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::identity::holder;

    #[test]
    fn the_machine_decides_and_else_the_boot() {
        let here = holder(None);
        assert_eq!(is_here(&here), Some(true));
        let with = |machine: &str, boot: &str| Holder {
            machine: machine.to_owned(),
            boot: boot.to_owned(),
            ..here.clone()
        };
        assert_eq!(is_here(&with("", &here.boot)), Some(true));
        assert_eq!(is_here(&with("", "another")), Some(false));
        assert_eq!(is_here(&with("", "")), None);
        // A machine without an id of its own (this one may be) is known by its boot alone.
        if !here.machine.is_empty() {
            assert_eq!(is_here(&with("another", &here.boot)), Some(false));
        }
    }
}
