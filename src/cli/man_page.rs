//! `leasectl man`: pages made from the clap definitions and from `guide.rs`. Both are on this floor, and
//! so is this verb: `commands/` may not look up here.
//!
//! A page is the same whenever and wherever it is made: it has no date, and the version is Cargo's.

use std::io;

use clap::{Arg, Args, Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use super::args::Cli;
use super::guide;

/// `leasectl man`.
#[derive(Args, Debug)]
#[command(after_long_help = guide::MAN)]
pub struct ManArgs {
    /// Which verb's page; without it, that of leasectl itself
    pub verb: Option<String>,
}

/// The page of a verb, or that of leasectl; nothing when there is no such verb.
///
/// # Errors
/// None that is known: it is written into memory.
pub(super) fn page(verb: Option<&str>) -> io::Result<Option<String>> {
    let leasectl = Cli::whole();
    let command = match verb {
        None => Some(&leasectl),
        Some(name) => shown_verbs(&leasectl).find(|verb| verb.get_name() == name),
    };
    command.map(|found| written(&leasectl, found)).transpose()
}

/// The verbs that have a page, as `a, b, c`.
pub(super) fn verbs() -> String {
    let leasectl = Cli::command();
    let names: Vec<&str> = shown_verbs(&leasectl).map(Command::get_name).collect();
    names.join(", ")
}

fn shown_verbs(leasectl: &Command) -> impl Iterator<Item = &Command> {
    leasectl
        .get_subcommands()
        .filter(|verb| !verb.is_hide_set())
}

fn written(leasectl: &Command, command: &Command) -> io::Result<String> {
    // roff takes an empty argument only in quotes, and the name of the next one for it otherwise.
    const NONE: &str = "\"\"";
    let version = format!("leasectl {}", env!("CARGO_PKG_VERSION"));
    let head = Man::new(command.clone())
        .title(title(command).to_uppercase())
        .date(NONE)
        .source(version)
        .manual("User Commands");
    let mut page = Vec::new();
    head.render_title(&mut page)?;
    head.render_name_section(&mut page)?;
    head.render_synopsis_section(&mut page)?;
    let mut rest = Roff::new();
    description(&mut rest, command);
    if command.has_subcommands() {
        verb_list(&mut rest, command);
    }
    options(&mut rest, command);
    if let Some(text) = command.get_after_long_help() {
        sections(&mut rest, &text.to_string());
    }
    see_also(&mut rest, leasectl, command);
    rest.to_writer(&mut page)?;
    // Every piece begins with the same definition of an apostrophe.
    let definition = Roff::new().render();
    let page = String::from_utf8_lossy(&page).replace(&definition, "");
    Ok(definition + &page)
}

/// `leasectl-run`.
fn title(command: &Command) -> &str {
    command.get_display_name().unwrap_or(command.get_name())
}

/// The long help without its first paragraph, which is the name section.
fn description(page: &mut Roff, command: &Command) {
    let help = command.get_long_about().or(command.get_about());
    let help = help.map(ToString::to_string).unwrap_or_default();
    let (first, more) = help.split_once("\n\n").unwrap_or((&help, ""));
    page.control("SH", ["DESCRIPTION"]);
    if more.is_empty() {
        page.text([roman(sentence(first))]);
    }
    for (number, paragraph) in more.split("\n\n").enumerate() {
        if number > 0 {
            page.control("PP", []);
        }
        page.text([roman(paragraph)]);
    }
}

fn verb_list(page: &mut Roff, leasectl: &Command) {
    page.control("SH", ["VERBS"]);
    for verb in shown_verbs(leasectl) {
        page.control("TP", []);
        page.text(reference(title(verb)));
        let about = verb.get_about().map(ToString::to_string);
        page.text([roman(sentence(&about.unwrap_or_default()))]);
    }
}

/// `leasectl-run(1)`.
fn reference(title: &str) -> Vec<Inline> {
    vec![bold(title), roman("(1)")]
}

/// The options by the headings of the help, those without one first.
fn options(page: &mut Roff, command: &Command) {
    let shown: Vec<&Arg> = command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set())
        .collect();
    let mut headings = vec![None];
    for argument in &shown {
        if !headings.contains(&argument.get_help_heading()) {
            headings.push(argument.get_help_heading());
        }
    }
    page.control("SH", ["OPTIONS"]);
    for heading in headings {
        if let Some(heading) = heading {
            page.control("SS", [heading]);
        }
        let below = |argument: &&&Arg| argument.get_help_heading() == heading;
        for argument in shown.iter().filter(below) {
            page.control("TP", []);
            page.text(declaration(argument));
            meaning(page, argument);
        }
    }
}

/// `-w, --wait DURATION|forever`.
fn declaration(argument: &Arg) -> Vec<Inline> {
    let short = argument.get_short().map(|short| format!("-{short}"));
    let long = argument.get_long().map(|long| format!("--{long}"));
    let mut line = Vec::new();
    for name in [short, long].into_iter().flatten() {
        if !line.is_empty() {
            line.push(roman(", "));
        }
        line.push(bold(name));
    }
    let range = argument.get_num_args().unwrap_or_default();
    if range.takes_values() {
        let names = argument.get_value_names().unwrap_or_default();
        for name in names {
            if !line.is_empty() {
                line.push(roman(" "));
            }
            line.push(italic(name.to_string()));
        }
        if range.max_values() > names.len() {
            line.push(roman("..."));
        }
    }
    line
}

/// The short help is the first sentence of the long one.
fn meaning(page: &mut Roff, argument: &Arg) {
    let help = argument.get_long_help().or(argument.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    let mut paragraphs = help.split("\n\n");
    let mut first = sentence(paragraphs.next().unwrap_or_default());
    if let Some(more) = paragraphs.next() {
        first.push(' ');
        first.push_str(more);
    }
    page.text([roman(first)]);
    for paragraph in paragraphs {
        page.control("IP", []);
        page.text([roman(paragraph)]);
    }
    if argument.is_hide_possible_values_set() {
        return;
    }
    let values: Vec<String> = argument
        .get_possible_values()
        .iter()
        .map(|value| value.get_name().to_owned())
        .collect();
    if !values.is_empty() && argument.get_num_args().unwrap_or_default().takes_values() {
        page.text([roman(format!("One of {}.", values.join(", ")))]);
    }
}

fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() || text.ends_with('.') {
        text.to_owned()
    } else {
        format!("{text}.")
    }
}

/// Where the customary name of a section differs from that of the help.
const CUSTOMARY: [(&str, &str); 1] = [("EXIT CODES", "EXIT STATUS")];

/// What stands below the options in the help, in the form that `guide.rs` describes.
fn sections(page: &mut Roff, text: &str) {
    let mut was = Row::Blank;
    for line in text.lines() {
        let row = Row::of(line);
        match row {
            Row::Blank => {}
            Row::Heading(name) => {
                let name = name.to_uppercase();
                let customary = CUSTOMARY.iter().find(|(ours, _)| *ours == name);
                page.control(
                    "SH",
                    [customary.map_or(name.as_str(), |(_, theirs)| theirs)],
                );
            }
            Row::Term(term, meaning) => {
                page.control("TP", []);
                page.text([bold(term)]);
                page.text([roman(meaning)]);
            }
            Row::Typed(command) => {
                page.control("RS", ["4"]);
                page.control("EX", []);
                page.text([roman(command)]);
                page.control("EE", []);
                page.control("RE", []);
            }
            Row::Prose(text) => {
                if !matches!(was, Row::Prose(_) | Row::Heading(_)) {
                    page.control("PP", []);
                }
                page.text([roman(text)]);
            }
            Row::More(text) => {
                page.text([roman(text)]);
            }
        }
        was = row;
    }
}

/// A line of a guide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row<'a> {
    Blank,
    Heading(&'a str),
    Prose(&'a str),
    Term(&'a str, &'a str),
    Typed(&'a str),
    /// The meaning of the term above goes on.
    More(&'a str),
}

impl<'a> Row<'a> {
    fn of(line: &'a str) -> Self {
        let text = line.trim_start();
        match (line.len() - text.len(), text.split_once("  ")) {
            _ if text.is_empty() => Self::Blank,
            (0, _) => Self::Heading(text.trim_end_matches(':')),
            (2, Some((term, meaning))) => Self::Term(term, meaning.trim_start()),
            (1..=2, _) => Self::Prose(text),
            (3..=4, _) => Self::Typed(text),
            _ => Self::More(text),
        }
    }
}

/// The other pages, and the program that many come from.
fn see_also(page: &mut Roff, leasectl: &Command, own: &Command) {
    let commands = std::iter::once(leasectl).chain(shown_verbs(leasectl));
    let mut line = Vec::new();
    for other in commands.map(title).filter(|other| *other != title(own)) {
        line.extend(reference(other));
        line.push(roman(", "));
    }
    line.extend(reference("flock"));
    page.control("SH", ["SEE ALSO"]);
    page.text(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_a_guide_are_told_apart_by_their_indentation() {
        assert_eq!(Row::of("Exit codes:"), Row::Heading("Exit codes"));
        assert_eq!(Row::of("  120  refused: a"), Row::Term("120", "refused: a"));
        assert_eq!(Row::of("  Run a job:"), Row::Prose("Run a job:"));
        assert_eq!(Row::of("    leasectl run"), Row::Typed("leasectl run"));
        assert_eq!(Row::of("            goes on"), Row::More("goes on"));
        assert_eq!(Row::of(""), Row::Blank);
    }

    #[test]
    fn a_first_sentence_ends_once() {
        assert_eq!(sentence("Print errors only"), "Print errors only.");
        assert_eq!(sentence("It ends."), "It ends.");
        assert_eq!(sentence(""), "");
    }
}
