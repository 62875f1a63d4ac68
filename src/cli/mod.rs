//! What was typed, what is printed, which number we exit with.

mod args;
mod carrying;
mod choice;
mod completions;
mod config;
mod correction;
mod doctor;
mod ending;
pub mod exit;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod guide;
mod held;
mod hold;
mod leaving;
mod listeners;
mod man_page;
mod operating;
mod output;
mod pause;
mod phrases;
mod plan;
mod release;
mod report;
mod run;
mod scheduled_events;
mod service;
mod start;
mod status;
mod terminal;
mod trusted;
mod usage;
mod values;
mod voice;
mod waiting;
mod words;

pub use args::Cli;
pub use start::main;
use words::{chain, named, os_error, printable, quoted};
