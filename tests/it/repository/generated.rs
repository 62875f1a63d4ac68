//! The completions and man pages in the repository are those that the binary prints, and man reads them
//! without a complaint.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use clap::CommandFactory;
use leasectl::cli::Cli;
use libtest_mimic::Trial;

use crate::support::lab::{LEASECTL, Lab};
use crate::support::needs::needs;
use crate::support::source::root;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        committed_files_are_what_the_binary_prints,
        every_verb_has_a_man_page,
        man_renders_every_page_without_a_warning,
        every_page_says_what_a_page_says,
    ]
}

const FOLDERS: [&str; 2] = ["completions", "man"];
const SCRIPT: &str = "man/generate";

/// The files of the generated folders below a directory, by name.
fn generated(directory: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for folder in FOLDERS {
        for entry in fs::read_dir(directory.join(folder)).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{folder}/{}", entry.file_name().display());
            found.insert(name, fs::read_to_string(entry.path()).unwrap());
        }
    }
    found.remove(SCRIPT);
    found
}

/// By the script that writes them, so that it is known to write them all.
fn committed_files_are_what_the_binary_prints() {
    needs("bash");
    let lab = Lab::new();
    let mut script = lab.command(root().join(SCRIPT));
    script.arg(lab.path("")).env("LEASECTL", LEASECTL);
    lab.run(&mut script).expect_code(0);
    let (printed, committed) = (generated(&lab.path("")), generated(root()));
    let names = printed.keys().chain(committed.keys());
    let different: Vec<&String> = names
        .filter(|name| printed.get(*name) != committed.get(*name))
        .collect();
    assert!(
        different.is_empty(),
        "not what the binary prints: {different:?}; run {SCRIPT} and commit what it writes"
    );
}

/// `man/leasectl-run.1` and the verb `run`; nothing and leasectl itself.
fn pages() -> Vec<(String, Option<String>)> {
    let leasectl = Cli::command();
    let verbs = leasectl
        .get_subcommands()
        .filter(|verb| !verb.is_hide_set());
    let mut pages = vec![("man/leasectl.1".to_owned(), None)];
    pages.extend(verbs.map(|verb| {
        let name = verb.get_name().to_owned();
        (format!("man/leasectl-{name}.1"), Some(name))
    }));
    pages
}

fn every_verb_has_a_man_page() {
    let mut expected: Vec<String> = pages().into_iter().map(|(file, _)| file).collect();
    expected.sort();
    let committed = generated(root());
    let found: Vec<String> = committed
        .into_keys()
        .filter(|name| name.starts_with("man/"))
        .collect();
    assert_eq!(found, expected);
}

/// A page as man shows it, in 80 columns.
fn rendered(lab: &Lab, verb: Option<&str>) -> String {
    let page = lab.run(lab.leasectl(["man"]).args(verb)).expect_code(0);
    assert_eq!(page.stderr, "");
    fs::write(lab.path("page.1"), page.stdout).unwrap();
    let mut man = lab.command("man");
    man.args(["--warnings", "-l", "page.1"]);
    man.env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80");
    // What man bends the lines with is for a terminal.
    man.env("MANOPT", "--no-hyphenation --no-justification");
    let shown = lab.run(&mut man).expect_code(0);
    assert_eq!(shown.stderr, "", "{verb:?}");
    shown.stdout
}

fn man_renders_every_page_without_a_warning() {
    needs("man");
    needs("groff");
    let lab = Lab::new();
    for (file, verb) in pages() {
        let text = rendered(&lab, verb.as_deref());
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{file} is {widest:?} columns wide");
        // What roff was not told to take literally.
        for odd in ["\\f", "\\-", "EX\n", "TP\n"] {
            assert!(!text.contains(odd), "{file} shows {odd:?}:\n{text}");
        }
    }
}

fn every_page_says_what_a_page_says() {
    needs("man");
    needs("groff");
    let lab = Lab::new();
    let title = |verb: Option<&str>| {
        let verb = verb.map_or_else(String::new, |verb| format!("-{verb}"));
        format!("leasectl{verb}")
    };
    for (_, verb) in pages() {
        let text = rendered(&lab, verb.as_deref());
        let headings: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()))
            .collect();
        for heading in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "EXAMPLES",
            "SEE ALSO",
        ] {
            assert!(headings.contains(&heading), "{verb:?}: {headings:?}");
        }
        let (_, also) = text.split_once("SEE ALSO\n").unwrap();
        for (_, other) in pages().iter().filter(|(_, other)| *other != verb) {
            let other = title(other.as_deref());
            assert!(also.contains(&format!("{other}(1)")), "{verb:?}: {also}");
        }
        assert!(also.contains("flock(1)"), "{also}");
        assert!(text.contains(concat!("leasectl ", env!("CARGO_PKG_VERSION"))));
    }
    let run = rendered(&lab, Some("run"));
    for word in [
        "EXIT STATUS",
        "ENVIRONMENT",
        "FILES",
        "   Stopping the command",
        "120 ",
    ] {
        assert!(run.contains(word), "{word} is not in {run}");
    }
}
