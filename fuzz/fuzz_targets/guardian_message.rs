//! Whatever comes over the socket pair: no order that nobody gave.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leasectl::fuzzing::targets::feed("guardian_message", bytes));
