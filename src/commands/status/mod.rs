//! `leasectl status`: what onlookers are shown of leases, at one moment or as it changes.
//!
//! Nothing here takes part: no lock is taken, no queue is entered, no file or directory is made.

mod by_holder;
mod changes;
mod check;
mod object;
mod prometheus;
mod view;
mod watch;

pub use by_holder::{Group, by_holder};
pub use changes::{Follower, Kind};
pub use check::{Checked, check};
pub use object::json;
pub(super) use object::line;
pub use prometheus::prometheus;
pub use view::{Opener, Picture, Selection, View};
pub use watch::{Flow, Viewer, WatchError, watch};
