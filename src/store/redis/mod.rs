//! The Redis store: leases on one Redis or Valkey server (`redis://`, `rediss://`, `redis+unix://`), on the
//! primary that Sentinels name (`redis-sentinel://`, `rediss-sentinel://`), or on a cluster (`redis-cluster://`,
//! `rediss-cluster://`).
//!
//! One Lua script per transition, the server's clock decides, one hash per lease, a line of waiters with
//! pushed hand-over. One connection serves everything: requests, and what the server says unasked (RESP3).
//!
//! # Keys
//!
//! `{PREFIX:SHARD}` and then `:l:NAME`, a hash with the lease and its record, which never expires; `:q:NAME`, a
//! sorted set of those who wait; `:i`, a sorted set with every name of the shard; `:h:NAME`, the channel of
//! its holders; `:w:OWNER`, the channel of one waiter. SHARD is one of 16, by a hash of the name.
//!
//! # Algorithm
//!
//! 1. *Open*: connect, shake hands where it is TLS, HELLO 3, AUTH; then INFO and TIME tell which server process it is and since when.
//! 2. *Acquire*: the same owner gets its token again and the expiry restarts. Otherwise refused while the
//!    server may have forgotten a holder (below), while a pause runs, while somebody holds or a minimum hold
//!    runs, and while somebody else is first in line. Else granted, with the token max(previous + 1,
//!    the server's microseconds), so that even FLUSHALL cannot turn it back.
//! 3. After a grant: listen on the holders' channel, have as many replicas as `replicas` says confirm it (WAIT),
//!    and only then say so. With fewer it is withdrawn.
//! 4. *Wait*: listen on the own channel, then take a place in line, whose ticket is the server's time of
//!    arrival and survives reconnects. Sleep until told, until a look after 10 s, or, as the first in line, until
//!    the lease ends by itself. Every renewal tells the first in line of the new end.
//! 5. *Renew*: the expiry moves if owner and token still hold; tells of a request to stop. After a reconnect:
//!    listen first, then renew.
//! 6. *Release*: records how the run ended, frees the lease, and in the same script keeps it for one second
//!    for the first waiter that the server can reach. The one behind is told when that second ends.
//! 7. *Withdraw*: leaves the line, passes on what was kept for it, and frees a grant with its minimum hold.
//! 8. *Stop* is stored and pushed. *Pause* and *resume* change what keeps everyone out. *Revoke*: compare with
//!    the token, free, push.
//! 9. *Look on*: looks again and again; listening on the holders' channel would count as a holder.
//!
//! A script first tries each command that it may come to: one that an ACL forbids, or that the server does not know,
//! ends it before it has written.
//!
//! A request whose answer did not come takes its connection along, and so does an answer of a replica. With
//! Sentinels each new connection begins with the question where the primary is. They are asked in turn, the next
//! one when one is silent for a moment or fails, beginning with the next one the next time; whom they name has
//! to say that it is a primary (ROLE).
//!
//! # In a cluster
//!
//! All keys of a lease are in one slot, that of its shard. A node says which node serves it (CLUSTER SLOTS), and
//! one connection to that one does all: channels are those of the slot (SSUBSCRIBE, SPUBLISH). MOVED is followed
//! five times, ASK once; TRYAGAIN is asked again after 50 ms for a second. As the line of waiters is mostly
//! empty, and a key that is not there counts as one that has moved, a lease is not served while its slot
//! moves: that is doubt, and the hold goes on when the slot has moved. When the server ends a subscription unasked,
//! the slot has moved: the connection is left at once, because what is said unasked may be taken for an answer.
//!
//! # What a server can forget, and the guard
//!
//! After DEL, FLUSHALL, a restart without data or from an old snapshot, and after a fail-over that lost the
//! grant, a holder may be running of whom the server knows nothing. So a claim is refused
//! ([`crate::lease::RefusedWhy::Guard`]) for one time to live of the claim, or `restart-guard`:
//!
//! - while the record is missing and somebody listens on the holders' channel, who is told that the lease is lost;
//! - from the first sight of a record that is missing while the index knows its name;
//! - from the start of a server process that did not write the record itself;
//! - from the first sight of a record that another process wrote while this one was already up.
//!
//! # Promises
//!
//! - Tokens rise across holders, crashes and loss of data ([`crate::lease::Fencing::Durable`]).
//! - A waiter is told at once, in order of arrival; onlookers look.
//! - Not promised: exclusion after a fail-over to a replica that had not received the grant, while a cut-off
//!   old primary still takes renewals, after loss of data together with the holder's connection in the first
//!   moments of a grant, and when the server's clock is set forward. There the token protects.

mod acquire;
mod address;
mod advice;
mod answer;
mod bounded;
mod cluster;
mod config;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod inbox;
mod keys;
mod line;
mod link;
mod links;
mod listing;
mod onlooker;
mod reach;
mod record;
mod sentinel;
mod speech;
mod store;
mod tls;
mod trouble;
mod turn;
#[cfg(feature = "mutants")]
mod unmatched;
mod who;
mod wire;

pub use address::{Address, Node, Sentinels};
pub use config::{Config, RestartGuard, Tls};
pub use store::RedisStore;
