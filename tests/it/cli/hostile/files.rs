//! The files of a lease, replaced by what leasectl never made.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::process::Command;

use super::{Row, prepare, prepared, run};
use crate::support::lab::Lab;

pub(super) const ROWS: &[Row] = &[
    // The lock: whoever can put another file there could let two in.
    prepared(
        "a lock that is a symlink",
        |lab| damaged(lab, "rm x.lock; touch y; ln -s y x.lock"),
        125,
        "x was not acquired: file://LAB/store is not fit for leases: LAB/store/x.lock is a \
            symbolic link; leasectl did not make it so; find out who did, then remove it while \
            nobody holds the lease; nothing was run",
    ),
    prepared(
        "a lock that is a dangling symlink",
        |lab| damaged(lab, "rm x.lock; ln -s y x.lock"),
        125,
        "x was not acquired: file://LAB/store is not fit for leases: LAB/store/x.lock is a \
            symbolic link; leasectl did not make it so; find out who did, then remove it while \
            nobody holds the lease; nothing was run",
    ),
    prepared(
        "a lock that is a hard link",
        |lab| damaged(lab, "ln x.lock y"),
        125,
        "x was not acquired: file://LAB/store is not fit for leases: LAB/store/x.lock has 2 \
            names (hard links); leasectl did not make it so; find out who did, then remove it \
            while nobody holds the lease; nothing was run",
    ),
    prepared(
        "a lock that is a FIFO",
        |lab| damaged(lab, "rm x.lock; mkfifo -m 600 x.lock"),
        125,
        "x was not acquired: file://LAB/store is not fit for leases: LAB/store/x.lock is no \
            regular file; leasectl did not make it so; find out who did, then remove it while \
            nobody holds the lease; nothing was run",
    ),
    prepared(
        "a lock that is a directory",
        |lab| damaged(lab, "rm x.lock; mkdir x.lock"),
        125,
        "x was not acquired: file://LAB/store is not fit for leases: LAB/store/x.lock is a \
            directory; leasectl did not make it so; find out who did, then remove it while \
            nobody holds the lease; nothing was run",
    ),
    prepared(
        "a lock that is a device",
        |lab| damaged(lab, "rm x.lock; mknod -m 600 x.lock c 1 3"),
        125,
        "x was not acquired: file://LAB/store is not fit for leases: LAB/store/x.lock is no \
            regular file; leasectl did not make it so; find out who did, then remove it while \
            nobody holds the lease; nothing was run",
    )
    .needs(&["root"]),
    prepared(
        "a lock that others may open",
        |lab| damaged(lab, "chmod 644 x.lock"),
        125,
        "x was not acquired: file://LAB/store is not fit for leases: LAB/store/x.lock has \
            mode 0644 and not 0600: whoever can open it can block the lease; chmod 600 \
            LAB/store/x.lock; nothing was run",
    ),
    prepared(
        "a lock of another user",
        |lab| damaged(lab, "chown 4711 x.lock"),
        125,
        "x was not acquired: file://LAB/store is not fit for leases: LAB/store/x.lock belongs \
            to user 4711; leasectl did not make it so; find out who did, then remove it while \
            nobody holds the lease; nothing was run",
    )
    .needs(&["root"]),
    // The fencing counter: a guess could repeat a token.
    prepared(
        "a counter cut short",
        |lab| damaged(lab, "truncate -s 8 x.token"),
        125,
        "x was not acquired: file://LAB/store is not fit for leases: the fencing counter \
            LAB/store/x.token is damaged, and a guess could repeat a token; remove \
            LAB/store/x.token while nobody holds the lease: counting then goes on from the time \
            of day, above every earlier token unless the clock was set back; nothing was run",
    ),
    prepared(
        "a counter with both slots damaged",
        |lab| {
            damaged(
                lab,
                "for at in 9 4105; do \
                 printf X | dd of=x.token bs=1 seek=$at conv=notrunc status=none; done",
            )
        },
        125,
        "x was not acquired: file://LAB/store is not fit for leases: the fencing counter \
            LAB/store/x.token is damaged, and a guess could repeat a token; remove \
            LAB/store/x.token while nobody holds the lease: counting then goes on from the time \
            of day, above every earlier token unless the clock was set back; nothing was run",
    ),
    prepared(
        "a counter beyond all tokens",
        |lab| damaged_by(lab, beyond),
        125,
        "x was not acquired: file://LAB/store is not fit for leases: the fencing counter \
            LAB/store/x.token is damaged, and a guess could repeat a token; remove \
            LAB/store/x.token while nobody holds the lease: counting then goes on from the time \
            of day, above every earlier token unless the clock was set back; nothing was run",
    ),
    prepared(
        "a counter that is a symlink",
        |lab| damaged(lab, "mv x.token y; ln -s y x.token"),
        125,
        "x was not acquired: file://LAB/store is not fit for leases: LAB/store/x.token is a \
            symbolic link; leasectl did not make it so; find out who did, then remove it while \
            nobody holds the lease; nothing was run",
    ),
    prepared(
        "a counter that is a FIFO",
        |lab| damaged(lab, "rm x.token; mkfifo -m 600 x.token"),
        125,
        "x was not acquired: file://LAB/store is not fit for leases: LAB/store/x.token is no \
            regular file; leasectl did not make it so; find out who did, then remove it while \
            nobody holds the lease; nothing was run",
    ),
    prepared(
        "a counter that is a directory",
        |lab| damaged(lab, "rm x.token; mkdir x.token"),
        125,
        "x was not acquired: file://LAB/store is not fit for leases: LAB/store/x.token is a \
            directory; leasectl did not make it so; find out who did, then remove it while \
            nobody holds the lease; nothing was run",
    ),
    prepared(
        "a counter that others may write",
        |lab| damaged(lab, "chmod 666 x.token"),
        125,
        "x was not acquired: file://LAB/store is not fit for leases: LAB/store/x.token has \
            mode 0666 and not 0600: whoever can open it can block the lease; chmod 600 \
            LAB/store/x.token; nothing was run",
    ),
    prepared(
        "a counter with one slot damaged",
        |lab| {
            damaged(
                lab,
                "printf X | dd of=x.token bs=1 seek=9 conv=notrunc 2>/dev/null",
            )
        },
        0,
        "",
    ),
    prepared(
        "an empty counter",
        |lab| damaged(lab, "truncate -s 0 x.token"),
        0,
        "",
    ),
    // The record is for people: whatever is there, the acquisition goes on.
    prepared(
        "a record of 10 MB",
        |lab| damaged(lab, "truncate -s 10M x.record"),
        0,
        "",
    )
    .then(is_record),
    prepared(
        "a record that is a FIFO",
        |lab| damaged(lab, "rm x.record; mkfifo x.record"),
        0,
        "",
    )
    .then(is_record),
    prepared(
        "a record that is a symlink",
        |lab| {
            damaged(
                lab,
                "rm x.record; echo kept >../kept; ln -s ../kept x.record",
            )
        },
        0,
        "",
    )
    .then(|lab| {
        is_record(lab);
        assert_eq!(lab.read("kept"), "kept\n");
    }),
    prepared(
        "a record that is not UTF-8",
        |lab| damaged(lab, "printf '\\377\\376' >x.record"),
        0,
        "",
    )
    .then(is_record),
    prepared(
        "a record half written",
        |lab| damaged(lab, "truncate -s 200 x.record"),
        0,
        "",
    )
    .then(is_record),
    prepared(
        "a record of another schema",
        |lab| damaged(lab, "echo '{\"schema\":\"x/9\"}' >x.record"),
        0,
        "",
    )
    .then(is_record),
    prepared(
        "a record deep in brackets",
        |lab| damaged(lab, "printf '%04095d' 0 | tr 0 '[' >x.record"),
        0,
        "",
    )
    .then(is_record),
    prepared(
        "a record that is a hard link",
        |lab| damaged(lab, "ln x.record ../kept; echo kept >../kept"),
        0,
        "",
    )
    .then(|lab| {
        is_record(lab);
        assert_eq!(lab.read("kept"), "kept\n");
    }),
    prepared(
        "a record that is a directory",
        |lab| damaged(lab, "rm x.record; mkdir x.record"),
        0,
        "",
    ),
];

/// Lease `x` after a first use and after `how`, a script in the store's directory.
fn damaged(lab: &Lab, how: &str) -> Command {
    prepare(lab, &format!("$RUN -- true; cd $STORE; {how}"));
    run(lab, &["--lease", "x"])
}

fn damaged_by(lab: &Lab, how: fn(&Lab)) -> Command {
    prepare(lab, "$RUN -- true");
    how(lab);
    run(lab, &["--lease", "x"])
}

/// Two whole slots with a number that nobody counted to.
fn beyond(lab: &Lab) {
    use sha2::{Digest, Sha256};
    let path = lab.store().join("x.token");
    let mut bytes = fs::read(&path).unwrap();
    let mut slot = b"lease-r1".to_vec();
    slot.extend(u64::MAX.to_le_bytes());
    let sum = Sha256::digest(&slot);
    slot.extend(&sum[..8]);
    for at in [0, 4096] {
        bytes[at..at + slot.len()].copy_from_slice(&slot);
    }
    fs::write(&path, bytes).unwrap();
}

/// The record is one again, and of this lease.
fn is_record(lab: &Lab) {
    let path = lab.store().join("x.record");
    let meta = path.symlink_metadata().unwrap();
    assert!(meta.is_file() && !meta.file_type().is_fifo() && meta.len() == 4096);
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        text.starts_with(r#"{"schema":"leasectl.record/1","lease":"x","#),
        "{text}"
    );
    assert!(text.contains(r#""program":"touch""#), "{text}");
}
