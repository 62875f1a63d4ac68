//! Rust source read just far enough for the repository's own rules: its words, without comments and
//! the insides of literals. Not a parser, and not meant to become one.

use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        comments_and_literals_are_no_words,
        lifetimes_are_no_literals,
        places_have_lines,
    ]
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `folder` of the repository whose name ends in `.EXTENSION`, in order.
pub(crate) fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A path as it is written in messages: from the repository's root.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}

/// A word (identifier, keyword or number) or one sign of punctuation, and the line it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// The words of a source text.
pub(crate) fn words(source: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = source;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let skipped = blank(rest);
        let length = if skipped > 0 {
            skipped
        } else {
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            let length = if is_word(first) {
                rest.find(|c| !is_word(c)).unwrap_or(rest.len())
            } else {
                first.len_utf8()
            };
            words.push(Word {
                text: rest[..length].to_owned(),
                line,
            });
            length
        };
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    words
}

/// How many bytes at the start of `rest` are space, a comment or a literal.
fn blank(rest: &str) -> usize {
    let spaces = rest.len() - rest.trim_start().len();
    if spaces > 0 {
        spaces
    } else if rest.starts_with("//") {
        rest.find('\n').unwrap_or(rest.len())
    } else if rest.starts_with("/*") {
        block_comment(rest)
    } else if let Some(length) = raw_string(rest) {
        length
    } else {
        let prefix = ["b\"", "c\"", "b'"].iter().any(|p| rest.starts_with(p));
        let start = usize::from(prefix);
        match rest.as_bytes()[start] {
            b'"' => start + quoted(&rest[start..], '"'),
            b'\'' => character(&rest[start..]).map_or(0, |length| start + length),
            _ => 0,
        }
    }
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// `r"..."`, `br#"..."#` and so on.
fn raw_string(rest: &str) -> Option<usize> {
    let after = rest
        .strip_prefix(['b', 'c'])
        .unwrap_or(rest)
        .strip_prefix('r')?;
    let inside = after.trim_start_matches('#');
    let hashes = after.len() - inside.len();
    let inside = inside.strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let end = inside
        .find(&close)
        .map_or(inside.len(), |at| at + close.len());
    Some(rest.len() - inside.len() + end)
}

/// The length of a literal that starts and ends with `quote` and may escape it.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, found) in rest.char_indices().skip(1) {
        match found {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            found if found == quote => return at + found.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// The length of a character literal; none when the quote begins a lifetime or a label.
fn character(rest: &str) -> Option<usize> {
    let mut inside = rest.chars().skip(1);
    match (inside.next()?, inside.next()?) {
        ('\\', _) | (_, '\'') => Some(quoted(rest, '\'')),
        _ => None,
    }
}

fn texts(source: &str) -> Vec<String> {
    words(source).into_iter().map(|word| word.text).collect()
}

fn comments_and_literals_are_no_words() {
    let source =
        "a // unsafe\n/* b /* c */ d */ \"x\\\"y\" b'\\'' r#\"fn \" \"# br\"q\" 'z' '\\n' e";
    assert_eq!(texts(source), ["a", "e"]);
    assert_eq!(texts("\"open"), Vec::<String>::new());
}

fn lifetimes_are_no_literals() {
    let source = "fn f<'a>(x: &'a str, c: char) -> bool { c == 'a' }";
    assert_eq!(texts(source).iter().filter(|word| *word == "a").count(), 2);
    assert!(texts(source).ends_with(&["=".to_owned(), "}".to_owned()]));
}

fn places_have_lines() {
    let words = words("a\n/*\n*/ b \"\n\" c");
    let lines: Vec<usize> = words.iter().map(|word| word.line).collect();
    assert_eq!(lines, [1, 3, 4]);
}
