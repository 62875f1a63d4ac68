//! What an onlooker sees: without taking the lock, and without the right to open it.

use std::time::Duration;

use nix::fcntl::OFlag;

use super::counter::{Medium, Now, rest_of};
use super::files::{CounterFile, Files};
use super::lock::is_locked;
use super::trouble::Trouble;
use super::wire::Image;
use crate::lease::{LeaseName, LeaseRecord, LeaseState, Observation};
use crate::process::identity::is_alive;

/// Looks at lease `name` during boot `boot`.
pub(super) fn at(
    files: &Files<'_>,
    name: &LeaseName,
    boot: &str,
    now: Now,
) -> Result<Observation, Trouble> {
    let locked = is_locked(files)?;
    let record = files.read_record(name);
    let rest = rest(files, record.as_ref(), boot, now);
    let ended = record.as_ref().is_some_and(|record| record.ended.is_some());
    let taken = match locked {
        // In a minimum hold whose run has ended nobody can hold: somebody has the lock for the
        // moment it takes to find that out.
        Some(true) => !ended || rest.is_zero(),
        Some(false) => false,
        // We may not ask: then a lock that only the tree of a dead holder still carries looks free.
        None => record.as_ref().is_some_and(names_the_living),
    };
    let cooldown_until = (!rest.is_zero()).then(|| now.wall.plus(rest));
    if taken {
        return Ok(Observation {
            cooldown_until,
            ..held(name, record)
        });
    }
    Ok(Observation {
        name: name.clone(),
        state: match cooldown_until {
            Some(_) => LeaseState::Cooldown,
            None => LeaseState::Free,
        },
        record,
        expires_in: None,
        cooldown_until,
    })
}

/// A lease whose lock is taken. The record is believed only while the process that it names lives.
pub(super) fn held(name: &LeaseName, record: Option<LeaseRecord>) -> Observation {
    Observation {
        name: name.clone(),
        state: LeaseState::Held,
        record: record.filter(names_the_living),
        expires_in: None,
        cooldown_until: None,
    }
}

fn names_the_living(record: &LeaseRecord) -> bool {
    let holder = &record.holder;
    record.ended.is_none() && is_alive(&holder.boot, holder.pid, holder.start_ticks)
}

/// What is left of the minimum hold: from the counter, or, for one who may not read it or reads it
/// half written, from the record.
fn rest(files: &Files<'_>, record: Option<&LeaseRecord>, boot: &str, now: Now) -> Duration {
    let counter = files.open(&files.token, OFlag::O_RDONLY).ok().flatten();
    let bytes = counter.and_then(|fd| CounterFile(fd).read().ok());
    if let Some(region) = bytes.and_then(|bytes| Image::read(&bytes).region) {
        return rest_of(&region, boot, now);
    }
    let until = record.and_then(|record| record.not_before_at);
    until.map_or(Duration::ZERO, |until| until.since(now.wall))
}
