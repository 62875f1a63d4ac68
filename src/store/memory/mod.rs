//! The memory store, `memory:`: leases of one process, for tests and dry runs.
//!
//! It behaves as a remote store does: a time to live, an expiry decided by the store's clock (here
//! the boot clock that it is given), one answer per request. Nothing outlives the process and no
//! other process sees it, so it excludes nobody.
//!
//! # Algorithm
//!
//! 1. Every request first counts as one; a store that has fallen silent never answers it.
//! 2. Then, under one mutex: a hold whose time has run out is taken away.
//! 3. *Acquire*: refused while another owner holds, or while a pause or a minimum hold runs. The same owner gets its
//!    token again and the expiry restarts. Otherwise the next token of the whole store is granted.
//! 4. *Renew*: the expiry moves to now plus the time to live, if owner and token still hold.
//! 5. *Release*: records how the run ended and frees the lease, if owner and token still hold. A
//!    hand-over (operator, scheduled event) clears the minimum hold.
//! 6. *Withdraw*: frees a grant of that owner, with its minimum hold: nothing was run under it.
//! 7. *Wait*: sleeps until a release, until the expiry or the end of the minimum hold, or `at_most`.
//! 8. *Ask to stop*: noted for the token that holds; its holder is told at once, and with every renewal.
//!    *Pause* and *resume* change what keeps everyone out. *Revoke*: compare with the token and delete.
//! 9. *Look on*: sleeps until what is shown differs, until time alone makes it differ, or `at_most`.
//!
//! # Promises
//!
//! - Tokens rise while the process lives ([`crate::lease::Fencing::ThisProcess`]).
//! - A waiter is told at once; no order among waiters is promised.
//!
//! # Fault drills
//!
//! | option | what happens |
//! |---|---|
//! | `memory:?answers=N` | after the first N requests it answers no more: the command has to be stopped in time |
//! | `memory:?lost-after=N` | the renewal after N good ones says that another has the lease |
//!
//! Every request counts but those that wait.

mod asks;
mod config;
mod store;
mod wire;

pub use config::Config;
pub use store::MemoryStore;
pub use wire::Silence;
