//! The Azure Blob store, `azblob://`: one block blob per lease, held with a real blob lease of 15 to 60 s.
//!
//! Any Azure tool sees an ordinary lease, and an ordinary lease of any Azure tool keeps leasectl out.
//!
//! # Blobs
//!
//! `PREFIX/NAME`, empty, with token and record in its metadata: **only the holder writes it, and never without
//! lease id and If-Match.** `PREFIX/NAME.ask`, never leased, made by the first operator who asks for something:
//! stop requests, pauses, and what became of holds that were taken away. Names are escaped, so that no lease can be called
//! like another's ask blob. The owner id is the lease id, a right to renew and to release: it is stored nowhere, only
//! a hash of it.
//!
//! # Algorithm
//!
//! 1. *Look* at the lease's blob. Held: refused, after one request. Without a blob, or in one that never had a token: see
//!    below.
//! 2. *Look* at the ask blob. Paused, or in its minimum hold: refused, and no lease is taken.
//! 3. *Take* the lease with the proposed id, If-Match what was seen. Another id in the answer is no grant.
//! 4. *Look* at the ask blob again: only this look decides a pause.
//! 5. *Write* token and record with lease id and If-Match. Token = max(previous + 1, the service's second in
//!    microseconds). Only now it is granted. An unanswered attempt is repeated with the same id, and finds its own record.
//! 6. *Renew*: one request, and the answer has to have our id. Then, with what time is left of half an attempt, a
//!    conditional look at the ask blob.
//! 7. *Release*: write how it ended, then release.
//! 8. *Stop, pause, resume*: read, change and write the ask blob under a condition. *Revoke*: break without a period, which
//!    lets nobody renew any more, then at once; both If-Match the blob whose token was compared.
//! 9. *Wait* and *look on*: nothing is pushed, so look again (`poll`), while paused at the ask blob alone.
//!
//! # What is not there, and the guard
//!
//! A leased blob cannot be deleted, but its container can. So in a container younger than one time to live of the claim
//! (`restart-guard`) nobody gets a lease whose blob has no token ([`crate::lease::RefusedWhy::Guard`]); and nobody gets one in a
//! blob that is younger than 2 s ([`crate::lease::RefusedWhy::Young`]), because the service's date has whole seconds and a blob
//! that was deleted and made again within one could give the same token twice.
//!
//! # Why not the SDK's blob client
//!
//! Signing in is the SDK's (`azure_identity`). The requests are our own, over the same HTTP client: `azure_storage_blob`
//! takes no account key, hides whether a request was sent at all (which decides between no effect and an unknown one), turns
//! 304 and every lease code into errors to be taken apart again, and none of what it adds, retries foremost, may be used here. The
//! dozen requests in `wire.rs` are those that were tried under faults before this was written.
//!
//! # Promises
//!
//! - Tokens rise across holders, crashes, deleted blobs and containers ([`crate::lease::Fencing::Durable`]).
//! - Waiters and onlookers look; there is no order among waiters.
//! - A hold that expired unseen and that nobody took can be renewed: the service proves that nobody was in between.
//! - Not promised: exclusion across a fail-over of the account to its other region, across a restart of an Azurite
//!   from its files, and against those who have rights on the container and use them. There the token protects.

mod acquire;
mod asks;
mod az;
mod config;
mod connection_string;
mod creation;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod holding;
mod link;
mod listing;
mod look;
mod metadata;
mod names;
mod onlooker;
mod operators;
mod place;
mod shared_key;
mod sign_in;
mod store;
mod tls;
mod tokens;
mod trouble;
mod verdict;
mod wire;

pub use config::{Config, RestartGuard};
pub use place::Place;
pub use sign_in::{AccountKey, SignIn, Surroundings, TokenFrom};
pub use store::AzblobStore;
