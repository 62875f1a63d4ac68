//! Events in, actions out. No sleeps, no clocks, no stores.

mod checks;
mod coverage;
mod endings;
mod holding;
mod leaving;
mod ledger;
mod orders;
mod outcome;
mod process;
mod properties;
mod releasing;
mod rig;
mod seeking;
mod settings;
mod settling;
mod stopping;
mod world;
