//! What everything that comes from outside has to stand: any bytes. Never part of a release.
//!
//! One function for each kind of input, shared by the libFuzzer targets in `fuzz/` and by the tests below
//! `targets/`, which feed them the corpus and mutations of it on stable Rust (CONTRIBUTING.md).

pub(crate) mod checks;
pub mod targets;
