//! Whatever a Blob service answers: only a yes is a yes, and errors are short.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leasectl::fuzzing::targets::feed("blob_answer", bytes));
