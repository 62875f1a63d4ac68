//! Which store: URLs, the files that contain them, and the environment.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use super::{Row, options, prepare, prepared, run};
use crate::support::lab::Lab;

pub(super) const ROWS: &[Row] = &[
    // URLs.
    options(
        "an unknown scheme",
        &["--lease", "x", "--store", "flie:"],
        "--store: unknown store \"flie\": this build has azblob, azblob+http, azblob+https, file, memory, redis, rediss, redis+unix, redis-sentinel, rediss-sentinel, redis-cluster, rediss-cluster; did you mean \"file\"?",
    ),
    options(
        "a store of another build",
        &["--lease", "x", "--store", "etcd://db1/0"],
        "--store: unknown store \"etcd\": this build has azblob, azblob+http, azblob+https, file, memory, redis, rediss, redis+unix, redis-sentinel, rediss-sentinel, redis-cluster, rediss-cluster",
    ),
    options(
        "an empty URL",
        &["--lease", "x", "--store="],
        "--store: the store URL has no scheme; write for example file:///var/lib/leasectl",
    ),
    options(
        "a path for a URL",
        &["--lease", "x", "--store", "/var/lib/leasectl"],
        "--store: the store URL has no scheme; write for example file:///var/lib/leasectl",
    ),
    options(
        "a password on the command line",
        &["--lease", "x", "--store", "redis://:canary@db1/0"],
        "--store has a password, which every user of this machine can read in the list of \
            processes: put the URL into a file for --store-file, or into LEASECTL_STORE",
    ),
    options(
        "a password in an option",
        &["--lease", "x", "--store", "memory:?password=canary"],
        "--store has a password, which every user of this machine can read in the list of \
            processes: put the URL into a file for --store-file, or into LEASECTL_STORE",
    ),
    options(
        "a password with a slash",
        &["--lease", "x", "--store", "redis://u:can/ary@db1/0"],
        "--store: the store URL has a `/` before the `@`; write `/` in a password as %2F",
    ),
    options(
        "a password in the wrong place",
        &["--lease", "x", "redis://:canary@db1/0"],
        "\"redis://db1/0\" was not expected; a command goes after --: write leasectl run \
            --lease NAME -- COMMAND",
    ),
    options(
        "a password as another value",
        &["--lease", "x", "--ttl", "redis://:canary@db1/0"],
        "--ttl \"redis://db1/0\" cannot be used: it is not a duration; write one as 30s, 5m \
            or 1h30m",
    ),
    options(
        "a line break in the URL",
        &["--lease", "x", "--store", "file:///a\r\nb"],
        "--store: the store URL has the control character U+000D; remove it",
    ),
    options(
        "an encoded line break in the URL",
        &["--lease", "x", "--store", "file:///a%0d%0ab"],
        "--store: the store URL has the control character U+000D; remove it",
    ),
    options(
        "an unknown URL option",
        &["--lease", "x", "--store", "memory:?answer=1"],
        "--store: unknown option \"answer\" in the store URL; did you mean \"answers\"?",
    ),
    options(
        "an option of no store",
        &["--lease", "x", "--store", "memory:?frobnicate"],
        "--store: unknown option \"frobnicate\" in the store URL",
    ),
    options(
        "a URL option twice",
        &["--lease", "x", "--store", "memory:?answers=1&answers=2"],
        "--store: option \"answers\" is given twice in the store URL; write it once",
    ),
    options(
        "a relative directory",
        &["--lease", "x", "--store", "file:leases"],
        "--store: the path of a file store has to be absolute; write file:///DIR",
    ),
    options(
        "a host for a file store",
        &["--lease", "x", "--store", "file://var/lib"],
        "--store: a file store is on this machine and has no host; write file:///var/lib",
    ),
    options(
        "two stores on the command line",
        &["--lease", "x", "--store", "file:", "--store-file", "y"],
        "--store and --store-file exclude each other; give one of them",
    ),
    prepared(
        "a URL that is not UTF-8",
        |lab| {
            let mut command = lab.leasectl(["run", "--lease", "x", "--store"]);
            command
                .arg(OsStr::from_bytes(b"file:///\xff"))
                .args(["--", "touch", "ran"]);
            command
        },
        125,
        "--store is not UTF-8: write a URL such as file:",
    ),
    // The environment.
    prepared(
        "LEASECTL_STORE empty",
        |lab| with(lab, "LEASECTL_STORE", ""),
        125,
        "LEASECTL_STORE is set and empty: unset it, or set it to a URL such as file:",
    ),
    prepared(
        "LEASECTL_STORE not UTF-8",
        |lab| {
            let mut command = run(lab, &["--lease", "x"]);
            command.env("LEASECTL_STORE", OsStr::from_bytes(b"file:///\xff"));
            command
        },
        125,
        "LEASECTL_STORE is not UTF-8: write a URL",
    ),
    prepared(
        "LEASECTL_STORE not a URL",
        |lab| with(lab, "LEASECTL_STORE", "/var/lib/leasectl"),
        125,
        "LEASECTL_STORE: the store URL has no scheme; write for example \
            file:///var/lib/leasectl",
    ),
    prepared(
        "LEASECTL_STORE beside LEASECTL_STORE_FILE",
        |lab| with(lab, "LEASECTL_STORE_FILE", "url"),
        125,
        "LEASECTL_STORE and LEASECTL_STORE_FILE are both set and may name different stores: \
            unset one",
    ),
    prepared(
        "LEASECTL_STORE_FILE empty",
        |lab| {
            let mut command = with(lab, "LEASECTL_STORE_FILE", "");
            command.env_remove("LEASECTL_STORE");
            command
        },
        125,
        "LEASECTL_STORE_FILE is set and empty: unset it, or set it to a file with a URL in it",
    ),
    // The file that contains the URL.
    prepared(
        "a store file that is missing",
        from_file,
        125,
        "the store file LAB/url is refused: there is none; write the URL into it, mode 0600",
    ),
    prepared(
        "a store file that others may read",
        |lab| written(lab, 0o644, URL),
        125,
        "the store file LAB/url is refused: its mode is 0644, so others may read or write it; \
            chmod it to 0600",
    ),
    prepared(
        "a store file that the group may write",
        |lab| written(lab, 0o620, URL),
        125,
        "the store file LAB/url is refused: its mode is 0620, so others may read or write it; \
            chmod it to 0600",
    ),
    prepared(
        "a store file that is a symlink",
        |lab| {
            let command = written(lab, 0o600, URL);
            fs::rename(lab.path("url"), lab.path("real")).unwrap();
            symlink(lab.path("real"), lab.path("url")).unwrap();
            command
        },
        125,
        "the store file LAB/url is refused: it is a symlink; name the file itself",
    ),
    prepared(
        "a store file that is a FIFO",
        |lab| made(lab, "mkfifo -m 600 url"),
        125,
        "the store file LAB/url is refused: it is no regular file; write the URL into one, \
            with mode 0600",
    ),
    prepared(
        "a store file that is a directory",
        |lab| made(lab, "mkdir -m 700 url"),
        125,
        "the store file LAB/url is refused: it is no regular file; write the URL into one, \
            with mode 0600",
    ),
    prepared(
        "a store file that is a device",
        |lab| {
            let mut command = lab.leasectl(["run", "--lease", "x", "--store-file", "/dev/zero"]);
            command.args(["--", "touch", "ran"]);
            command
        },
        125,
        "the store file /dev/zero is refused: it is no regular file; write the URL into one, \
            with mode 0600",
    ),
    prepared(
        "a store file that is empty",
        |lab| written(lab, 0o600, b""),
        125,
        "the store file LAB/url is refused: it has to be one URL on one line",
    ),
    prepared(
        "a store file of two lines",
        |lab| written(lab, 0o600, b"memory:\nfile:\n"),
        125,
        "the store file LAB/url is refused: it has to be one URL on one line",
    ),
    prepared(
        "a store file of 1 GiB",
        |lab| made(lab, "truncate -s 1G url; chmod 600 url"),
        125,
        "the store file LAB/url is refused: it has to be one URL on one line",
    ),
    prepared(
        "a store file that is not UTF-8",
        |lab| written(lab, 0o600, b"memory:\xff"),
        125,
        "the store file LAB/url is refused: it is not UTF-8; write one URL on one line",
    ),
    prepared(
        "a store file with a wrong URL",
        |lab| written(lab, 0o600, b"redis://u:can/ary@db1/0"),
        125,
        "the store file LAB/url: the store URL has a `/` before the `@`; write `/` in a \
            password as %2F",
    ),
    prepared(
        "a store file of an unknown store",
        |lab| written(lab, 0o600, b"etcd://u:canary@db1/0\n"),
        125,
        "--store-file: unknown store \"etcd\": this build has azblob, azblob+http, azblob+https, file, memory, redis, rediss, redis+unix, redis-sentinel, rediss-sentinel, redis-cluster, rediss-cluster",
    ),
    prepared(
        "a store file of another user",
        |lab| {
            let command = written(lab, 0o600, URL);
            chown(lab.path("url"), Some(4711), None).unwrap();
            command
        },
        125,
        "the store file LAB/url is refused: it belongs to user 4711; it has to belong to you \
            or to root",
    )
    .needs(&["root"]),
];

const URL: &[u8] = b"memory:\n";

fn with(lab: &Lab, key: &str, value: &str) -> Command {
    let mut command = run(lab, &["--lease", "x"]);
    command.env(key, value);
    command
}

fn from_file(lab: &Lab) -> Command {
    let mut command = lab.leasectl(["run", "--lease", "x", "--store-file"]);
    command.arg(lab.path("url")).args(["--", "touch", "ran"]);
    command
}

fn written(lab: &Lab, mode: u32, text: &[u8]) -> Command {
    let path = lab.path("url");
    fs::write(&path, text).unwrap();
    set_mode(&path, mode);
    from_file(lab)
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn made(lab: &Lab, how: &str) -> Command {
    prepare(lab, how);
    from_file(lab)
}
