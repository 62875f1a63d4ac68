//! `leasectl release` in words, and the number it exits with.

use super::args::ReleaseArgs;
use super::exit::{self, Exit};
use super::operating::{self, Desk, Failed};
use super::phrases::span;
use super::{held, named, plan};
use crate::clock::{BootClock, Clock, Instant};
use crate::commands::events::LogLevel;
use crate::commands::operator::{Operator, asker};
use crate::commands::release::{Asking, Taking};
use crate::lease::{LeaseName, LeaseState, Observation};
use crate::supervisor::Wait;

/// Does what was typed.
pub(super) fn release(typed: &ReleaseArgs) -> Exit {
    let mut desk = Desk::new(typed.quiet);
    let done = plan::lease(&typed.lease)
        .map_err(Failed::invalid)
        .and_then(|name| {
            let operator = operating::at(&typed.store)?;
            if typed.force {
                take(&mut desk, &operator, &name, typed)
            } else {
                ask(&mut desk, &operator, &name, typed)
            }
        });
    desk.end(done)
}

fn ask(
    desk: &mut Desk,
    operator: &Operator,
    name: &LeaseName,
    typed: &ReleaseArgs,
) -> Result<(), Failed> {
    let began = BootClock.now();
    let deadline = match typed.wait {
        Wait::No => began,
        Wait::For(limit) => began + limit,
        Wait::Forever => Instant::NEVER,
    };
    let lease = named(name.as_str());
    let asker = asker(typed.reason.clone());
    let told = |seen: &Observation| {
        let who = held::holder_of(seen);
        let waiting = match typed.wait {
            Wait::For(limit) if limit.is_zero() => "not waiting for it".to_owned(),
            Wait::For(limit) => format!("waiting up to {}", span(limit)),
            Wait::No | Wait::Forever => "waiting".to_owned(),
        };
        desk.say(
            LogLevel::Info,
            &format!("asked {who} to give {lease} back; {waiting}"),
        );
    };
    let asked = operator.ask_to_stop(name, &asker, deadline, told)?;
    let took = span(BootClock.now().since(began));
    let done = became(asked, &lease, &took, operator)?;
    desk.say(LogLevel::Info, &done);
    Ok(())
}

/// What became of the request, in words.
fn became(asked: Asking, lease: &str, took: &str, operator: &Operator) -> Result<String, Failed> {
    let still = |why| Failed {
        exit: exit::REFUSED,
        why,
    };
    match asked {
        Asking::NotHeld => Ok(format!(
            "{lease} is not held in {}; nothing to release",
            operator.label()
        )),
        Asking::Over(seen) => Ok(format!(
            "{lease} was given back after {took}{}",
            held::since_then(&seen)
        )),
        Asking::StillHeld(seen) => Err(still(format!(
            "{lease} is still {}; it was asked {took} ago and the request stands; --wait waits longer",
            held::of_state(&seen)
        ))),
        Asking::Unknown(seen) => Err(still(format!(
            "{lease} is {}, so nobody could be asked; if it is a command whose leasectl was killed, it \
             is being stopped: try again",
            held::of_state(&seen)
        ))),
    }
}

fn take(
    desk: &mut Desk,
    operator: &Operator,
    name: &LeaseName,
    typed: &ReleaseArgs,
) -> Result<(), Failed> {
    let lease = named(name.as_str());
    let asker = asker(typed.reason.clone());
    let safe = typed.token.map_or_else(String::new, |token| {
        format!("; only what refuses a token up to {token} is safe")
    });
    match operator.take_away(name, typed.token, &asker)? {
        Taking::Taken { before, within } => {
            let who = held::holder_of(&before);
            let longest = within.map_or_else(String::new, |within| {
                format!(", for {} at most", humantime::format_duration(within))
            });
            desk.say(
                LogLevel::Warn,
                &format!(
                    "{lease} was taken away from {who}: its command may still be running{longest}, and that of the \
                     next holder may run beside it{safe}"
                ),
            );
            Ok(())
        }
        Taking::NotHeld(seen) if seen.state == LeaseState::Held => Err(Failed {
            exit: exit::REFUSED,
            why: format!(
                "{lease} is not held {} but {}; nothing was taken away",
                typed.token.map_or_else(
                    || "by another tool".to_owned(),
                    |token| format!("under token {token}")
                ),
                held::with_token(&seen)
            ),
        }),
        Taking::NotHeld(_) => {
            let text = format!("{lease} is not held in {}", operator.label());
            desk.say(LogLevel::Info, &format!("{text}; nothing to take away"));
            Ok(())
        }
        Taking::Impossible(why) => Err(Failed::invalid(format!(
            "{lease} was not taken away: {why}"
        ))),
    }
}
