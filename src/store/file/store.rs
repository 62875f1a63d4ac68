//! [`LeaseStore`] on files; the algorithm is in the folder's `mod.rs`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::FileStat;

use super::config::Config;
use super::counter::{BLOCK, Counter, Now};
use super::directory::Directory;
use super::files::{CounterFile, Files};
use super::lock::{LockFile, Locked, MOST_CHANGES, keeps_changing, unlock};
use super::look;
use super::onlooker;
use super::trouble::Trouble;
use super::waiter::Ticket;
use super::wire::{Region, new_counter};
use crate::clock::{Clock, Instant};
use crate::lease::{
    Attempt, Change, Claim, Doing, Ending, Expiry, Fencing, Hold, LARGEST_TTL, LeaseName,
    LeaseRecord, LeaseState, LeaseStore, LostWhy, Observation, OwnerId, Place, Promises, Refusal,
    RefusedWhy, Release, Renewal, SMALLEST_TTL, StoreError, StoreLabel,
};
use crate::process::identity::boot_id;

type Key = (LeaseName, OwnerId);

/// Leases in a directory of this machine.
#[derive(Debug)]
pub struct FileStore {
    label: StoreLabel,
    directory: Directory,
    clock: Arc<dyn Clock>,
    boot: String,
    holds: Mutex<HashMap<Key, Held>>,
    tickets: Mutex<HashMap<Key, Weak<Ticket>>>,
}

#[derive(Debug)]
struct Held {
    hold: Hold,
    stat: FileStat,
}

/// What a [`Place`] of this store holds.
#[derive(Debug)]
struct Queued {
    ticket: Arc<Ticket>,
    /// The end of a minimum hold: until then nobody waits for the lock, which is free.
    cooldown_until: Option<Instant>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FileStore {
    /// Opens the directory, and creates it where that is ours to do.
    ///
    /// # Errors
    /// When the directory is missing, unsafe, on a network file system or not ours to open.
    pub fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let label = config.label();
        let opened = Directory::open(config).and_then(|directory| match boot_id() {
            Ok(boot) => Ok((directory, boot)),
            Err(error) => Err(Trouble::System(format!(
                "cannot read the boot id: {error}; is /proc mounted?"
            ))),
        });
        match opened {
            Ok((directory, boot)) => Ok(Self {
                label,
                directory,
                clock,
                boot,
                holds: Mutex::default(),
                tickets: Mutex::default(),
            }),
            Err(trouble) => Err(trouble.into_error(&label, Doing::Open)),
        }
    }

    fn error(&self, doing: Doing) -> impl FnOnce(Trouble) -> StoreError + '_ {
        move |trouble| trouble.into_error(&self.label, doing)
    }

    fn files(&self, name: &LeaseName) -> Files<'_> {
        Files::of(&self.directory, name)
    }

    fn now(&self) -> Now {
        Now {
            boot: self.clock.now(),
            wall: self.clock.wall(),
        }
    }

    fn look(&self, name: &LeaseName) -> Result<Observation, Trouble> {
        look::at(&self.files(name), name, &self.boot, self.now())
    }

    fn acquire(&self, claim: &Claim) -> Result<Attempt, Trouble> {
        let key = key(claim);
        if let Some(held) = locked(&self.holds).get(&key) {
            return Ok(Attempt::Granted(held.hold.clone()));
        }
        let files = self.files(&claim.name);
        let Some(lock) = self.lock(claim, &files)? else {
            return Ok(self.refused(claim, RefusedWhy::Held, None));
        };
        let now = self.now();
        let before = files.read_record(&claim.name);
        let mut counter = self.counter(&files, before.as_ref(), now)?;
        let rest = counter.rest(now);
        if !rest.is_zero() {
            drop(lock);
            // A thread of ours that is asleep would get the lock now and sit on it.
            self.give_up(&key);
            return Ok(self.refused(claim, RefusedWhy::Cooldown, Some((rest, now))));
        }
        let token = counter
            .take(claim.min_hold, now)
            .map_err(|error| files.no_token(error))?;
        let record = LeaseRecord::of_grant(claim, token, now.wall, before.as_ref());
        files.write_record(&record)?;
        let Some((fd, stat)) = lock.keep() else {
            return Err(keeps_changing(&files, &self.directory));
        };
        let hold = Hold {
            name: claim.name.clone(),
            owner: claim.owner,
            token,
            ttl: None,
            lock: Some(fd),
        };
        let held = Held {
            hold: hold.clone(),
            stat,
        };
        locked(&self.holds).insert(key.clone(), held);
        self.give_up(&key);
        Ok(Attempt::Granted(hold))
    }

    /// The lock on the file that has the lease's name now; `None`: somebody else has it.
    fn lock(&self, claim: &Claim, files: &Files<'_>) -> Result<Option<Locked>, Trouble> {
        let ticket = self.ticket(&key(claim));
        let waited = || ticket.as_ref().and_then(|ticket| ticket.take());
        for _ in 0..MOST_CHANGES {
            let lock = match waited() {
                Some(lock) => lock,
                None => {
                    let file = LockFile::open(files, &self.directory)?;
                    let tried = file.try_lock();
                    match tried.map_err(|errno| files.trouble("lock", &files.lock, errno))? {
                        Ok(lock) => lock,
                        // Between the look at the ticket and the try our own thread may have got it.
                        Err(_) => match waited() {
                            Some(lock) => lock,
                            None => return Ok(None),
                        },
                    }
                }
            };
            if lock.is_current(files)? {
                return Ok(Some(lock));
            }
        }
        Err(keeps_changing(files, &self.directory))
    }

    fn counter(
        &self,
        files: &Files<'_>,
        before: Option<&LeaseRecord>,
        now: Now,
    ) -> Result<Counter<CounterFile>, Trouble> {
        let fd = match self.open_counter(files)? {
            Some(fd) => fd,
            None => {
                let told = before.map_or(0, |record| record.token.get());
                let micros = now.wall.unix_millis().saturating_mul(1_000);
                let start = micros.max(told.saturating_add(1));
                let region = Region {
                    boot: self.boot.clone(),
                    next: start,
                    synced: start.saturating_add(BLOCK - 1),
                    hold: None,
                };
                files.create_counter(&new_counter(region.synced, &region))?;
                let Some(fd) = self.open_counter(files)? else {
                    return Err(files.trouble("open", &files.token, Errno::ENOENT));
                };
                fd
            }
        };
        Counter::open(fd, &self.boot, now).map_err(|error| files.no_token(error))
    }

    /// The counter's file, unless it is missing or empty.
    fn open_counter(&self, files: &Files<'_>) -> Result<Option<CounterFile>, Trouble> {
        let Some(fd) = files.open(&files.token, OFlag::O_RDWR)? else {
            return Ok(None);
        };
        let stat = files.check(&files.token, &fd)?;
        Ok((stat.st_size > 0).then_some(CounterFile(fd)))
    }

    fn refused(&self, claim: &Claim, why: RefusedWhy, rest: Option<(Duration, Now)>) -> Attempt {
        let files = self.files(&claim.name);
        let record = files.read_record(&claim.name);
        let cooldown_until = rest.map(|(rest, now)| now.wall.plus(rest));
        let by = match why {
            RefusedWhy::Held => look::held(&claim.name, record),
            RefusedWhy::Cooldown => Observation {
                name: claim.name.clone(),
                state: LeaseState::Cooldown,
                record,
                expires_in: None,
                cooldown_until,
            },
        };
        let queued = Queued {
            ticket: self.new_ticket(key(claim)),
            cooldown_until: rest.map(|(rest, now)| now.boot + rest),
        };
        Attempt::Refused(Refusal {
            why,
            by,
            look_again: rest.map(|(rest, _)| rest),
            place: Place(Some(Box::new(queued))),
        })
    }

    fn ticket(&self, key: &Key) -> Option<Arc<Ticket>> {
        locked(&self.tickets).get(key).and_then(Weak::upgrade)
    }

    /// The ticket of this claim: the one it has, or a new one.
    fn new_ticket(&self, key: Key) -> Arc<Ticket> {
        let mut tickets = locked(&self.tickets);
        tickets.retain(|_, ticket| ticket.strong_count() > 0);
        if let Some(ticket) = tickets.get(&key).and_then(Weak::upgrade) {
            return ticket;
        }
        let ticket = Arc::new(Ticket::default());
        tickets.insert(key, Arc::downgrade(&ticket));
        ticket
    }

    fn give_up(&self, key: &Key) {
        let ticket = locked(&self.tickets).remove(key);
        if let Some(ticket) = ticket.and_then(|ticket| ticket.upgrade()) {
            ticket.give_up();
        }
    }

    async fn wait(
        &self,
        claim: &Claim,
        place: &mut Place,
        at_most: Duration,
    ) -> Result<(), Trouble> {
        let (ticket, until) = match place.0.as_ref().and_then(|p| p.downcast_ref::<Queued>()) {
            Some(queued) if !queued.ticket.is_given_up() => {
                (Arc::clone(&queued.ticket), queued.cooldown_until)
            }
            Some(_) | None => {
                let ticket = self.new_ticket(key(claim));
                *place = Place(Some(Box::new(Queued {
                    ticket: Arc::clone(&ticket),
                    cooldown_until: None,
                })));
                (ticket, None)
            }
        };
        let rest = until.map_or(Duration::ZERO, |until| until.since(self.clock.now()));
        if !rest.is_zero() {
            tokio::time::sleep(rest.min(at_most)).await;
            return Ok(());
        }
        let files = self.files(&claim.name);
        if ticket.is_idle() {
            let file = LockFile::open(&files, &self.directory)?;
            ticket.start(file).map_err(|error| {
                Trouble::System(format!("cannot start the thread that waits: {error}"))
            })?;
        }
        let waited = ticket.wait(at_most).await;
        waited.map_err(|errno| files.trouble("wait for the lock of", &files.lock, errno))
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

fn key(claim: &Claim) -> Key {
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
        self.give_up(&key);
        // Nothing was run under it, so its minimum hold goes too.
        let _freed = self.end(&key, &Ending::withdrawn(), true);
        Ok(())
    }

    async fn renew(&self, hold: &Hold) -> Result<Renewal, StoreError> {
        let files = self.files(&hold.name);
        let holds = locked(&self.holds);
        let current = match holds.get(&(hold.name.clone(), hold.owner)) {
            Some(held) if held.hold.token == hold.token => files
                .is_current(&files.lock, &held.stat)
                .map_err(self.error(Doing::Renew))?,
            Some(_) | None => false,
        };
        Ok(if current {
            Renewal::Extended
        } else {
            Renewal::Lost(LostWhy::Vanished)
        })
    }

    async fn release(&self, hold: &Hold, ending: &Ending) -> Result<Release, StoreError> {
        let key = (hold.name.clone(), hold.owner);
        Ok(self.end(&key, ending, ending.clears_min_hold()))
    }

    async fn observe(&self, name: &LeaseName) -> Result<Observation, StoreError> {
        self.look(name).map_err(self.error(Doing::Observe))
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
}
