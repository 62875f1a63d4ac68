//! Events in, actions out. No sleeps, no clocks, no stores.

mod holding;
mod outcome;
mod properties;
mod releasing;
mod rig;
mod seeking;
mod settling;
mod stopping;
mod world;
