//! Whatever stands in a configuration file: refused in one line, and no password is shown.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leasectl::fuzzing::targets::feed("configuration", bytes));
