//! A holder as programs are shown it: the same object in events and in `status`
//! (INTERFACES, "status --json").

use serde::Serialize;

use crate::clock::{BootClock, Clock, WallTime};
use crate::lease::{LeaseRecord, LeaseState, Observation};
use crate::process::identity::machine_hash;

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

fn of_record(record: &LeaseRecord) -> HolderObject {
    let holder = &record.holder;
    let here = !holder.machine.is_empty() && holder.machine == machine_hash();
    HolderObject {
        slot: Some(0),
        token: Some(record.token.get()),
        label: Some(holder.label.clone()),
        host: Some(holder.host.clone()),
        pid: Some(holder.pid),
        user: Some(holder.user.clone()),
        here: Some(here),
        program: record.program.clone(),
        args: record.args.clone(),
        note: record.note.clone(),
        meta: Some(record.meta.clone()),
        acquired_at: Some(record.acquired_at),
        held_s: Some(BootClock.wall().since(record.acquired_at).as_secs_f64()),
        renewed_at: record.renewed_at,
        renewals: Some(record.renewals),
        ttl_s: Some(record.ttl_s),
        expires_in_s: None,
    }
}
