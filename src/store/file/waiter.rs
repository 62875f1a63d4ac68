//! A place among those who wait for a lock: a thread that sleeps in the kernel until the lock is its.
//!
//! The kernel offers no way to wait for a lock without taking it, so the thread gets it on behalf of
//! the claim, and the claim's next attempt finds it here: nobody can slip in between. Only a signal cuts
//! the sleep short: a place that is given up wakes its thread to end. Should that have got the lock
//! meanwhile, it gives it back at once. A plain thread, because tokio waits for its blocking ones.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::lock::{LockFile, Locked};
use crate::process::Sleeper;

/// One claim's place. Dropped, it is given up.
#[derive(Debug, Default)]
pub(super) struct Ticket {
    shared: Arc<Shared>,
    thread: Mutex<Option<Sleeper>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Keeps one call, so that an ending before the wait is not slept through.
    over: Notify,
}

#[derive(Debug, Default)]
enum State {
    /// No thread.
    #[default]
    Idle,
    Asleep,
    /// The lock is ours and waits to be taken over.
    Got(Locked),
    Failed(Errno),
    /// Nobody wants it any more.
    GivenUp,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sleep(&self, file: LockFile) {
        let got = file.lock(|| !matches!(*self.state(), State::GivenUp));
        let mut state = self.state();
        // Two orders: given up before the lock came, then `got` is dropped here and with it unlocked;
        // or the lock came first, then giving up finds it in the state and drops it there.
        if !matches!(*state, State::GivenUp) {
            *state = got.map_or_else(State::Failed, State::Got);
        }
        drop(state);
        self.over.notify_one();
    }
}

impl Ticket {
    /// Takes over the lock that the thread got, if it did.
    pub(super) fn take(&self) -> Option<Locked> {
        let mut state = self.shared.state();
        match mem::take(&mut *state) {
            State::Got(locked) => Some(locked),
            other => {
                *state = other;
                None
            }
        }
    }

    /// Whether a thread has to be started before waiting makes sense.
    pub(super) fn is_idle(&self) -> bool {
        matches!(*self.shared.state(), State::Idle)
    }

    /// Whether waiting with it has become pointless.
    pub(super) fn is_given_up(&self) -> bool {
        matches!(*self.shared.state(), State::GivenUp)
    }

    fn thread(&self) -> MutexGuard<'_, Option<Sleeper>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the thread that waits for the lock of `file`.
    pub(super) fn start(&self, file: LockFile) -> std::io::Result<()> {
        *self.shared.state() = State::Asleep;
        let shared = Arc::clone(&self.shared);
        let started = Sleeper::start("lease-wait", move || shared.sleep(file));
        if started.is_err() {
            *self.shared.state() = State::Idle;
        }
        // One that was here before has ended, or there would be no reason for another.
        let _before = self.thread().replace(started?);
        Ok(())
    }

    /// Waits until the lock is ours, at most `at_most`.
    pub(super) async fn wait(&self, at_most: Duration) -> Result<(), Errno> {
        if matches!(*self.shared.state(), State::Asleep) {
            // Both endings mean "look again".
            let _ended = timeout(at_most, self.shared.over.notified()).await;
        }
        let mut state = self.shared.state();
        if let State::Failed(errno) = *state {
            *state = State::Idle;
            return Err(errno);
        }
        Ok(())
    }

    /// Gives the place up: a lock that is here or comes later is given back at once.
    pub(super) fn give_up(&self) {
        // Dropped after the mutex is free, as every lock is.
        let left = mem::replace(&mut *self.shared.state(), State::GivenUp);
        drop(left);
        // It takes the state's mutex on its way out.
        let thread = self.thread().take();
        drop(thread);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.give_up();
    }
}
