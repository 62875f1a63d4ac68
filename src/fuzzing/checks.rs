//! What fuzz targets demand of texts, whatever they were made from.

/// The longest line that foreign text may be part of. Longer ones fill a log or a terminal, and a store or a
/// service would say how long.
pub(crate) const LONGEST_LINE: usize = 2_000;

/// Nothing in it acts on a terminal, and it is at most one line.
#[track_caller]
pub(crate) fn tame(text: &str) {
    // Those that turn the direction of writing: Unicode's property Bidi_Control.
    let turns = |letter| {
        matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let wild = |letter: char| letter.is_control() || turns(letter);
    assert!(!text.contains(wild), "acts on a terminal: {text:?}");
}

/// An error or a warning as people get it: something is said, in one line of reasonable length.
#[track_caller]
pub(crate) fn one_line(text: &str) {
    assert!(!text.is_empty(), "nothing is said");
    assert!(text.len() <= LONGEST_LINE, "{} bytes", text.len());
    tame(text);
}
