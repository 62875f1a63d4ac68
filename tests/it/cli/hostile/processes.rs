//! Commands that cannot be run, limits on processes, and odd surroundings.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Command;

use super::{Row, prepared, script, shell};
use crate::support::lab::{LEASECTL, Lab};

pub(super) const ROWS: &[Row] = &[
    // Commands. The lease was acquired, so that its files stay.
    shell(
        "a command that is not found",
        "$RUN -- no-such-command",
        127,
        "\"no-such-command\" was not found in any directory of PATH; nothing was run",
    )
    .leaves(X),
    shell(
        "a path that is not found",
        "$RUN -- ./no-such-command",
        127,
        "\"./no-such-command\" was not found, or the interpreter in its first line was not; \
         nothing was run",
    )
    .leaves(X),
    shell(
        "a command that is not executable",
        "touch job; $RUN -- ./job",
        126,
        "\"./job\" cannot be executed: permission denied; is it executable (chmod +x)?; nothing \
         was run",
    )
    .leaves(X),
    shell(
        "a command that is a directory",
        "mkdir job; $RUN -- ./job",
        126,
        "\"./job\" is a directory; nothing was run",
    )
    .leaves(X),
    shell(
        "a command of another machine",
        "printf '\\177ELF junk' >job; chmod +x job; $RUN -- ./job",
        126,
        "\"./job\" cannot be executed: exec format error; a script needs a first line such as \
         #!/bin/sh; nothing was run",
    )
    .leaves(X),
    shell(
        "a script without a first line",
        "echo 'touch ran' >job; chmod +x job; $RUN -- ./job",
        126,
        "\"./job\" cannot be executed: exec format error; a script needs a first line such as \
         #!/bin/sh; nothing was run",
    )
    .leaves(X),
    shell(
        "a script whose interpreter is missing",
        "echo '#!/no/such/shell' >job; chmod +x job; $RUN -- ./job",
        127,
        "\"./job\" was not found, or the interpreter in its first line was not; nothing was run",
    )
    .leaves(X),
    shell(
        "a command with an escape in its name",
        "$RUN -- \"$(printf 'a\\033[2Jb')\"",
        127,
        "\"a\\u{1b}[2Jb\" was not found in any directory of PATH; nothing was run",
    )
    .leaves(X),
    // Limits.
    prepared(
        "no process for the guardian",
        |lab| limited(lab, "--nproc=1"),
        125,
        "the command could not be guarded: no more processes are allowed; raise the limit \
         (ulimit -u, pids.max); nothing was run",
    )
    .needs(&["root", "setpriv", "prlimit"]),
    prepared(
        "no process for the command",
        |lab| limited(lab, "--nproc=2"),
        125,
        "\"touch\" was not started: no more processes are allowed; raise the limit (ulimit -u, \
         pids.max); nothing was run",
    )
    .needs(&["root", "setpriv", "prlimit"])
    .leaves(X),
    shell(
        "no descriptors",
        "ulimit -n 6; exec $RUN \"$@\"",
        125,
        "the command could not be guarded: no more open files are allowed; raise the limit \
         (ulimit -n); nothing was run",
    ),
    // Surroundings.
    shell(
        "the same lease inside itself",
        "exec $RUN -q -- $RUN \"$@\"",
        125,
        "this already runs under x of file://LAB/store: taking that again would wait for itself; \
         use another name, or no leasectl, inside",
    )
    .leaves(X),
    shell(
        "outputs preset in the environment",
        "for key in LEASE TOKEN SLOT HOLDER STORE_LABEL; do export LEASECTL_$key=preset; done
         exec $RUN --store \"file://$STORE\" -- sh -c '
             test $LEASECTL_LEASE = x && test $LEASECTL_TOKEN -gt 1 &&
             test ${LEASECTL_SLOT-none} = none && test $LEASECTL_HOLDER != preset &&
             test $LEASECTL_STORE_LABEL != preset && touch ran'",
        0,
        "",
    )
    .leaves(X),
    shell("a closed standard input", "exec $RUN \"$@\" <&-", 0, "").leaves(X),
    shell(
        "all standard descriptors closed",
        "exec $RUN \"$@\" <&- >&- 2>&-",
        0,
        "",
    )
    .leaves(X),
    shell(
        "standard descriptors closed and a refusal",
        "exec $L run \"$@\" <&- >&- 2>&-",
        125,
        "",
    ),
    shell(
        "nowhere to write",
        "exec $RUN -v \"$@\" >/dev/full 2>/dev/full",
        0,
        "",
    )
    .leaves(X),
    shell(
        "signals ignored by the caller",
        "trap '' CHLD PIPE HUP INT TERM; exec $RUN \"$@\"",
        0,
        "",
    )
    .leaves(X),
    shell(
        "an empty environment",
        "exec env -i \"PATH=$PATH\" \"LAB_OF_TEST=$LAB_OF_TEST\" \
         $RUN --store \"file://$STORE\" \"$@\"",
        0,
        "",
    )
    .leaves(X),
    shell(
        "a working directory that is gone",
        "mkdir gone; cd gone; rmdir ../gone; exec $RUN -- touch \"$STORE/../ran\"",
        0,
        "",
    )
    .leaves(X),
];

/// The files of lease `x`.
const X: &[&str] = &["x.lock", "x.record", "x.token"];

/// As a user who has no other processes: the limit counts all of them.
fn limited(lab: &Lab, limit: &str) -> Command {
    // Two such tests may run at once.
    let user = 2_047_480_000 + std::process::id() % 1_000 * 2 + u32::from(limit == "--nproc=1");
    // The binary may stand where that user cannot go.
    fs::copy(LEASECTL, lab.path("copy")).unwrap();
    for path in [lab.path("."), lab.path("copy"), lab.store()] {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    chown(lab.store(), Some(user), None).unwrap();
    let text = format!(
        "exec setpriv --reuid={user} --regid={user} --clear-groups prlimit {limit} \
         ./copy run --lease x \"$@\""
    );
    script(lab, &text)
}
