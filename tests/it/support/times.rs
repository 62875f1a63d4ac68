//! Where the time of a whole run goes: the slowest tests, told at its end.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

static TIMES: Mutex<Vec<(Duration, String)>> = Mutex::new(Vec::new());

/// A run of fewer tests is somebody's who waits for them anyway.
const MANY: usize = 100;
const TOLD: usize = 20;

/// Notes how long a test took, with its wait for the machine.
pub(super) fn note(name: &str, took: Duration) {
    let mut times = TIMES.lock().unwrap_or_else(PoisonError::into_inner);
    times.push((took, name.to_owned()));
}

/// Tells the slowest tests of a run of many.
pub(crate) fn tell() {
    let mut times = TIMES.lock().unwrap_or_else(PoisonError::into_inner);
    if times.len() < MANY {
        return;
    }
    times.sort();
    let all: Duration = times.iter().map(|(took, _)| took).sum();
    println!(
        "{} tests took {all:.0?}, one by one; the slowest:",
        times.len()
    );
    for (took, name) in times.iter().rev().take(TOLD) {
        println!("  {took:>8.1?}  {name}");
    }
}
