//! What was typed and cannot be meant, in one line. Of what was typed nothing is repeated that may
//! hold a password.

use std::ffi::OsString;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use super::args::Cli;
use super::correction::{self, Correction};
use super::{printable, quoted};
use crate::store::url::StoreUrl;

const SYNTAX: &str = "write leasectl run --lease NAME -- COMMAND";
const LEASECTL: &str = "leasectl";
const RUN: &str = "leasectl run";

/// What was typed by users of other programs, and what it is called here.
const ELSEWHERE: [(&str, &str); 1] = [(
    "--timeout",
    "write --wait DURATION for how long to wait for the lease, --run-timeout DURATION for the longest \
     run of the command",
)];

/// Help and version are asked for; everything else is an error in one line.
pub(super) fn answer(error: &Error, words: &[OsString]) -> Result<String, String> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Ok(error.render().to_string()),
        _ => Err(Typed { error, words }.line()),
    }
}

struct Typed<'a> {
    error: &'a Error,
    words: &'a [OsString],
}

impl Typed<'_> {
    fn line(&self) -> String {
        let option = self.option();
        let value = self.value();
        match self.error.kind() {
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
                format!("no verb was given; {SYNTAX}")
            }
            ErrorKind::InvalidSubcommand => {
                let verb = self
                    .text(ContextKind::InvalidSubcommand)
                    .unwrap_or_default();
                let instead = match self.text(ContextKind::SuggestedSubcommand) {
                    Some(near) if near != "run" => format!("did you mean {near}?"),
                    _ => SYNTAX.to_owned(),
                };
                format!("there is no verb {}; {instead}", shown(&verb))
            }
            ErrorKind::ValueValidation => {
                let why = std::error::Error::source(self.error)
                    .map(ToString::to_string)
                    .unwrap_or_default();
                format!("{option} {value} cannot be used: {why}")
            }
            ErrorKind::InvalidValue => match self.text(ContextKind::ValidValue) {
                Some(valid) if self.has_value() => {
                    format!("{option} {value} cannot be used: it is one of {valid}")
                }
                _ => format!("{option} needs a value"),
            },
            ErrorKind::TooManyValues => format!("{option} takes no value; write only {option}"),
            ErrorKind::ArgumentConflict => self.conflict(&option),
            ErrorKind::UnknownArgument => self.unknown(),
            ErrorKind::MissingRequiredArgument => self.missing(),
            ErrorKind::InvalidUtf8 => "an option has a value that is not UTF-8; only a path, the \
                                       command and its arguments may be other bytes"
                .to_owned(),
            _ => self.first_lines(),
        }
    }

    /// The option's name: `--ttl <DURATION>` names it well enough by its first word.
    fn option(&self) -> String {
        let argument = self.text(ContextKind::InvalidArg).unwrap_or_default();
        printable(argument.split(" <").next().unwrap_or_default())
    }

    fn value(&self) -> String {
        shown(&self.text(ContextKind::InvalidValue).unwrap_or_default())
    }

    fn has_value(&self) -> bool {
        let value = self.text(ContextKind::InvalidValue);
        value.is_some_and(|value| !value.is_empty())
    }

    fn text(&self, kind: ContextKind) -> Option<String> {
        match self.error.get(kind) {
            Some(ContextValue::String(text)) => Some(text.clone()),
            Some(ContextValue::Strings(all)) => Some(all.join(", ")),
            _ => None,
        }
    }

    fn conflict(&self, option: &str) -> String {
        let other = self.text(ContextKind::PriorArg).unwrap_or_default();
        let other = printable(other.split(" <").next().unwrap_or_default());
        if other == option || other.is_empty() {
            format!("{option} is given twice; give it once")
        } else {
            format!("{option} and {other} exclude each other; give one of them")
        }
    }

    fn unknown(&self) -> String {
        let typed = self.text(ContextKind::InvalidArg).unwrap_or_default();
        let is_option = typed.starts_with('-');
        match correction::of(self.words, &typed) {
            Some(Correction { what, line }) if is_option => format!("{what}; write: {line}"),
            Some(Correction { what, line }) => {
                format!("{} was not expected; {what}; write: {line}", shown(&typed))
            }
            None if is_option => self.unknown_option(&typed),
            None => self.misplaced(&typed),
        }
    }

    fn unknown_option(&self, typed: &str) -> String {
        let command = self.command();
        let known = ELSEWHERE.iter().find(|(option, _)| *option == typed);
        let instead = match (known, self.text(ContextKind::SuggestedArg)) {
            (Some((_, here)), _) => (*here).to_owned(),
            (None, Some(near)) => format!("did you mean {near}?"),
            (None, None) if command == LEASECTL && is_of_run(typed) => {
                return format!("no verb was given; {SYNTAX}");
            }
            (None, None) => format!("see {command} --help"),
        };
        format!("there is no option {}; {instead}", printable(typed))
    }

    fn misplaced(&self, typed: &str) -> String {
        let command = self.command();
        if command != RUN {
            return format!("{} was not expected; see {command} --help", shown(typed));
        }
        // `--lease $NAME -- job` with an empty NAME: the option took the dashes for its value.
        let place = self.words.iter().position(|word| *word == *typed);
        let before = place.and_then(|at| self.words.get(at.checked_sub(2)?..at));
        match before {
            Some([option, dashes])
                if dashes == "--" && option.as_encoded_bytes().starts_with(b"-") =>
            {
                let option = printable(&option.to_string_lossy());
                format!("{option} has no value before --; is a variable empty? {SYNTAX}")
            }
            _ => format!(
                "{} was not expected; a command goes after --: {SYNTAX}",
                shown(typed)
            ),
        }
    }

    fn missing(&self) -> String {
        let missing = self.text(ContextKind::InvalidArg).unwrap_or_default();
        if self.command() != RUN {
            let (missing, command) = (printable(&missing), self.command());
            return format!("{missing} was not given; see {command} --help");
        }
        let what = match (missing.contains("--lease"), missing.contains("COMMAND")) {
            (true, true) => "neither a lease nor a command was given",
            (true, false) => "no --lease was given",
            _ => "no command was given",
        };
        format!("{what}; {SYNTAX}")
    }

    /// leasectl, with the verb that was typed.
    fn command(&self) -> String {
        let verb = self.words.get(1).and_then(|word| word.to_str());
        let leasectl = Cli::command();
        match verb.and_then(|verb| leasectl.find_subcommand(verb)) {
            Some(verb) => format!("leasectl {}", verb.get_name()),
            None => LEASECTL.to_owned(),
        }
    }

    /// clap's own words, without its usage lines.
    fn first_lines(&self) -> String {
        let text = self.error.render().to_string();
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim)
            .take_while(|line| !line.starts_with("Usage:"))
            .filter(|line| !line.is_empty())
            .collect();
        let joined = lines.join("; ");
        printable(joined.strip_prefix("error: ").unwrap_or(&joined))
    }
}

/// Whether `run` has this long option.
fn is_of_run(option: &str) -> bool {
    let leasectl = Cli::whole();
    let run = leasectl.find_subcommand("run");
    let mut options = run.into_iter().flat_map(clap::Command::get_arguments);
    option
        .strip_prefix("--")
        .is_some_and(|name| options.any(|option| option.get_long() == Some(name)))
}

/// A word as it was typed; of a URL no more than scheme, host and path, and nothing of what may be a
/// URL with a password and cannot be taken apart.
pub(super) fn shown(word: &str) -> String {
    match StoreUrl::parse(word) {
        Ok(url) if like_a_url(word) && !url.path().contains('@') => {
            quoted(&shortened(&url.to_string()))
        }
        _ if may_be_a_url_with_a_login(word) => {
            "a URL (not shown: it may hold a password)".to_owned()
        }
        _ => quoted(&shortened(word)),
    }
}

/// Whether a word may be repeated only in part, or not at all.
pub(super) fn may_be_a_url_with_a_login(word: &str) -> bool {
    like_a_url(word) || (word.contains(':') && word.contains('@'))
}

fn like_a_url(word: &str) -> bool {
    word.contains("://") || word.contains('?')
}

/// Enough of a word to know it by.
fn shortened(word: &str) -> String {
    const LONGEST: usize = 60;
    let mut short: String = word.chars().take(LONGEST).collect();
    if short.len() < word.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_repeated_without_its_password() {
        assert_eq!(shown("job"), "\"job\"");
        assert_eq!(shown("a\u{1b}"), "\"a\\u{1b}\"");
        assert_eq!(shown("10:30"), "\"10:30\"");
        assert_eq!(shown("a:b"), "\"a:b\"");
        assert_eq!(shown("redis://u:canary@h/0?sig=canary"), "\"redis://h/0\"");
        for word in [
            "redis://u:can/ary@h/0",
            "u:canary@h",
            "://u:canary@h",
            "x?canary",
        ] {
            assert!(!shown(word).contains("ary"), "{word}");
        }
    }
}
