//! Waiting for a change of any of many leases: one watch on the directory tells of all of them, and only
//! those whose files were touched are looked at again.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::io::unix::AsyncFd;
use tokio::time::{sleep, timeout};

use super::directory::Directory;
use super::onlooker::{LONGEST, SHORTEST, gone, rest};
use super::operators::own_of;
use super::store::FileStore;
use super::trouble::Trouble;
use super::wire::encoded;
use crate::lease::{LeaseState, Observation};
use crate::process;

impl FileStore {
    /// Returns when one of those that were `seen` shows something else, or another whose name begins with
    /// `prefix` has come, at the latest after `at_most`.
    pub(super) async fn until_any_changed(
        &self,
        seen: &[Observation],
        prefix: Option<&str>,
        at_most: Duration,
    ) -> Result<(), Trouble> {
        // Watched first, looked second. The other way round, what happens between the look and the watch
        // would be slept through.
        let watch = Watch::on(&self.directory);
        let seen = seen.iter().map(|seen| (encoded(&seen.name), seen));
        let overview = Overview {
            store: self,
            seen: seen.collect(),
            prefix,
        };
        let changed = timeout(at_most, overview.changed(watch));
        changed.await.unwrap_or(Ok(()))
    }
}

/// What was seen, by the part of the files' names that is each lease's own.
struct Overview<'a> {
    store: &'a FileStore,
    seen: BTreeMap<String, &'a Observation>,
    prefix: Option<&'a str>,
}

impl Overview<'_> {
    async fn changed(&self, watch: Option<Watch>) -> Result<(), Trouble> {
        if self.any_has_changed()? {
            return Ok(());
        }
        let Some(watch) = watch else {
            return self.changed_without_a_watch().await;
        };
        // Who holds without a record writes nothing when it goes.
        let untold = |seen: &&&Observation| seen.state == LeaseState::Held && seen.record.is_none();
        let untold = self.seen.values().filter(untold);
        let untold: BTreeSet<String> = untold.map(|seen| encoded(&seen.name)).collect();
        let (mut followed, mut pause) = (untold.clone(), SHORTEST);
        // When nobody writes because it is only time that passes.
        let by_itself = self.seen.values().filter_map(|seen| rest(seen)).min();
        let by_itself = by_itself.and_then(|rest| Instant::now().checked_add(rest));
        loop {
            let left = by_itself.map(|end| end.saturating_duration_since(Instant::now()));
            let again = (!followed.is_empty()).then_some(pause);
            match watch.hear(again.into_iter().chain(left).min()).await {
                Heard::Gone => return Ok(()),
                Heard::Nothing
                    if left.is_some_and(|left| again.is_none_or(|again| left <= again)) =>
                {
                    return Ok(());
                }
                Heard::Nothing => {
                    pause = (pause * 2).min(LONGEST);
                    if pause == LONGEST {
                        followed.clone_from(&untold);
                    }
                }
                // A file is said to be closed before its lock goes, and a record may be half written.
                Heard::Touched(files) => {
                    let owns = files.iter().filter_map(|file| own_of(file));
                    followed.extend(owns.filter(|own| self.concerns(own)).map(str::to_owned));
                    pause = SHORTEST;
                }
            }
            if followed.iter().any(|own| self.has_changed(own)) {
                return Ok(());
            }
        }
    }

    async fn changed_without_a_watch(&self) -> Result<(), Trouble> {
        let mut pause = SHORTEST;
        loop {
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST);
            if self.any_has_changed()? {
                return Ok(());
            }
        }
    }

    fn concerns(&self, own: &str) -> bool {
        let new = |prefix| {
            let name = self.store.name_of(own);
            name.is_some_and(|name| name.as_str().starts_with(prefix))
        };
        self.seen.contains_key(own) || self.prefix.is_some_and(new)
    }

    fn has_changed(&self, own: &str) -> bool {
        if let Some(seen) = self.seen.get(own) {
            return !self.store.look_anyway(&seen.name).shows_the_same_as(seen);
        }
        let name = self.store.name_of(own);
        name.is_some_and(|name| self.store.is_a_lease(&self.store.look_anyway(&name)))
    }

    fn any_has_changed(&self) -> Result<bool, Trouble> {
        let listed = self
            .prefix
            .map(|prefix| self.store.all(prefix))
            .transpose()?;
        let listed = listed.into_iter().flatten();
        let listed: BTreeMap<_, _> = listed.map(|now| (encoded(&now.name), now)).collect();
        if listed.keys().any(|own| !self.seen.contains_key(own)) {
            return Ok(true);
        }
        // What is listed has been looked at.
        Ok(self.seen.iter().any(|(own, seen)| match listed.get(own) {
            Some(now) => !now.shows_the_same_as(seen),
            None => self.has_changed(own),
        }))
    }
}

enum Heard {
    /// Nothing, for as long as one was willing to wait.
    Nothing,
    /// These files came, went, were written or closed.
    Touched(Vec<String>),
    /// The directory has gone, or more happened than the kernel could tell.
    Gone,
}

/// A watch on the directory.
struct Watch {
    inotify: Inotify,
    ready: AsyncFd<OwnedFd>,
}

impl Watch {
    /// `None`: the user has no instances or watches left.
    fn on(directory: &Directory) -> Option<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).ok()?;
        let touched = AddWatchFlags::IN_MODIFY
            | AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_MOVED_TO;
        let path = format!("/proc/self/fd/{}/.", directory.as_fd().as_raw_fd());
        inotify.add_watch(path.as_str(), touched | gone()).ok()?;
        let ready = process::watch(inotify.as_fd()).ok()?;
        Some(Self { inotify, ready })
    }

    async fn hear(&self, at_most: Option<Duration>) -> Heard {
        match at_most {
            None => self.heard().await,
            Some(at_most) => timeout(at_most, self.heard())
                .await
                .unwrap_or(Heard::Nothing),
        }
    }

    async fn heard(&self) -> Heard {
        loop {
            let Ok(mut ready) = self.ready.readable().await else {
                return Heard::Gone;
            };
            let events = match self.inotify.read_events() {
                Ok(events) => events,
                Err(Errno::EAGAIN | Errno::EINTR) => {
                    ready.clear_ready();
                    continue;
                }
                Err(_) => return Heard::Gone,
            };
            // What has no name is told of the directory itself, or is that something was left out.
            let names = events.into_iter().map(|event| event.name);
            let files: Option<Vec<_>> = names.collect();
            return match files {
                None => Heard::Gone,
                Some(files) => Heard::Touched(
                    files
                        .into_iter()
                        .filter_map(|file| file.into_string().ok())
                        .collect(),
                ),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::config::{Config, Origin};
    use super::*;
    use crate::clock::BootClock;
    use crate::lease::{Attempt, Claim, LeaseName, LeaseStore, OwnerId, Purpose};
    use crate::process::identity::holder;

    const LONG: Duration = Duration::from_secs(60);

    fn claim() -> Claim {
        Claim {
            name: LeaseName::new("a/new").unwrap(),
            owner: OwnerId::fresh().unwrap(),
            ttl: Duration::from_secs(30),
            min_hold: None,
            holder: holder(None),
            purpose: Purpose::default(),
            unanswered: false,
        }
    }

    /// A machine that has no inotify instance to spare.
    #[tokio::test]
    async fn without_a_watch_it_is_told_later() {
        let around = tempfile::tempdir().unwrap();
        let config = Config {
            directory: around.path().join("leases"),
            origin: Origin::Named,
        };
        let holder = FileStore::open(&config, Arc::new(BootClock)).unwrap();
        let looks = FileStore::open_to_look(&config, Arc::new(BootClock)).unwrap();
        let store = looks.unwrap();
        let overview = Overview {
            store: &store,
            seen: BTreeMap::new(),
            prefix: Some("a/"),
        };
        let short = Duration::from_millis(50);
        assert!(timeout(short, overview.changed(None)).await.is_err());
        let act = async {
            sleep(short).await;
            holder.try_acquire(&claim()).await
        };
        let (told, granted) = tokio::join!(timeout(LONG, overview.changed(None)), act);
        assert!(matches!(granted, Ok(Attempt::Granted(_))));
        told.unwrap().unwrap();
        // Who only looks takes nothing, even where nobody would be in its way.
        let refused = store.try_acquire(&claim()).await.unwrap_err();
        assert!(crate::lease::in_one_line(&refused).contains("opened only to look"));
    }
}
