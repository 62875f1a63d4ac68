//! What was typed, what is printed, which number we exit with.

mod args;
mod audience;
mod choice;
mod ending;
pub mod exit;
mod held;
mod plan;
mod report;
mod service;
mod start;
mod usage;
mod values;
mod words;

pub use args::Cli;
pub use start::main;
use words::{chain, named, os_error, printable, quoted};
