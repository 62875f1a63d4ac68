//! The verbs: one room each, and the only place where stores, supervisor, keeper and processes meet.

pub mod doctor;
pub mod events;
mod holders;
pub mod operator;
mod pause;
pub mod release;
pub mod run;
pub mod scheduled_events;
pub mod status;
