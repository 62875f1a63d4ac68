//! The integration tests: one binary, with its own harness.
//!
//! The harness is `libtest-mimic` and not the built-in one, because the built-in one cannot ignore a
//! test at run time: a test whose tools are missing would have to pass or to fail, and both are lies.
//! Here it is shown as ignored, with the reason (`support/needs.rs`).
//!
//! A test is a plain `fn` that panics when it fails. It is named in the `trials!` list of its module;
//! one that is forgotten there is dead code, which the lints refuse. `#[test]` does nothing here.

#![expect(
    clippy::unwrap_used,
    reason = "all of this is tests, which clippy cannot see without `#[test]`"
)]

#[macro_use]
mod support;

mod azblob;
mod cli;
mod config;
mod conformance;
mod contention;
mod doctor;
mod events;
mod guard;
mod hold;
mod hooks;
mod leaving;
mod operators;
mod redis;
mod repository;
mod scheduled_events;
mod standby;
mod status;
mod terminal;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Some tests run this binary again, as the process that they watch or kill.
    let asked = support::witness::when_asked()
        .or_else(support::puppet::when_asked)
        .or_else(conformance::file_killed::when_asked)
        .or_else(contention::when_asked);
    if let Some(code) = asked {
        return code;
    }
    let arguments = libtest_mimic::Arguments::from_args();
    let mut trials = Vec::new();
    trials.extend(azblob::trials());
    trials.extend(cli::trials());
    trials.extend(config::trials());
    trials.extend(conformance::trials());
    trials.extend(contention::trials());
    trials.extend(doctor::trials());
    trials.extend(events::trials());
    trials.extend(guard::trials());
    trials.extend(hold::trials());
    trials.extend(hooks::trials());
    trials.extend(leaving::trials());
    trials.extend(operators::trials());
    trials.extend(redis::trials());
    trials.extend(repository::trials());
    trials.extend(scheduled_events::trials());
    trials.extend(standby::trials());
    trials.extend(status::trials());
    trials.extend(support::trials());
    trials.extend(terminal::trials());
    let conclusion = libtest_mimic::run(&arguments, trials);
    support::azurite::Azurite::empty_the_pool();
    support::times::tell();
    conclusion.exit_code()
}
