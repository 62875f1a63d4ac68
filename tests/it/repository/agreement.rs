//! The README says what the binary does: the same options, the same exit codes, the same version.

use std::collections::BTreeSet;
use std::fs;

use libtest_mimic::Trial;

use crate::support::lab::Lab;
use crate::support::source::{Word, root, words};

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        readme_and_help_name_the_same_options,
        readme_and_code_name_the_same_exit_codes,
        the_changelog_knows_this_version,
        links_between_documents_lead_somewhere,
        options_are_found_in_help_and_table,
        constants_are_found_in_source,
    ]
}

/// What clap adds by itself and every program has.
const EVERYWHERE: [&str; 2] = ["--help", "--version"];

fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The text below a heading, up to the next heading of any level.
fn section<'a>(document: &'a str, heading: &str) -> &'a str {
    let start = document.find(&format!("\n{heading}\n"));
    let start = start.unwrap_or_else(|| panic!("there is no {heading:?}")) + heading.len() + 2;
    let rest = &document[start..];
    &rest[..rest.find("\n#").unwrap_or(rest.len())]
}

/// The first cells of the rows of a table, without its head.
fn first_cells(section: &str) -> impl Iterator<Item = &str> {
    let rows = section.lines().filter_map(|line| line.strip_prefix("| "));
    // A bar inside a cell is written `\|`, and no first cell is cut short by one that matters here.
    rows.filter_map(|row| row.split(" |").next()).skip(1)
}

fn long_options(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '-';
    let names = text.match_indices("--").filter_map(|(at, _)| {
        let rest = &text[at..];
        let name = &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())];
        (name.len() > 2).then(|| name.to_owned())
    });
    names
        .filter(|name| !EVERYWHERE.contains(&name.as_str()))
        .collect()
}

/// The options that a help text declares: lines that begin with one.
fn options_of_help(help: &str) -> BTreeSet<String> {
    let declarations = help
        .lines()
        .map(str::trim_start)
        .filter(|line| line.starts_with('-'));
    // What follows the value's name is prose, and may speak of other options.
    declarations
        .flat_map(|line| long_options(line.split("  ").next().unwrap_or(line)))
        .collect()
}

fn options_of_readme(readme: &str) -> BTreeSet<String> {
    first_cells(section(readme, "### Options of `run`"))
        .flat_map(long_options)
        .collect()
}

fn readme_and_help_name_the_same_options() {
    let lab = Lab::new();
    let help = lab.run(&mut lab.leasectl(["run", "--help"])).expect_code(0);
    let (here, there) = (
        options_of_readme(&document("README.md")),
        options_of_help(&help.stdout),
    );
    assert!(here.len() > 10, "only {here:?} in README.md");
    let missing: Vec<_> = there.difference(&here).collect();
    let surplus: Vec<_> = here.difference(&there).collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "not in README.md: {missing:?}; not in `leasectl run --help`: {surplus:?}"
    );
}

/// `const NAME: TYPE = NUMBER`, by number.
fn constants(words: &[Word]) -> Vec<(u32, String)> {
    words
        .windows(6)
        .filter_map(|six| {
            let [keyword, name, colon, _, equals, value] = six else {
                return None;
            };
            let shaped = keyword.text == "const" && colon.text == ":" && equals.text == "=";
            let value = value.text.parse().ok()?;
            shaped.then(|| (value, name.text.clone()))
        })
        .collect()
}

fn readme_and_code_name_the_same_exit_codes() {
    let source = document("src/cli/exit.rs");
    let constants = constants(&words(&source));
    assert!(!constants.is_empty(), "no exit code in src/cli/exit.rs");
    let readme = document("README.md");
    let section = section(&readme, "### Exit codes");
    let said: Vec<&str> = section.split(|c: char| !c.is_ascii_digit()).collect();
    for (code, name) in &constants {
        assert!(
            said.contains(&code.to_string().as_str()),
            "{code} ({name}) is not in README.md"
        );
    }
    for code in first_cells(section).filter_map(|cell| cell.trim().parse::<u32>().ok()) {
        assert!(
            constants.iter().any(|(known, _)| *known == code),
            "README.md explains {code}, which src/cli/exit.rs does not know"
        );
    }
}

fn the_changelog_knows_this_version() {
    let changelog = document("CHANGELOG.md");
    let headings: Vec<&str> = changelog
        .lines()
        .filter(|l| l.starts_with("## ["))
        .collect();
    assert_eq!(headings.first(), Some(&"## [Unreleased]"));
    let version = format!("## [{}]", env!("CARGO_PKG_VERSION"));
    assert!(
        headings.iter().any(|h| h.starts_with(&version)),
        "{version} is not in {headings:?}"
    );
}

fn links_between_documents_lead_somewhere() {
    for name in ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        let text = document(name);
        for rest in text.split("](").skip(1) {
            let target = rest.split([')', '#']).next().unwrap_or_default();
            let is_here = target.is_empty() || root().join(target).exists();
            assert!(
                target.contains("://") || is_here,
                "{name} links to {target}"
            );
        }
    }
}

fn options_are_found_in_help_and_table() {
    let help = "Options:\n  -l, --lease <NAME>  the lease, see --wait\n      --max-drift <X>\n          \
                not --this\n  -h, --help  Print help\n";
    let expected = ["--lease", "--max-drift"].map(ToOwned::to_owned);
    assert_eq!(options_of_help(help), expected.clone().into());
    let readme = "# x\n\n### Options of `run`\n\n| option | meaning |\n|---|---|\n\
                  | `-l`, `--lease NAME` | not `--wait` |\n| `--max-drift A\\|B` | |\n\n# y --z\n";
    assert_eq!(options_of_readme(readme), expected.into());
}

fn constants_are_found_in_source() {
    let source = "/// 119\npub(crate) const HELD: u8 = 120;\nconst NAME: &str = \"x\";";
    assert_eq!(constants(&words(source)), [(120, "HELD".to_owned())]);
}
