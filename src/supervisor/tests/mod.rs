//! Events in, actions out. No sleeps, no clocks, no stores.

mod checks;
mod coverage;
mod endings;
mod holding;
mod ledger;
mod orders;
mod outcome;
mod process;
mod properties;
mod releasing;
mod rig;
mod seeking;
mod settling;
mod stopping;
mod world;
