//! An independent reader of the store: it shares no code with leasectl, and no way to the server.

use std::fs::File;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::thread::sleep;
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};

use crate::Outcome;
use crate::contender::{Place, lease_name};
use crate::judge::Judge;
use crate::options::{Options, Store};
use crate::processes::raw_now;
use crate::server::connection;

/// Between two looks, and from a look until it is judged: what was alive then has said so by then.
const EVERY: Duration = Duration::from_millis(10);
const JUDGED_AFTER: u64 = 500_000_000;

/// Leases whose record was taken away: until then the store says nothing of who is alive.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blind(Arc<Mutex<Vec<u64>>>);

impl Blind {
    pub(crate) fn new(leases: u64) -> Self {
        Self(Arc::new(Mutex::new((0..leases).map(|_| 0).collect())))
    }

    pub(crate) fn until(&self, lease: u64, at: u64) {
        let mut until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let one = usize::try_from(lease)
            .ok()
            .and_then(|lease| until.get_mut(lease));
        if let Some(one) = one {
            *one = at;
        }
    }

    fn at(&self, lease: u64, at: u64) -> bool {
        let until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let one = usize::try_from(lease)
            .ok()
            .and_then(|lease| until.get(lease));
        one.is_none_or(|until| at < *until)
    }
}

/// Looks until the process ends.
pub(crate) fn start(options: &Options, place: &Place, port: Option<u16>, judge: &Judge) -> Blind {
    let blind = Blind::new(options.leases);
    let (options, place) = (options.clone(), place.clone());
    let (judge, seen) = (judge.clone(), blind.clone());
    thread::spawn(move || {
        let mut pending: Vec<(u64, u64, u64)> = Vec::new();
        let mut link = None;
        for lease in (0..options.leases).cycle() {
            sleep(EVERY);
            let before = raw_now();
            let free = match options.store {
                Store::File => is_free_file(&place, lease),
                _ => is_free_redis(&mut link, port.unwrap_or_default(), &place, lease),
            };
            let after = raw_now();
            // A store that does not answer says nothing.
            if free.is_ok_and(|free| free) && !seen.at(lease, before) {
                pending.push((lease, before, after));
            }
            let mut history = judge.history();
            pending.retain(|&(lease, before, after)| {
                let due = after + JUDGED_AFTER < raw_now();
                if due && !seen.at(lease, before) {
                    history.seen_free(lease, before, after);
                }
                !due
            });
        }
    });
    blind
}

/// Asks the kernel about the lock without taking it.
fn is_free_file(place: &Place, lease: u64) -> Outcome<bool> {
    let path = place.path(&format!("store/{}.lock", lease_name(lease)));
    let Ok(file) = File::options().read(true).write(true).open(path) else {
        return Ok(false);
    };
    let mut asked = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(file.as_fd(), FcntlArg::F_OFD_GETLK(&mut asked))?;
    Ok(i32::from(asked.l_type) == libc::F_UNLCK)
}

/// Reads the hash as `reference` has it: held by somebody, and not beyond its end by the server's clock.
fn is_free_redis(
    link: &mut Option<redis::Connection>,
    port: u16,
    place: &Place,
    lease: u64,
) -> Outcome<bool> {
    const LOOK: &str = "local l = redis.call('KEYS', '*:l:' .. ARGV[1])[1] \
        if not l then return 1 end \
        local h = redis.call('HMGET', l, '1.s', '1.e') \
        local t = redis.call('TIME') \
        if h[1] == 'held' and tonumber(h[2]) > t[1] * 1000 + t[2] / 1000 then return 0 end \
        return 1";
    if link.is_none() {
        *link = Some(connection(port, &place.canary)?);
    }
    let Some(open) = link else {
        return Err("no connection".into());
    };
    let mut command = redis::cmd("EVAL");
    let asked = command
        .arg(LOOK)
        .arg(0)
        .arg(lease_name(lease))
        .query::<i64>(open);
    if asked.is_err() {
        *link = None;
    }
    Ok(asked? == 1)
}
