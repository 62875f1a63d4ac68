//! What fuzz targets demand of texts, whatever they were made from.

use crate::letters::acts_on_a_terminal;

/// The longest line that foreign text may be part of. Longer ones fill a log or a terminal, and a store or a
/// service would say how long.
pub(crate) const LONGEST_LINE: usize = 2_000;

/// Nothing in it acts on a terminal, and it is at most one line.
#[track_caller]
pub(crate) fn tame(text: &str) {
    assert!(
        !text.contains(acts_on_a_terminal),
        "acts on a terminal: {text:?}"
    );
}

/// An error or a warning as people get it: something is said, in one line of reasonable length.
#[track_caller]
pub(crate) fn one_line(text: &str) {
    assert!(!text.is_empty(), "nothing is said");
    assert!(text.len() <= LONGEST_LINE, "{} bytes", text.len());
    tame(text);
}
