//! The guarded command of a hand-over: small, so that little else than the hand-over is measured. Built by
//! the comparison with rustc, and no part of it.
//!
//! `stamp FILE PAUSE` makes FILE.in, stays for PAUSE milliseconds, and writes down when it left. With a
//! PAUSE of 0 that is also when it came.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let pause: u64 = words[2].parse().expect("a number of milliseconds");
    if pause > 0 {
        File::create(format!("{}.in", words[1])).expect("a directory of our own");
        std::thread::sleep(Duration::from_millis(pause));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("a clock that was set").as_nanos();
    let mut file = File::create(&words[1]).expect("a directory of our own");
    file.write_all(now.to_string().as_bytes())
        .expect("room on the disk");
}
