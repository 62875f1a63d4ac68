//! `leasectl scheduled-events` in words.

use std::io::{ErrorKind, Write, stdout};
use std::os::fd::AsFd;

use super::args::{ActionArg, ScheduledEventsArgs};
use super::exit::{self, Exit};
use super::operating::{Desk, Failed};
use super::{os_error, output, printable, quoted};
use crate::clock::{BootClock, Clock};
use crate::commands::events::LogLevel;
use crate::commands::scheduled_events::{
    Choice, Execution, Filter, Follower, Listed, Session, json, sharing,
};
use crate::notices::{Names, News, NotApproved, Notice};
use crate::process::nobody_reads;

mod table;

/// Does what was typed.
pub(super) fn scheduled_events(typed: &ScheduledEventsArgs) -> Exit {
    let mut desk = Desk::new(false);
    let done = misplaced(typed)
        .map_or(Ok(()), Err)
        .and_then(|()| match typed.action {
            ActionArg::List => list(typed, &mut desk),
            ActionArg::Watch => watch(typed, &mut desk),
            ActionArg::Ack => ack(typed, &mut desk),
        });
    desk.end(done)
}

/// An option that has nothing to do with what is to be done.
fn misplaced(typed: &ScheduledEventsArgs) -> Option<Failed> {
    let options = [
        ("--json", typed.json, ActionArg::List),
        ("--exec", typed.exec.is_some(), ActionArg::Watch),
        ("--count", typed.count.is_some(), ActionArg::Watch),
        ("--all", typed.all, ActionArg::Ack),
        ("an EVENT_ID", !typed.events.is_empty(), ActionArg::Ack),
    ];
    let mut wrong = options
        .into_iter()
        .filter(|(_, given, of)| *given && *of != typed.action);
    if let Some((option, _, of)) = wrong.next() {
        let of = format!("{of:?}").to_lowercase();
        return Some(Failed::invalid(format!(
            "{option} belongs to leasectl scheduled-events {of}; write that, or leave it out"
        )));
    }
    let nothing = typed.action == ActionArg::Ack && !typed.all && typed.events.is_empty();
    nothing.then(|| {
        Failed::invalid(
            "nothing is to be approved: write the EVENT_ID that leasectl scheduled-events shows, or \
             --all"
                .to_owned(),
        )
    })
}

fn session(typed: &ScheduledEventsArgs) -> Result<Session, Failed> {
    let source = &typed.source;
    let choice = match (&source.cache_dir, source.no_coordination) {
        (_, true) => Choice::Alone,
        (Some(directory), false) => Choice::Directory(directory.clone()),
        (None, false) => Choice::Default,
    };
    let session = Session::new(
        &source.endpoint,
        source.api_version.clone(),
        Names::new(source.resource.iter().cloned()),
        sharing(&source.endpoint, choice),
    );
    session.map_err(|error| {
        let why = os_error(&error);
        Failed::invalid(format!("the scheduled events cannot be had: {why}"))
    })
}

fn filter(typed: &ScheduledEventsArgs) -> Filter {
    Filter {
        types: typed.filter.types.clone(),
        all_resources: typed.filter.all_resources,
        min_duration: typed.filter.min_duration,
    }
}

/// Everything that is announced, whoever is meant.
fn listed(
    typed: &ScheduledEventsArgs,
    session: &mut Session,
    desk: &mut Desk,
) -> Result<Listed, Failed> {
    let found = session.list(&mut |news| match news {
        Some(News::Warning(why)) => desk.say(LogLevel::Warn, &printable(why)),
        Some(_) => {}
        None => desk.say(
            LogLevel::Info,
            "waiting for the metadata service, whose first answer may take two minutes",
        ),
    });
    found.map_err(|_| Failed {
        exit: exit::UNREACHABLE,
        why: format!(
            "what is announced is not known: {} gave no answer that can be used; try again, or \
             name another with --endpoint",
            printable(&typed.source.endpoint.to_string())
        ),
    })
}

fn list(typed: &ScheduledEventsArgs, desk: &mut Desk) -> Result<(), Failed> {
    let mut session = session(typed)?;
    let mut listed = listed(typed, &mut session, desk)?;
    let filter = filter(typed);
    let all = listed.notices.len();
    listed.notices.retain(|notice| filter.wants(notice));
    let now = BootClock.wall();
    let text = if typed.json {
        json(now, &listed)
    } else {
        table::text(now, &listed, all)
    };
    let printed = output::print(&text).map_err(Failed::invalid);
    session.close();
    printed
}

fn hear_ctrl_z(session: &mut Session) -> Result<(), Failed> {
    session.hear_ctrl_z().map_err(|error| {
        let why = os_error(&error);
        Failed::invalid(format!("signals cannot be heard: {why}"))
    })
}

fn watch(typed: &ScheduledEventsArgs, desk: &mut Desk) -> Result<(), Failed> {
    let mut session = session(typed)?;
    hear_ctrl_z(&mut session)?;
    let mut follower = Follower::new(filter(typed));
    let execution = typed
        .exec
        .clone()
        .map(|command| Execution::start(command, |why| Desk::new(false).say(LogLevel::Warn, why)));
    let execution = execution.transpose().map_err(|error| {
        let why = os_error(&error);
        Failed::invalid(format!("the command of --exec cannot be run: {why}"))
    })?;
    let mut failed = None;
    session.watch(|news| match news {
        None => !nobody_reads(stdout().as_fd()),
        Some(News::Warning(why)) => {
            desk.say(LogLevel::Warn, &printable(why));
            true
        }
        Some(News::Detail(text)) => {
            desk.say(LogLevel::Info, text);
            true
        }
        Some(News::Role { role, why }) => {
            let text = format!("scheduled events: {}: {why}", role.word());
            desk.say(LogLevel::Info, &printable(&text));
            true
        }
        Some(News::Updates(updates)) => updates.iter().all(|update| {
            let Some(line) = follower.line(BootClock.wall(), update) else {
                return true;
            };
            let mut out = stdout().lock();
            if let Err(error) = out.write_all(line.as_bytes()).and_then(|()| out.flush()) {
                failed = Some(error);
                return false;
            }
            if let Some(execution) = &execution {
                execution.tell(&line, update);
            }
            typed.count.is_none_or(|count| follower.told() < count)
        }),
    });
    if let Some(execution) = execution {
        execution.finish();
    }
    failed.map_or(Ok(()), unwritten)
}

/// A reader that has gone is no failure.
fn unwritten(error: std::io::Error) -> Result<(), Failed> {
    if error.kind() == ErrorKind::BrokenPipe {
        return Ok(());
    }
    Err(Failed::invalid(format!(
        "standard output could not be written: {}; write it elsewhere",
        os_error(&error)
    )))
}

fn ack(typed: &ScheduledEventsArgs, desk: &mut Desk) -> Result<(), Failed> {
    let mut session = session(typed)?;
    let listed = listed(typed, &mut session, desk)?;
    let meant = meant(typed, &listed.notices)?;
    if meant.is_empty() {
        desk.say(
            LogLevel::Info,
            "nothing that is meant is announced; nothing to approve",
        );
        session.close();
        return Ok(());
    }
    let ids: Vec<String> = meant.iter().map(|notice| notice.id.clone()).collect();
    let approved = session.approve(&ids);
    session.close();
    approved.map_err(|error| refused(&error))?;
    for notice in meant {
        let resources: Vec<_> = notice.resources.iter().map(|name| quoted(name)).collect();
        desk.say(
            LogLevel::Info,
            &format!(
                "approved {} {}, for all it is about: {}; it may begin now",
                printable(&notice.event_type),
                quoted(&notice.id),
                resources.join(", ")
            ),
        );
    }
    Ok(())
}

/// The events that are to be approved.
fn meant<'a>(
    typed: &ScheduledEventsArgs,
    notices: &'a [Notice],
) -> Result<Vec<&'a Notice>, Failed> {
    if typed.all {
        let filter = filter(typed);
        return Ok(notices
            .iter()
            .filter(|notice| filter.wants(notice))
            .collect());
    }
    let known = |id: &String| {
        let mut notices = notices.iter();
        let known = notices.find(|notice| notice.id.eq_ignore_ascii_case(id));
        known.ok_or_else(|| {
            Failed::invalid(format!(
                "event {} is not announced; leasectl scheduled-events --all-resources shows what is",
                quoted(id)
            ))
        })
    };
    typed.events.iter().map(known).collect()
}

fn refused(error: &NotApproved) -> Failed {
    let why = printable(&error.to_string());
    match error {
        NotApproved::Unanswered(_) => Failed {
            exit: exit::UNREACHABLE,
            why: format!("it is not known whether anything was approved: {why}; try again"),
        },
        NotApproved::Refused(_) | NotApproved::Impossible => {
            Failed::invalid(format!("nothing was approved: {why}"))
        }
    }
}
