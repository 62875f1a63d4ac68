//! Colours, on a terminal that wants them. A coloured word is marked by characters that take no room, so
//! that widths stay right, and that no foreign text has: they are escaped there.

use std::env;
use std::io::{IsTerminal, stdout};

const END: char = '\u{200c}';

/// What a word means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// As it should be.
    Good,
    /// Somebody has to know.
    Notable,
    /// Somebody has to look.
    Bad,
}

impl Tone {
    const ALL: [Self; 3] = [Self::Good, Self::Notable, Self::Bad];

    const fn mark(self) -> char {
        match self {
            Self::Good => '\u{2061}',
            Self::Notable => '\u{2062}',
            Self::Bad => '\u{2063}',
        }
    }

    const fn colour(self) -> &'static str {
        match self {
            Self::Good => "\x1b[32m",
            Self::Notable => "\x1b[33m",
            Self::Bad => "\x1b[31m",
        }
    }

    /// Marks one word.
    pub(super) fn word(self, text: &str) -> String {
        format!("{}{text}{END}", self.mark())
    }
}

/// Whether standard output is a terminal that wants colours (no-color.org).
pub(super) fn wants_colours() -> bool {
    let set = |key: &str| env::var_os(key).filter(|value| !value.is_empty());
    let dumb = set("TERM").is_none_or(|term| term == "dumb");
    stdout().is_terminal() && set("NO_COLOR").is_none() && !dumb
}

/// The marks as colours, or away.
pub(super) fn finished(text: &str, colours: bool) -> String {
    let mut finished = text.to_owned();
    for tone in Tone::ALL {
        let colour = if colours { tone.colour() } else { "" };
        finished = finished.replace(tone.mark(), colour);
    }
    finished.replace(END, if colours { "\x1b[0m" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::printable;

    #[test]
    fn a_marked_word_takes_no_more_room_and_cannot_be_forged() {
        let word = Tone::Bad.word("failed");
        assert_eq!(unicode_width::UnicodeWidthStr::width(word.as_str()), 6);
        assert_eq!(finished(&word, true), "\x1b[31mfailed\x1b[0m");
        assert_eq!(finished(&word, false), "failed");
        let forged = printable(&word);
        assert_eq!(finished(&forged, true), forged);
    }
}
