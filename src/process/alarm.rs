//! A timer on the boot clock for the runtime, whose own timers stand still while the machine sleeps.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::unix::AsyncFd;

use super::sys;
use crate::clock::{BootClock, Clock, Instant};

/// Rings at an instant of the boot clock.
#[derive(Debug)]
pub struct Alarm {
    timer: TimerFd,
    ready: AsyncFd<OwnedFd>,
}

impl Alarm {
    /// A timer that is not set. Call inside the runtime.
    ///
    /// # Errors
    /// The kernel's, when no descriptor can be had.
    pub fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_BOOTTIME, flags)?;
        let ready = sys::watch(timer.as_fd())?;
        Ok(Self { timer, ready })
    }

    /// Returns once `at` has come; never for [`Instant::NEVER`]. Safe to drop at any point.
    ///
    /// # Errors
    /// The kernel's.
    pub async fn ring(&self, at: Instant) -> io::Result<()> {
        if at == Instant::NEVER {
            return std::future::pending().await;
        }
        while BootClock.now() < at {
            let when = Expiration::OneShot(Duration::from_nanos(at.as_nanos()).into());
            self.timer.set(when, TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
            self.ready.readable().await?.clear_ready();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rings_at_the_instant_and_not_before() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let alarm = Alarm::new().unwrap();
            for _ in 0..3 {
                let at = BootClock.now() + Duration::from_millis(5);
                alarm.ring(at).await.unwrap();
                assert!(BootClock.now() >= at);
            }
        });
    }
}
