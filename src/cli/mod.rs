//! What was typed, what is printed, which number we exit with.

mod args;
mod choice;
pub mod exit;
mod held;
mod plan;
mod report;
mod start;
mod values;
mod words;

pub use args::Cli;
pub use start::main;
use words::{chain, os_error, printable};
