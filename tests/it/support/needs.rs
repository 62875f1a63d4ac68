//! What a test needs beyond leasectl, and what happens when it is not there.
//!
//! `LEASECTL_TEST_REQUIRE` lists what must be there (`tests/run` installs it and sets the list): then
//! a missing tool is a failure. Otherwise the test is shown as ignored, with the reason. It is never
//! shown as passed.

use std::env;
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use libtest_mimic::Trial;
use nix::sys::statvfs::{FsFlags, statvfs};

/// The variable with the list of what must be there.
const REQUIRE: &str = "LEASECTL_TEST_REQUIRE";

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_missing_tool_ends_the_test_as_ignored,
        a_required_tool_that_is_missing_fails,
        tools_are_found_on_the_path,
    ]
}

/// Ends a test that cannot run here. Carried by an unwind, and caught by `support/trial.rs`.
pub(crate) struct Missing(String);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "needs {}, which is not here", self.0)
    }
}

/// Goes on only when `what` is there: `root`, `cgroup2` (a child of our own cgroup can be made and
/// killed), `netns` (a network namespace can be made, and drop packets), `pidns` (a PID namespace), `userns`
/// (a user namespace), `setuid` (a program below the directory for temporary files can become its owner), or
/// the name of a program on the path.
///
/// To be called on the test's own thread, before anything else.
#[track_caller]
pub(crate) fn needs(what: &str) {
    match judge(what, &env::var(REQUIRE).unwrap_or_default(), is_here(what)) {
        Verdict::GoOn => {}
        Verdict::Fail(why) => panic!("{why}"),
        // Unwinds without the panic hook: nothing failed, so nothing is printed.
        Verdict::Ignore(missing) => resume_unwind(Box::new(missing)),
    }
}

enum Verdict {
    GoOn,
    Ignore(Missing),
    Fail(String),
}

fn judge(what: &str, required: &str, here: bool) -> Verdict {
    if here {
        Verdict::GoOn
    } else if required.split(',').any(|one| one.trim() == what) {
        Verdict::Fail(format!(
            "{what} is required by {REQUIRE} and is not here; tests/run installs what is missing"
        ))
    } else {
        Verdict::Ignore(Missing(what.to_owned()))
    }
}

/// Whether it is there.
pub(crate) fn is_here(what: &str) -> bool {
    match what {
        "root" => nix::unistd::geteuid().is_root(),
        "cgroup2" => can_make_a_cgroup().unwrap_or(false),
        "setuid" => {
            let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
            status.contains("NoNewPrivs:\t0")
                && statvfs(&env::temp_dir())
                    .is_ok_and(|at| !at.flags().contains(FsFlags::ST_NOSUID))
        }
        "userns" => Command::new("unshare")
            .args(["--user", "--map-root-user", "true"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success()),
        "netns" => Command::new("unshare")
            .args(["--net", "iptables", "-A", "INPUT", "-j", "DROP"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success()),
        "pidns" => Command::new("unshare")
            .args(["--fork", "--pid", "--mount-proc", "true"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success()),
        program => program_on_path(program).is_some(),
    }
}

/// Where a program is.
pub(crate) fn program_on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|directory| directory.join(program))
        .find(|file| {
            fs::metadata(file).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
        })
}

/// The directory of our own cgroup on the v2 hierarchy.
pub(crate) fn own_cgroup() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mount = mounts.lines().find_map(|line| {
        let mut words = line.split(' ');
        let (_, place, kind) = (words.next()?, words.next()?, words.next()?);
        (kind == "cgroup2").then_some(place)
    })?;
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Some(Path::new(mount).join(own))
}

/// Makes a cgroup below our own and takes it away again.
fn can_make_a_cgroup() -> Option<bool> {
    // Tests ask at the same time.
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let number = ASKED.fetch_add(1, Ordering::Relaxed);
    let child = own_cgroup()?.join(format!("leasectl-test-{}-{number}", std::process::id()));
    fs::create_dir(&child).ok()?;
    let can_kill = child.join("cgroup.kill").exists();
    fs::remove_dir(&child).ok()?;
    Some(can_kill)
}

fn a_missing_tool_ends_the_test_as_ignored() {
    let Verdict::Ignore(missing) = judge("a-tool", "strace,another-tool", false) else {
        panic!("it should be ignored");
    };
    assert_eq!(missing.to_string(), "needs a-tool, which is not here");
}

fn a_required_tool_that_is_missing_fails() {
    let Verdict::Fail(why) = judge("strace", "root, strace", false) else {
        panic!("it should fail");
    };
    assert!(why.contains("strace is required"), "{why}");
    assert!(matches!(judge("strace", "strace", true), Verdict::GoOn));
}

fn tools_are_found_on_the_path() {
    assert!(is_here("sh"));
    assert!(!is_here("no-such-program-anywhere"));
}
