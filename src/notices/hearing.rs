//! Hearing of a new cache, or of a poller that is gone, without asking for it (inotify(7)). A machine that has
//! no more instances to spare looks four times a second instead.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::io::unix::AsyncFd;

use super::directory::EVENTS;

/// Tells the runtime to watch a descriptor; `process::watch`, which stands beside this floor.
pub type Watch = fn(BorrowedFd<'_>) -> io::Result<AsyncFd<OwnedFd>>;

/// What happened in a watched directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// There is a new cache.
    pub(super) events: bool,
    /// These files were closed by somebody who could write them.
    pub(super) closed: Vec<String>,
}

/// Watches directories.
pub(super) struct Hearing {
    inotify: Inotify,
    ready: AsyncFd<OwnedFd>,
}

impl fmt::Debug for Hearing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hearing").finish_non_exhaustive()
    }
}

impl Hearing {
    /// Hears of nothing yet; none when the kernel has no more to give.
    pub(super) fn new(watch: Watch) -> Option<Self> {
        let flags = InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK;
        let inotify = Inotify::init(flags).ok()?;
        let ready = watch(inotify.as_fd()).ok()?;
        Some(Self { inotify, ready })
    }

    /// Hears of this directory as well; whether it does.
    pub(super) fn add(&self, path: &Path) -> bool {
        let what = AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_CLOSE_WRITE;
        self.inotify
            .add_watch(path, what | AddWatchFlags::IN_ONLYDIR)
            .is_ok()
    }

    /// Waits for something to happen.
    pub(super) async fn next(&self) -> Heard {
        loop {
            let Ok(mut ready) = self.ready.readable().await else {
                return std::future::pending().await;
            };
            let Ok(events) = self.inotify.read_events() else {
                ready.clear_ready();
                continue;
            };
            let mut heard = Heard::default();
            for event in events {
                let name = event
                    .name
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                if event.mask.contains(AddWatchFlags::IN_MOVED_TO) {
                    heard.events |= name == EVENTS;
                } else if name.starts_with("seat.") {
                    heard.closed.push(name);
                }
            }
            if heard != Heard::default() {
                return heard;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn watch(fd: BorrowedFd<'_>) -> io::Result<AsyncFd<OwnedFd>> {
        let copy = fd.try_clone_to_owned()?;
        #[expect(
            deprecated,
            reason = "the sound way is unsafe, and the descriptor is the AsyncFd's own"
        )]
        AsyncFd::new(copy)
    }

    #[test]
    fn a_new_cache_and_a_closed_seat_are_heard_of() {
        let around = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let hearing = Hearing::new(watch).unwrap();
            assert!(hearing.add(around.path()) && !hearing.add(&around.path().join("none")));
            fs::write(around.path().join("other"), "").unwrap();
            fs::write(around.path().join("seat.3"), "").unwrap();
            let limit = Duration::from_secs(20);
            let heard = timeout(limit, hearing.next()).await.unwrap();
            assert_eq!(heard.closed, ["seat.3"]);
            fs::rename(around.path().join("other"), around.path().join(EVENTS)).unwrap();
            assert!(timeout(limit, hearing.next()).await.unwrap().events);
        });
    }
}
