//! Durations and other words.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::{Row, accepted, options, prepared, run};

pub(super) const ROWS: &[Row] = &[
    // Durations.
    options(
        "ttl 0s",
        &["--lease", "x", "--ttl", "0s"],
        "--ttl 0s is too small; the smallest is 2s",
    ),
    options(
        "ttl -5",
        &["--lease", "x", "--ttl", "-5"],
        "--ttl \"-5\" cannot be used: it is not a duration; write one as 30s, 5m or 1h30m",
    ),
    options(
        "ttl NaN",
        &["--lease", "x", "--ttl", "NaN"],
        "--ttl \"NaN\" cannot be used: it is not a duration; write one as 30s, 5m or 1h30m",
    ),
    options(
        "ttl 1e309",
        &["--lease", "x", "--ttl", "1e309"],
        "--ttl \"1e309\" cannot be used: it is not a duration; write one as 30s, 5m or 1h30m",
    ),
    options(
        "ttl without a unit",
        &["--lease", "x", "--ttl", "30"],
        "--ttl \"30\" cannot be used: it needs a unit, such as 30s or 30m",
    ),
    options(
        "ttl empty",
        &["--lease", "x", "--ttl="],
        "--ttl \"\" cannot be used: it is not a duration; write one as 30s, 5m or 1h30m",
    ),
    options(
        "ttl beyond 64 bits",
        &["--lease", "x", "--ttl", "18446744073709551616s"],
        "--ttl \"18446744073709551616s\" cannot be used: it is too large",
    ),
    options(
        "ttl of 25 hours",
        &["--lease", "x", "--ttl", "25h"],
        "--ttl 1day 1h is too large; the largest is 1day",
    ),
    options(
        "ttl of a second",
        &["--lease", "x", "--ttl", "1s"],
        "--ttl 1s is too small; the smallest is 2s",
    ),
    options(
        "an expiry grace as long as the ttl",
        &["--lease", "x", "--ttl", "10s", "--expiry-grace", "10s"],
        "--expiry-grace 10s is too long for --ttl 10s: with the margin of 666ms it takes 10s \
            666ms, and half of what is left after drift is 4s 500ms; raise --ttl or lower \
            --expiry-grace",
    ),
    options(
        "a huge expiry grace",
        &["--lease", "x", "--expiry-grace", "500000000000years"],
        "--expiry-grace 584542046years 1month 2days 15h 52m 15s 615ms is too long for --ttl \
            30s: with the margin of 2s it takes 584542046years 1month 2days 15h 52m 15s 615ms, \
            and half of what is left after drift is 13s 500ms; raise --ttl or lower \
            --expiry-grace",
    ),
    options(
        "renewing too seldom",
        &["--lease", "x", "--ttl", "10s", "--renew-every", "9s"],
        "--renew-every 9s is too long for --ttl 10s: the stop signal is sent after 6s 666ms \
            (10s - drift 1s - margin 666ms - expiry grace 1s 666ms), which leaves 0s after a \
            renewal, less than two attempts of 1s; lower --renew-every or raise --ttl",
    ),
    options(
        "renewing too often",
        &["--lease", "x", "--ttl", "10s", "--renew-every", "1s"],
        "--renew-every 1s leaves no time for an attempt, which may take 1s (a tenth of the ttl); \
            raise --renew-every or lower --ttl",
    ),
    options(
        "renewing all the time",
        &["--lease", "x", "--renew-every", "0s"],
        "--renew-every 0s leaves no time for an attempt, which may take 3s (a tenth of the ttl); \
            raise --renew-every or lower --ttl",
    ),
    options(
        "drift 1.5",
        &["--lease", "x", "--max-drift", "1.5"],
        "--max-drift 1.5 is out of range; it is a fraction from 0 to 0.5",
    ),
    options(
        "drift -1",
        &["--lease", "x", "--max-drift", "-1"],
        "--max-drift -1 is out of range; it is a fraction from 0 to 0.5",
    ),
    options(
        "drift NaN",
        &["--lease", "x", "--max-drift", "NaN"],
        "--max-drift NaN is out of range; it is a fraction from 0 to 0.5",
    ),
    options(
        "drift x",
        &["--lease", "x", "--max-drift", "x"],
        "--max-drift \"x\" cannot be used: it is not a number; write a fraction such as 0.1",
    ),
    options(
        "waiting for 5",
        &["--lease", "x", "--wait", "5"],
        "--wait \"5\" cannot be used: it needs a unit, such as 5s or 5m; or write forever",
    ),
    options(
        "a run time-out of nothing",
        &["--lease", "x", "--run-timeout", "0s"],
        "--run-timeout \"0s\" cannot be used: it has to be longer than nothing",
    ),
    accepted(
        "a run time-out beyond the clock",
        &[
            "--lease",
            "x",
            "--run-timeout",
            "500000000000years",
            "--grace",
            "500000000000years",
            "--wait",
            "500000000000years",
        ],
    )
    .leaves(X),
    accepted(
        "a minimum hold beyond the clock",
        &["--lease", "x", "--min-hold", "500000000000years"],
    )
    .leaves(X),
    // Other words.
    options(
        "an exit code of 256",
        &["--lease", "x", "-E", "256"],
        "--held-exit-code \"256\" cannot be used: it is not a number from 0 to 255",
    ),
    options(
        "an exit code of -1",
        &["--lease", "x", "-E", "-1"],
        "--held-exit-code \"-1\" cannot be used: it is not a number from 0 to 255",
    ),
    options(
        "the stop signal KILL",
        &["--lease", "x", "--stop-signal", "KILL"],
        "--stop-signal \"KILL\" cannot be used: KILL does not ask a process to end; for \
            SIGKILL at once use --grace 0s",
    ),
    options(
        "an unknown stop signal",
        &["--lease", "x", "--stop-signal", "TREM"],
        "--stop-signal \"TREM\" cannot be used: there is no such signal; write one as TERM, \
            SIGTERM or 15",
    ),
    options(
        "an unknown policy",
        &["--lease", "x", "--leftovers", "kill"],
        "--leftovers \"kill\" cannot be used: it is one of stop, wait, leave",
    ),
    options(
        "an unknown record",
        &["--lease", "x", "--record", "all"],
        "--record \"all\" cannot be used: it is one of program, args, nothing",
    ),
    options(
        "meta without a key",
        &["--lease", "x", "--meta", "=v"],
        "--meta \"=v\" cannot be used: it is not of the form KEY=VALUE",
    ),
    options(
        "meta twice",
        &["--lease", "x", "--meta", "k=1", "--meta", "k=2"],
        "--meta \"k\" is given twice; give each key once",
    ),
    prepared(
        "meta too long",
        |lab| {
            run(
                lab,
                &["--lease", "x", "--meta", &format!("k={}", "v".repeat(512))],
            )
        },
        125,
        "--meta is 513 bytes in all; the limit is 512: the record has to fit a page",
    ),
    prepared(
        "a note too long",
        |lab| run(lab, &["--lease", "x", "--note", &"n".repeat(513)]),
        125,
        "--note \"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn…\" cannot be \
            used: it is 513 bytes; the limit is 512",
    ),
    options(
        "an escape in the note",
        &["--lease", "x", "--note", "a\u{1b}b"],
        "--note \"a\\u{1b}b\" cannot be used: it has the control character U+001B",
    ),
    options(
        "an empty holder",
        &["--lease", "x", "--holder", ""],
        "--holder \"\" cannot be used: it is empty",
    ),
    options(
        "an escape in the holder",
        &["--lease", "x", "--holder", "a\u{1b}b"],
        "--holder \"a\\u{1b}b\" cannot be used: it has the control character U+001B",
    ),
    prepared(
        "a note that is not UTF-8",
        |lab| {
            let mut command = lab.leasectl(["run", "--lease", "x", "--note"]);
            command
                .arg(OsStr::from_bytes(b"\xff"))
                .args(["--", "touch", "ran"]);
            command
        },
        125,
        "an option has a value that is not UTF-8; only a path, the command and its arguments \
            may be other bytes",
    ),
];

/// The files of lease `x`.
const X: &[&str] = &["x.lock", "x.record", "x.token"];
