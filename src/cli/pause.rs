//! `leasectl pause` and `resume` in words.

use std::ffi::OsString;

use super::args::{PauseArgs, ResumeArgs, StoreArgs};
use super::exit::Exit;
use super::operating::{self, Desk, Failed};
use super::{held, named, plan};
use crate::commands::events::LogLevel;
use crate::commands::operator::{Operator, asker};
use crate::lease::LeaseName;

/// Keeps everyone out of what was typed.
pub(super) fn pause(typed: &PauseArgs) -> Exit {
    let asker = asker(typed.reason.clone());
    let pause = |operator: &Operator, name: &LeaseName| {
        let seen = operator.pause(name, typed.lasts, &asker)?;
        let lease = named(name.as_str());
        Ok(format!("{lease} is {}", held::kept_out(&seen)))
    };
    each(&typed.leases, &typed.store, typed.quiet, pause)
}

/// Lets everyone in again.
pub(super) fn resume(typed: &ResumeArgs) -> Exit {
    let asker = asker(None);
    let resume = |operator: &Operator, name: &LeaseName| {
        let lease = named(name.as_str());
        Ok(match operator.resume(name, &asker)? {
            Some(before) => format!(
                "{lease} can be had again: it was {}",
                held::was_shut(&before)
            ),
            None => format!(
                "{lease} is neither paused nor in its minimum hold in {}; nothing to resume",
                operator.label()
            ),
        })
    };
    each(&typed.leases, &typed.store, typed.quiet, resume)
}

/// Does it for each name, whatever becomes of the others; nothing is done when one is no name. The exit
/// code is that of the first failure.
fn each(
    names: &[OsString],
    store: &StoreArgs,
    quiet: bool,
    act: impl Fn(&Operator, &LeaseName) -> Result<String, Failed>,
) -> Exit {
    let mut desk = Desk::new(quiet);
    let checked: Result<Vec<_>, _> = names.iter().map(|name| plan::lease(name)).collect();
    let opened = checked
        .map_err(Failed::invalid)
        .and_then(|names| Ok((names, operating::at(store)?)));
    let (names, operator) = match opened {
        Ok(opened) => opened,
        Err(failed) => return desk.end(Err(failed)),
    };
    let mut exit = Exit::Code(0);
    for name in names {
        let done = act(&operator, &name).map(|text| desk.say(LogLevel::Info, &text));
        let ended = desk.end(done);
        if exit == Exit::Code(0) {
            exit = ended;
        }
    }
    exit
}
