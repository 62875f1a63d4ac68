//! The verbs that hold a lease, from what was typed to the number it exits with, and who is told on the
//! way. What is particular to one of them it says through [`LeaseVerb`].

use super::args::{
    AskedArgs, ClaimArgs, EventsArg, LogFormatArg, LoudnessArgs, RecordArgs, StoreArgs,
    TellingArgs, TimeArgs,
};
use super::exit::{self, Exit};
use super::hold::Announcer;
use super::listeners::Listeners;
use super::phrases::{Whom, event_lost, span};
use super::plan::{Planned, Refused};
use super::report::Printer;
use super::service::Service;
use super::voice::Voice;
use super::{os_error, quoted};
use crate::commands::events::{EventLog, Heading, LogLevel, Stream};
use crate::commands::run::{self, Ended, News, RunPlan, Unguarded};
use crate::lease::{COMFORTABLE_TTL, Expiry, OutcomeWord};
use crate::process::{Outlet, Parting};

/// The options that every such verb has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Common<'a> {
    pub(super) claim: &'a ClaimArgs,
    pub(super) asked: &'a AskedArgs,
    pub(super) telling: &'a TellingArgs,
    pub(super) loudness: &'a LoudnessArgs,
    pub(super) times: &'a TimeArgs,
    pub(super) record: &'a RecordArgs,
    pub(super) store: &'a StoreArgs,
}

/// A verb that holds a lease.
pub(super) trait LeaseVerb {
    /// What it has in common with the others.
    fn common(&self) -> Common<'_>;

    /// Checks what was typed, and opens the store.
    fn plan(&self) -> Result<Planned, Refused>;

    /// Who is guarded.
    fn whom(&self) -> Whom;

    /// Who else is told that the lease is held; `parent`, when it waits for that in the foreground.
    fn announcer(&self, parent: Option<Parting>) -> Result<Option<Announcer>, Refused>;

    /// What is said at the end; nothing when all is well.
    fn last_word(&self, ended: &Ended) -> Option<String>;

    /// What is said when there is no guard, or none any more.
    fn unguarded(&self, unguarded: &Unguarded) -> String;
}

/// Does what was typed.
pub(super) fn carry_out(verb: &dyn LeaseVerb, parent: Option<Parting>) -> Exit {
    let Common {
        claim,
        asked,
        telling,
        store,
        ..
    } = verb.common();
    let heading = Heading::of(&claim.lease.to_string_lossy());
    let mut voice = voice(verb, &heading);
    let outlet = match telling.events.as_ref().map(outlet).transpose() {
        Ok(outlet) => outlet,
        Err(why) => {
            voice.last_word(LogLevel::Error, &store.configured.explain(why));
            return Exit::Code(exit::INVALID);
        }
    };
    let stop_signal = asked.stop_signal.to_string();
    let mut programs = EventLog::new(
        Stream::new(heading, outlet),
        stop_signal,
        telling.has_hooks(),
    );
    let planned = verb
        .plan()
        .and_then(|planned| Ok((planned, verb.announcer(parent)?)));
    let (done, voice) = match planned {
        Ok((mut planned, announcer)) => {
            planned.plan.not_for_the_guardian = announcer
                .as_ref()
                .map_or_else(Vec::new, Announcer::descriptors);
            programs.in_store(planned.plan.store.label().as_str());
            let mut people = listeners(verb, &planned.plan, voice);
            people.announcer = announcer;
            let done = hold(verb, &planned, &mut people, &mut programs);
            (done, people.printer.voice)
        }
        Err(why) => {
            voice.last_word(LogLevel::Error, &store.configured.explain(why));
            let invalid = (Exit::Code(exit::INVALID), OutcomeWord::Invalid, None);
            (invalid, voice)
        }
    };
    over(done, &mut programs, voice)
}

/// The last event, and what became of it.
fn over(
    (exit, outcome, ended): (Exit, OutcomeWord, Option<Ended>),
    programs: &mut EventLog,
    mut voice: Voice,
) -> Exit {
    programs.hear(&News::Ended {
        outcome,
        exit_code: exit.number(),
        command: ended.and_then(|ended| ended.command),
    });
    if let Some(error) = programs.first_loss() {
        voice.last_word(LogLevel::Warn, &event_lost(&error));
    }
    exit
}

fn listeners(verb: &dyn LeaseVerb, plan: &RunPlan, mut voice: Voice) -> Listeners {
    let Common { claim, asked, .. } = verb.common();
    voice.in_store(plan.store.label().as_str());
    let lease = claim.lease.to_string_lossy();
    let mut printer = Printer::new(voice, &lease, asked.stop_signal.to_string());
    printer.guards(verb.whom());
    printer.show_waiting(plan.settings.wait);
    if claim.held_exit_code == 0 {
        printer.do_not_tell_of_waiting();
    }
    Listeners {
        printer,
        service: Service::of_environment(plan),
        announcer: None,
    }
}

fn hold(
    verb: &dyn LeaseVerb,
    planned: &Planned,
    people: &mut Listeners,
    programs: &mut EventLog,
) -> (Exit, OutcomeWord, Option<Ended>) {
    let Planned { plan, choice } = planned;
    people.pass_warnings_on();
    announce(&mut people.printer.voice, plan, choice.is_default);
    match run::run(plan, people, programs) {
        Ok(ended) => {
            let word = verb.last_word(&ended);
            people.service.over(&ended, word.as_deref());
            if let Some(text) = word {
                people.printer.voice.last_word(LogLevel::Error, &text);
            }
            let held_exit_code = verb.common().claim.held_exit_code;
            let exit = Exit::of_run(&ended, i32::from(held_exit_code));
            (exit, ended.outcome.word(), Some(ended))
        }
        Err(unguarded) => {
            let why = verb.unguarded(&unguarded);
            people.printer.voice.last_word(LogLevel::Error, &why);
            let (code, outcome) = match unguarded.started {
                false => (exit::INVALID, OutcomeWord::Invalid),
                true => (exit::LOST, OutcomeWord::Lost),
            };
            (Exit::Code(code), outcome, None)
        }
    }
}

fn voice(verb: &dyn LeaseVerb, heading: &Heading) -> Voice {
    let Common {
        telling, loudness, ..
    } = verb.common();
    let loudest = match (loudness.quiet, loudness.verbose) {
        (true, _) => LogLevel::Error,
        (false, true) => LogLevel::Debug,
        (false, false) => LogLevel::Info,
    };
    match telling.log_format {
        LogFormatArg::Text => Voice::text(loudest),
        LogFormatArg::Json => Voice::json(loudest, heading.clone()),
    }
}

/// What cannot be opened now would be missed only when it is needed (P12).
fn outlet(events: &EventsArg) -> Result<Outlet, Refused> {
    match events {
        EventsArg::File(path) => Outlet::append(path).map_err(|error| {
            format!(
                "--events {} cannot be opened: {}; name a file that can be written to",
                quoted(&path.to_string_lossy()),
                os_error(&error)
            )
        }),
        EventsArg::Descriptor(number) => Outlet::descriptor(*number).map_err(|error| {
            let why = match error.raw_os_error() {
                Some(libc::EBADF) => "it is not open".to_owned(),
                Some(libc::EINVAL) => "it is not open for writing".to_owned(),
                _ => os_error(&error),
            };
            format!("--events fd:{number} cannot be used: {why}; open it, as in {number}>>FILE")
        }),
    }
}

/// What people have to know before anything is done.
fn announce(voice: &mut Voice, plan: &RunPlan, store_is_default: bool) {
    if store_is_default {
        let text = format!(
            "no store was chosen: using {}, which only this user of this machine shares; say --store \
             file: if that is meant",
            plan.store.label()
        );
        voice.last_word(LogLevel::Warn, &text);
    }
    let ttl = plan.settings.timing.ttl();
    if ttl < COMFORTABLE_TTL && plan.store.promises().expiry == Expiry::StoreClock {
        let text = format!(
            "--ttl {} is short: below {} the margin does not cover an overloaded machine",
            span(ttl),
            span(COMFORTABLE_TTL)
        );
        voice.last_word(LogLevel::Warn, &text);
    }
}
