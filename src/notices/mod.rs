//! What the operator of the machine announces: maintenance, eviction, the end of the machine.
//!
//! ```text
//! document   bytes -> events, one by one; nothing that is malformed stops anybody
//! differ     document, document -> what became of which event
//! source     the trait: next() gives updates, a change of role, or a warning
//! file       a source that reads a file
//! ```
//!
//! A caller selects over [`NoticeSource::next`], which may be dropped at any time. [`News::Updates`] tells
//! changes only; the first good document is told even when it announces nothing. Whether "nothing is announced"
//! is known or only not denied is told by [`NoticeSource::good_at`].
//!
//! No decision is made here: what an event means for a lease is the business of whoever holds it.

mod cache;
mod client;
mod coordinated;
mod coordinator;
mod date;
mod differ;
mod directory;
mod document;
mod endpoint;
mod file;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod hearing;
mod http;
mod leavers;
mod lock;
mod notice;
mod pacing;
mod polling;
mod seat;
mod settings;
mod slot;
mod source;
mod survey;
mod teller;

pub use client::{API_VERSION, Client, Trouble};
pub use coordinated::open;
pub use differ::Differ;
pub use document::{Document, LARGEST_DOCUMENT, Names, NoDocument, parse};
pub use endpoint::{Endpoint, NoEndpoint};
pub use file::FileSource;
pub use hearing::Watch;
pub use notice::{Change, Notice, UNKNOWN, Update};
pub use settings::{Opening, ROOT_DIRECTORY, Sharing};
pub use source::{Aside, News, NotApproved, NoticeSource, Role};
pub use survey::{Asking, who_asks};
