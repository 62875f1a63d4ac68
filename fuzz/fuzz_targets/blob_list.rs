//! Whatever a Blob service lists: each blob is at most one lease's.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leasectl::fuzzing::targets::feed("blob_list", bytes));
