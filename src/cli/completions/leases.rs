//! Names of leases, which come from the store when they are asked for. Each shell asks
//! `leasectl __names`, which answers at once or not at all, and passes it the words on the line:
//! the store may be named there.
//!
//! clap_complete knows of no such thing. It is told that a lease is the name of a host, of which there is none
//! among the arguments, and its words for that are replaced.

use clap::{Arg, Command, ValueHint};

use super::NAME;

/// How an argument is known to be a lease.
const IDS: [&str; 2] = ["lease", "leases"];

/// Whether this argument is a lease.
pub(super) fn is_lease(argument: &Arg) -> bool {
    IDS.contains(&argument.get_id().as_str())
}

/// The argument, so that it can be found in what clap_complete writes.
pub(super) fn marked(argument: Arg) -> Arg {
    if is_lease(&argument) {
        argument.value_hint(ValueHint::Hostname)
    } else {
        argument
    }
}

/// The verbs whose words are leases.
fn verbs(offered: &Command) -> Vec<&str> {
    let verbs = offered.get_subcommands();
    let verbs = verbs.filter(|verb| verb.get_positionals().any(is_lease));
    verbs.map(Command::get_name).collect()
}

/// zsh: the action behind an argument is the name of a function.
pub(super) fn zsh(script: &str) -> String {
    let (head, rest) = script.split_once("\n\n").unwrap_or(("", script));
    format!("{head}\n{LEASES_ZSH}\n{rest}").replace(":_hosts'", ":_leasectl_leases'")
}

/// What was typed of options is in `opt_args`, with a backslash before each colon.
const LEASES_ZSH: &str = r#"
_leasectl_leases() {
    local -a store leases
    local option
    for option in --store --store-file; do
        (( ${+opt_args[$option]} )) && store+=($option "${(Q)opt_args[$option]}")
    done
    leases=(${(f)"$(leasectl __names --prefix="${(Q)PREFIX}" -- "${store[@]}" 2>/dev/null)"})
    compadd -a leases
}
"#;

/// fish: it finds what fits by itself, and adds words that are no option's.
pub(super) fn fish(script: &str, offered: &Command) -> String {
    let mut script = script.replace("(__fish_print_hostnames)", "(__fish_leasectl_leases)");
    script.push_str(LEASES_FISH);
    for verb in verbs(offered) {
        script.push_str(&format!(
            "complete -c {NAME} -n \"__fish_{NAME}_using_subcommand {verb}\" -a \
             '(__fish_leasectl_leases)'\n"
        ));
    }
    script
}

const LEASES_FISH: &str = "
function __fish_leasectl_leases
    leasectl __names --prefix= -- (commandline -opc) 2>/dev/null
end
";

/// bash: a function that answers whether it has completed a lease, to be asked first.
pub(super) fn bash(offered: &Command) -> String {
    let values = offered.get_subcommands().flat_map(Command::get_opts);
    let mut values: Vec<String> = values
        .filter(|option| option.get_action().takes_values() && !is_lease(option))
        .flat_map(|option| {
            let long = option.get_long().map(|long| format!("--{long}"));
            let short = option.get_short().map(|short| format!("-{short}"));
            long.into_iter().chain(short)
        })
        .collect();
    values.sort();
    values.dedup();
    let verbs: Vec<String> = verbs(offered)
        .iter()
        .map(|verb| format!("{verb}:*"))
        .collect();
    LEASES_BASH
        .replace("VERBS", &verbs.join(" | "))
        .replace("VALUES", &values.join(" | "))
}

/// bash takes a word apart at `:` and `=`, and then wants only the last part of it completed. Inside quotes
/// nothing is offered.
const LEASES_BASH: &str = r#"
_leasectl_leases() {
    local line=${COMP_LINE:0:COMP_POINT} quotes name rest=
    local -a words
    for quotes in "${line//[^\"]/}" "${line//[^\']/}"; do
        ((${#quotes} % 2 == 0)) || return 1
    done
    [[ $line =~ (([^[:space:]\\]|\\.)*)$ ]] || return 1
    local cur=${BASH_REMATCH[1]}
    read -ra words <<<"${line%"$cur"}"
    case ${words[-1]} in
        --lease | -l) ;;
        VALUES) return 1 ;;
        *)
            case ${words[1]}:$cur in
                *:--lease=*) cur=${cur#--lease=} ;;
                *:-*) return 1 ;;
                VERBS) ;;
                *) return 1 ;;
            esac
            ;;
    esac
    cur=${cur//\\/}
    [[ $COMP_WORDBREAKS == *:* && $cur == *:* ]] && rest=${cur%:*}:
    [[ $COMP_WORDBREAKS == *=* && ${cur#"$rest"} == *=* ]] && rest=${cur%=*}=
    # Where there is no such lease, there is no file either.
    compopt +o default +o bashdefault
    COMPREPLY=()
    while IFS= read -r name; do
        COMPREPLY+=("$(printf %q "${name#"$rest"}")")
    done < <(leasectl __names --prefix="$cur" -- "${words[@]}" 2>/dev/null)
}
"#;
