//! `leasectl doctor` in words, and the number it exits with.

use std::ffi::OsString;
use std::sync::Arc;

use tokio::runtime::Runtime;

use super::args::DoctorArgs;
use super::exit::{self, Exit};
use super::operating::{self, Desk, Failed};
use super::{os_error, output, printable};
use crate::commands::doctor::{Failure, Finding, Rating, examine, examine_machine, examine_server};
use crate::lease::{Change, Expiry, Fencing, LeaseStore, Promises};

/// Examines what was typed.
pub(super) fn doctor(typed: &DoctorArgs) -> Exit {
    let mut desk = Desk::new(false);
    let done = examined(typed);
    desk.end(done)
}

fn examined(typed: &DoctorArgs) -> Result<(), Failed> {
    // Of the machine is told in any case: it may be the reason for what is wrong with the store.
    let opened = operating::open(&typed.store);
    let mut report = Report::default();
    let store = match &opened {
        Ok(store) => {
            print(&promises(store.as_ref()))?;
            report.examine(store)
        }
        Err(failed) => {
            print("store\n")?;
            print(&line(&Finding::bad("open", failed.why.clone())))?;
            Err(failed.clone())
        }
    };
    print("\nthis machine\n")?;
    for finding in examine_machine(&environment()) {
        report.found(finding)?;
    }
    report.verdict(store)
}

/// What has been found so far.
#[derive(Debug, Default)]
struct Report {
    weak: usize,
    bad: Option<String>,
}

impl Report {
    /// Asks the server about itself, and lives through the life of a lease.
    fn examine(&mut self, store: &Arc<dyn LeaseStore>) -> Result<(), Failed> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failed::invalid(os_error(&error)))?;
        let asked = runtime.block_on(examine_server(Arc::clone(store)));
        if !asked.as_ref().is_ok_and(Vec::is_empty) {
            print("\nserver\n")?;
        }
        for finding in Self::or_failed(asked)? {
            self.found(finding)?;
        }
        self.live(&runtime, store)
    }

    fn live(&mut self, runtime: &Runtime, store: &Arc<dyn LeaseStore>) -> Result<(), Failed> {
        print("\nlive check, on a lease of its own\n")?;
        let mut printed = Ok(());
        let mut found = |finding| {
            let told = self.found(finding);
            printed = std::mem::replace(&mut printed, Ok(())).and(told);
        };
        let examined = runtime.block_on(examine(Arc::clone(store), &mut found));
        printed?;
        Self::or_failed(examined)
    }

    /// What was found, or why nothing was, which is printed.
    fn or_failed<T>(examined: Result<T, Failure>) -> Result<T, Failed> {
        let (what, failed) = match examined {
            Ok(found) => return Ok(found),
            Err(Failure::Store(what, error)) => (what, Failed::from(error)),
            Err(Failure::Broken(what, why)) => (
                what,
                Failed {
                    exit: exit::UNREACHABLE,
                    why,
                },
            ),
        };
        print(&line(&Finding::bad(what, failed.why.clone())))?;
        Err(failed)
    }

    fn found(&mut self, finding: Finding) -> Result<(), Failed> {
        print(&line(&finding))?;
        match finding.rating {
            Rating::Good => {}
            Rating::Weak => self.weak += 1,
            Rating::Bad => {
                let what = finding.what;
                self.bad.get_or_insert(format!("{what}: {}", finding.seen));
            }
        }
        Ok(())
    }

    /// The last line, and the number.
    fn verdict(self, store: Result<(), Failed>) -> Result<(), Failed> {
        let verdict = match (&store, &self.bad) {
            (Err(_), _) => "this store cannot be used so",
            (Ok(()), Some(_)) => "this machine does not keep what is promised",
            (Ok(()), None) if self.weak > 0 => "good, with the limits above",
            (Ok(()), None) => "good",
        };
        print(&format!("\nverdict: {verdict}\n"))?;
        store?;
        self.bad.map_or(Ok(()), |why| Err(Failed::invalid(why)))
    }
}

fn print(text: &str) -> Result<(), Failed> {
    output::print(text).map_err(Failed::invalid)
}

fn line(finding: &Finding) -> String {
    let rating = match finding.rating {
        Rating::Good => "ok",
        Rating::Weak => "weak",
        Rating::Bad => "BAD",
    };
    let Finding { what, seen, .. } = finding;
    format!("  {rating:<4}  {what:<12}  {}\n", printable(seen))
}

/// What the store says of itself.
fn promises(store: &dyn LeaseStore) -> String {
    let Promises {
        shortest_ttl,
        longest_ttl,
        fencing,
        expiry,
        change,
        onlookers,
        broken_by,
    } = store.promises();
    let (silent, lasts) = match expiry {
        Expiry::WithItsProcess => (
            "the kernel ends it with the last process that carries it",
            "; has nothing to do",
        ),
        Expiry::StoreClock => ("the store ends it by its own clock", ""),
    };
    let tokens = match fencing {
        Fencing::Durable => "rise as long as the store keeps its data",
        Fencing::ThisProcess => "rise while this process lives",
    };
    let told = |change| match change {
        Change::Pushed => "are told by the store",
        Change::Polled => "have to look again and again",
    };
    let ttl = format!(
        "{} to {}{lasts}",
        humantime::format_duration(shortest_ttl),
        humantime::format_duration(longest_ttl)
    );
    let mut text = format!("store {}\n", store.label());
    for (what, promised) in [
        ("silent hold", silent),
        ("tokens", tokens),
        ("waiters", told(change)),
        ("onlookers", told(onlookers)),
        ("ttl", &ttl),
    ] {
        text.push_str(&format!("  {what:<18}  {promised}\n"));
    }
    for (number, clause) in broken_by.iter().enumerate() {
        let what = if number == 0 { "does not exclude" } else { "" };
        text.push_str(&format!("  {what:<18}  {clause}\n"));
    }
    text
}

/// What a trial run finds: nothing that was meant for this process.
fn environment() -> Vec<(OsString, OsString)> {
    let ours = |key: &OsString| {
        let key = key.to_string_lossy();
        key.starts_with("LEASECTL_")
            || ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"].contains(&&*key)
    };
    std::env::vars_os().filter(|(key, _)| !ours(key)).collect()
}
