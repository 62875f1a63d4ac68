//! From what was typed to what a run needs. Only the store is opened here, last.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::time::Duration;

use super::args::{LeftoversArg, RecordArg, RecordArgs, RestartArg, RunArgs, TimeArgs};
use super::carrying::{Common, LeaseVerb};
use super::choice::{self, Choice};
use super::values::LONGEST_NOTE;
use super::{named, quoted};
use crate::commands::run::{HookCommands, LeaveFor, Needed, RunPlan, command_environment};
use crate::lease::{LeaseName, NameError, Promises, Purpose, Timing, TimingOptions};
use crate::process::{Subject, identity};
use crate::supervisor::{Guards, Leftovers, Restart, Settings, Wait};

/// A plan, and what has to be said before it is carried out.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) plan: RunPlan,
    pub(super) choice: Choice,
}

/// Why nothing can be run, as one line: what happened, why, what to do.
pub(super) type Refused = String;

/// What was typed, whatever the verb: options that all of them have, and what the verb makes of its own.
#[derive(Debug)]
pub(super) struct Wish<'a> {
    pub(super) common: Common<'a>,
    pub(super) wait: Wait,
    pub(super) guards: Guards,
    pub(super) subject: Subject,
    pub(super) needed: Needed,
    /// What the record names.
    pub(super) words: &'a [OsString],
    pub(super) run_timeout: Option<Duration>,
    pub(super) leftovers: (Leftovers, Duration),
    pub(super) restart: Restart,
    /// Which announced events are a reason to leave.
    pub(super) leave_for: Option<LeaveFor>,
}

/// `leasectl run`.
pub(super) fn run(typed: &RunArgs) -> Result<Planned, Refused> {
    Wish {
        common: typed.common(),
        wait: wait(typed)?,
        guards: Guards::Command,
        subject: Subject::Command(typed.command.clone()),
        needed: Needed::default(),
        words: &typed.command,
        run_timeout: typed.stop.run_timeout,
        leftovers: (
            match typed.stop.leftovers {
                LeftoversArg::Stop => Leftovers::Stop,
                LeftoversArg::Wait => Leftovers::Wait,
                LeftoversArg::Leave => Leftovers::Leave,
            },
            typed.stop.leftovers_settle,
        ),
        restart: match typed.restart {
            None => Restart::Never,
            Some(RestartArg::OnLost) => Restart::OnLost,
            Some(RestartArg::Always) => Restart::Always,
        },
        leave_for: typed.stop.events.leave_for()?,
    }
    .planned()
}

impl Wish<'_> {
    /// Checks everything, and opens the store.
    pub(super) fn planned(self) -> Result<Planned, Refused> {
        let lease = lease(&self.common.claim.lease)?;
        let timing = timing(self.common.times)?;
        let purpose = purpose(self.common.record, self.words)?;
        let choice = choice::choose(self.common.store)?;
        let store = choice.open()?;
        refuse_itself(&lease, store.label().as_str())?;
        suits(&timing, store.promises())?;
        let holder = identity::holder(self.common.record.holder.clone());
        let environment = command_environment(
            std::env::vars_os(),
            &lease,
            &holder,
            store.label(),
            &choice.passed_on,
        );
        let plan = RunPlan {
            settings: self.settings(timing),
            min_hold: self.common.claim.min_hold.filter(|span| !span.is_zero()),
            holder,
            purpose,
            not_for_the_guardian: Vec::new(),
            stop_signal: self.common.asked.stop_signal,
            subject: self.subject,
            needed: self.needed,
            environment,
            hooks: HookCommands {
                acquired: self.common.telling.on_acquired.clone(),
                doubt: self.common.telling.on_doubt.clone(),
                lost: self.common.telling.on_lost.clone(),
                released: self.common.telling.on_released.clone(),
            },
            leave_for: self.leave_for,
            restart: self.restart,
            lease,
            store,
        };
        Ok(Planned { plan, choice })
    }

    fn settings(&self, timing: Timing) -> Settings {
        let (leftovers, leftovers_settle) = self.leftovers;
        Settings {
            timing,
            wait: self.wait,
            guards: self.guards,
            pause_first: Duration::ZERO,
            only_if_machine_stays: self.leave_for.is_some(),
            prepare: self.common.telling.on_acquired.is_some(),
            run_timeout: self.run_timeout,
            grace: self.common.asked.grace,
            leftovers,
            leftovers_settle,
        }
    }
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
    match (typed.claim.wait, typed.restart) {
        (wait, None) => Ok(wait.unwrap_or(Wait::No)),
        (None | Some(Wait::Forever), Some(_)) => Ok(Wait::Forever),
        (Some(_), Some(_)) => Err(
            "--restart waits for the lease for ever, and --wait limits that: give one of them"
                .to_owned(),
        ),
    }
}

fn timing(times: &TimeArgs) -> Result<Timing, Refused> {
    let options = TimingOptions {
        ttl: times.ttl,
        renew_every: times.renew_every,
        expiry_grace: times.expiry_grace,
        max_drift: times.max_drift,
    };
    Timing::new(options).map_err(|error| error.to_string())
}

fn purpose(record: &RecordArgs, words: &[OsString]) -> Result<Purpose, Refused> {
    let mut meta = BTreeMap::new();
    for (key, value) in &record.meta {
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
    let (program, args) = match record.record {
        RecordArg::Nothing => (None, None),
        RecordArg::Program => (words.first().map(text), None),
        RecordArg::Args => {
            let args = words.iter().skip(1).map(text).collect();
            (words.first().map(text), Some(args))
        }
    };
    Ok(Purpose {
        program,
        args,
        note: record.note.clone(),
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
