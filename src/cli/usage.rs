//! What was typed and cannot be meant, in one line. Of what was typed nothing is repeated that may
//! hold a password.

use std::ffi::OsString;
use std::io::Write;

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use super::{exit, printable, quoted};
use crate::store::url::StoreUrl;

const SYNTAX: &str = "write leasectl run --lease NAME -- COMMAND";

/// Help and version are asked for and go to stdout; everything else is an error in one line.
pub(super) fn answer(error: &Error, words: &[OsString]) -> Result<i32, String> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let written = write!(std::io::stdout(), "{}", error.render());
            Ok(if written.is_ok() { 0 } else { exit::INVALID })
        }
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
                format!("there is no verb {}; {SYNTAX}", shown(&verb))
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
        if typed.starts_with('-') {
            let near = match self.text(ContextKind::SuggestedArg) {
                Some(near) => format!("did you mean {near}?"),
                None => "see leasectl run --help".to_owned(),
            };
            return format!("there is no option {}; {near}", printable(&typed));
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
                shown(&typed)
            ),
        }
    }

    fn missing(&self) -> String {
        let missing = self.text(ContextKind::InvalidArg).unwrap_or_default();
        let what = match (missing.contains("--lease"), missing.contains("COMMAND")) {
            (true, true) => "neither a lease nor a command was given",
            (true, false) => "no --lease was given",
            _ => "no command was given",
        };
        format!("{what}; {SYNTAX}")
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

/// A word as it was typed; of a URL no more than scheme, host and path, and nothing of what may be a
/// URL with a password and cannot be taken apart.
fn shown(word: &str) -> String {
    let like_a_url = word.contains("://") || word.contains('?');
    let may_have_a_login = word.contains(':') && word.contains('@');
    match StoreUrl::parse(word) {
        Ok(url) if like_a_url && !url.path().contains('@') => quoted(&shortened(&url.to_string())),
        _ if like_a_url || may_have_a_login => {
            "a URL (not shown: it may hold a password)".to_owned()
        }
        _ => quoted(&shortened(word)),
    }
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
