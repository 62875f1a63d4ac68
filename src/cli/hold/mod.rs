//! `leasectl hold`: a lease for a process that is there already.

mod announcer;
mod background;
mod ending;
mod plan;
mod verb;

pub(super) use announcer::Announcer;
pub(super) use background::{leave_the_eval, with_background};
pub(super) use verb::hold;
