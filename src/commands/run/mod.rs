//! `leasectl run`: the driver around the pure supervisor.
//!
//! Each turn waits for one thing to happen (a report of the guardian, a signal, an answer of the
//! store, an instant), tells the supervisor, and performs what it orders. Nothing is decided here.

mod asked;
mod audience;
mod cycle;
mod driver;
mod ended;
mod environment;
mod hooks;
mod need;
mod news;
mod onlooker;
mod perform;
mod plan;
mod renewals;
mod requests;
mod signals;

pub use cycle::run;
pub use ended::{Ended, Unguarded};
pub use environment::{ChosenStore, command_environment};
pub use hooks::{HookCommands, HookFate, HookName};
pub use need::Needed;
pub use news::{Listener, News};
pub use plan::RunPlan;
