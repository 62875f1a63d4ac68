//! Whatever stands in the cache: what is believed is whole, of this boot, and not from the future.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leasectl::fuzzing::targets::feed("scheduled_events_cache", bytes));
