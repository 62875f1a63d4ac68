//! Whatever stands in the file store's files: tokens rise all the same.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leasectl::fuzzing::targets::feed("file_store", bytes));
