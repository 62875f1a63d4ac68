//! Names of leases. One of a mebibyte cannot be passed at all: the kernel takes 128 KiB in one
//! argument. Neither can a NUL.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use super::{Row, accepted, options, prepared};
use crate::support::lab::Lab;

pub(super) const ROWS: &[Row] = &[
    options(
        "an empty name",
        &["--lease", ""],
        "the lease name is empty; a name is 1 to 512 bytes of UTF-8 without control \
            characters",
    ),
    prepared(
        "a name of 513 bytes",
        |lab| named(lab, "x".repeat(513)),
        125,
        "the lease name is 513 bytes; the limit is 512",
    ),
    prepared(
        "a name of 120 KiB",
        |lab| named(lab, "x".repeat(120 << 10)),
        125,
        "the lease name is 122880 bytes; the limit is 512",
    ),
    prepared(
        "300 emojis",
        |lab| named(lab, "🙂".repeat(300)),
        125,
        "the lease name is 1200 bytes; the limit is 512",
    ),
    prepared("128 emojis", |lab| named(lab, "🙂".repeat(128)), 0, "").leaves(&[
        "=bac987df81f6492dabb87e512a0996b9d3194813fd9a1cda352ef695f198af90.lock",
        "=bac987df81f6492dabb87e512a0996b9d3194813fd9a1cda352ef695f198af90.record",
        "=bac987df81f6492dabb87e512a0996b9d3194813fd9a1cda352ef695f198af90.token",
    ]),
    options(
        "a newline in the name",
        &["--lease", "a\nb"],
        "the lease name has the control character U+000A at byte 1; a name is 1 to 512 bytes \
            of UTF-8 without control characters",
    ),
    options(
        "an escape in the name",
        &["--lease", "a\u{1b}[2Jb"],
        "the lease name has the control character U+001B at byte 1; a name is 1 to 512 bytes \
            of UTF-8 without control characters",
    ),
    options(
        "a C1 control in the name",
        &["--lease", "a\u{9b}b"],
        "the lease name has the control character U+009B at byte 1; a name is 1 to 512 bytes \
            of UTF-8 without control characters",
    ),
    prepared(
        "a name that is not UTF-8",
        |lab| named(lab, OsStr::from_bytes(b"a\xffb")),
        125,
        "the lease name is not UTF-8 from byte 1 on; a name is 1 to 512 bytes of UTF-8 \
            without control characters",
    ),
    accepted(
        "a name that leaves the directory",
        &["--lease", "../../etc/cron.d/x"],
    )
    .leaves(&[
        "%2E.%2F..%2Fetc%2Fcron.d%2Fx.lock",
        "%2E.%2F..%2Fetc%2Fcron.d%2Fx.record",
        "%2E.%2F..%2Fetc%2Fcron.d%2Fx.token",
    ])
    .then(nothing_beside_the_store),
    accepted("a name that is a path", &["--lease", "/etc/passwd"]).leaves(&[
        "%2Fetc%2Fpasswd.lock",
        "%2Fetc%2Fpasswd.record",
        "%2Fetc%2Fpasswd.token",
    ]),
    accepted(
        "a name that is SQL",
        &["--lease", "x'; DROP TABLE lease;--"],
    )
    .leaves(&[
        "x%27%3B%20DROP%20TABLE%20lease%3B--.lock",
        "x%27%3B%20DROP%20TABLE%20lease%3B--.record",
        "x%27%3B%20DROP%20TABLE%20lease%3B--.token",
    ]),
    accepted("the name dot", &["--lease", "."]).leaves(&["%2E.lock", "%2E.record", "%2E.token"]),
    accepted("the name dot dot", &["--lease", ".."]).leaves(&[
        "%2E..lock",
        "%2E..record",
        "%2E..token",
    ]),
    accepted("a name that looks like an option", &["--lease", "-rf"]).leaves(&[
        "-rf.lock",
        "-rf.record",
        "-rf.token",
    ]),
];

fn named(lab: &Lab, name: impl AsRef<OsStr>) -> Command {
    let mut command = lab.leasectl(["run", "--lease"]);
    command.arg(name).args(["--", "touch", "ran"]);
    command
}

fn nothing_beside_the_store(lab: &Lab) {
    let mut names: Vec<_> = fs::read_dir(lab.path("."))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["0.stderr", "0.stdout", "bin", "home", "ran", "store"]
    );
}
