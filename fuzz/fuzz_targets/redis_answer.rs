//! Whatever a Redis server sends: only the word itself is a yes, and errors are short.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leasectl::fuzzing::targets::feed("redis_answer", bytes));
