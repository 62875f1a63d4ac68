//! Whatever is given as a store's URL: its password is in no text made from it.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leasectl::fuzzing::targets::feed("store_url", bytes));
