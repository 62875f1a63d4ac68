//! `leasectl run`: the driver around the pure supervisor.
//!
//! Each turn waits for one thing to happen (a report of the guardian, a signal, an answer of the
//! store, an instant), tells the supervisor, and performs what it orders. Nothing is decided here.

mod driver;
mod environment;
mod news;
mod perform;
mod plan;
mod requests;

pub use driver::{Ended, Unguarded, run};
pub use environment::{ChosenStore, command_environment};
pub use news::{Listener, News};
pub use plan::RunPlan;
