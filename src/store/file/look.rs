//! What an onlooker sees: without taking the lock, and without the right to open it.

use std::time::Duration;

use nix::fcntl::OFlag;

use super::asks::{self, Asks};
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
    let asks = asks::read(files);
    let pause = asks.as_ref().and_then(|asks| asks.pause(boot, now));
    let rest = rest(files, record.as_ref(), asks.as_ref(), boot, now);
    let ended = record.as_ref().is_some_and(|record| record.ended.is_some());
    let taken = match locked {
        // While everyone is kept out and the run has ended, nobody can hold: somebody has the lock for
        // the moment it takes to find that out.
        Some(true) => !ended || (rest.is_zero() && pause.is_none()),
        Some(false) => false,
        // We may not ask: then a lock that only the tree of a dead holder still carries looks free.
        None => record.as_ref().is_some_and(names_the_living),
    };
    let unsure = locked.is_none() && !record.as_ref().is_some_and(tells_enough);
    let cooldown_until = (!rest.is_zero()).then(|| now.wall.plus(rest));
    let state = match (taken, &pause, cooldown_until) {
        (true, ..) => LeaseState::Held,
        (false, Some(_), _) => LeaseState::Paused,
        (false, None, Some(_)) => LeaseState::Cooldown,
        (false, None, None) => LeaseState::Free,
    };
    let record = record.filter(|record| !taken || names_the_living(record));
    let held = record.as_ref().filter(|_| taken);
    let stop = held.and_then(|record| asks.as_ref()?.stop_of(record.token));
    Ok(Observation {
        state,
        cooldown_until,
        stop_request: stop.cloned(),
        paused: pause.map(|(pause, _)| pause.clone()),
        record,
        unsure,
        ..Observation::untouched(name.clone())
    })
}

/// A lease whose lock is taken. The record is believed only while the process that it names lives.
pub(super) fn held(name: &LeaseName, record: Option<LeaseRecord>) -> Observation {
    Observation {
        state: LeaseState::Held,
        record: record.filter(names_the_living),
        ..Observation::untouched(name.clone())
    }
}

/// Whether a record settles who holds: one whose process is gone and which tells of no end may be of a tree
/// that still carries the lock.
fn tells_enough(record: &LeaseRecord) -> bool {
    record.ended.is_some() || names_the_living(record)
}

fn names_the_living(record: &LeaseRecord) -> bool {
    let holder = &record.holder;
    record.ended.is_none() && is_alive(&holder.boot, holder.pid, holder.start_ticks)
}

/// The last token that was given, from the counter, or, for one who may not read it or reads it half
/// written, from the record; and what is left of the minimum hold that came with it.
fn last_grant(
    files: &Files<'_>,
    record: Option<&LeaseRecord>,
    boot: &str,
    now: Now,
) -> Option<(u64, Duration)> {
    let counter = files.open(&files.token, OFlag::O_RDONLY).ok().flatten();
    let bytes = counter.and_then(|fd| CounterFile(fd).read().ok());
    if let Some(region) = bytes.and_then(|bytes| Image::read(&bytes).region) {
        let rest = rest_of(&region, boot, now);
        return Some((region.next.saturating_sub(1), rest));
    }
    let record = record?;
    let until = record.not_before_at;
    let rest = until.map_or(Duration::ZERO, |until| until.since(now.wall));
    Some((record.token.get(), rest))
}

/// The last token that was given.
pub(super) fn last_token(files: &Files<'_>, name: &LeaseName, boot: &str, now: Now) -> Option<u64> {
    let record = files.read_record(name);
    last_grant(files, record.as_ref(), boot, now).map(|(token, _)| token)
}

/// What is left of the minimum hold, unless an operator has ended it.
fn rest(
    files: &Files<'_>,
    record: Option<&LeaseRecord>,
    asks: Option<&Asks>,
    boot: &str,
    now: Now,
) -> Duration {
    let grant = last_grant(files, record, boot, now);
    let grant = grant.filter(|(token, _)| !asks.is_some_and(|asks| asks.has_cleared(*token)));
    grant.map_or(Duration::ZERO, |(_, rest)| rest)
}
