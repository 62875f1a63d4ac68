//! Waiting for what people are shown of a lease to change, without taking part in anything.
//!
//! The kernel tells of writing, closing and replacing files (inotify(7)), which is all that a holder
//! does that comes and goes. What it does not tell of is followed up: a lock that goes without its
//! file being closed, and one that goes a moment after that. Nothing here may be relied upon for
//! exclusion, and a machine without inotify instances to spare only looks less often.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent};
use tokio::io::unix::AsyncFd;
use tokio::time::{sleep, timeout};

use super::files::Files;
use super::trouble::Trouble;
use crate::clock::{BootClock, Clock};
use crate::lease::{LeaseState, Observation};
use crate::process;

/// The first pause between two looks, and the longest: pauses double from one to the other. Too short
/// costs the machine, too long shows people a holder that is gone.
pub(super) const SHORTEST: Duration = Duration::from_millis(4);
pub(super) const LONGEST: Duration = Duration::from_secs(2);

/// Returns when `look` shows something else than what was `seen`, or when it is worth starting anew,
/// at the latest after `at_most`.
pub(super) async fn until_changed(
    files: &Files<'_>,
    seen: &Observation,
    at_most: Duration,
    look: impl Fn() -> Result<Observation, Trouble>,
) -> Result<(), Trouble> {
    // Watched first, looked second. The other way round, what happens between the look and the watch
    // would be slept through.
    let watch = Watch::of(files);
    let changed = timeout(at_most, changed(watch, seen, look));
    changed.await.unwrap_or(Ok(()))
}

async fn changed(
    watch: Option<Watch>,
    seen: &Observation,
    look: impl Fn() -> Result<Observation, Trouble>,
) -> Result<(), Trouble> {
    // Who holds without a record writes nothing when it goes.
    let untold = watch.is_none() || (seen.state == LeaseState::Held && seen.record.is_none());
    let mut pause = untold.then_some(SHORTEST);
    loop {
        if !look()?.shows_the_same_as(seen) {
            return Ok(());
        }
        match hear(watch.as_ref(), pause.or_else(|| rest(seen))).await {
            Heard::Replaced => return Ok(()),
            // A file is said to be closed before its lock goes, and a record may be half written.
            Heard::Touched => pause = Some(SHORTEST),
            Heard::Nothing if pause.is_none() => return Ok(()),
            Heard::Nothing => {
                pause = pause
                    .map(|pause| pause * 2)
                    .filter(|longer| *longer < LONGEST)
                    .or_else(|| untold.then_some(LONGEST));
            }
        }
    }
}

/// What is left of a minimum hold or a pause that keeps everyone out: when it is over, nobody writes.
pub(super) fn rest(seen: &Observation) -> Option<Duration> {
    let until = match seen.state {
        LeaseState::Cooldown => seen.cooldown_until,
        LeaseState::Paused => seen.paused.as_ref()?.until_at,
        LeaseState::Held | LeaseState::Free => None,
    };
    until.map(|until| until.since(BootClock.wall()))
}

/// So long a holder is not watched for. The end of a watch costs the kernel some 15 ms (it waits for whoever may be
/// reading), which a command that ends at once need not pay; what was asked meanwhile is seen then.
const UNWATCHED: Duration = Duration::from_millis(100);

/// Returns what `look` finds as soon as it finds something. Without inotify it finds what is there now or
/// nothing: a holder looks again with each renewal anyway.
pub(super) async fn until_told<T>(
    files: &Files<'_>,
    look: impl Fn() -> Result<Option<T>, Trouble>,
) -> Result<T, Trouble> {
    sleep(UNWATCHED).await;
    loop {
        let watch = Watch::for_the_holder(files);
        if let Some(told) = look()? {
            return Ok(told);
        }
        match watch {
            Some(watch) => {
                // Whatever it was: the look tells.
                let _heard = watch.hear().await;
            }
            None => std::future::pending().await,
        }
    }
}

enum Heard {
    /// Nothing, for as long as one was willing to wait.
    Nothing,
    /// Somebody wrote into a file, or closed one.
    Touched,
    /// A file came or went: the watch no longer fits.
    Replaced,
}

async fn hear(watch: Option<&Watch>, at_most: Option<Duration>) -> Heard {
    match (watch, at_most) {
        (Some(watch), None) => watch.hear().await,
        (Some(watch), Some(at_most)) => timeout(at_most, watch.hear())
            .await
            .unwrap_or(Heard::Nothing),
        (None, at_most) => {
            sleep(at_most.unwrap_or(LONGEST)).await;
            Heard::Nothing
        }
    }
}

/// A watch on the files of one lease.
struct Watch {
    inotify: Inotify,
    ready: AsyncFd<OwnedFd>,
    /// What was not there: that it comes is told by the directory, with much that is not ours.
    absent: Vec<OsString>,
}

pub(super) const fn gone() -> AddWatchFlags {
    AddWatchFlags::IN_ATTRIB
        .union(AddWatchFlags::IN_DELETE_SELF)
        .union(AddWatchFlags::IN_MOVE_SELF)
}

impl Watch {
    /// `None`: the user has no instances or watches left, or may not read the files.
    fn of(files: &Files<'_>) -> Option<Self> {
        let gone = gone();
        Self::on(
            files,
            &[
                (&files.record, gone | AddWatchFlags::IN_MODIFY),
                (&files.lock, gone | AddWatchFlags::IN_CLOSE_WRITE),
                (&files.ask, gone),
            ],
        )
    }

    /// What the holder itself writes is no news to it.
    fn for_the_holder(files: &Files<'_>) -> Option<Self> {
        Self::on(files, &[(&files.lock, gone()), (&files.ask, gone())])
    }

    fn on(files: &Files<'_>, watched: &[(&String, AddWatchFlags)]) -> Option<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).ok()?;
        let mut absent = Vec::new();
        for (file, what) in watched {
            let path = files.open_path_of(file);
            match inotify.add_watch(&path, *what | AddWatchFlags::IN_DONT_FOLLOW) {
                Ok(_) => {}
                Err(Errno::ENOENT) => absent.push(OsString::from(file)),
                // Another user's lock file cannot be watched; that user's record can.
                Err(Errno::EACCES) => {}
                Err(_) => return None,
            }
        }
        if !absent.is_empty() {
            let come = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
            let here = inotify.add_watch(&files.open_path_of("."), come | gone());
            here.ok()?;
        }
        let ready = process::watch(inotify.as_fd()).ok()?;
        Some(Self {
            inotify,
            ready,
            absent,
        })
    }

    /// Not the coming of another lease's file.
    fn is_ours(&self, event: &InotifyEvent) -> bool {
        let name = event.name.as_ref();
        name.is_none_or(|name| self.absent.contains(name))
    }

    async fn hear(&self) -> Heard {
        loop {
            let Ok(mut ready) = self.ready.readable().await else {
                return Heard::Replaced;
            };
            let events = match self.inotify.read_events() {
                Ok(events) => events,
                Err(Errno::EAGAIN | Errno::EINTR) => {
                    ready.clear_ready();
                    continue;
                }
                Err(_) => return Heard::Replaced,
            };
            let events: Vec<_> = events
                .into_iter()
                .filter(|event| self.is_ours(event))
                .collect();
            if events.is_empty() {
                continue;
            }
            let touched = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CLOSE_WRITE;
            return if events.iter().all(|event| touched.contains(event.mask)) {
                Heard::Touched
            } else {
                Heard::Replaced
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::config::{Config, Origin};
    use super::super::directory::Directory;
    use super::*;
    use crate::lease::LeaseName;

    const LONG: Duration = Duration::from_secs(60);

    fn seen() -> Observation {
        Observation::untouched(LeaseName::new("a").unwrap())
    }

    fn directory(around: &tempfile::TempDir) -> Directory {
        let directory = around.path().join("leases");
        let origin = Origin::Named;
        Directory::open(&Config { directory, origin }).unwrap()
    }

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(test);
    }

    #[test]
    fn what_is_written_closed_or_replaced_is_heard() {
        let around = tempfile::tempdir().unwrap();
        let directory = directory(&around);
        let files = Files::of(&directory, &seen().name);
        let path = |file: &str| around.path().join("leases").join(file);
        run(async {
            let heard = async |act: &dyn Fn()| {
                let watch = Watch::of(&files).unwrap();
                act();
                timeout(LONG, watch.hear()).await.unwrap()
            };
            let create = || drop(std::fs::write(path("a.record"), "1"));
            assert!(matches!(heard(&create).await, Heard::Replaced));
            std::fs::write(path("a.lock"), "").unwrap();
            let write = || drop(std::fs::write(path("a.record"), "2"));
            assert!(matches!(heard(&write).await, Heard::Touched));
            let lock = std::fs::OpenOptions::new().write(true).open(path("a.lock"));
            let lock = Cell::new(Some(lock.unwrap()));
            let close = || drop(lock.take());
            assert!(matches!(heard(&close).await, Heard::Touched));
            let replace = || std::fs::remove_file(path("a.record")).unwrap();
            assert!(matches!(heard(&replace).await, Heard::Replaced));
        });
    }

    #[test]
    fn without_a_watch_it_looks_at_growing_distances() {
        run(async {
            let looks = Cell::new(0);
            let look = || {
                looks.set(looks.get() + 1);
                Ok(seen())
            };
            let seen = seen();
            let limit = Duration::from_millis(300);
            let over = timeout(limit, changed(None, &seen, look)).await;
            assert!(over.is_err(), "nothing has changed");
            // After 0, 4, 12, 28, 60, 124 and 252 ms; fewer on a busy machine.
            assert!((2..=7).contains(&looks.get()), "{}", looks.get());
        });
    }

    /// Free until it was looked at five times.
    fn held_at_last(looks: &Cell<u32>) -> Observation {
        looks.set(looks.get() + 1);
        let state = if looks.get() < 5 {
            LeaseState::Free
        } else {
            LeaseState::Held
        };
        Observation { state, ..seen() }
    }

    #[test]
    fn what_is_heard_is_looked_at_more_than_once() {
        let around = tempfile::tempdir().unwrap();
        let directory = directory(&around);
        let files = Files::of(&directory, &seen().name);
        for file in ["a.record", "a.lock"] {
            std::fs::write(around.path().join("leases").join(file), "").unwrap();
        }
        run(async {
            let watch = Watch::of(&files);
            assert!(watch.is_some());
            std::fs::write(around.path().join("leases/a.lock"), "").unwrap();
            let looks = Cell::new(0);
            let seen = seen();
            let changed = changed(watch, &seen, || Ok(held_at_last(&looks)));
            timeout(LONG, changed).await.unwrap().unwrap();
            assert_eq!(looks.get(), 5);
        });
    }

    #[test]
    fn a_holder_without_a_record_is_looked_at_again() {
        let around = tempfile::tempdir().unwrap();
        let directory = directory(&around);
        let files = Files::of(&directory, &seen().name);
        run(async {
            let watch = Watch::of(&files);
            assert!(watch.is_some());
            let looks = Cell::new(0);
            // Its lock goes, and no file tells of it.
            let look = || {
                looks.set(looks.get() + 1);
                let state = if looks.get() < 5 {
                    LeaseState::Held
                } else {
                    LeaseState::Free
                };
                Ok(Observation { state, ..seen() })
            };
            let told = Observation {
                state: LeaseState::Held,
                ..seen()
            };
            let changed = timeout(LONG, changed(watch, &told, look)).await;
            changed.unwrap().unwrap();
            assert_eq!(looks.get(), 5);
        });
    }
}
