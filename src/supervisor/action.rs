//! What the driver is to do. An action says what, never how.

use std::time::Duration;

use super::Outcome;
use crate::clock::Instant;
use crate::lease::LostWhy;

/// Something to do now, in the order in which it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask the store for the lease. A wait that is still going on is dropped.
    Acquire {
        /// As somebody else, with an owner of its own (P6): what was granted before was given back, and a release
        /// that is late in the network would free what the store grants to the same owner meanwhile.
        anew: bool,
    },
    /// Wait for our turn, then report [`LookAgain`](super::Event::LookAgain).
    Wait {
        /// The longest wait, from now; `None`: until the store says so.
        at_most: Option<Duration>,
    },
    /// Leave the queue, and free a grant whose answer was lost. What is in flight is dropped.
    Withdraw,
    /// Give the guardian this deadline in place of the one it has (P3, P4).
    Arm(Deadline),
    /// Run the `acquired` hook as the first part of the tree, and report [`Prepared`](super::Event::Prepared).
    /// Ordered at most once, right after the first [`Arm`](Self::Arm) (P4).
    Prepare,
    /// Start the command. Ordered at most once, right after the first [`Arm`](Self::Arm) or once the
    /// hook has ended well (P4).
    Start,
    /// Renew the hold. Never ordered while another renewal is unanswered.
    Renew,
    /// Pass this signal on to the command.
    Forward(i32),
    /// Stop signal and CONT to the whole tree now, SIGKILL at the earlier of `grace` from now and
    /// the armed kill instant. The guardian enforces this by itself, and sends the stop signal once,
    /// whether its own timer or this order is first. Ordered again, it only brings SIGKILL forward.
    Stop {
        /// Why.
        why: StopWhy,
        /// From the stop signal to SIGKILL.
        grace: Duration,
    },
    /// SIGKILL to the whole tree now, and again until it is empty.
    Kill,
    /// Tell people which processes the command left behind. Ordered once, before they are stopped.
    NameLeftovers,
    /// Tell people what is still alive after SIGKILL: first after 2 s, then each minute (P5).
    NameSurvivors,
    /// `--leftovers leave`: they go on unguarded. A process that was there before: so does it, and counts as
    /// ended, which is reported.
    LetGo,
    /// Give the lease back and record this outcome. A renewal may still be unanswered.
    Release(Outcome),
    /// Something worth telling.
    Note(Note),
    /// It is over. Ordered exactly once.
    Finish(Outcome),
}

/// When the guardian has to act by itself (P11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// When the stop signal is sent. In the past once stopping has begun.
    pub stop: Instant,
    /// When SIGKILL is sent.
    pub kill: Instant,
}

/// Why the tree is being stopped (INTERFACES, event `stopping`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopWhy {
    /// The store said that the lease is no longer ours; killed without a grace (P9).
    Lost(LostWhy),
    /// Renewals went unanswered until the stop instant.
    NotRenewed,
    /// `--run-timeout` was reached.
    RunTimeout,
    /// An operator asked for the lease.
    Operator,
    /// The machine is about to go away.
    ScheduledEvent,
    /// The command has ended and left processes behind.
    Leftovers,
    /// The guardian died.
    Internal,
    /// The `acquired` hook took too long; killed without a grace.
    Hook,
    /// A signal came while the `acquired` hook ran.
    Interrupted,
}

/// Something worth telling people that no other action implies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// The first attempt to acquire went unanswered; trying goes on. Once per run.
    StoreSilent,
    /// The lease was granted so late that there is no time to start anything under it (P4).
    TooLate,
    /// A renewal went unanswered; the lease is still ours. Once per doubt.
    Doubt {
        /// When the command will be stopped unless a renewal is answered.
        stop: Instant,
    },
    /// A renewal was answered again.
    DoubtEnded,
    /// The store said that the lease is no longer ours.
    Lost(LostWhy),
    /// The guardian's own timer has stopped the command; stands for a
    /// [`Stop`](Action::Stop) with [`StopWhy::NotRenewed`].
    StoppedByGuardian,
    /// A signal came while the killed tree is not gone yet; one more and leasectl gives up (P5).
    SecondSignalGivesUp,
    /// The tree could not be shown dead; the lease is left to run out (P5).
    GaveUp,
    /// The store did not answer the release; the lease runs out by itself.
    ReleaseUncertain,
}
