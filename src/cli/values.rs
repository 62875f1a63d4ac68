//! Texts of the command line as values. Each parser says what is wrong and what would be right.

use std::path::PathBuf;
use std::time::Duration;

use super::args::{EventTypes, EventsArg};
use super::quoted;
use crate::commands::scheduled_events::Types;
use crate::lease::FencingToken;
use crate::notices::{Endpoint, NoEndpoint};
use crate::process::SignalName;
use crate::store::options::nearest;
use crate::supervisor::Wait;

/// A duration with a unit.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits {
        // A number as long as a file would make a line as long.
        let number = if text.len() <= 20 { text } else { "30" };
        return Err(format!("it needs a unit, such as {number}s or {number}m"));
    }
    humantime::parse_duration(text).map_err(|error| match error {
        humantime::DurationError::NumberOverflow => "it is too large".to_owned(),
        _ => "it is not a duration; write one as 30s, 5m or 1h30m".to_owned(),
    })
}

/// A duration that is longer than nothing.
pub(super) fn some_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("it has to be longer than nothing".to_owned()),
        span => Ok(span),
    }
}

/// `pause --for`: not so long that its end has no date.
pub(super) fn pause(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(3_660 * 24 * 60 * 60);
    match some_duration(text)? {
        span if span > LONGEST => Err(
            "it is more than ten years; without --for it lasts until leasectl resume".to_owned(),
        ),
        span => Ok(span),
    }
}

/// `--token`: a fencing token.
pub(super) fn token(text: &str) -> Result<FencingToken, String> {
    let number = text.parse().ok();
    number
        .and_then(|number| FencingToken::new(number).ok())
        .ok_or_else(|| "it is no token: a number from 1, as leasectl status shows it".to_owned())
}

/// `--count`: a number from 1.
pub(super) fn count(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "it is no number from 1".to_owned())
}

/// `--wait`: a duration or `forever`.
pub(super) fn wait(text: &str) -> Result<Wait, String> {
    if text == "forever" {
        return Ok(Wait::Forever);
    }
    duration(text)
        .map(Wait::For)
        .map_err(|why| format!("{why}; or write forever"))
}

/// `--max-drift`: a fraction. Its range is checked with the other time-outs.
pub(super) fn fraction(text: &str) -> Result<f64, String> {
    text.parse()
        .map_err(|_| "it is not a number; write a fraction such as 0.1".to_owned())
}

/// `--events`: a file, or `fd:N`.
pub(super) fn events(text: &str) -> Result<EventsArg, String> {
    match text.strip_prefix("fd:") {
        Some(number) => match number.parse() {
            Ok(number @ 0..) => Ok(EventsArg::Descriptor(number)),
            _ => Err("after fd: comes the number of an open descriptor, as in fd:3".to_owned()),
        },
        None if text.is_empty() => Err("it is empty; write a file or fd:N".to_owned()),
        None => Ok(EventsArg::File(PathBuf::from(text))),
    }
}

/// `--types`: what the service calls a type of event, or all of them.
pub(super) fn event_types(text: &str) -> Result<Types, String> {
    if text == "all" {
        return Ok(Types::All);
    }
    let types: Vec<String> = text.split(',').map(|one| one.trim().to_owned()).collect();
    let named =
        |one: &String| !one.is_empty() && one.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if types.iter().all(named) && !types.iter().any(|one| one == "all") {
        return Ok(Types::Only(types));
    }
    Err("it is no list of types; write it as reboot,preempt, or all".to_owned())
}

/// `--endpoint`: where notices come from.
pub(super) fn endpoint(text: &str) -> Result<Endpoint, String> {
    text.parse().map_err(|error: NoEndpoint| error.to_string())
}

/// `--api-version`: what goes into the request as it stands.
pub(super) fn api_version(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    let fits = !text.is_empty() && text.len() <= 64 && text.bytes().all(plain);
    fits.then(|| text.to_owned())
        .ok_or_else(|| "it is no version; write it as 2020-07-01".to_owned())
}

/// A text that says something.
pub(super) fn some_text(text: &str) -> Result<String, String> {
    let fits = !text.is_empty() && !text.contains(char::is_control);
    fits.then(|| text.to_owned())
        .ok_or_else(|| "it is empty, or has control characters".to_owned())
}

/// `--pid`: the number of a process.
pub(super) fn pid(text: &str) -> Result<i32, String> {
    match text.parse() {
        Ok(pid @ 1..) => Ok(pid),
        _ => Err("it is no process; write a number, such as $$".to_owned()),
    }
}

/// `--ready-fd`: a descriptor beyond the standard ones.
pub(super) fn descriptor(text: &str) -> Result<i32, String> {
    match text.parse() {
        Ok(number @ 3..) => Ok(number),
        _ => Err("it is the number of an open descriptor from 3 on".to_owned()),
    }
}

/// `--held-exit-code`.
pub(super) fn exit_code(text: &str) -> Result<u8, String> {
    text.parse()
        .map_err(|_| "it is not a number from 0 to 255".to_owned())
}

/// `--scheduled-events`: types of events, or all of them (`None`).
pub(super) fn types_to_leave_for(text: &str) -> Result<EventTypes, String> {
    const KNOWN: [&str; 5] = ["freeze", "reboot", "redeploy", "preempt", "terminate"];
    if text.eq_ignore_ascii_case("all") {
        return Ok(EventTypes(None));
    }
    let typed = text.split(',').map(str::to_ascii_lowercase);
    let typed: Vec<String> = typed.collect();
    match typed.iter().find(|one| !KNOWN.contains(&one.as_str())) {
        None => Ok(EventTypes(Some(typed))),
        Some(one) => {
            let near = nearest(one, &KNOWN);
            let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
            let known = KNOWN.join(", ");
            Err(format!(
                "there is no type {}: write all, or some of {known} with commas between them{near}",
                quoted(one)
            ))
        }
    }
}

/// `--stop-signal`: a signal that a process can act on.
pub(super) fn stop_signal(text: &str) -> Result<SignalName, String> {
    match SignalName::parse(text) {
        Some(signal) if signal.can_stop() => Ok(signal),
        Some(signal) => Err(format!(
            "{signal} does not ask a process to end; for SIGKILL at once use --grace 0s"
        )),
        None => Err("there is no such signal; write one as TERM, SIGTERM or 15".to_owned()),
    }
}

/// `--meta`: `KEY=VALUE`.
pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => {
            no_control(text)?;
            Ok((key.to_owned(), value.to_owned()))
        }
        _ => Err("it is not of the form KEY=VALUE".to_owned()),
    }
}

/// `--note`. Longer ones would not fit into the record, and a note that is left out is no note.
pub(super) fn note(text: &str) -> Result<String, String> {
    at_most(text, LONGEST_NOTE)
}

/// The longest `--note`, and all of `--meta` together: a record has a page in all.
pub(super) const LONGEST_NOTE: usize = 512;

/// `--holder`: a label.
pub(super) fn label(text: &str) -> Result<String, String> {
    const LONGEST: usize = 255;
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    at_most(text, LONGEST)
}

fn at_most(text: &str, longest: usize) -> Result<String, String> {
    if text.len() > longest {
        return Err(format!(
            "it is {} bytes; the limit is {longest}",
            text.len()
        ));
    }
    no_control(text)?;
    Ok(text.to_owned())
}

fn no_control(text: &str) -> Result<(), String> {
    match text.chars().find(|c| c.is_control()) {
        Some(found) => Err(format!(
            "it has the control character U+{:04X}",
            u32::from(found)
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_number_is_an_error_that_says_so() {
        assert_eq!(
            duration("30"),
            Err("it needs a unit, such as 30s or 30m".to_owned())
        );
        assert_eq!(
            duration("0"),
            Err("it needs a unit, such as 0s or 0m".to_owned())
        );
        assert!(duration(&"9".repeat(3_000)).unwrap_err().len() < 60);
        for bad in ["", "-5", "-5s", "NaN", "1e309", "s", "30x", "1.5.2s"] {
            assert!(duration(bad).unwrap_err().contains("30s, 5m"), "{bad}");
        }
        assert_eq!(
            duration("18446744073709551616s"),
            Err("it is too large".to_owned())
        );
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert!(some_duration("0s").is_err());
    }

    #[test]
    fn waiting_can_be_for_ever() {
        assert_eq!(wait("forever"), Ok(Wait::Forever));
        assert_eq!(wait("0s"), Ok(Wait::For(Duration::ZERO)));
        assert!(wait("10").unwrap_err().ends_with("or write forever"));
    }

    #[test]
    fn only_signals_that_stop_can_stop() {
        assert!(stop_signal("INT").is_ok());
        assert!(stop_signal("KILL").unwrap_err().contains("--grace 0s"));
        assert!(stop_signal("TREM").unwrap_err().contains("no such signal"));
    }

    #[test]
    fn an_exit_code_is_a_byte() {
        assert_eq!(exit_code("0"), Ok(0));
        for bad in ["", "-1", "256", "x"] {
            assert!(exit_code(bad).unwrap_err().contains("0 to 255"), "{bad}");
        }
    }

    #[test]
    fn labels_and_pairs() {
        assert_eq!(key_value("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(key_value("=b").is_err() && key_value("a").is_err());
        assert!(key_value("a=b\n").is_err());
        assert!(note(&"n".repeat(512)).is_ok() && note(&"n".repeat(513)).is_err());
        assert!(label("web\u{1b}").is_err() && label("").is_err() && label("web3").is_ok());
    }
}
