//! The right to one request: a kernel name of which there are three a second, common to all users of a
//! network namespace, so that whatever state they are in, a machine stays below the five requests a
//! second that its service allows.
//!
//! A name for each slot, not one name: a stopped process keeps what it has bound, and one `SIGSTOP` would
//! slow down the whole machine.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use tokio::time::sleep;

use crate::clock::{BootClock, Clock, Instant, spread};

/// The length of a slot.
const SLOT: Duration = Duration::from_millis(334);
/// Where in its slot somebody who has not waited yet tries; who has waited longer tries sooner, or the
/// winners of one slot would win all.
const LATEST_TRY: Duration = Duration::from_millis(250);
/// Who has waited so long tries at once. So many as get a slot meanwhile are served in their order; too short, and
/// where more wait than that, chance decides, and some wait for a minute.
const LONG_WAIT: Duration = Duration::from_secs(20);
/// Who has waited about so long (60 to 120 s) asks without a slot: somebody may have bound them all. Not all at the
/// same time, or those who waited together would ask together.
const LONGEST_WAIT: Duration = Duration::from_secs(90);

/// A slot of ours. It is to be kept to its end: given back earlier, somebody else had it as well.
#[derive(Debug)]
#[must_use]
pub(super) struct Slot {
    held: Option<(UnixDatagram, Instant)>,
}

impl Slot {
    /// Waits for one.
    pub(super) async fn take() -> Self {
        let began = BootClock.now();
        let longest = LONGEST_WAIT.mul_f64(spread(1.0 / 3.0));
        let mut passed = None;
        loop {
            let now = BootClock.now();
            let waited = now.since(began);
            if waited >= longest {
                return Self { held: None };
            }
            let number = number(now);
            let at = start(number) + offset(waited);
            // In a slot that was in use, nothing is to be had any more.
            if passed == Some(number) {
                sleep(start(number + 1).since(now)).await;
            } else if now < at {
                sleep(at.since(now)).await;
            } else if let Some(socket) = bind(number) {
                let end = start(number + 1);
                return Self {
                    held: Some((socket, end)),
                };
            } else {
                passed = Some(number);
            }
        }
    }

    /// Keeps it to its end.
    pub(super) async fn keep(self) {
        if let Some((_socket, end)) = &self.held {
            sleep(end.since(BootClock.now())).await;
        }
    }
}

fn number(at: Instant) -> u64 {
    at.as_nanos() / nanos(SLOT)
}

fn start(number: u64) -> Instant {
    Instant::from_nanos(number.saturating_mul(nanos(SLOT)))
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

fn offset(waited: Duration) -> Duration {
    let left = LONG_WAIT.saturating_sub(waited);
    LATEST_TRY.mul_f64(left.as_secs_f64() / LONG_WAIT.as_secs_f64())
}

/// Binds the name of a slot. Whatever the reason why it cannot be had: it is not ours.
fn bind(number: u64) -> Option<UnixDatagram> {
    let name = SocketAddr::from_abstract_name(format!("leasectl-imds-{number}")).ok()?;
    UnixDatagram::bind_addr(&name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_belongs_to_one() {
        // Far in the future: no test of a running leasectl is disturbed.
        let number = u64::from(std::process::id()) << 32;
        let first = bind(number);
        assert!(first.is_some());
        assert!(bind(number).is_none());
        drop(first);
        assert!(bind(number).is_some());
    }

    #[test]
    fn who_has_waited_longer_tries_sooner() {
        let offsets = [0, 1, 19, 20, 50].map(|seconds| offset(Duration::from_secs(seconds)));
        assert_eq!(offsets[0], LATEST_TRY);
        assert!(offsets[0] > offsets[1] && offsets[1] > offsets[2]);
        assert_eq!(offsets[3..], [Duration::ZERO; 2]);
    }

    #[test]
    fn there_are_three_slots_in_a_second() {
        let second = number(Instant::from_nanos(1_000_000_000)) - number(Instant::from_nanos(0));
        assert!(second <= 3, "{second}");
        assert!(start(7) + SLOT == start(8));
    }
}
