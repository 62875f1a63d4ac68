//! Texts that leasectl did not write itself, made safe to print.

use std::error::Error;
use std::fmt::Write;

use crate::lease::in_one_line;
use crate::letters::acts_on_a_terminal;

/// Foreign text for a terminal: what it would obey, or not show at all, is written out.
pub(super) fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        if acts_on_a_terminal(letter) {
            // Writing to a String cannot fail.
            write!(safe, "\\u{{{:x}}}", u32::from(letter)).ok();
        } else {
            safe.push(letter);
        }
    }
    safe
}

/// Foreign text in quotes, at a length that a line can hold.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut letters = text.chars();
    let mut shown: String = letters.by_ref().take(LONGEST).collect();
    if letters.next().is_some() {
        shown.push('…');
    }
    format!("\"{}\"", printable(&shown))
}

/// A lease's name: bare when it reads as one word, in quotes otherwise.
pub(super) fn named(lease: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "-_./:@%+=#".contains(letter);
    if !lease.is_empty() && lease.chars().all(plain) {
        lease.to_owned()
    } else {
        quoted(lease)
    }
}

/// An error and what it came from, in one line, safe to print.
pub(super) fn chain(error: &dyn Error) -> String {
    printable(&in_one_line(error))
}

/// The kernel's word without its number; for a limit, which one it was and how it is raised.
pub(super) fn os_error(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EAGAIN) => {
            "no more processes are allowed; raise the limit (ulimit -u, pids.max)".to_owned()
        }
        Some(libc::ENOMEM) => "there is no memory left".to_owned(),
        Some(libc::EMFILE | libc::ENFILE) => {
            "no more open files are allowed; raise the limit (ulimit -n)".to_owned()
        }
        Some(number) => nix::errno::Errno::from_raw(number).desc().to_lowercase(),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_act_on_a_terminal() {
        assert_eq!(
            printable("a\u{ad}b\u{180e}\u{e0041}"),
            r"a\u{ad}b\u{180e}\u{e0041}"
        );
        assert_eq!(
            printable("a\u{1b}[2Jb\n\u{9b}c\u{202e}d\u{61c}"),
            r"a\u{1b}[2Jb\u{a}\u{9b}c\u{202e}d\u{61c}"
        );
        assert_eq!(printable("grün 🙂"), "grün 🙂");
    }

    #[test]
    fn a_name_that_is_no_word_is_quoted() {
        assert_eq!(named("backup/db-1"), "backup/db-1");
        assert_eq!(named("a b"), r#""a b""#);
        assert_eq!(named(""), r#""""#);
        assert_eq!(quoted("a\n"), r#""a\u{a}""#);
        assert_eq!(quoted(&"x".repeat(300)).chars().count(), 203);
    }

    #[test]
    fn a_chain_is_one_line() {
        let inner = std::io::Error::other("inner\nline");
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] std::io::Error);
        assert_eq!(chain(&Outer(inner)), r"outer: inner\u{a}line");
        assert_eq!(
            os_error(&std::io::Error::from_raw_os_error(2)),
            "no such file or directory"
        );
    }
}
