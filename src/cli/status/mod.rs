//! `leasectl status` in words: what is typed becomes a view, and what is seen a table, lines or a number.

mod by_holder;
mod details;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzzing;
mod grid;
mod last_run;
mod lines;
mod names;
mod screen;
mod show;
mod style;
mod table;
mod when;

pub(super) use grid::aligned;
pub(super) use names::complete_leases;
pub(super) use show::status;
