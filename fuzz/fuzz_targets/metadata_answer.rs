//! Whatever the metadata service answers over HTTP: bounded, and the same however it is cut.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leasectl::fuzzing::targets::feed("metadata_answer", bytes));
