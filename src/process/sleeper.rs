//! A thread that sleeps in a system call, and can be woken to end.
//!
//! A process that is to fork again (`--restart`) must have one thread by then, however long the other
//! would have slept.

use std::io;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};

use super::sys;

/// Wakes the thread. Nobody means anything by it, and it is ignored by default.
pub(super) const WAKE: i32 = libc::SIGURG;

/// It calls one system call and two mutexes.
const STACK: usize = 64 * 1024;

/// It ends as soon as it gets the processor. One that does not is left behind rather than waited for.
const LONGEST: Duration = Duration::from_secs(1);

/// The thread. Dropped, it is woken until it has ended.
#[derive(Debug)]
pub struct Sleeper(Option<JoinHandle<()>>);

impl Sleeper {
    /// Starts it. Its system call ends with `EINTR` when it is woken, and `body` has to find out by
    /// other means that it is to end: it may be woken before it sleeps, and again.
    ///
    /// # Errors
    /// The kernel's, when there is no thread to be had.
    pub fn start(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        sys::let_interrupt(WAKE)?;
        let mut wake = SigSet::empty();
        wake.add(Signal::SIGURG);
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .stack_size(STACK)
            .spawn(move || {
                // Blocked by the caller of leasectl, it would never come.
                wake.thread_unblock().ok();
                body();
            })?;
        Ok(Self(Some(thread)))
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let Some(thread) = self.0.take() else { return };
        let began = Instant::now();
        while !thread.is_finished() {
            if began.elapsed() >= LONGEST {
                return;
            }
            // Two orders: woken in its sleep, it ends; woken just before it sleeps, it would sleep for
            // ever, and so it is woken again.
            sys::wake(&thread, WAKE);
            thread::sleep(Duration::from_micros(200));
        }
        // A panic in it has been printed, and there is nothing to take over.
        drop(thread.join());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use nix::errno::Errno;
    use nix::poll::{PollTimeout, poll};

    use super::*;

    #[test]
    fn a_sleeper_that_is_dropped_has_ended() {
        let [over, ended] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let (its_over, its_end) = (Arc::clone(&over), Arc::clone(&ended));
        let sleeper = Sleeper::start("sleeper", move || {
            while !its_over.load(Ordering::SeqCst) {
                // For ever, but for a signal.
                let slept = poll(&mut [], PollTimeout::NONE);
                assert_eq!(slept, Err(Errno::EINTR));
            }
            its_end.store(true, Ordering::SeqCst);
        })
        .unwrap();
        thread::sleep(Duration::from_millis(20));
        over.store(true, Ordering::SeqCst);
        drop(sleeper);
        assert!(ended.load(Ordering::SeqCst));
    }
}
