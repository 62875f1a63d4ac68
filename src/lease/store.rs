//! The contract between a store and those who use it.

use std::any::Any;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use super::{
    Advice, Ask, Asked, Asker, Claim, Ending, FencingToken, Hold, HoldEvent, LeaseName,
    Observation, Promises, Revoked, ServerTime, StopRequest, StoreError, StoreLabel,
};

/// A place that can say who holds a named lease.
///
/// # Contract
/// Implementations translate; they do not decide. They read no local clock, never retry, never
/// sleep (but a polled wait), and never renew in the background. Time limits, retries and the
/// question "is it still ours?" belong to [`crate::keeper`] and [`super::Tenure`]. A store that *is*
/// its own server (`file`, `memory`) uses the boot clock as that server's clock.
///
/// # Durations and time
/// Every duration is a span measured by whoever waits it. No instant crosses this trait, because no
/// two machines share one.
///
/// # Cancellation
/// Dropping a future of `try_acquire`, `renew` or `release` leaves the effect **unknown**.
#[async_trait]
pub trait LeaseStore: fmt::Debug + Send + Sync + 'static {
    /// Scheme and address; printable, never a credential.
    fn label(&self) -> &StoreLabel;

    /// What this store can be relied upon for.
    fn promises(&self) -> Promises;

    /// Asks once, and answers at once.
    ///
    /// - At any instant of the store's time at most one owner holds a name.
    /// - Asking again with the same owner while it holds grants the **same** token and restarts the
    ///   expiry, so that an attempt whose answer was lost may simply be repeated.
    /// - A grant to another owner has a strictly greater token.
    /// - The granted time to live may be longer than asked, never shorter.
    async fn try_acquire(&self, claim: &Claim) -> Result<Attempt, StoreError>;

    /// Returns when it is our turn, or when it is worth looking again, at the latest after `at_most`.
    ///
    /// - May return early for no reason. Is never a grant: the caller asks again.
    /// - Safe to drop at any point; the place in the queue is kept in `place`.
    async fn wait_for_turn(
        &self,
        claim: &Claim,
        place: &mut Place,
        at_most: Duration,
    ) -> Result<(), StoreError>;

    /// Leaves the queue, and frees a grant whose answer was lost. Idempotent.
    async fn withdraw(&self, claim: &Claim) -> Result<(), StoreError>;

    /// Moves the expiry out by the hold's time to live from when the store handles this.
    ///
    /// - `Lost` means that the store *knows* the hold to be over. Doubt is an `Err`.
    /// - Never acquires again: a hold that has ended stays ended, even if the lease is free.
    async fn renew(&self, hold: &Hold) -> Result<Renewal, StoreError>;

    /// Tells of what concerns a hold as soon as the store knows: that it is to be given back, or that it
    /// is over. Never returns where the store cannot tell unasked: the next renewal says the same.
    ///
    /// - A stop request that was made before the call, for this very hold, is told at once.
    /// - Safe to drop at any point.
    async fn hold_event(&self, hold: &Hold) -> Result<HoldEvent, StoreError>;

    /// Gives the hold back and records how it ended. Idempotent; never touches another hold.
    async fn release(&self, hold: &Hold, ending: &Ending) -> Result<Release, StoreError>;

    /// Looks without touching. A lease that never existed is free, not an error.
    async fn observe(&self, name: &LeaseName) -> Result<Observation, StoreError>;

    /// All leases whose names begin with `prefix`, by name: those that are held or shut, and those that
    /// have a record, readable or not. Looks without touching.
    ///
    /// - A lease that cannot be read hides no other.
    /// - Not promised: that the looks were taken at one instant.
    async fn list(&self, prefix: &str) -> Result<Vec<Observation>, StoreError>;

    /// For onlookers: returns when people would be shown something else than what was `seen`
    /// ([`Observation::shows_the_same_as`]), at the latest after `at_most`.
    ///
    /// - Returns at once when what was seen is already old: nothing that changed since is slept through.
    /// - May return early for no reason. Says nothing of what has changed: the caller looks again.
    /// - Safe to drop at any point. It takes nothing and stands in no queue: it cannot change who gets
    ///   the lease, or when.
    /// - Where changes are pushed ([`Promises::onlookers`]) a new holder and a release are told; elsewhere
    ///   the store looks again and again, and is the one that may sleep in between.
    /// - Not promised: that changes which follow one another quickly are all seen, and that the sudden
    ///   death of a holder is seen before its hold has ended.
    async fn wait_for_change(
        &self,
        seen: &Observation,
        at_most: Duration,
    ) -> Result<(), StoreError>;

    /// The same for many: returns when people would be shown something else of one of those that were
    /// `seen`, or when a lease has come that was not, and whose name begins with `prefix`.
    ///
    /// - Whoever was seen as a lease that never existed ([`Observation::untouched`]) is looked at as well.
    /// - Everything else is as with [`LeaseStore::wait_for_change`].
    async fn wait_for_any_change(
        &self,
        seen: &[Observation],
        prefix: Option<&str>,
        at_most: Duration,
    ) -> Result<(), StoreError>;

    /// Asks something of a lease on behalf of an operator.
    ///
    /// - *Stop* is for the hold of this moment and for none after it. The holder hears of it with its next
    ///   renewal at the latest ([`Renewal::Extended`]), and at once where the store can tell
    ///   ([`LeaseStore::hold_event`]). Nothing is taken from it.
    /// - *Pause* refuses every new owner, waiters included, and replaces a pause before it.
    /// - *Resume* ends pause and minimum hold; waiters find out without being told for longer than they
    ///   would wait for a release.
    async fn ask(&self, name: &LeaseName, what: Ask, asker: &Asker) -> Result<Asked, StoreError>;

    /// Removes all that is kept of a lease that nobody holds, its tokens included.
    ///
    /// - Only for a name that nobody but the caller can know: under a contender there could be two holders
    ///   of it, and the same token twice.
    async fn forget(&self, name: &LeaseName) -> Result<(), StoreError>;

    /// Takes a lease away from the hold with this token, and from no other, and notes it in the record.
    /// Its command may still run: the caller has been told what that risks.
    async fn revoke(
        &self,
        name: &LeaseName,
        token: FencingToken,
        asker: &Asker,
    ) -> Result<Revoked, StoreError>;

    /// What the server says of itself that leases depend on, for people who set it up.
    ///
    /// - Looks without touching; what an operator could set better is said with what comes of it.
    /// - What our credentials do not let us read is said as well ([`super::Suits::Unread`]), and is no error.
    /// - Empty where there is no server that could be set up otherwise.
    /// - Its wall clock is for people to compare; nothing is decided by it.
    async fn advice(&self) -> Result<Advice, StoreError> {
        Ok(Advice::default())
    }

    /// Takes a lease away from somebody who is not leasectl ([`Observation::foreign`]), and never from a hold
    /// of ours. Only a store that others use too can have such.
    async fn evict(&self, _name: &LeaseName) -> Result<Revoked, StoreError> {
        Ok(Revoked::CannotRevoke(
            "nobody but leasectl has leases in this store; name the holder with --token".to_owned(),
        ))
    }
}

/// The answer to an attempt. Both are ordinary; neither is an error.
#[derive(Debug)]
#[must_use]
#[expect(
    clippy::large_enum_variant,
    reason = "an attempt is matched at once and never kept; a box would be noise at every use"
)]
pub enum Attempt {
    /// It is ours.
    Granted(Hold),
    /// It is not.
    Refused(Refusal),
}

/// Why an attempt was refused, and what to do next.
#[derive(Debug)]
pub struct Refusal {
    /// Why.
    pub why: RefusedWhy,
    /// What the store would tell of the lease.
    pub by: Observation,
    /// When it is worth asking again even if nothing is pushed; `None`: only when told.
    pub look_again: Option<Duration>,
    /// Our place in the queue, for [`LeaseStore::wait_for_turn`].
    pub place: Place,
}

/// Why an attempt was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedWhy {
    /// Somebody else has it.
    Held,
    /// A minimum hold keeps everyone out.
    Cooldown,
    /// An operator keeps everyone out.
    Paused,
    /// The store was restarted or emptied, and may have forgotten a holder that still runs.
    Guard,
    /// The store is so new that it cannot promise yet that tokens rise.
    Young,
}

impl RefusedWhy {
    /// Whether it ends by itself after a time that the store knows: waited out even by those who do not
    /// wait, because otherwise the first job after a restart of the store would run nowhere.
    #[must_use]
    pub const fn is_bounded(self) -> bool {
        matches!(self, Self::Guard | Self::Young)
    }
}

/// A place in a store's queue. What is in it only the store knows.
#[derive(Default)]
pub struct Place(pub Option<Box<dyn Any + Send>>);

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Place(queued)"
        } else {
            "Place(none)"
        })
    }
}

/// The answer to a renewal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Renewal {
    /// It goes on.
    Extended {
        /// What the store's clock showed; `None` where it is ours, or the store does not tell.
        server_time: Option<ServerTime>,
        /// An operator wants it back.
        asked: Option<StopRequest>,
    },
    /// It is over, and the store said so.
    Lost {
        /// As in [`Renewal::Extended`].
        server_time: Option<ServerTime>,
        /// How that came about.
        why: LostWhy,
    },
}

impl Renewal {
    /// It goes on, and that is all there is to say.
    pub const EXTENDED: Self = Self::Extended {
        server_time: None,
        asked: None,
    };

    /// The hold is over, by a store whose clock is ours.
    pub const fn lost(why: LostWhy) -> Self {
        Self::Lost {
            server_time: None,
            why,
        }
    }

    /// The same answer without what the store's clock showed.
    pub fn untimed(mut self) -> Self {
        let (Self::Extended { server_time, .. } | Self::Lost { server_time, .. }) = &mut self;
        *server_time = None;
        self
    }
}

/// How a hold was lost (INTERFACES, event `lost`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostWhy {
    /// Its time ran out at the store.
    Expired,
    /// Somebody else has it now.
    Taken,
    /// An operator took it away.
    Broken,
    /// The store no longer knows of it.
    Vanished,
    /// Its time ran out at a store whose clock was set forward. Said by nobody but those who compare that
    /// clock with ours ([`super::ServerClock`]).
    ClockJump,
}

impl LostWhy {
    /// The word for it in events and hooks.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Taken => "taken",
            Self::Broken => "broken",
            Self::Vanished => "vanished",
            Self::ClockJump => "clock_jump",
        }
    }
}

/// The answer to a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Release {
    /// Given back.
    Released,
    /// There was nothing to give back: it had already ended.
    AlreadyOver,
}
