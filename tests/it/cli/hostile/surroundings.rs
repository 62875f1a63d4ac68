//! What containers, cron and service managers leave out: users without a name, homes, `/proc`, the
//! right to write.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Command;

use super::{Row, prepared, script};
use crate::support::lab::{LEASECTL, Lab};

pub(super) const ROWS: &[Row] = &[
    prepared(
        "a user without a name",
        |lab| nameless(lab, "", "--store file://$PWD/store"),
        0,
        "",
    )
    .needs(&["root", "setpriv"])
    .leaves(X)
    .then(|lab| {
        let record = lab.read("store/x.record");
        assert!(record.contains(&format!("\"user\":\"{NAMELESS}\"")), "{record}");
    }),
    prepared(
        "a user without a name or a home",
        |lab| nameless(lab, "", ""),
        125,
        "the default store: there is no default directory for the file store: user 4711 has neither \
         $XDG_STATE_HOME nor $HOME nor a home directory; choose one with --store file:///DIR",
    )
    .needs(&["root", "setpriv"]),
    prepared(
        "a home that is the root directory",
        |lab| nameless(lab, "HOME=/", ""),
        125,
        "file:///.local/state/leasectl does not let us open the store: cannot create /.local/state: \
         Permission denied; use a directory of your own (--store file:///DIR), or run as the user it \
         belongs to",
    )
    .needs(&["root", "setpriv"]),
    prepared(
        "a home that does not exist",
        |lab| nameless(lab, "HOME=/nonexistent", ""),
        125,
        "file:///nonexistent/.local/state/leasectl does not let us open the store: cannot create \
         /nonexistent/.local/state: Permission denied; use a directory of your own (--store \
         file:///DIR), or run as the user it belongs to",
    )
    .needs(&["root", "setpriv"]),
    prepared(
        "a read-only root and a writable store",
        |lab| read_only(lab, "exec $RUN \"$@\""),
        0,
        "",
    )
    .needs(&["root", "unshare"])
    .leaves(X),
    prepared(
        "a read-only home",
        |lab| {
            let own = "unset LEASECTL_STORE; HOME=/usr/share; export HOME; exec setpriv --reuid 4711 \
                       --clear-groups ./copy run --lease x \"$@\"";
            read_only(lab, own)
        },
        125,
        "file:///usr/share/.local/state/leasectl is not fit for leases: cannot create \
         /usr/share/.local/state: Read-only file system; use a directory on a file system that is \
         mounted for writing (--store file:///DIR)",
    )
    .needs(&["root", "unshare", "setpriv"]),
    prepared(
        "no proc and a file store",
        |lab| alone(lab, "umount -l /proc; exec $RUN \"$@\""),
        125,
        "file://LAB/store cannot be reached to open the store: cannot read the boot id: No such file \
         or directory (os error 2); is /proc mounted?",
    )
    .needs(&["root", "unshare"]),
    prepared(
        "no proc and another store",
        |lab| alone(lab, "umount -l /proc; exec $RUN --store memory: \"$@\""),
        125,
        "the command could not be guarded: without /proc processes cannot be found (entity not \
         found); mount it; nothing was run",
    )
    .needs(&["root", "unshare"]),
];

/// The files of lease `x`.
const X: &[&str] = &["x.lock", "x.record", "x.token"];

const NAMELESS: u32 = 4711;

/// As a user that has no entry anywhere, with nothing in its environment but these assignments and what
/// the lab needs.
fn nameless(lab: &Lab, assignments: &str, options: &str) -> Command {
    copied(lab);
    chown(lab.store(), Some(NAMELESS), None).unwrap();
    let text = format!(
        "exec setpriv --reuid={NAMELESS} --regid={NAMELESS} --clear-groups env -i \"PATH=$PATH\" \
         \"LAB_OF_TEST=$LAB_OF_TEST\" {assignments} ./copy run -q {options} --lease x \"$@\""
    );
    script(lab, &text)
}

/// The binary may stand where another user cannot go, and the lab has to be one's own.
fn copied(lab: &Lab) {
    fs::copy(LEASECTL, lab.path("copy")).unwrap();
    for path in [lab.path("."), lab.path("copy")] {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    chown(lab.path("."), Some(NAMELESS), None).unwrap();
}

/// In a mount namespace of its own.
fn alone(lab: &Lab, how: &str) -> Command {
    let mut command = script(lab, "exec unshare --mount sh -c \"$INNER\" sh \"$@\"");
    command.env("INNER", format!("set -e; {how}"));
    command
}

/// Where nothing can be written but in the lab.
fn read_only(lab: &Lab, how: &str) -> Command {
    copied(lab);
    let how = format!(
        "mount --bind \"$PWD\" \"$PWD\"; cd \"$PWD\"; mount -o remount,bind,ro /
         if touch /usr/share/leasectl-test 2>/dev/null; then exit 97; fi
         {how}"
    );
    alone(lab, &how)
}
