//! What this machine has for keeping a command together, for counting time and for being told.

use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::inotify::{InitFlags, Inotify};
use nix::time::{ClockId, clock_gettime};

use super::announced::announced;
use super::finding::Finding;
use crate::process;

/// The clocks are compared over this time. Shorter, and the comparison itself counts; longer, and people
/// wait.
const COMPARED: Duration = Duration::from_millis(250);
/// A difference that is more than a good clock's, in parts of a million: somebody is slewing it.
const SLEWED: f64 = 1_000.0;
/// What `--max-drift` covers by default.
const COVERED: f64 = 100_000.0;

/// Examines the machine; a trial run is made by `leasectl`, with `environment`.
#[must_use]
pub fn examine_machine(environment: &[(OsString, OsString)]) -> Vec<Finding> {
    vec![
        proc(),
        containment(environment),
        clocks(),
        told(),
        announced(),
    ]
}

fn proc() -> Finding {
    match process::proc_is_ours() {
        Ok(()) => Finding::good(
            "/proc",
            "shows the processes that leasectl guards".to_owned(),
        ),
        Err(error) => Finding::bad("/proc", error.to_string()),
    }
}

/// A real run, guardian and all: what is asked of the kernel alone may be refused all the same.
fn containment(environment: &[(OsString, OsString)]) -> Finding {
    const WHAT: &str = "containment";
    if !cfg!(feature = "memory") {
        let seen = "not tried, because this build has no store in memory for a trial run";
        return Finding::weak(WHAT, seen.to_owned());
    }
    let run = std::env::current_exe().and_then(|program| {
        Command::new(program)
            .args([
                "run", "--store", "memory:", "--lease", "doctor", "-v", "--", "true",
            ])
            .env_clear()
            .envs(environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .output()
    });
    let run = match run {
        Ok(run) => run,
        Err(error) => {
            return Finding::bad(WHAT, format!("a trial run could not be started: {error}"));
        }
    };
    let said = String::from_utf8_lossy(&run.stderr);
    if !run.status.success() {
        let why = said.lines().last().unwrap_or("it said nothing");
        return Finding::bad(WHAT, format!("a trial run failed: {why}"));
    }
    match process::why_no_cgroup() {
        None if said.contains("in a cgroup of its own") => Finding::good(
            WHAT,
            "a cgroup: a command is killed at once, with all that it has started, but for what has become \
             another user, whom leasectl may not signal"
                .to_owned(),
        ),
        why => Finding::weak(
            WHAT,
            format!(
                "by descent, because {}. Then two things are not promised: that a storm of hundreds of \
                 processes dies within a time, and that descendants die when leasectl and its guardian \
                 are killed in the same instant. What has become another user leasectl may never signal",
                why.unwrap_or_else(|| "the command could not be put into a cgroup".to_owned())
            ),
        ),
    }
}

/// How fast the clock that decides runs, beside the one that nobody can set or slew.
fn clocks() -> Finding {
    const WHAT: &str = "clocks";
    let now = |clock| clock_gettime(clock).map(Duration::from);
    let both = || {
        Ok::<_, nix::errno::Errno>((
            now(ClockId::CLOCK_BOOTTIME)?,
            now(ClockId::CLOCK_MONOTONIC_RAW)?,
        ))
    };
    let measured = both().and_then(|before| {
        thread::sleep(COMPARED);
        Ok((before, both()?))
    });
    let ((boot_before, raw_before), (boot, raw)) = match measured {
        Ok(measured) => measured,
        Err(error) => return Finding::bad(WHAT, format!("they cannot be read: {error}")),
    };
    let boot = boot.saturating_sub(boot_before).as_secs_f64();
    let raw = raw.saturating_sub(raw_before).as_secs_f64();
    let millionths = (boot / raw - 1.0) * 1e6;
    let seen = format!("the boot clock runs {millionths:+.0} millionths beside the raw one");
    if millionths.abs() < SLEWED {
        Finding::good(WHAT, seen)
    } else if millionths.abs() < COVERED {
        Finding::weak(
            WHAT,
            format!("{seen}: it is being slewed, which --max-drift (a tenth by default) covers"),
        )
    } else {
        Finding::bad(
            WHAT,
            format!(
                "{seen}: more than --max-drift covers by default; give a larger one, or mend the clock"
            ),
        )
    }
}

/// Whether one who waits or holds can be told by the kernel.
fn told() -> Finding {
    const WHAT: &str = "inotify";
    match Inotify::init(InitFlags::IN_CLOEXEC) {
        Ok(_) => Finding::good(
            WHAT,
            "the file store can tell onlookers and holders".to_owned(),
        ),
        Err(error) => Finding::weak(
            WHAT,
            format!(
                "no instance is to be had ({}): requests reach a holder with its renewals, and onlookers \
                 look every two seconds; raise fs.inotify.max_user_instances",
                error.desc()
            ),
        ),
    }
}
