//! What can happen to a run. The driver reports it; nothing here decides anything.

use std::time::Duration;

use crate::clock::Instant;
use crate::lease::{Effect, LostWhy, RefusedWhy};

/// Something that happened.
///
/// Every [`Acquire`](super::Action::Acquire), [`Renew`](super::Action::Renew) and
/// [`Release`](super::Action::Release) is answered by exactly one event, at the latest after
/// [`Timing::attempt`](crate::lease::Timing::attempt). Events are reported in the order in which they
/// became known; an event that makes no sense in the present state changes nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// Go. Reported once, first.
    Begin,
    /// The store granted the lease. The driver keeps the hold itself.
    Granted {
        /// Read before the bytes of *this* request were sent (P3).
        asked_at: Instant,
        /// `None`: it ends with its last process; no deadline, no renewals.
        ttl: Option<Duration>,
    },
    /// The store answered that the lease is not ours.
    Refused {
        /// Why.
        why: RefusedWhy,
        /// When it is worth asking again even if nothing is pushed, from now.
        look_again: Option<Duration>,
    },
    /// No answer to an attempt to acquire, or one that says "later" (P8).
    AttemptUnanswered {
        /// Whether the store may have granted it all the same.
        effect: Effect,
        /// The driver's random factor for the pause that follows, 0.8 to 1.2.
        spread: f64,
    },
    /// The store answered an attempt with something that asking again cannot mend.
    AttemptFailed(Fatal),
    /// Waiting for our turn has returned. Follows every [`Wait`](super::Action::Wait), at the latest
    /// after its `at_most`.
    LookAgain,
    /// The main process of the `acquired` hook has ended; what it left behind goes on in the tree, and the
    /// tree is not reported empty before a command has run in it, unless the hook failed. A hook that
    /// could not be started is [`CommandNotStarted`](Self::CommandNotStarted).
    Prepared(CommandEnd),
    /// The command runs.
    CommandStarted {
        /// Its process id.
        pid: u32,
    },
    /// The command could not be started.
    CommandNotStarted {
        /// Why (errno(3)).
        errno: i32,
    },
    /// The command's main process has ended; what it left behind may go on.
    CommandExited(CommandEnd),
    /// The whole tree has been seen to be gone. Reported after the start was reported in one way or
    /// the other, and in answer to every [`Stop`](super::Action::Stop) and
    /// [`Kill`](super::Action::Kill) as soon as it is true; a guardian that reports it starts nothing
    /// afterwards.
    TreeEmpty,
    /// The guardian has already sent the stop signal because its own timer said so: we were late.
    StopDue,
    /// The guardian died, or was silent and was killed. From now on the driver kills and reaps.
    GuardianLost,
    /// A renewal was answered: it goes on.
    Renewed {
        /// Read before the bytes of *this* request were sent, never before it was ordered (P3).
        asked_at: Instant,
        /// How many times as fast as ours the store's clock was seen to run since the renewal before: 1 but
        /// after a jump ([`crate::lease::Jump`]).
        rate: f64,
    },
    /// No answer to a renewal, or one that could not be used (P8).
    RenewalUnanswered,
    /// The store said that the hold is over, asked or unasked (P9).
    RenewalLost(LostWhy),
    /// The release has ended.
    Released {
        /// Whether the store answered; an unknown release counts as still held (P8).
        certain: bool,
    },
    /// HUP INT QUIT TERM USR1 USR2 ALRM was sent to leasectl, not by a process of the tree.
    Signal {
        /// Which.
        number: i32,
        /// The terminal sent it, and the command has got it too.
        from_terminal: bool,
    },
    /// Nobody needs the lease any more: what is guarded goes on without it ([`Guards::Process`](super::Guards::Process)).
    NotNeeded,
    /// An operator asked for the lease.
    StopAsked,
    /// The machine is about to go away: what is guarded has to be gone by then. Reported again when that
    /// is sooner than it was. It never lengthens anything.
    MachineGoes {
        /// SIGKILL no later than this; now, when it has passed.
        kill_by: Instant,
    },
    /// As far as is known the machine stays: the lease may be claimed
    /// ([`Settings::only_if_machine_stays`](super::Settings::only_if_machine_stays)).
    MachineStays,
    /// The instant of [`wake_at`](super::Supervisor::wake_at) has come.
    Tick,
}

impl Event {
    /// Whether this reports what had become true before it was heard of, so that it is looked at
    /// before the deadlines that have passed meanwhile.
    ///
    /// The two orders, when we were late: taken after the deadlines, a known loss would first be
    /// given a grace (P9), a command that had ended in time would count as timed out, and an empty
    /// tree as not shown dead. A good answer to a renewal is not among these: the guardian's own
    /// timer has not waited for us, and what it has begun is not undone (P10).
    pub(super) const fn comes_before_deadlines(self) -> bool {
        matches!(
            self,
            Self::Prepared(_)
                | Self::CommandStarted { .. }
                | Self::CommandNotStarted { .. }
                | Self::CommandExited(_)
                | Self::TreeEmpty
                | Self::StopDue
                | Self::GuardianLost
                | Self::RenewalLost(_)
                | Self::Released { .. }
        )
    }
}

/// How the command's main process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandEnd {
    /// With this exit code.
    Exited(i32),
    /// By this signal.
    Killed(i32),
}

/// What the lease was handed over for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedBy {
    /// `leasectl release`.
    Operator,
    /// The machine is about to go away (DESIGN section 9).
    ScheduledEvent,
}

/// Why asking again cannot help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fatal {
    /// We may not.
    Denied,
    /// What we were told to use is absent, of the wrong kind or unsafe.
    Misconfigured,
    /// The answer makes no sense.
    Garbled,
}
