//! Settings from files: read and checked, laid over each other, and given to the verb as if they had
//! been typed.

mod apply;
mod configured;
mod document;
mod files;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzzing;
mod keys;
mod layers;
mod pattern;
mod place;
mod reader;
mod show;
mod stores;
mod value;

pub(super) use apply::{of_any_lease, parse};
pub(super) use configured::Configured;
pub(super) use show::show;
