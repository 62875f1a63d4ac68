//! What a run has to tell, before it is words: the floor above finds those.

use std::io;
use std::time::Duration;

use super::hooks::{HookFate, HookName};
use crate::clock::{Instant, WallTime};
use crate::lease::{
    FencingToken, Jump, LeaseName, LostWhy, Observation, OutcomeWord, Pace, RefusedWhy,
    StopRequest, StoreError, StoreLabel,
};
use crate::notices::{Endpoint, NotApproved, Notice, Role, Update};
use crate::process::{Containment, Survivor};
use crate::supervisor::{CommandEnd, StopWhy};

/// Takes the news. It may not wait: a reader that has stopped reading must not hold up a renewal.
pub trait Listener {
    /// Takes one piece of news.
    fn hear(&mut self, news: &News<'_>);

    /// When [`Listener::on_time`] is to be called next; [`Instant::NEVER`] when there is nothing to do.
    fn wake_at(&self) -> Instant {
        Instant::NEVER
    }

    /// The instant of [`Listener::wake_at`] has come: a line that shows time is drawn anew, a service
    /// manager is told that we are alive. Called by the loop that renews, so that it stops when the
    /// loop does.
    fn on_time(&mut self, _now: Instant) {}

    /// Whether it makes use of being told who has the lease while we wait. When nobody does, nobody
    /// looks.
    fn follows_the_holder(&self) -> bool {
        true
    }
}

/// What a lease is handed over for.
#[derive(Clone, Copy, Debug)]
pub enum Asked<'a> {
    /// An operator's request.
    Operator(&'a StopRequest),
    /// What is announced for this machine.
    Event(&'a Notice),
}

impl<'a> Asked<'a> {
    /// The operator's request, when it was one.
    #[must_use]
    pub const fn operator(self) -> Option<&'a StopRequest> {
        match self {
            Self::Operator(request) => Some(request),
            Self::Event(_) => None,
        }
    }

    /// The event, when it was one.
    #[must_use]
    pub const fn event(self) -> Option<&'a Notice> {
        match self {
            Self::Event(event) => Some(event),
            Self::Operator(_) => None,
        }
    }
}

/// Why the event that we left for was not approved.
#[derive(Clone, Copy, Debug)]
pub enum Unapproved<'a> {
    /// It is about other machines as well, and an approval is one for all of them.
    OfOthersToo(&'a Endpoint),
    /// Another leasectl of this machine is about to leave, or nobody knows whether.
    NotTheLast,
    /// The store has not confirmed that the lease was given back: to everybody else it is still held.
    NotGivenBack,
    /// A signal ended the wait.
    NotWaitedFor,
    /// The service did not do it, or may not have.
    Failed(&'a NotApproved),
}

/// One piece of news.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields say what the variants' docs say")]
pub enum News<'a> {
    /// Somebody else has the lease, and we wait for it. Told again when another has it, and when the
    /// store has told the end of the same hold anew.
    Waiting {
        why: RefusedWhy,
        by: &'a Observation,
    },
    /// The store did not answer while the lease was being sought; the attempt is repeated.
    StoreSilent { error: Option<&'a StoreError> },
    /// The lease is not ours, and nothing will be run; who has it, when that is known.
    Refused {
        why: RefusedWhy,
        by: Option<&'a Observation>,
    },
    /// What became of an event that was announced; whether it is a reason to leave that is still ahead.
    ScheduledEvent { update: &'a Update, ahead: bool },
    /// How we now learn of such events.
    Notices { role: Role, why: &'a str },
    /// Something is wrong with how we learn of them; whether people know already that nobody answers, or need
    /// not know.
    NoticesDoubtful { why: &'a str, again: bool },
    /// Nobody has said in time whether there are any: the machine is taken to stay.
    NoticesSilent,
    /// The event that we left for was approved.
    Approved { event: &'a Notice },
    /// It was not.
    NotApproved {
        event: &'a Notice,
        why: Unapproved<'a>,
    },
    /// The machine is about to go away: nothing is claimed, or no longer waited for.
    HeldBack { event: &'a Notice },
    /// The window has another size, or we go on after having been stopped (Ctrl-Z, `fg`): what was
    /// drawn on a terminal is no longer as it was.
    Redraw,
    /// We stop ourselves now, because somebody asked for it while no command runs (Ctrl-Z): the terminal
    /// is somebody else's until [`News::Redraw`].
    Suspended,
    /// The lease is ours. `ttl` `None`: it ends with its process.
    Acquired {
        lease: &'a LeaseName,
        store: &'a StoreLabel,
        token: FencingToken,
        ttl: Option<Duration>,
        waited: Duration,
    },
    /// A grant came too late to start under it.
    TooLate,
    /// The command runs.
    Started { pid: i32, containment: Containment },
    /// A process that was there before is guarded from now on, or nobody is.
    Guarding { pid: Option<i32> },
    /// A renewal was answered, the so-manieth, after so long: SIGKILL is so far away now, `None` for
    /// ever.
    Renewed {
        renewals: u64,
        took: Duration,
        remaining: Option<Duration>,
    },
    /// The store's clock has jumped since the renewal before; `pace`: once, or as it did with that one too.
    /// Not told again while it goes on so.
    ClockJump { jump: Jump, pace: Pace },
    /// The store's clock, which ran too fast or too slow, goes as ours does.
    ClockSteady,
    /// A renewal went unanswered, the so-manieth in a row: so long until the stop signal, `None` for
    /// ever.
    RenewFailed {
        attempt: u64,
        error: &'a StoreError,
        remaining: Option<Duration>,
        last_renewed_at: WallTime,
    },
    /// From here on it is doubtful whether the lease can be kept: so long until the stop signal.
    Doubt { remaining: Duration },
    /// The store answers again.
    DoubtEnded,
    /// The store said that the lease is no longer ours.
    Lost {
        why: LostWhy,
        last_renewed_at: WallTime,
    },
    /// The tree is gone, because the lease could not be renewed in time.
    NotRenewed { last_renewed_at: WallTime },
    /// The whole tree gets the stop signal, and SIGKILL after this time.
    Stopping {
        why: StopWhy,
        kill_in: Duration,
        /// Who or what asked for it.
        asked: Option<Asked<'a>>,
    },
    /// The command's main process has ended, after so long.
    Exited { end: CommandEnd, ran: Duration },
    /// The whole tree is killed.
    Killing {
        why: StopWhy,
        asked: Option<Asked<'a>>,
    },
    /// The command itself was stopped (Ctrl-Z): so long until the lease ends, `None` for ever.
    Paused { kill_in: Option<Duration> },
    /// What the command left behind is about to be stopped.
    Leftovers {
        left: &'a [Survivor],
        /// The `acquired` hook that failed left them, and not a command.
        of_hook: bool,
    },
    /// Killed, and still there; whether the lease is still ours.
    Survivors { left: &'a [Survivor], held: bool },
    /// The guardian is dead.
    GuardianLost {
        /// The command, or the hook before it, was to be started.
        running: bool,
    },
    /// A second signal now ends the wait for what cannot be killed.
    SecondSignalGivesUp,
    /// The tree could not be shown dead.
    GaveUp,
    /// A hook has ended, after so long.
    Hook {
        hook: HookName,
        fate: &'a HookFate,
        took: Duration,
    },
    /// The first event that could not be written where events go. Others may follow it, and are not told.
    EventLost { error: &'a io::Error },
    /// The next run begins after this time (`--restart`).
    Restarting { delay: Duration },
    /// This process ends, with this code. Always the last.
    Ended {
        outcome: OutcomeWord,
        exit_code: i32,
        command: Option<CommandEnd>,
    },
    /// The lease was given back, after so many renewals and so long.
    Released { renewals: u64, held: Duration },
    /// The store did not say whether the lease was given back.
    ReleaseUncertain {
        error: Option<&'a StoreError>,
        renewals: u64,
        held: Duration,
    },
}
