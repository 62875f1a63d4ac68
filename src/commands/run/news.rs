//! What a run has to tell, before it is words: the floor above finds those.

use std::time::Duration;

use crate::lease::{
    FencingToken, LeaseName, LostWhy, Observation, RefusedWhy, StoreError, StoreLabel,
};
use crate::process::{Containment, Survivor};
use crate::supervisor::StopWhy;

/// Takes the news. It may not wait: a reader that has stopped reading must not hold up a renewal.
pub trait Listener {
    /// Takes one piece of news.
    fn hear(&mut self, news: &News<'_>);
}

/// One piece of news.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields say what the variants' docs say")]
pub enum News<'a> {
    /// Somebody else has the lease, and we wait for it.
    Waiting {
        why: RefusedWhy,
        by: &'a Observation,
    },
    /// The store did not answer while the lease was being sought; the attempt is repeated.
    StoreSilent { error: Option<&'a StoreError> },
    /// The lease is ours.
    Acquired {
        lease: &'a LeaseName,
        store: &'a StoreLabel,
        token: FencingToken,
        waited: Duration,
    },
    /// A grant came too late to start under it.
    TooLate,
    /// The command runs.
    Started { pid: i32, containment: Containment },
    /// A renewal was answered.
    Renewed { remaining: Duration },
    /// A renewal went unanswered: so long until the stop signal, `None` for ever.
    RenewFailed {
        error: &'a StoreError,
        remaining: Option<Duration>,
    },
    /// From here on it is doubtful whether the lease can be kept: so long until the stop signal.
    Doubt { remaining: Duration },
    /// The store answers again.
    DoubtEnded,
    /// The store said that the lease is no longer ours.
    Lost(LostWhy),
    /// The whole tree gets the stop signal, and SIGKILL after this time.
    Stopping { why: StopWhy, kill_in: Duration },
    /// The whole tree is killed.
    Killing,
    /// The command itself was stopped (Ctrl-Z): so long until the lease ends, `None` for ever.
    Paused { kill_in: Option<Duration> },
    /// What the command left behind is about to be stopped.
    Leftovers(&'a [Survivor]),
    /// Killed, and still there; whether the lease is still ours.
    Survivors { left: &'a [Survivor], held: bool },
    /// The guardian is dead.
    GuardianLost,
    /// A second signal now ends the wait for what cannot be killed.
    SecondSignalGivesUp,
    /// The tree could not be shown dead.
    GaveUp,
    /// The lease was given back.
    Released,
    /// The store did not say whether the lease was given back.
    ReleaseUncertain { error: Option<&'a StoreError> },
}
