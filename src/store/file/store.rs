//! [`LeaseStore`] on files; the algorithm is in the folder's `mod.rs`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use nix::sys::stat::FileStat;

use super::asks;
use super::config::Config;
use super::counter::{Counter, Now};
use super::directory::Directory;
use super::files::Files;
use super::lock::{LockFile, unlock};
use super::look;
use super::onlooker;
use super::queue::Queue;
use super::trouble::Trouble;
use crate::clock::Clock;
use crate::lease::{
    Ask, Asked, Asker, Attempt, Change, Claim, Doing, Ending, Expiry, Fencing, FencingToken, Hold,
    HoldEvent, LARGEST_TTL, LeaseName, LeaseStore, LostWhy, Observation, OwnerId, Place, Promises,
    Release, Renewal, Revoked, SMALLEST_TTL, StoreError, StoreLabel,
};
use crate::process::identity::boot_id;

pub(super) type Key = (LeaseName, OwnerId);

/// Leases in a directory of this machine.
#[derive(Debug)]
pub struct FileStore {
    label: StoreLabel,
    pub(super) directory: Directory,
    clock: Arc<dyn Clock>,
    pub(super) boot: String,
    pub(super) holds: Mutex<HashMap<Key, Held>>,
    pub(super) queue: Queue,
    /// It was opened by one who may perhaps only read, and whether it is fit for locks was not asked.
    only_looks: bool,
}

#[derive(Debug)]
pub(super) struct Held {
    pub(super) hold: Hold,
    pub(super) stat: FileStat,
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FileStore {
    /// Opens the directory, and creates it where that is ours to do.
    ///
    /// # Errors
    /// When the directory is missing, unsafe, on a network file system or not ours to open.
    pub fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let opened =
            Directory::open(config).and_then(|directory| Self::on(config, directory, clock));
        opened.map_err(|trouble| trouble.into_error(&config.label(), Doing::Open))
    }

    /// Opens the directory for one who only looks, whoever it belongs to; creates nothing. `None`: there is
    /// no directory, and so there are no leases, until the first holder makes it. Everything but looking
    /// and waiting for changes is refused.
    ///
    /// # Errors
    /// When the directory may not be opened, or nobody could have leases there.
    pub fn open_to_look(
        config: &Config,
        clock: Arc<dyn Clock>,
    ) -> Result<Option<Self>, StoreError> {
        let opened = Directory::open_to_look(config).and_then(|found| {
            let opened = found.map(|directory| Self::on(config, directory, clock));
            opened.transpose()
        });
        let store = opened.map_err(|trouble| trouble.into_error(&config.label(), Doing::Open))?;
        Ok(store.map(|store| Self {
            only_looks: true,
            ..store
        }))
    }

    fn on(config: &Config, directory: Directory, clock: Arc<dyn Clock>) -> Result<Self, Trouble> {
        let boot = boot_id().map_err(|error| {
            Trouble::System(format!(
                "cannot read the boot id: {error}; is /proc mounted?"
            ))
        })?;
        Ok(Self {
            label: config.label(),
            directory,
            clock,
            boot,
            holds: Mutex::default(),
            queue: Queue::default(),
            only_looks: false,
        })
    }

    /// Refuses what one who only looks may not do.
    pub(super) fn to_take_part(&self) -> Result<(), Trouble> {
        if self.only_looks {
            let why = "it was opened only to look at it; open it to take part";
            return Err(Trouble::Unfit(why.to_owned()));
        }
        Ok(())
    }

    pub(super) fn error(&self, doing: Doing) -> impl FnOnce(Trouble) -> StoreError + '_ {
        move |trouble| trouble.into_error(&self.label, doing)
    }

    pub(super) fn files(&self, name: &LeaseName) -> Files<'_> {
        Files::of(&self.directory, name)
    }

    pub(super) fn now(&self) -> Now {
        Now {
            boot: self.clock.now(),
            wall: self.clock.wall(),
        }
    }

    pub(super) fn look(&self, name: &LeaseName) -> Result<Observation, Trouble> {
        look::at(&self.files(name), name, &self.boot, self.now())
    }

    async fn wait(
        &self,
        claim: &Claim,
        place: &mut Place,
        at_most: Duration,
    ) -> Result<(), Trouble> {
        self.to_take_part()?;
        let (ticket, shut) = self.queue.kept(key(claim), place);
        let files = self.files(&claim.name);
        if let Some(seen) = shut {
            let look = || self.look(&claim.name);
            return onlooker::until_changed(&files, &seen, at_most, look).await;
        }
        if ticket.is_idle() {
            let file = LockFile::open(&files, &self.directory)?;
            ticket.start(file).map_err(|error| {
                Trouble::System(format!("cannot start the thread that waits: {error}"))
            })?;
        }
        let waited = ticket.wait(at_most).await;
        waited.map_err(|errno| files.trouble("wait for the lock of", &files.lock, errno))
    }

    /// What its holder has to know of a hold.
    fn event_of(&self, hold: &Hold) -> Result<Option<HoldEvent>, Trouble> {
        let files = self.files(&hold.name);
        let holds = locked(&self.holds);
        let held = holds.get(&(hold.name.clone(), hold.owner));
        let current = match held.filter(|held| held.hold.token == hold.token) {
            Some(held) => files.is_current(&files.lock, &held.stat)?,
            None => false,
        };
        if !current {
            return Ok(Some(HoldEvent::Lost(LostWhy::Vanished)));
        }
        let asks = asks::read(&files);
        let stop = asks.as_ref().and_then(|asks| asks.stop_of(hold.token));
        Ok(stop.cloned().map(HoldEvent::StopAsked))
    }

    /// Ends a hold: its end is written into the record, then the lock goes.
    fn end(&self, key: &Key, ending: &Ending, clear: bool) -> Release {
        let Some(held) = locked(&self.holds).remove(key) else {
            return Release::AlreadyOver;
        };
        let files = self.files(&key.0);
        let now = self.now();
        // Nothing that goes wrong here may keep the lock.
        let record = files.read_record(&key.0);
        if let Some(mut record) = record.filter(|record| record.token == held.hold.token) {
            record.end(ending, now.wall);
            if clear {
                record.not_before_at = None;
            }
            let _written = files.write_record(&record);
        }
        if clear && let Ok(Some(fd)) = self.open_counter(&files) {
            let _cleared = Counter::open(fd, &self.boot, now).map(|mut c| c.clear_hold());
        }
        if let Some(lock) = &held.hold.lock {
            unlock(lock);
        }
        Release::Released
    }
}

pub(super) fn key(claim: &Claim) -> Key {
    (claim.name.clone(), claim.owner)
}

#[async_trait]
impl LeaseStore for FileStore {
    fn label(&self) -> &StoreLabel {
        &self.label
    }

    fn promises(&self) -> Promises {
        Promises {
            shortest_ttl: SMALLEST_TTL,
            longest_ttl: LARGEST_TTL,
            fencing: Fencing::Durable,
            expiry: Expiry::WithItsProcess,
            change: Change::Pushed,
            onlookers: Change::Pushed,
            broken_by: &[
                "leasectl and its guardian are killed by SIGKILL in the same instant, nothing above them kills \
                 the rest, and the rest has closed the lock's descriptor",
                "the lock file or its directory is removed or replaced under a holder, for the moment until \
                 that is found",
                "another machine, which has leases of its own",
            ],
        }
    }

    async fn try_acquire(&self, claim: &Claim) -> Result<Attempt, StoreError> {
        self.acquire(claim).map_err(self.error(Doing::Acquire))
    }

    async fn wait_for_turn(
        &self,
        claim: &Claim,
        place: &mut Place,
        at_most: Duration,
    ) -> Result<(), StoreError> {
        let waited = self.wait(claim, place, at_most).await;
        waited.map_err(self.error(Doing::Wait))
    }

    async fn withdraw(&self, claim: &Claim) -> Result<(), StoreError> {
        let key = key(claim);
        self.queue.give_up(&key);
        // Nothing was run under it, so its minimum hold goes too.
        let _freed = self.end(&key, &Ending::withdrawn(), true);
        Ok(())
    }

    async fn renew(&self, hold: &Hold) -> Result<Renewal, StoreError> {
        let event = self.event_of(hold).map_err(self.error(Doing::Renew))?;
        Ok(match event {
            None => Renewal::EXTENDED,
            Some(HoldEvent::StopAsked(request)) => Renewal::Extended {
                server_time: None,
                asked: Some(request),
            },
            Some(HoldEvent::Lost(why)) => Renewal::lost(why),
        })
    }

    async fn hold_event(&self, hold: &Hold) -> Result<HoldEvent, StoreError> {
        let files = self.files(&hold.name);
        let event = onlooker::until_told(&files, || self.event_of(hold)).await;
        event.map_err(self.error(Doing::Renew))
    }

    async fn release(&self, hold: &Hold, ending: &Ending) -> Result<Release, StoreError> {
        let key = (hold.name.clone(), hold.owner);
        Ok(self.end(&key, ending, ending.clears_min_hold()))
    }

    async fn observe(&self, name: &LeaseName) -> Result<Observation, StoreError> {
        self.look(name).map_err(self.error(Doing::Observe))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Observation>, StoreError> {
        self.all(prefix).map_err(self.error(Doing::List))
    }

    async fn wait_for_change(
        &self,
        seen: &Observation,
        at_most: Duration,
    ) -> Result<(), StoreError> {
        let files = self.files(&seen.name);
        let changed = onlooker::until_changed(&files, seen, at_most, || self.look(&seen.name));
        changed.await.map_err(self.error(Doing::Observe))
    }

    async fn wait_for_any_change(
        &self,
        seen: &[Observation],
        prefix: Option<&str>,
        at_most: Duration,
    ) -> Result<(), StoreError> {
        let changed = self.until_any_changed(seen, prefix, at_most).await;
        changed.map_err(self.error(Doing::List))
    }

    async fn ask(&self, name: &LeaseName, what: Ask, asker: &Asker) -> Result<Asked, StoreError> {
        let asked = self.asked(name, what, asker);
        asked.map_err(self.error(Doing::Ask))
    }

    async fn forget(&self, name: &LeaseName) -> Result<(), StoreError> {
        self.files(name).forget().map_err(self.error(Doing::Forget))
    }

    async fn revoke(
        &self,
        name: &LeaseName,
        token: FencingToken,
        _: &Asker,
    ) -> Result<Revoked, StoreError> {
        let revoked = self.why_not_revoked(name, token);
        revoked.map_err(self.error(Doing::Revoke))
    }
}
