//! Whatever the metadata service announces: no event is about a machine that it does not name.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leasectl::fuzzing::targets::feed("scheduled_events", bytes));
