//! `leasectl doctor`: whether a store and a machine keep what is promised, tried and not only asked.
//!
//! What is tried is tried on a lease of its own, whose name nobody else can know, so that no other is
//! touched. It is forgotten afterwards; what a doctor left that was killed, the next one forgets.

mod announced;
mod asking;
mod finding;
mod live;
mod machine;
mod server;

pub use finding::{Failure, Finding, Rating};
pub use live::examine;
pub use machine::examine_machine;
pub use server::examine_server;
