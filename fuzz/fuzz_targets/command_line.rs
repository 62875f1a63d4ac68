//! Whatever is typed as a value: refused in one line, or taken as what it says.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leasectl::fuzzing::targets::feed("command_line", bytes));
