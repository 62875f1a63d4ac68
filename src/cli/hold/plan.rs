//! From what was typed to what a hold needs.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use crate::cli::args::HoldArgs;
use crate::cli::carrying::LeaseVerb;
use crate::cli::plan::{Planned, Refused, Wish};
use crate::cli::{os_error, printable};
use crate::commands::run::Needed;
use crate::process::{Charge, Subject};
use crate::supervisor::{Guards, Leftovers, Restart, Wait};

/// Checks everything that was typed, and opens the store.
pub(super) fn hold(typed: &HoldArgs) -> Result<Planned, Refused> {
    if typed.background && typed.pid.is_none() {
        return Err(
            "--background needs the process that the lease is for: give it --pid $$ (its parent will \
             not do: in \"$(leasectl hold ...)\" that is a subshell, which ends at once)"
                .to_owned(),
        );
    }
    let charge = typed.pid.map(charge).transpose()?;
    let words = typed.pid.map_or_else(Vec::new, words_of);
    Wish {
        common: typed.common(),
        wait: typed.claim.wait.unwrap_or(Wait::No),
        guards: Guards::Process,
        subject: Subject::Charge(charge),
        needed: Needed {
            lasts: typed.lasts,
            until_eof: typed.until_eof,
        },
        words: &words,
        run_timeout: None,
        // What a hook has left behind.
        leftovers: (Leftovers::Stop, Duration::from_secs(1)),
        restart: Restart::Never,
        leave_for: typed.stop.events.leave_for()?,
    }
    .planned()
}

fn charge(pid: i32) -> Result<Charge, Refused> {
    if u32::try_from(pid).is_ok_and(|pid| pid == std::process::id()) {
        return Err("--pid is leasectl itself; name the process that the lease is for".to_owned());
    }
    Charge::of(pid).map_err(|error| {
        let why = match error.raw_os_error() {
            Some(libc::ESRCH) => "there is no such process; in a script it is $$".to_owned(),
            Some(libc::EPERM) => {
                "it may not be sent signals, so it could not be stopped; name one of your own"
                    .to_owned()
            }
            Some(libc::EINVAL) => "it is a thread; name its process".to_owned(),
            _ => os_error(&error),
        };
        format!("--pid {pid} cannot be guarded: {why}")
    })
}

/// Its program and arguments, as far as the kernel shows them.
fn words_of(pid: i32) -> Vec<OsString> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = line
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty());
    words
        .map(|word| OsString::from_vec(word.to_vec()))
        .collect()
}

/// `process 4711 (bash)`.
pub(super) fn process_in_words(pid: i32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    match name.trim_end() {
        "" => format!("process {pid}"),
        name => format!("process {pid} ({})", printable(name)),
    }
}
