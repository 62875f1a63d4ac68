//! From what was typed to what a run needs. Only the store is opened here, last.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use super::args::{LeftoversArg, RecordArg, RestartArg, RunArgs};
use super::choice::{self, Choice};
use super::values::LONGEST_NOTE;
use super::{named, quoted};
use crate::commands::run::{HookCommands, RunPlan, command_environment};
use crate::lease::{LeaseName, NameError, Promises, Purpose, Timing, TimingOptions};
use crate::process::identity;
use crate::supervisor::{Leftovers, Restart, Settings, Wait};

/// A plan, and what has to be said before it is carried out.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) plan: RunPlan,
    pub(super) choice: Choice,
}

/// Why nothing can be run, as one line: what happened, why, what to do.
pub(super) type Refused = String;

/// Checks everything that was typed, and opens the store.
pub(super) fn run(typed: &RunArgs) -> Result<Planned, Refused> {
    let wait = wait(typed)?;
    let lease = lease(&typed.lease)?;
    let timing = timing(typed)?;
    let purpose = purpose(typed)?;
    let choice = choice::choose(&typed.store)?;
    let store = choice.open()?;
    refuse_itself(&lease, store.label().as_str())?;
    suits(&timing, store.promises())?;
    let holder = identity::holder(typed.record.holder.clone());
    let environment = command_environment(
        std::env::vars_os(),
        &lease,
        &holder,
        store.label(),
        &choice.passed_on,
    );
    let plan = RunPlan {
        settings: settings(typed, timing, wait),
        min_hold: typed.min_hold.filter(|span| !span.is_zero()),
        holder,
        purpose,
        stop_signal: typed.stop.stop_signal,
        command: typed.command.clone(),
        environment,
        hooks: HookCommands {
            acquired: typed.telling.on_acquired.clone(),
            doubt: typed.telling.on_doubt.clone(),
            lost: typed.telling.on_lost.clone(),
            released: typed.telling.on_released.clone(),
        },
        restart: match typed.restart {
            None => Restart::Never,
            Some(RestartArg::OnLost) => Restart::OnLost,
            Some(RestartArg::Always) => Restart::Always,
        },
        lease,
        store,
    };
    Ok(Planned { plan, choice })
}

/// A name that was typed.
pub(super) fn lease(typed: &OsStr) -> Result<LeaseName, Refused> {
    LeaseName::from_os(typed).map_err(|error| match error {
        NameError::TooLong(_) => error.to_string(),
        _ => format!("{error}; a name is 1 to 512 bytes of UTF-8 without control characters"),
    })
}

/// A standby that stops standing by is none.
fn wait(typed: &RunArgs) -> Result<Wait, Refused> {
    match (typed.wait, typed.restart) {
        (wait, None) => Ok(wait.unwrap_or(Wait::No)),
        (None | Some(Wait::Forever), Some(_)) => Ok(Wait::Forever),
        (Some(_), Some(_)) => Err(
            "--restart waits for the lease for ever, and --wait limits that: give one of them"
                .to_owned(),
        ),
    }
}

fn timing(typed: &RunArgs) -> Result<Timing, Refused> {
    let times = &typed.times;
    let options = TimingOptions {
        ttl: times.ttl,
        renew_every: times.renew_every,
        expiry_grace: times.expiry_grace,
        max_drift: times.max_drift,
    };
    Timing::new(options).map_err(|error| error.to_string())
}

fn settings(typed: &RunArgs, timing: Timing, wait: Wait) -> Settings {
    Settings {
        timing,
        wait,
        pause_first: std::time::Duration::ZERO,
        prepare: typed.telling.on_acquired.is_some(),
        run_timeout: typed.stop.run_timeout,
        grace: typed.stop.grace,
        leftovers: match typed.stop.leftovers {
            LeftoversArg::Stop => Leftovers::Stop,
            LeftoversArg::Wait => Leftovers::Wait,
            LeftoversArg::Leave => Leftovers::Leave,
        },
        leftovers_settle: typed.stop.leftovers_settle,
    }
}

fn purpose(typed: &RunArgs) -> Result<Purpose, Refused> {
    let mut meta = BTreeMap::new();
    for (key, value) in &typed.record.meta {
        if meta.insert(key.clone(), value.clone()).is_some() {
            return Err(format!(
                "--meta {} is given twice; give each key once",
                quoted(key)
            ));
        }
    }
    let length: usize = meta
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if length > LONGEST_NOTE {
        return Err(format!(
            "--meta is {length} bytes in all; the limit is {LONGEST_NOTE}: the record has to fit a page"
        ));
    }
    let text = |word: &OsString| word.to_string_lossy().into_owned();
    let (program, args) = match typed.record.record {
        RecordArg::Nothing => (None, None),
        RecordArg::Program => (typed.command.first().map(text), None),
        RecordArg::Args => {
            let args = typed.command.iter().skip(1).map(text).collect();
            (typed.command.first().map(text), Some(args))
        }
    };
    Ok(Purpose {
        program,
        args,
        note: typed.record.note.clone(),
        meta,
    })
}

/// A command that waits for the lease it runs under would wait for ever.
fn refuse_itself(lease: &LeaseName, label: &str) -> Result<(), Refused> {
    let is = |key: &str, value: &str| std::env::var_os(key).is_some_and(|found| found == value);
    if is("LEASECTL_LEASE", lease.as_str()) && is("LEASECTL_STORE_LABEL", label) {
        return Err(format!(
            "this already runs under {} of {label}: taking that again would wait for itself; use \
             another name, or no leasectl, inside",
            named(lease.as_str())
        ));
    }
    Ok(())
}

fn suits(timing: &Timing, promises: Promises) -> Result<(), Refused> {
    let (shortest, longest) = (promises.shortest_ttl, promises.longest_ttl);
    if timing.ttl() < shortest || timing.ttl() > longest {
        return Err(format!(
            "--ttl {} does not suit this store: it keeps leases from {} to {}",
            humantime::format_duration(timing.ttl()),
            humantime::format_duration(shortest),
            humantime::format_duration(longest)
        ));
    }
    Ok(())
}
