//! `NAME.ask`: what operators want of a lease: a pause, a stop of this very hold, the end of a minimum
//! hold. It is absent unless somebody asked.
//!
//! It is replaced as a whole, by rename, so that nobody reads a half. Who writes it first locks its spare
//! name, so that of two operators the second builds on what the first wrote; one who is killed leaves an
//! unlocked spare to the next.

use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{OFlag, renameat};
use nix::sys::stat::fstat;
use nix::unistd::{fdatasync, ftruncate};
use serde::{Deserialize, Serialize};

use super::counter::Now;
use super::directory::Directory;
use super::files::{Files, read_at_most, write_all};
use super::lock::{MOST_CHANGES, try_lock_file};
use super::trouble::Trouble;
use crate::clock::{Instant, WallTime};
use crate::lease::{Asker, FencingToken, Pause, StopRequest};

const SCHEMA: &str = "leasectl.ask/1";
/// More than leasectl ever writes.
const LARGEST: usize = 16 * 1024;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Asks {
    schema: String,
    /// The hold with this token is to end.
    stop: Option<Stop>,
    pause: Option<Shut>,
    /// Minimum holds of this token and of those before it are over.
    cleared: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Stop {
    token: FencingToken,
    #[serde(flatten)]
    request: StopRequest,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Shut {
    #[serde(flatten)]
    pause: Pause,
    /// While the boot that it names lasts, the boot clock decides. A wall clock that was set back must
    /// not stretch a pause.
    boot: String,
    until_boot_ns: u64,
    lasts_ms: u64,
}

impl Shut {
    /// What is left of it; zero when it is over.
    fn rest(&self, boot: &str, now: Now) -> Duration {
        let Some(until) = self.pause.until_at else {
            return Duration::MAX;
        };
        let rest = if self.boot == boot {
            Instant::from_nanos(self.until_boot_ns).since(now.boot)
        } else {
            until.since(now.wall)
        };
        rest.min(Duration::from_millis(self.lasts_ms))
    }
}

impl Asks {
    fn nothing() -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            stop: None,
            pause: None,
            cleared: None,
        }
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let asks: Self = serde_json::from_slice(bytes).ok()?;
        (asks.schema == SCHEMA).then_some(asks)
    }

    /// What cannot be read may have been a pause, and nothing fails open: it is one, until somebody ends
    /// it.
    fn unreadable(files: &Files<'_>, at: WallTime) -> Self {
        let path = files.path_of(&files.ask);
        let why = format!("{} cannot be read; resume ends this", path.display());
        let pause = Pause {
            asker: Asker {
                by: "somebody unknown".to_owned(),
                reason: Some(why),
            },
            at,
            until_at: None,
        };
        Self {
            pause: Some(Shut {
                pause,
                boot: String::new(),
                until_boot_ns: 0,
                lasts_ms: 0,
            }),
            ..Self::nothing()
        }
    }

    /// The pause that is on, and what is left of it.
    pub(super) fn pause(&self, boot: &str, now: Now) -> Option<(&Pause, Duration)> {
        let shut = self.pause.as_ref()?;
        let rest = shut.rest(boot, now);
        (!rest.is_zero()).then_some((&shut.pause, rest))
    }

    /// Whether the hold with this token is to end.
    pub(super) fn stop_of(&self, token: FencingToken) -> Option<&StopRequest> {
        let stop = self.stop.as_ref().filter(|stop| stop.token == token);
        stop.map(|stop| &stop.request)
    }

    /// Whether an operator has ended the minimum hold that came with this token.
    pub(super) fn has_cleared(&self, token: u64) -> bool {
        self.cleared.is_some_and(|cleared| token <= cleared)
    }

    pub(super) fn ask_to_stop(&mut self, token: FencingToken, asker: &Asker, now: Now) {
        let request = StopRequest {
            asker: asker.clone(),
            at: now.wall,
        };
        self.stop = Some(Stop { token, request });
    }

    pub(super) fn shut(&mut self, lasts: Option<Duration>, asker: &Asker, boot: &str, now: Now) {
        let lasts_ms = lasts.map_or(u128::MAX, |lasts| lasts.as_millis());
        self.pause = Some(Shut {
            pause: Pause {
                asker: asker.clone(),
                at: now.wall,
                until_at: lasts.map(|lasts| now.wall.plus(lasts)),
            },
            boot: boot.to_owned(),
            until_boot_ns: lasts
                .map_or(Instant::NEVER, |lasts| now.boot + lasts)
                .as_nanos(),
            lasts_ms: u64::try_from(lasts_ms).unwrap_or(u64::MAX),
        });
    }

    /// Ends a pause, and the minimum holds of `token` and of those before it.
    pub(super) fn open_again(&mut self, token: Option<u64>) {
        self.pause = None;
        self.cleared = self.cleared.max(token);
    }
}

/// What is asked of this lease; `None`: nothing.
pub(super) fn read(files: &Files<'_>) -> Option<Asks> {
    let unreadable = |at| Some(Asks::unreadable(files, at));
    let fd = match files.open(&files.ask, OFlag::O_RDONLY) {
        Ok(Some(fd)) => fd,
        Ok(None) => return None,
        Err(_) => return unreadable(WallTime::from_unix_millis(0)),
    };
    let stat = fstat(&fd).ok();
    let seconds = stat.map_or(0, |stat| u64::try_from(stat.st_mtime).unwrap_or(0));
    let regular = stat.is_some_and(|stat| files.is_regular(&stat));
    let bytes = regular.then(|| read_at_most(&fd, LARGEST).ok()).flatten();
    let asks = bytes.and_then(|bytes| Asks::parse(&bytes));
    asks.or_else(|| unreadable(WallTime::from_unix_millis(seconds.saturating_mul(1_000))))
}

/// Changes what is asked. On the disk when it returns: a pause is meant to outlive a power cut.
pub(super) fn change(
    files: &Files<'_>,
    directory: &Directory,
    edit: impl FnOnce(&mut Asks),
) -> Result<(), Trouble> {
    let spare = format!("{}~", files.ask);
    for _ in 0..MOST_CHANGES {
        let opened = files.open(&spare, OFlag::O_RDWR)?;
        let fd = match opened {
            Some(fd) => Some(fd),
            None => files.create(&spare, directory.public_mode())?,
        };
        let Some(fd) = fd else { continue };
        let trouble = |errno| files.trouble("write", &spare, errno);
        let stat = fstat(&fd).map_err(trouble)?;
        if !try_lock_file(&fd).map_err(trouble)? {
            return Err(Trouble::System(format!(
                "another leasectl is writing {} at this moment; try again",
                files.path_of(&files.ask).display()
            )));
        }
        // It may have been renamed between our opening and our locking it.
        if !files.is_current(&spare, &stat)? {
            continue;
        }
        let mut asks = read(files).unwrap_or_else(Asks::nothing);
        edit(&mut asks);
        // Plain data: cannot fail, and an empty text would be read as a pause.
        let text = serde_json::to_string(&asks).unwrap_or_default() + "\n";
        return ftruncate(&fd, 0)
            .and_then(|()| write_all(&fd, 0, text.as_bytes()))
            .and_then(|()| fdatasync(&fd))
            .and_then(|()| renameat(directory, spare.as_str(), directory, files.ask.as_str()))
            .and_then(|()| directory.flush())
            .map_err(|errno: Errno| files.trouble("write", &files.ask, errno));
    }
    Err(Trouble::System(format!(
        "{} keeps changing; try again",
        files.path_of(&files.ask).display()
    )))
}
