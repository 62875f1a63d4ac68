//! What a lease is, and how far it can be trusted.
//!
//! A lease is a name that at most one holder has at a time, for a limited time. Three things make it
//! safe to act on, and none of them is the network:
//!
//! 1. **Clocks.** Assumption: our boot clock and the store's clock run at rates that differ by at most
//!    `--max-drift`. Consequence: counted from the instant *before* a request was sent, the lease is
//!    ours for its time to live less that drift ([`Tenure`]). Knob: `--max-drift`, `--ttl`. Cost: when
//!    the store is silent, the command is stopped that much early.
//! 2. **Doubt** is neither yes nor no (P8). An unknown acquisition is not held, an unknown renewal
//!    leaves the old deadline standing, an unknown release counts as still held ([`Effect`]).
//! 3. **Fencing.** What no clock can see (a hypervisor's pause, a store that lost acknowledged writes)
//!    only the guarded resource can catch, by refusing a lower [`FencingToken`] than it has seen.

mod advice;
mod ask;
mod claim;
mod error;
mod hold;
mod holder;
mod name;
mod observation;
mod outcome;
mod owner;
mod promises;
mod record;
mod server_clock;
mod store;
mod tenure;
mod timing;
mod token;

pub use advice::{Advice, Setting, Suits};
pub use ask::{Ask, Asked, Asker, HoldEvent, Pause, Revoked, StopRequest};
pub use claim::{Claim, Purpose};
pub use error::{Cause, Doing, Effect, StoreError, StoreLabel, in_one_line};
pub use hold::Hold;
pub use holder::Holder;
pub use name::{LONGEST_NAME, LeaseName, NameError};
pub use observation::{LeaseState, Observation};
pub use outcome::OutcomeWord;
pub use owner::OwnerId;
pub use promises::{Change, Expiry, Fencing, Promises};
pub use record::{EndedRun, Ending, LARGEST_RECORD, LeaseRecord};
pub use server_clock::{Jump, Pace, Reading, ServerClock, ServerTime};
pub use store::{Attempt, LeaseStore, LostWhy, Place, Refusal, RefusedWhy, Release, Renewal};
pub use tenure::Tenure;
pub use timing::{
    COMFORTABLE_TTL, DEFAULT_DRIFT, DEFAULT_TTL, LARGEST_TTL, SMALLEST_TTL, Timing, TimingError,
    TimingOptions,
};
pub use token::{FencingToken, TokenError};
