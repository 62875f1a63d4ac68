//! Where in a file something stands.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A place in a file, for people and for editors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Safe to print.
    file: Arc<str>,
    line: usize,
    column: usize,
}

/// The lines of a text, so that a place in a long one is found without reading it again.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    file: Arc<str>,
    text: &'a str,
    /// Where each begins.
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    /// The lines of `text`; `file` is its name, safe to print.
    pub(super) fn of(file: &str, text: &'a str) -> Self {
        let behind = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            file: Arc::from(file),
            text,
            starts: [0].into_iter().chain(behind).collect(),
        }
    }

    /// Where `span` begins; columns are counted in characters.
    pub(super) fn place(&self, span: &Range<usize>) -> Place {
        let at = span.start.min(self.text.len());
        let line = self.starts.partition_point(|start| *start <= at);
        let start = self.starts[line - 1];
        let before = self.text.get(start..at).unwrap_or_default();
        Place {
            file: Arc::clone(&self.file),
            line,
            column: before.chars().count() + 1,
        }
    }
}

impl Place {
    /// Without the column.
    pub(super) fn line(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_are_counted_from_one_in_characters() {
        let text = "a\nüü x\n";
        let lines = Lines::of("f", text);
        let place = |at| lines.place(&(at..at)).to_string();
        assert_eq!(place(0), "f:1:1");
        assert_eq!(place(1), "f:1:2");
        assert_eq!(place(2), "f:2:1");
        assert_eq!(place(7), "f:2:4");
        assert_eq!(place(text.len()), "f:3:1");
        assert_eq!(place(99), "f:3:1");
        assert_eq!(lines.place(&(7..8)).line(), "f:2");
        assert_eq!(Lines::of("f", "").place(&(0..0)).to_string(), "f:1:1");
    }
}
