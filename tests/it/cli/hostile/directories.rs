//! The directory of the file store, and the file system that it is on.

use std::process::Command;

use super::{Row, prepare, prepared, run, script};
use crate::support::lab::Lab;

pub(super) const ROWS: &[Row] = &[
    prepared(
        "a directory that everybody may write",
        |lab| directory(lab, "chmod 777 $STORE"),
        125,
        "file://LAB/store is not fit for leases: LAB/store has mode 0777: everybody could \
            replace the locks in it; use a directory of its own, or chmod o-w LAB/store",
    ),
    prepared(
        "a directory that everybody may write, sticky",
        |lab| directory(lab, "chmod 1777 $STORE"),
        125,
        "file://LAB/store is not fit for leases: LAB/store has mode 1777: everybody could \
            replace the locks in it; use a directory of its own, or chmod o-w LAB/store",
    ),
    prepared(
        "a directory that its group may write",
        |lab| directory(lab, "chmod 770 $STORE"),
        125,
        "file://LAB/store is not fit for leases: LAB/store has mode 0770: its group could \
            replace the locks in it; chmod g-w LAB/store, or use file:///DIR?shared where its \
            members trust one another",
    ),
    prepared(
        "a directory of another user",
        |lab| directory(lab, "chown 4711 $STORE"),
        125,
        "file://LAB/store is not fit for leases: LAB/store belongs to user 4711, who could \
            replace every lock in it; use a directory of user 0 or of root",
    )
    .needs(&["root"]),
    prepared(
        "a directory that is a symlink",
        |lab| directory(lab, "mv $STORE real; ln -s real $STORE"),
        125,
        "file://LAB/store is not fit for leases: LAB/store is a symbolic link or no \
            directory; name the directory itself",
    ),
    prepared(
        "a directory that is a file",
        |lab| directory(lab, "rmdir $STORE; touch $STORE"),
        125,
        "file://LAB/store is not fit for leases: LAB/store is a symbolic link or no \
            directory; name the directory itself",
    ),
    prepared(
        "a directory without a parent",
        |lab| {
            let url = format!("file://{}/nowhere/leases", lab.path("").display());
            let mut command = run(lab, &["--lease", "x"]);
            command.env("LEASECTL_STORE", url);
            command
        },
        125,
        "file://LAB/nowhere/leases is not fit for leases: the directory LAB/nowhere/leases \
            does not exist and neither does its parent; create it, or correct the path",
    ),
    prepared(
        "a read-only file system",
        |lab| mounted(lab, "mount -t tmpfs -o ro,mode=700 none $STORE"),
        125,
        "x was not acquired: file://LAB/store is not fit for leases: cannot create \
            LAB/store/x.lock: Read-only file system; use a directory on a file system that is \
            mounted for writing (--store file:///DIR); nothing was run",
    )
    .needs(&["root", "unshare"]),
    prepared(
        "a full file system",
        |lab| {
            mounted(
                lab,
                "mount -t tmpfs -o size=4k,mode=700 none $STORE; echo full >$STORE/full",
            )
        },
        123,
        "x was not acquired: file://LAB/store cannot be reached to acquire the lease: cannot \
            write LAB/store/x.token~: No space left on device; free some space and try again; \
            nothing was run",
    )
    .needs(&["root", "unshare"]),
    prepared(
        "a file system without inodes",
        |lab| mounted(lab, "mount -t tmpfs -o nr_inodes=1,mode=700 none $STORE"),
        123,
        "x was not acquired: file://LAB/store cannot be reached to acquire the lease: cannot \
            create LAB/store/x.lock: No space left on device; free some space and try again; \
            nothing was run",
    )
    .needs(&["root", "unshare"]),
];

fn directory(lab: &Lab, how: &str) -> Command {
    prepare(lab, how);
    run(lab, &["--lease", "x"])
}

/// In a mount namespace of its own: nobody else sees the mount, and it ends with the command.
/// Quiet and with a short wait: a file system that is full may have room in a moment.
fn mounted(lab: &Lab, how: &str) -> Command {
    let inner = format!("set -e; {how}; exec $RUN -q --wait 300ms \"$@\"");
    let mut command = script(lab, "exec unshare --mount sh -c \"$INNER\" sh \"$@\"");
    command.env("INNER", inner);
    command
}
