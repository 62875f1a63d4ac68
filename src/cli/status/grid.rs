//! Columns one below the other, and lines that are broken between words.

use unicode_width::UnicodeWidthStr;

const GAP: &str = "  ";

/// Rows as lines, each column as wide as its widest cell.
pub(in crate::cli) fn aligned<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at));
        cells.map(|cell| cell.width()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths);
        let padded =
            cells.map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.width())));
        let cells: Vec<String> = padded.collect();
        cells.join(GAP).trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// A text as lines of at most `width` columns, each indented. A word that is longer than that is left whole,
/// so that it can be copied.
pub(super) fn wrapped(text: &str, width: Option<u16>) -> Vec<String> {
    let width = width.map_or(usize::MAX, usize::from);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("{GAP}{word}")),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_they_show() {
        let row = |one: &str, two: &str| [one.to_owned(), two.to_owned()];
        let lines = aligned(&[row("LEASE", "STATE"), row("夜間", "held"), row("x", "")]);
        assert_eq!(lines, ["LEASE  STATE", "夜間   held", "x"]);
    }

    #[test]
    fn lines_are_broken_between_words() {
        let lines = wrapped("one two three-and-more four", Some(10));
        assert_eq!(lines, ["  one two", "  three-and-more", "  four"]);
        assert_eq!(wrapped("one two", None), ["  one two"]);
    }
}
