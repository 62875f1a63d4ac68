//! The line that was probably meant, to be copied. A correction is shown only when it is itself a line
//! that leasectl takes, and only when nothing in it may be a secret.

use std::ffi::{OsStr, OsString};

use clap::Parser;

use super::args::Cli;
use super::usage::may_be_a_url_with_a_login;

/// What went wrong in the line, and how it is written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Correction {
    pub(super) what: &'static str,
    /// For a shell.
    pub(super) line: String,
}

/// Corrects a line in which the word `unexpected` stands where none may. A line that begins with an
/// option of `run` lacks the verb.
pub(super) fn of(words: &[OsString], unexpected: &str) -> Option<Correction> {
    let words = words.get(1..)?;
    if unexpected.starts_with('-') {
        return accepted("no verb was given", words, 0, &["run"]);
    }
    // The word may also stand for itself elsewhere, as the value of an option.
    let places = words.iter().enumerate().skip(1);
    let mut places = places.filter_map(|(at, word)| (*word == *unexpected).then_some(at));
    places.find_map(|at| {
        let (before, rest) = words.split_at(at);
        // The dashes are there, as the value of an option: a variable was empty.
        if before.iter().any(|word| word == "--") {
            return None;
        }
        if rest.iter().any(|word| word == "--") {
            return accepted("a lease is named by --lease", words, at, &["--lease"]);
        }
        accepted("a command goes after --", words, at, &["--"]).or_else(|| {
            // A lease that is named further on is ours, and no argument of the command.
            let has_lease = rest
                .iter()
                .any(|word| starts_with(word, &["-l", "--lease"]));
            let what = "no --lease was given, and a command goes after --";
            let added = ["--lease", "NAME", "--"];
            (!has_lease).then(|| accepted(what, words, at, &added))?
        })
    })
}

/// The words with `added` at a place, when leasectl takes them.
fn accepted(
    what: &'static str,
    words: &[OsString],
    at: usize,
    added: &[&str],
) -> Option<Correction> {
    let mut line: Vec<OsString> = vec!["leasectl".into()];
    line.extend(words[..at].iter().cloned());
    line.extend(added.iter().map(OsString::from));
    line.extend(words[at..].iter().cloned());
    Cli::try_parse_from(&line).ok()?;
    let line = for_a_shell(&line)?;
    Some(Correction { what, line })
}

fn starts_with(word: &OsStr, starts: &[&str]) -> bool {
    let word = word.as_encoded_bytes();
    starts
        .iter()
        .any(|start| word.starts_with(start.as_bytes()))
}

/// The words as a shell reads them; nothing when they cannot be written in one short line, or when one
/// of them may be a secret.
fn for_a_shell(line: &[OsString]) -> Option<String> {
    const LONGEST: usize = 200;
    let mut text = String::new();
    for word in line {
        let word = word.to_str()?;
        if word.chars().any(char::is_control) || may_be_secret(word) {
            return None;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&quoted_for_a_shell(word));
    }
    (text.len() <= LONGEST).then_some(text)
}

fn quoted_for_a_shell(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:@%+=,".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Whether a word may be a secret, may hold one, or says that the next one is one. A guess, on the side
/// of silence: what is refused ends up in the mail of cron and in logs.
fn may_be_secret(word: &str) -> bool {
    const NAMES: [&str; 9] = [
        "pass", "pwd", "secret", "token", "key", "cred", "auth", "sig", "login",
    ];
    let lower = word.to_ascii_lowercase();
    let named = NAMES.iter().any(|name| lower.contains(name));
    // `-p` is the password of many programs, with and without a space before it; a colon stands
    // between a name and a password.
    let by_option = lower.starts_with("-p") || lower.starts_with("-u");
    let has_parts = word.contains([':', '@', '?']);
    named || by_option || has_parts || looks_random(word) || may_be_a_url_with_a_login(word)
}

/// Long, of letters and digits, and of one piece: no word of a language.
fn looks_random(word: &str) -> bool {
    let has = |is: fn(char) -> bool| word.chars().any(is);
    let mut pieces = word.split(|letter: char| !letter.is_ascii_alphanumeric());
    has(|letter| letter.is_ascii_digit())
        && has(|letter| letter.is_ascii_alphabetic())
        && pieces.any(|piece| piece.len() >= 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corrected(line: &str, unexpected: &str) -> Option<String> {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        of(&words, unexpected).map(|correction| correction.line)
    }

    #[test]
    fn a_line_that_is_shown_is_one_that_is_taken() {
        for (line, unexpected, expected) in [
            (
                "/usr/bin/leasectl run --lease x ./job.sh -v",
                "./job.sh",
                "leasectl run --lease x -- ./job.sh -v",
            ),
            (
                "leasectl run --lease x --note x x --lease y",
                "x",
                "leasectl run --lease x --note x -- x --lease y",
            ),
            (
                "leasectl run ./job.sh -v",
                "./job.sh",
                "leasectl run --lease NAME -- ./job.sh -v",
            ),
            (
                "leasectl run nightly -- ./job.sh",
                "nightly",
                "leasectl run --lease nightly -- ./job.sh",
            ),
            (
                "leasectl --lease x -- ./job.sh",
                "--lease",
                "leasectl run --lease x -- ./job.sh",
            ),
        ] {
            assert_eq!(corrected(line, unexpected).as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_is_not_understood_is_not_corrected() {
        for (line, unexpected) in [
            ("leasectl run ./job.sh --lease x", "./job.sh"),
            ("leasectl run --lease x a -- b", "a"),
            ("leasectl run --lease x --ttl 5 ./job.sh", "./job.sh"),
            ("leasectl --frobnicate", "--frobnicate"),
        ] {
            assert_eq!(corrected(line, unexpected), None, "{line}");
        }
    }

    #[test]
    fn what_may_be_a_secret_is_not_repeated() {
        for argument in [
            "redis://u:canary@h/0",
            "u:canary",
            "--password",
            "API_KEY=canary",
            "-pcanary",
            "-p",
            "ghp_0a1b2c3d4e5f6a7b8c9d",
            "a\u{1b}b",
        ] {
            let line = format!("leasectl run --lease x ./job {argument}");
            assert_eq!(corrected(&line, "./job"), None, "{argument}");
        }
    }

    #[test]
    fn a_shell_reads_the_same_words() {
        assert_eq!(quoted_for_a_shell("./job.sh"), "./job.sh");
        assert_eq!(quoted_for_a_shell("a b"), "'a b'");
        assert_eq!(quoted_for_a_shell("it's"), r"'it'\''s'");
        assert_eq!(quoted_for_a_shell(""), "''");
        assert_eq!(quoted_for_a_shell("$(x)"), "'$(x)'");
    }
}
