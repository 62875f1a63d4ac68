//! The file store, `file:`: the kernel's own locks on files of this machine.
//!
//! No server, no time to live: a hold ends with the last process that carries its open file, at
//! once and by the kernel's hand, however that process ends.
//!
//! # Files
//!
//! | | mode | |
//! |---|---|---|
//! | `NAME.lock` | 0600 | locked while the lease is held; empty; never removed |
//! | `NAME.token` | 0600 | the fencing counter and the minimum hold (`counter.rs`) |
//! | `NAME.record` | 0644 | what others may see |
//! | `NAME.ask` | 0644 | what operators want; absent unless one asked (`asks.rs`) |
//!
//! `NAME` is escaped (`wire.rs`). In a shared directory (2770, made by the operator) all are 0660.
//! The directory is opened and checked once (`directory.rs`); everything else goes through that
//! descriptor. `file:` is `/var/lib/leasectl` for root and `~/.local/state/leasectl` for others: the
//! `nightly` of root and that of alice are two leases. A directory that was named is created only
//! inside one that exists, a shared one never.
//!
//! # Acquire
//!
//! 1. A claim that already holds gets its hold again: same token.
//! 2. The lock that the claim's waiting thread got is used, if there is one (`waiter.rs`).
//! 3. Otherwise open the lock file without following or waiting for anything, or create it
//!    exclusively; check that it is a regular file with one name, the right owner and mode.
//! 4. Lock the whole file (`F_OFD_SETLK`); taken: *held*, by whom says the record if the process
//!    that it names is alive (`F_OFD_GETLK` knows no pid).
//! 5. Is the locked file still the one with that name, in the directory with that path? Otherwise
//!    close it and start again, 16 times at most: two processes that locked two files of one name
//!    would both hold.
//! 6. Open the counter. Missing or empty: create it, above the record's token and above the
//!    microseconds of the wall clock, so that tokens rise even in a directory that was emptied.
//! 7. Paused: unlock, *paused*. Minimum hold not over and not ended by an operator: unlock,
//!    *cooldown*. An ask file that cannot be read counts as a pause, which `resume` ends.
//! 8. Take the next token; with a minimum hold, flush it.
//! 9. Write the record. Granted.
//!
//! An error or a death at any step leaves the lock free and at most a token unused. A process killed
//! between 8 and 9 may leave its minimum hold behind, though nothing ran.
//!
//! # Release
//!
//! 1. Write the end into the record; a hand-over clears the minimum hold.
//! 2. `F_UNLCK`: explicitly, because copies of the descriptor may live on in other processes.
//!
//! A record that cannot be written does not keep the lock: the next holder reads that the run
//! vanished.
//!
//! # Ask
//!
//! 1. Write the new ask file beside the old one, flush it, rename it: nobody reads a half. Of two
//!    operators the second waits for nobody; it fails and says so.
//! 2. The holder is told by inotify(7), or with its next renewal at the latest. A request to stop
//!    names the token that was held when it was made, so that no later holder takes it for its own.
//! 3. Nothing is ever taken from a holder: its lock ends with its processes.
//!
//! # Promises
//!
//! - At most one holder per name and directory, on this machine. Network file systems are refused.
//! - Tokens rise across crashes, reboots and power cuts, as long as the counter's file is kept and
//!   the disk keeps what it said it flushed. In a directory that does not survive a reboot (`/run`)
//!   they rise as long as the wall clock does.
//! - Waiters are woken by the kernel; no order among them is promised. A claim that was told its
//!   turn has the lock until it asks or withdraws. During a pause or a minimum hold waiters wait
//!   without it.
//! - Onlookers are told by inotify(7) of the directory's files, of many leases by one watch on the directory;
//!   they need no more than to read it, and what they may not lock they know from the record. Where no instance of it is to be had,
//!   they look at growing distances, at most two seconds. Nothing tells of a front that was killed
//!   before its command is gone too.
//! - The lock file or its directory removed, moved or replaced under a hold is a loss, found by
//!   inotify(7) or at the next renewal; until then a newcomer can hold the new one.
//! - All of it happens on the calling thread, in microseconds; once in 1,024 acquisitions, and with
//!   a minimum hold each time, it waits for the disk.
//!
//! `wait_for_change` needs a tokio runtime whose I/O driver is on.
//!
//! Not seen by `flock(1)`, and not seeing it. The hold is known to the [`FileStore`] that granted it
//! and to no other.

mod acquire;
mod asks;
mod config;
mod counter;
mod directory;
mod files;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod lock;
mod look;
mod onlooker;
mod operators;
mod overview;
mod queue;
mod store;
mod trouble;
mod waiter;
mod wire;

pub use config::{Config, Origin, Surroundings};
pub use store::FileStore;
