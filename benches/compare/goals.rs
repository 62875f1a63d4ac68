//! How good is good enough. A goal that is not met is reported, and fails nothing.

use crate::subjects::{ETCDCTL, FILE, FLOCK, REDIS, STATIC_FILE};

/// What of the measured is held against a limit: of which figure, and of whom.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found {
    Median(&'static str, &'static str),
    P95(&'static str, &'static str),
    Worst(&'static str, &'static str),
    /// Median to median of the other.
    Ratio(&'static str, &'static str, &'static str),
    /// Of what is in KiB.
    Mib(&'static str, &'static str),
}
use Found::{Median, Mib, P95, Ratio, Worst};

const WALL: &str = "wall time around `true`";
const HAND_OVER: &str = "clean hand-over to one waiter";
const FAIL_OVER: &str = "fail-over after SIGKILL of the holder";
const START: &str = "start-up of `--version`";
const PRIVATE: &str = "private memory, holding";
const SIZE: &str = "size of the program";
const COMMANDS: &str = "Redis commands of one hand-over";

/// What it is, at most how much, and where it stands.
pub(crate) const GOALS: &[(&str, f64, Found)] = &[
    (
        "wall time, file store, times flock",
        1.3,
        Ratio(WALL, FILE, FLOCK),
    ),
    (
        "wall time, static, file store, times flock",
        1.3,
        Ratio(WALL, STATIC_FILE, FLOCK),
    ),
    (
        "wall time, Redis, times our file store",
        1.5,
        Ratio(WALL, REDIS, FILE),
    ),
    (
        "wall time, Redis, times etcdctl lock",
        0.2,
        Ratio(WALL, REDIS, ETCDCTL),
    ),
    ("hand-over, file, median, ms", 1.0, Median(HAND_OVER, FILE)),
    ("hand-over, file, p95, ms", 3.0, P95(HAND_OVER, FILE)),
    (
        "hand-over, Redis, median, ms",
        1.0,
        Median(HAND_OVER, REDIS),
    ),
    ("hand-over, Redis, p95, ms", 3.0, P95(HAND_OVER, REDIS)),
    (
        "hand-over, file, times flock",
        1.0,
        Ratio(HAND_OVER, FILE, FLOCK),
    ),
    (
        "hand-over, Redis, times flock",
        1.0,
        Ratio(HAND_OVER, REDIS, FLOCK),
    ),
    (
        "hand-over, Redis, times etcdctl lock",
        1.0,
        Ratio(HAND_OVER, REDIS, ETCDCTL),
    ),
    ("fail-over, file, median, ms", 10.0, Median(FAIL_OVER, FILE)),
    (
        "fail-over, Redis, ttl 2s, worst, ms",
        2100.0,
        Worst(FAIL_OVER, "leasectl, Redis, ttl 2s"),
    ),
    (
        "private memory, front, file, MiB",
        3.0,
        Mib(PRIVATE, "leasectl, file: front"),
    ),
    (
        "private memory, front, Redis, MiB",
        3.0,
        Mib(PRIVATE, "leasectl, Redis: front"),
    ),
    (
        "private memory, guardian, file, MiB",
        0.3,
        Mib(PRIVATE, "leasectl, file: guardian"),
    ),
    (
        "private memory, guardian, Redis, MiB",
        0.3,
        Mib(PRIVATE, "leasectl, Redis: guardian"),
    ),
    (
        "Redis commands of a hand-over, 1,000 waiting to 1",
        1.0,
        Ratio(COMMANDS, "1000 waiting", "1 waiting"),
    ),
    ("size of the program, MiB", 12.0, Mib(SIZE, "leasectl")),
    (
        "size of the static program, MiB",
        12.0,
        Mib(SIZE, "leasectl static"),
    ),
    (
        "`--version`, static, times /bin/true",
        1.0,
        Ratio(START, "leasectl static", "/bin/true"),
    ),
];
