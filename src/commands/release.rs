//! `leasectl release`: asks a holder to stop and waits for its end, or takes the lease away.

use std::time::Duration;

use tokio::time::sleep;

use super::operator::Operator;
use crate::clock::{BootClock, Clock, Instant};
use crate::lease::{
    Ask, Asked, Asker, FencingToken, LeaseName, LeaseState, Observation, Revoked, StoreError,
};

/// The time between two looks at the least: a store may return from a wait at once and for no reason.
const BREATH: Duration = Duration::from_millis(50);
/// A change that the store did not tell of is seen after this time.
const LONGEST_LOOK: Duration = Duration::from_secs(5);
/// Between two attempts at a store that does not answer while we wait.
const PAUSE: Duration = Duration::from_secs(1);

/// What became of a request.
#[derive(Debug)]
#[must_use]
pub enum Asking {
    /// Nobody holds it.
    NotHeld,
    /// The hold that was asked is over; what is to be seen since.
    Over(Observation),
    /// It was asked, and holds still.
    StillHeld(Observation),
    /// Somebody holds who left no record, and nobody could be asked.
    Unknown(Observation),
}

/// What became of an attempt to take a lease away.
#[derive(Debug)]
#[must_use]
pub enum Taking {
    /// Taken away.
    Taken {
        /// What was to be seen before.
        before: Observation,
        /// How long whoever had it may still act on it, where the store can tell.
        within: Option<Duration>,
    },
    /// It is not held under that token; what is to be seen.
    NotHeld(Observation),
    /// This store takes nothing away; what to do instead.
    Impossible(String),
}

impl Operator {
    /// Asks the holder to stop, and waits until its hold is over, until `deadline` at most. `told` is called
    /// once when there is something to wait for.
    ///
    /// # Errors
    /// The store's. While waiting, one that does not answer is asked again until the deadline.
    pub fn ask_to_stop(
        &self,
        name: &LeaseName,
        asker: &Asker,
        deadline: Instant,
        told: impl FnOnce(&Observation),
    ) -> Result<Asking, StoreError> {
        self.runtime.block_on(async {
            let token = match self.tell(name, asker, deadline).await? {
                Ok(token) => token,
                Err(nobody) => return Ok(nobody),
            };
            let mut seen = self.keeper.observe(name).await?;
            if is_over(&seen, token) {
                return Ok(Asking::Over(seen));
            }
            told(&seen);
            while BootClock.now() < deadline {
                self.next_look(&seen, deadline).await;
                match self.keeper.observe(name).await {
                    Ok(now) if is_over(&now, token) => return Ok(Asking::Over(now)),
                    Ok(now) => seen = now,
                    Err(error) if BootClock.now() < deadline => {
                        // Told or not, the request stands: only the answer to our look is missing.
                        let StoreError::Unreachable { .. } = error else {
                            return Err(error);
                        };
                        sleep(PAUSE).await;
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(Asking::StillHeld(seen))
        })
    }

    /// The token of the hold that will be told, or why none will. Who has just got the lease writes the
    /// record a moment later.
    async fn tell(
        &self,
        name: &LeaseName,
        asker: &Asker,
        deadline: Instant,
    ) -> Result<Result<FencingToken, Asking>, StoreError> {
        loop {
            match self.keeper.ask(name, Ask::Stop, asker).await? {
                Asked::Told(token) => return Ok(Ok(token)),
                Asked::AlreadySo | Asked::Done => return Ok(Err(Asking::NotHeld)),
                Asked::NobodyToTell => {}
            }
            let seen = self.keeper.observe(name).await?;
            if BootClock.now() >= deadline {
                return Ok(Err(Asking::Unknown(seen)));
            }
            self.next_look(&seen, deadline).await;
        }
    }

    /// Sleeps until it is worth looking again. Errors are for the look that follows.
    async fn next_look(&self, seen: &Observation, deadline: Instant) {
        let rest = deadline.since(BootClock.now());
        let changed = self
            .keeper
            .wait_for_change(seen, rest.min(LONGEST_LOOK))
            .await;
        sleep(changed.map_or(PAUSE, |()| BREATH).min(rest)).await;
    }

    /// Takes the lease away from the hold with this token; without one, from somebody who is not leasectl.
    ///
    /// # Errors
    /// The store's.
    pub fn take_away(
        &self,
        name: &LeaseName,
        token: Option<FencingToken>,
        asker: &Asker,
    ) -> Result<Taking, StoreError> {
        self.runtime.block_on(async {
            let before = self.keeper.observe(name).await?;
            let taken = match token {
                Some(token) => self.keeper.revoke(name, token, asker).await?,
                None => self.keeper.evict(name).await?,
            };
            Ok(match taken {
                Revoked::Revoked { within } => Taking::Taken { before, within },
                Revoked::NotHeld => Taking::NotHeld(self.keeper.observe(name).await?),
                Revoked::CannotRevoke(why) => Taking::Impossible(why),
            })
        })
    }
}

/// A hold without a readable record is taken for the one that was asked: nothing shows that it is over.
fn is_over(seen: &Observation, token: FencingToken) -> bool {
    let other = |held: FencingToken| held != token;
    seen.state != LeaseState::Held
        || seen
            .record
            .as_ref()
            .is_some_and(|record| other(record.token))
}
