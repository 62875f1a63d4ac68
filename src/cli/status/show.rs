//! From what was typed to what is shown, and the number that it exits with.

use std::io::{IsTerminal, stdout};

use super::lines::Lines;
use super::screen::Screen;
use super::style::{finished, wants_colours};
use super::{by_holder, table};
use crate::cli::args::{StatusArgs, UntilArg};
use crate::cli::choice::{self, Choice};
use crate::cli::exit::{self, Exit};
use crate::cli::operating::{Desk, Failed};
use crate::cli::{chain, named, os_error, output, plan, terminal};
use crate::clock::{BootClock, Clock};
use crate::commands::events::LogLevel;
use crate::commands::status::{
    Checked, Picture, Selection, View, WatchError, check, json, prometheus, watch,
};
use crate::lease::{LeaseName, LeaseState, Observation, StoreLabel};

/// Does what was typed.
pub(in crate::cli) fn status(typed: &StatusArgs) -> Exit {
    let mut desk = Desk::new(false);
    match carry_out(typed, &mut desk) {
        Ok(exit) => exit,
        Err(failed) => desk.end(Err(failed)),
    }
}

fn carry_out(typed: &StatusArgs, desk: &mut Desk) -> Result<Exit, Failed> {
    let names = names(typed)?;
    let choice = choice::choose(&typed.store).map_err(Failed::invalid)?;
    let (label, open) = choice.to_look().map_err(Failed::invalid)?;
    let selection = Selection::new(names, typed.prefix.clone());
    let view = View::new(open, selection).map_err(|error| {
        let why = os_error(&error);
        Failed::invalid(format!("the store cannot be asked: {why}"))
    })?;
    if typed.checking.check {
        return checked(typed, &choice, view);
    }
    if typed.watching.watch {
        return watched(typed, (&choice, label), view);
    }
    shown(typed, (&choice, &label), view, desk)
}

fn names(typed: &StatusArgs) -> Result<Vec<LeaseName>, Failed> {
    let names: Result<Vec<_>, _> = typed.leases.iter().map(|name| plan::lease(name)).collect();
    let names = names.map_err(Failed::invalid)?;
    let alone = names.len() == 1 && typed.prefix.is_none();
    let option = match (typed.checking.check, typed.watching.until) {
        (true, _) => "--check",
        (false, Some(_)) => "--until",
        (false, None) => return Ok(names),
    };
    if alone {
        return Ok(names);
    }
    Err(Failed::invalid(format!(
        "{option} is about one lease; write leasectl status NAME and {option}"
    )))
}

/// One look.
fn shown(
    typed: &StatusArgs,
    (choice, label): (&Choice, &StoreLabel),
    mut view: View,
    desk: &mut Desk,
) -> Result<Exit, Failed> {
    let Picture { seen, failed } = view.look().map_err(|error| choice.failed(&error))?;
    let now = BootClock.wall();
    let width = terminal::window_of(&stdout()).map(|(columns, _)| columns);
    let text = if typed.form.json {
        json(label, now, &seen)
    } else if typed.form.prometheus {
        prometheus(label, now, &seen)
    } else if typed.form.by_holder {
        by_holder::text(label, &seen)
    } else {
        finished(&table::text(label, now, &seen, width), wants_colours())
    };
    output::print(&text).map_err(Failed::invalid)?;
    let mut exit = Exit::Code(0);
    for (name, error) in failed {
        let failed = Failed::from(error);
        let why = format!("{} cannot be shown: {}", named(name.as_str()), failed.why);
        let ended = desk.end(Err(Failed { why, ..failed }));
        if exit == Exit::Code(0) {
            exit = ended;
        }
    }
    Ok(exit)
}

/// What cannot be told is no answer, whatever the reason.
fn checked(typed: &StatusArgs, choice: &Choice, mut view: View) -> Result<Exit, Failed> {
    let unknown = |why: String| Failed {
        exit: exit::UNREACHABLE,
        why,
    };
    let picture = view.look();
    let Picture { seen, failed } = picture.map_err(|error| unknown(choice.failed(&error).why))?;
    if let Some((_, error)) = failed.into_iter().next() {
        return Err(unknown(chain(&error)));
    }
    let answer = seen
        .first()
        .map(|seen| check(seen, typed.checking.here, typed.checking.token));
    match answer {
        Some(Checked::Held) => Ok(Exit::Code(0)),
        Some(Checked::NotHeld) => Ok(Exit::Code(exit::NOT_SO)),
        Some(Checked::Unknown(why)) => {
            let name = typed
                .leases
                .first()
                .map(|name| name.to_string_lossy().into_owned());
            let name = named(&name.unwrap_or_default());
            Err(unknown(format!(
                "whether {name} is held cannot be told: {why}"
            )))
        }
        None => Err(unknown("the store gave no answer; try again".to_owned())),
    }
}

fn watched(
    typed: &StatusArgs,
    (choice, label): (&Choice, StoreLabel),
    view: View,
) -> Result<Exit, Failed> {
    let watching = &typed.watching;
    let for_programs = typed.form.json || !watching.only.is_empty() || watching.count.is_some();
    let failed = |error: WatchError| match error {
        WatchError::Open(error) => choice.failed(&error),
        WatchError::System(error) => {
            Failed::invalid(format!("nothing can be watched: {}", os_error(&error)))
        }
    };
    if for_programs || !stdout().is_terminal() || !terminal::can_move() {
        let mut lines = Lines::new(watching);
        watch(view, &mut lines, false).map_err(failed)?;
        return lines.end();
    }
    let mut screen = Screen::open(label, watching.until);
    let watched = watch(view, &mut screen, true).map_err(failed);
    let signal = screen.close();
    watched?;
    Ok(signal.map_or(Exit::Code(0), Exit::Signal))
}

/// Whether it is as `--until` wants it.
pub(super) fn is_so(until: Option<UntilArg>, seen: &[Observation]) -> bool {
    let wanted = match until {
        Some(UntilArg::Held) => LeaseState::Held,
        Some(UntilArg::Free) => LeaseState::Free,
        None => return false,
    };
    seen.iter().any(|seen| seen.state == wanted && !seen.unsure)
}

/// Says that the store does not answer for the moment.
pub(super) fn does_not_answer(error: &crate::registry::OpenError) {
    let mut desk = Desk::new(false);
    let why = chain(error);
    desk.say(LogLevel::Warn, &format!("{why}; trying again"));
}
