//! The server's clock, which can be set while it runs: a library that the server is started with adds to what the
//! kernel says whatever stands in a file. Its monotonic clocks go on as they are.
//!
//! `libfaketime` does the same, and does not get on with the memory allocator that Redis is built with.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::Outcome;

/// The offset, in microseconds, stands there twice: a reader that sees half of a change looks again.
const SOURCE: &str = r#"
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile int64_t *offset;
__attribute__((constructor)) static void open_clock(void) {
    int file = open(getenv("CLOCK_OF_TORTURE"), O_RDONLY);
    void *map = mmap(0, 16, PROT_READ, MAP_SHARED, file, 0);
    if (map == MAP_FAILED) abort();
    offset = map;
}
static int64_t micros(clockid_t clock) {
    struct timespec real;
    syscall(SYS_clock_gettime, clock, &real);
    int64_t one = 0, two = 0;
    if (offset) do { one = offset[0]; two = offset[1]; } while (one != two);
    return real.tv_sec * INT64_C(1000000) + real.tv_nsec / 1000 + one;
}
int gettimeofday(struct timeval *at, void *zone) {
    int64_t now = micros(CLOCK_REALTIME);
    at->tv_sec = now / 1000000;
    at->tv_usec = now % 1000000;
    return 0;
}
time_t time(time_t *at) {
    time_t seconds = micros(CLOCK_REALTIME) / 1000000;
    if (at) *at = seconds;
    return seconds;
}
int clock_gettime(clockid_t clock, struct timespec *at) {
    if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE) return syscall(SYS_clock_gettime, clock, at);
    int64_t now = micros(clock);
    at->tv_sec = now / 1000000;
    at->tv_nsec = now % 1000000 * 1000;
    return 0;
}
"#;

/// A clock, all in microseconds.
#[derive(Debug)]
pub(crate) struct ServerClock {
    shim: String,
    path: String,
    file: File,
    offset: i64,
    /// The latest that it has shown.
    highest: i64,
}

impl ServerClock {
    /// Builds the library in `directory`. The clock shows the time.
    pub(crate) fn new(directory: &str) -> Outcome<Self> {
        let [source, library, path] =
            ["clock.c", "clock.so", "clock"].map(|name| format!("{directory}/{name}"));
        fs::write(&source, SOURCE)?;
        let mut gcc = Command::new("gcc");
        gcc.args(["-shared", "-fPIC", "-O1", "-o", &library, &source]);
        let built = gcc.status().map_err(|error| format!("gcc: {error}"))?;
        if !built.success() {
            return Err("gcc does not build the server's clock".into());
        }
        let clock = Self {
            shim: library,
            file: File::create(&path)?,
            path,
            offset: 0,
            highest: 0,
        };
        clock.write()?;
        Ok(clock)
    }

    fn write(&self) -> Outcome<()> {
        let offset = self.offset.to_ne_bytes();
        Ok(self.file.write_all_at(&[offset, offset].concat(), 0)?)
    }

    /// What the server is started with.
    pub(crate) fn environment(&self) -> [(&str, &str); 2] {
        [("LD_PRELOAD", &self.shim), ("CLOCK_OF_TORTURE", &self.path)]
    }

    /// What it shows.
    pub(crate) fn now(&self) -> Outcome<i64> {
        let real = SystemTime::now().duration_since(UNIX_EPOCH)?;
        Ok(i64::try_from(real.as_micros())? + self.offset)
    }

    /// Sets it, forward or back.
    pub(crate) fn step(&mut self, by: i64) -> Outcome<()> {
        self.highest = self.highest.max(self.now()?);
        self.offset += by;
        self.write()
    }

    /// Whether it shows less than it has shown already: tokens that are forgotten now could come again.
    pub(crate) fn is_behind(&self) -> Outcome<bool> {
        Ok(self.now()? <= self.highest)
    }
}
