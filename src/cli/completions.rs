//! `leasectl completions`: scripts that complete what is typed, made from the clap definitions. They
//! are on this floor, and so is this verb: `commands/` may not look up here.
//!
//! clap_complete makes the script. Kept from it are hidden options, which it would offer; added is what
//! it has no word for: after `--` it is the command that is completed, and not leasectl.

mod leases;

use clap::builder::PossibleValuesParser;
use clap::{Arg, Args, Command, ValueEnum, ValueHint};
use clap_complete::{Generator, generate, shells};

use super::args::Cli;
use super::guide;

const NAME: &str = "leasectl";

/// `leasectl completions`.
#[derive(Args, Debug)]
#[command(after_long_help = guide::COMPLETIONS)]
pub struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// `leasectl completions SHELL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}

/// The script for a shell.
pub(super) fn script(shell: Shell) -> String {
    let offered = with_verbs(&offered(&Cli::whole()));
    match shell {
        Shell::Bash => {
            made_by(shells::Bash, &offered) + &leases::bash(&offered) + AFTER_DASHES_BASH
        }
        Shell::Zsh => leases::zsh(&made_by(shells::Zsh, &offered)),
        Shell::Fish => {
            let script = made_by(shells::Fish, &offered) + &words_fish(&offered);
            leases::fish(&script, &offered) + AFTER_DASHES_FISH
        }
    }
}

fn made_by(shell: impl Generator, offered: &Command) -> String {
    let mut script = Vec::new();
    generate(shell, &mut offered.clone(), NAME, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// `leasectl man` takes the name of a verb, which clap is not told: a verb is not to be named twice.
fn with_verbs(offered: &Command) -> Command {
    let verbs = offered
        .get_subcommands()
        .map(|verb| for_good(verb.get_name()));
    let verbs = PossibleValuesParser::new(verbs.collect::<Vec<_>>());
    let man = |man: Command| man.mut_arg("verb", |verb| verb.value_parser(verbs));
    offered.clone().mut_subcommand("man", man)
}

/// The command without what is hidden. clap has no way to take an option away, so that this is a new
/// command with what completion looks at.
fn offered(command: &Command) -> Command {
    let is_shown = |id: &clap::Id| {
        let mut arguments = command.get_arguments();
        arguments.any(|argument| argument.get_id() == id && !argument.is_hide_set())
    };
    let arguments = command.get_arguments();
    let arguments = arguments.filter(|argument| !argument.is_hide_set() && !is_of_clap(argument));
    let whole = command
        .get_groups()
        .filter(|group| group.get_args().all(is_shown));
    let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    let mut kept = Command::new(for_good(command.get_name()))
        .args(arguments.map(without_guesses))
        .groups(whole.cloned())
        .subcommands(verbs.map(offered))
        .disable_help_subcommand(command.is_disable_help_subcommand_set());
    if let Some(about) = command.get_about() {
        kept = kept.about(about.clone());
    }
    if let Some(version) = command.get_version() {
        kept = kept.version(for_good(version));
    }
    kept
}

/// Whether clap has put it in, and does so again.
fn is_of_clap(argument: &Arg) -> bool {
    ["help", "version"].contains(&argument.get_id().as_str())
}

/// clap takes names only from the program's own text, unless it is built with a feature that makes the
/// binary 50 kB larger. What is kept for good here is kept until the script is printed.
fn for_good(text: &str) -> &'static str {
    Box::leak(text.into())
}

/// A shell completes a value of which it knows nothing with the names of files. A duration is none, nor
/// is the name of a lease: only what says so is.
fn without_guesses(argument: &Arg) -> Arg {
    let argument = argument.clone();
    let has_value = argument.get_action().takes_values() && !argument.is_positional();
    match argument.get_value_hint() {
        ValueHint::Unknown if leases::is_lease(&argument) => leases::marked(argument),
        ValueHint::Unknown if has_value => argument.value_hint(ValueHint::Other),
        _ => argument,
    }
}

/// bash takes `--record=` apart at the sign, which clap_complete does not know. After `--` the package
/// bash-completion completes a command in the command's own way; without it there are names of commands
/// for the first word and files for the rest.
const AFTER_DASHES_BASH: &str = r#"
_leasectl_or_command() {
    local i
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == -- ]] || continue
        if declare -F _comp_command_offset >/dev/null; then
            _comp_command_offset $((i + 1))
        elif declare -F _command_offset >/dev/null; then
            _command_offset $((i + 1))
        elif ((COMP_CWORD == i + 1)); then
            mapfile -t COMPREPLY < <(compgen -c -- "$2")
        fi
        return
    done
    _leasectl_leases && return
    [[ $3 == = ]] && set -- "$1" "$2" "${COMP_WORDS[COMP_CWORD - 2]}"
    _leasectl "$@"
}
complete -F _leasectl_or_command -o bashdefault -o default leasectl
"#;

/// fish: clap_complete leaves out what is no option, and files would be offered instead.
fn words_fish(offered: &Command) -> String {
    let mut lines = format!("complete -c {NAME} -f\n");
    for verb in offered.get_subcommands() {
        let values = verb.get_positionals().flat_map(Arg::get_possible_values);
        let values: Vec<String> = values.map(|value| value.get_name().to_owned()).collect();
        if !values.is_empty() {
            let (verb, values) = (verb.get_name(), values.join(" "));
            lines.push_str(&format!(
                "complete -c {NAME} -n \"__fish_{NAME}_using_subcommand {verb}\" -a \"{values}\"\n"
            ));
        }
    }
    lines
}

/// fish: the words after `--` are completed as a line of their own.
const AFTER_DASHES_FISH: &str = r#"
function __fish_leasectl_command
    set -l words (commandline -opc)
    set -l dashes (contains -i -- -- $words)
    or return
    set -e words[1..$dashes]
    complete -C (string join ' ' -- (string escape -- $words) (commandline -ct))
end
complete -c leasectl -n 'contains -- -- (commandline -opc)' -a '(__fish_leasectl_command)'
"#;
