//! `leasectl run`: the driver around the pure supervisor.
//!
//! Each turn waits for one thing to happen (a report of the guardian, a signal, an answer of the
//! store, an instant), tells the supervisor, and performs what it orders. Nothing is decided here.

mod approval;
mod asked;
mod audience;
mod cycle;
mod departure;
mod driver;
mod ended;
mod environment;
mod hooks;
mod need;
mod news;
mod notices;
mod onlooker;
mod perform;
mod plan;
mod renewals;
mod requests;
mod signals;

pub use cycle::run;
pub use departure::Reasons;
pub use ended::{Ended, Unguarded};
pub use environment::{ChosenStore, command_environment};
pub use hooks::{HookCommands, HookFate, HookName};
pub use need::Needed;
pub use news::{Asked, Listener, News, Unapproved};
pub use notices::LeaveFor;
pub use plan::RunPlan;
