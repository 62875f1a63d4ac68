//! The decision core of `run`: what happened goes in, what to do comes out.
//!
//! [`Supervisor::step`] is synchronous and pure: no I/O, no clock, no async, no randomness. Everything
//! that touches the world is around it, which is why each rule of DESIGN section 2 can be tested here
//! by feeding events and reading actions, for any order of events and any lateness.
//!
//! ```text
//!              Granted, in time: Arm, Start (P4)
//!   Seeking ─────────────────────────────────────► Holding ◄─────────► Doubting
//!      │  ▲                                           │   no answer/answer │
//!      └──┘ Granted too late: Release, seek again     │                    │
//!      │                                              ├────────┬───────────┘
//!      │                             CommandExited    │        │ any reason to stop (P9: Kill at
//!      │                             CommandNotStarted│        │ once; else Stop, later Kill)
//!      │                                              ▼        ▼
//!      │                                          Settling ─► Stopping   never back (P10)
//!      │                          TreeEmpty or LetGo  │        │ TreeEmpty    │ given up (P5)
//!      │                                              ▼        ▼              │
//!      │                                             Releasing (unless lost)  │
//!      ▼ refused, unreachable, interrupted ...        ▼                       ▼
//!      └──────────────────────────────────────────► Done ◄────────────────────┘
//! ```
//!
//! With an `acquired` hook there is a state between the first two: a grant leads to Preparing (Arm,
//! Prepare), a hook that ends well from there to Holding (Start), and one that fails to Settling.
//!
//! Deadlines that have passed are acted on before what was heard afterwards, except for events that
//! report what had already become true. When `step` returns, [`Supervisor::wake_at`] lies ahead.

mod action;
mod event;
mod holding;
mod outcome;
mod preparing;
mod releasing;
mod renewing;
mod restart;
mod running;
mod seeking;
mod settings;
mod settling;
mod state;
mod step;
mod stopping;
#[cfg(test)]
mod tests;

pub use action::{Action, Deadline, Note, StopWhy};
pub use event::{AskedBy, CommandEnd, Event, Fatal};
pub use outcome::{LossReason, Outcome, Unprepared};
pub use restart::{Restart, Restarts};
pub use settings::{Guards, Leftovers, Settings, Wait};
pub use state::Phase;
pub use step::Supervisor;
pub use stopping::asks_to_end;
