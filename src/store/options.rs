//! The options of a store's URL: taken one by one by whoever knows them, and what is left is an error.
//! And what else can be wrong with a URL.

use std::fmt;

use crate::secret::Secret;

/// Why a text is not a store URL, or has an option that the store does not know. Never repeats a
/// part in which a password could stand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Nothing before a colon.
    #[error("the store URL has no scheme; write for example file:///var/lib/leasectl")]
    NoScheme,
    /// A control character, as it is or percent-encoded.
    #[error("the store URL has the control character U+{0:04X}; remove it")]
    Control(u32),
    /// `%` without two hexadecimal digits, or bytes that are not UTF-8.
    #[error("the store URL has a `%` that encodes no text; write `%` itself as %25")]
    BadEscape,
    /// `#` starts a fragment, which no store has.
    #[error("the store URL has a `#`, which means nothing here; write it as %23")]
    Fragment,
    /// `redis://user:pa/ss@host`: the password would be taken for a port and be printed.
    #[error("the store URL has a `/` before the `@`; write `/` in a password as %2F")]
    SlashInPassword,
    /// `redis://user:pa?ss@host`: the same, and the rest would be taken for options.
    #[error(
        "the store URL has a `?` before the `@`; write `?` in a password as %3F, and `@` in an option as %40"
    )]
    QuestionInPassword,
    /// `redis:user:password@host`: all of it would be taken for a path.
    #[error("the store URL has an `@` and no `//`; write SCHEME://USER@HOST")]
    NoSlashes,
    /// An option that nobody asked for.
    #[error("unknown option {0:?} in the store URL{hint}", hint = DidYouMean(.1))]
    UnknownOption(String, Option<String>),
    /// The same option twice.
    #[error("option {0:?} is given twice in the store URL; write it once")]
    Twice(String),
    /// A switch with a value.
    #[error("option {0:?} in the store URL takes no value; write only its name")]
    TakesNoValue(String),
    /// An option whose value is missing or of the wrong kind.
    #[error("option {0:?} in the store URL needs {1}")]
    NeedsValue(String, &'static str),
    /// What the scheme's store says about host or path.
    #[error("{0}")]
    Unfit(String),
}

/// The most letters of a word that is not known that a line can hold.
pub(crate) const LONGEST_SHOWN: usize = 80;

/// A word that somebody typed, at a length that a line can hold.
pub(crate) fn shown(mut word: String) -> String {
    if let Some((end, _)) = word.char_indices().nth(LONGEST_SHOWN) {
        word.truncate(end);
        word.push('…');
    }
    word
}

/// The options of a URL that nobody has taken yet.
#[derive(Debug)]
#[must_use]
pub struct Options {
    left: Vec<(String, Option<Secret>)>,
    asked: Vec<&'static str>,
}

impl Options {
    pub(super) const fn new(left: Vec<(String, Option<Secret>)>) -> Self {
        Self {
            left,
            asked: Vec::new(),
        }
    }

    /// Takes option `name`, given as `name=value`.
    ///
    /// # Errors
    /// When it is given twice or without a value.
    pub fn take_param(&mut self, name: &'static str) -> Result<Option<Secret>, UrlError> {
        match self.take(name)? {
            Some(None) => Err(UrlError::NeedsValue(name.to_owned(), "a value")),
            Some(Some(value)) => Ok(Some(value)),
            None => Ok(None),
        }
    }

    /// Takes option `name`, a whole number.
    ///
    /// # Errors
    /// When it is given twice, without a value, or is no such number.
    pub fn take_number(&mut self, name: &'static str) -> Result<Option<u64>, UrlError> {
        let number = |value: Secret| {
            let parsed = value.expose().parse();
            parsed.map_err(|_| UrlError::NeedsValue(name.to_owned(), "a whole number"))
        };
        self.take_param(name)?.map(number).transpose()
    }

    /// Takes option `name`, a switch that is on when it is there.
    ///
    /// # Errors
    /// When it is given twice or with a value.
    pub fn take_switch(&mut self, name: &'static str) -> Result<bool, UrlError> {
        match self.take(name)? {
            Some(Some(_)) => Err(UrlError::TakesNoValue(name.to_owned())),
            Some(None) => Ok(true),
            None => Ok(false),
        }
    }

    /// Refuses an option that nobody took.
    ///
    /// # Errors
    /// [`UrlError::UnknownOption`], with the nearest of those that were asked for.
    pub fn finish(self) -> Result<(), UrlError> {
        match self.left.into_iter().next() {
            Some((key, _)) => {
                let near = nearest(&key, &self.asked);
                Err(UrlError::UnknownOption(shown(key), near))
            }
            None => Ok(()),
        }
    }

    fn take(&mut self, name: &'static str) -> Result<Option<Option<Secret>>, UrlError> {
        self.asked.push(name);
        let Some(at) = self.left.iter().position(|(key, _)| key == name) else {
            return Ok(None);
        };
        let (_, value) = self.left.remove(at);
        if self.left.iter().any(|(key, _)| key == name) {
            return Err(UrlError::Twice(name.to_owned()));
        }
        Ok(Some(value))
    }
}

/// `; did you mean "x"?`, or nothing.
pub(crate) struct DidYouMean<'a>(pub(crate) &'a Option<String>);

impl fmt::Display for DidYouMean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(near) => write!(f, "; did you mean {near:?}?"),
            None => Ok(()),
        }
    }
}

/// The candidate that `typed` is probably a misspelling of.
pub(crate) fn nearest(typed: &str, candidates: &[&str]) -> Option<String> {
    // The distance is at least the difference in length: nothing is computed of a text as long as a file.
    let letters = typed.chars().count();
    let most = |known: &str| 1 + known.len() / 4;
    candidates
        .iter()
        .filter(|known| letters.abs_diff(known.chars().count()) <= most(known))
        .map(|known| (strsim::damerau_levenshtein(typed, known), *known))
        .filter(|(distance, known)| *distance <= most(known))
        .min()
        .map(|(_, known)| known.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_option_is_shown_at_a_length_that_a_line_can_hold() {
        let options = Options::new(vec![("\u{fc}".repeat(5_000), None)]);
        let why = options.finish().unwrap_err().to_string();
        assert!(why.len() < 300, "{} bytes", why.len());
    }

    #[test]
    fn a_text_as_long_as_a_file_is_near_to_nothing_and_costs_nothing() {
        let begun = std::time::Instant::now();
        let long = "x".repeat(1 << 20);
        for _ in 0..10 {
            assert_eq!(nearest(&long, &["timeout", "restart-guard"]), None);
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(5));
        assert_eq!(
            nearest("tmieout", &["prefix", "timeout"]).as_deref(),
            Some("timeout")
        );
    }
}
