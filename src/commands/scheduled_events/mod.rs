//! `leasectl scheduled-events`: what is announced, what becomes of it, and letting it begin.

mod directory;
mod execution;
mod filter;
mod object;
mod session;

pub use directory::{Choice, sharing};
pub use execution::Execution;
pub use filter::{Filter, Types};
pub use object::{Follower, json};
pub use session::{Listed, Session, Unlisted};
