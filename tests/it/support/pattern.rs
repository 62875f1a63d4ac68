//! Texts with a part that differs from run to run: `...` stands for anything.

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    trials![a_line_matches_its_pattern]
}

/// Whether `line` is what `pattern` says.
pub(crate) fn line_matches(pattern: &str, line: &str) -> bool {
    let mut pieces = pattern.split("...");
    let Some(mut line) = pieces.next().and_then(|first| line.strip_prefix(first)) else {
        return false;
    };
    let mut open = false;
    for piece in pieces {
        let Some(at) = line.find(piece) else {
            return false;
        };
        line = &line[at + piece.len()..];
        open = piece.is_empty();
    }
    open || line.is_empty()
}

fn a_line_matches_its_pattern() {
    assert!(line_matches("held: ...", "held: by web3"));
    assert!(line_matches("a ... c", "a b c"));
    assert!(line_matches("abc", "abc"));
    assert!(!line_matches("abc", "abcd"));
    assert!(!line_matches("a ... c", "a b c d"));
    assert!(!line_matches("held: ...", "free"));
}
