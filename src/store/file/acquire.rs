//! One attempt to acquire: the lock, what keeps everyone out, the token, the record.

use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::asks::{self, Asks};
use super::counter::{BLOCK, Counter, Now};
use super::files::{CounterFile, Files};
use super::lock::{LockFile, Locked, MOST_CHANGES, keeps_changing};
use super::look;
use super::queue::Queued;
use super::store::{FileStore, Held, key, locked};
use super::trouble::Trouble;
use super::wire::{Region, new_counter};
use crate::lease::{Attempt, Claim, Hold, LeaseRecord, Observation, Refusal, RefusedWhy};

impl FileStore {
    pub(super) fn acquire(&self, claim: &Claim) -> Result<Attempt, Trouble> {
        self.to_take_part()?;
        let key = key(claim);
        if let Some(held) = locked(&self.holds).get(&key) {
            return Ok(Attempt::Granted(held.hold.clone()));
        }
        let files = self.files(&claim.name);
        let Some(lock) = self.lock(claim, &files)? else {
            let record = files.read_record(&claim.name);
            let by = look::held(&claim.name, record);
            return Ok(self.refused(claim, RefusedWhy::Held, by, None));
        };
        let now = self.now();
        let before = files.read_record(&claim.name);
        let mut counter = self.counter(&files, before.as_ref(), now)?;
        let asks = asks::read(&files);
        if let Some((why, rest)) = self.shut(&counter, asks.as_ref(), now) {
            drop(lock);
            // A thread of ours that is asleep would get the lock now and sit on it.
            self.queue.give_up(&key);
            let by = self.look(&claim.name)?;
            return Ok(self.refused(claim, why, by, Some(rest)));
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
        self.queue.give_up(&key);
        Ok(Attempt::Granted(hold))
    }

    /// The lock on the file that has the lease's name now; `None`: somebody else has it.
    fn lock(&self, claim: &Claim, files: &Files<'_>) -> Result<Option<Locked>, Trouble> {
        let ticket = self.queue.ticket(&key(claim));
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
    pub(super) fn open_counter(&self, files: &Files<'_>) -> Result<Option<CounterFile>, Trouble> {
        let Some(fd) = files.open(&files.token, OFlag::O_RDWR)? else {
            return Ok(None);
        };
        let stat = files.check(&files.token, &fd)?;
        Ok((stat.st_size > 0).then_some(CounterFile(fd)))
    }

    /// What keeps everyone out although nobody holds, and for how long.
    fn shut(
        &self,
        counter: &Counter<CounterFile>,
        asks: Option<&Asks>,
        now: Now,
    ) -> Option<(RefusedWhy, Duration)> {
        if let Some((_, rest)) = asks.and_then(|asks| asks.pause(&self.boot, now)) {
            return Some((RefusedWhy::Paused, rest));
        }
        let cleared = asks.is_some_and(|asks| asks.has_cleared(counter.last()));
        let rest = counter.rest(now);
        (!cleared && !rest.is_zero()).then_some((RefusedWhy::Cooldown, rest))
    }

    fn refused(
        &self,
        claim: &Claim,
        why: RefusedWhy,
        by: Observation,
        look_again: Option<Duration>,
    ) -> Attempt {
        let queued = Queued {
            ticket: self.queue.enter(key(claim)),
            shut: look_again.map(|_| Box::new(by.clone())),
        };
        Attempt::Refused(Refusal {
            why,
            by,
            look_again: look_again.filter(|rest| *rest != Duration::MAX),
            place: queued.into_place(),
        })
    }
}
