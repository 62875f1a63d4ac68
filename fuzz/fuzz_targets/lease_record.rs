//! Whatever somebody wrote into a record: what is shown of it cannot act on a terminal.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leasectl::fuzzing::targets::feed("lease_record", bytes));
