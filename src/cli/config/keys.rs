//! What can be configured: the long options of `run`, as the clap definitions have them.

use clap::{Arg, ArgAction, Command};

use crate::cli::args::Cli;
use crate::cli::{quoted, usage};
use crate::store::options::nearest;

/// Options of `run` that are no keys, and why.
const NEVER: [(&str, &str); 5] = [
    ("lease", "it is typed each time; write --lease there"),
    ("command", "it is typed each time, after --"),
    (
        "config",
        "it says which file is read; write --config or set LEASECTL_CONFIG",
    ),
    (
        "store_file",
        "a file has the URL itself, or a store below [stores] with a password_file",
    ),
    ("help", "it is for one call; write --help there"),
];

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Switch,
    Text,
    Integer,
    Number,
    /// Keys and texts.
    Table,
    List,
}

/// The options of `run`.
#[derive(Debug)]
pub(super) struct Keys {
    leasectl: Command,
    run: Command,
}

impl Keys {
    pub(super) fn new() -> Self {
        let leasectl = Cli::whole();
        let run = leasectl.find_subcommand("run").cloned().unwrap_or_default();
        Self { leasectl, run }
    }

    /// `run` itself.
    pub(super) const fn run(&self) -> &Command {
        &self.run
    }

    /// Every option that can be configured below `[defaults]`.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arg> {
        self.run.get_arguments().filter(|option| {
            let name = option.get_long().map(key_of);
            let is_key = |name: &str| name != "store" && NEVER.iter().all(|(no, _)| *no != name);
            !option.is_hide_set() && name.is_some_and(|name| is_key(&name))
        })
    }

    /// The option that a key means, or why there is none and what to do.
    pub(super) fn find(&self, key: &str) -> Result<&Arg, String> {
        let found = self
            .all()
            .find(|option| option.get_long().map(key_of).as_deref() == Some(key));
        found.ok_or_else(|| self.refusal(key))
    }

    fn refusal(&self, key: &str) -> String {
        let shown = quoted(key);
        // Whoever writes the option as it is typed means it too.
        let like_a_key = key_of(key.trim_start_matches('-'));
        if let Some((_, why)) = NEVER.iter().find(|(no, _)| *no == like_a_key) {
            return format!("{shown} cannot be configured: {why}");
        }
        let known: Vec<String> = self
            .all()
            .filter_map(|option| option.get_long().map(key_of))
            .collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let is_of_a_verb = self.leasectl.get_subcommands().any(|verb| {
            let mut options = verb.get_arguments();
            options.any(|option| option.get_long().map(key_of).as_deref() == Some(&like_a_key))
        });
        if is_of_a_verb && !known.contains(&like_a_key.as_str()) {
            let option = option_of(&like_a_key);
            return format!(
                "{shown} cannot be configured: it is for one call; write {option} there"
            );
        }
        match nearest(key, &known) {
            Some(near) => format!("there is no setting {shown}; did you mean {near}?"),
            None => format!(
                "there is no setting {shown}; settings are the options of leasectl run, with _ for -"
            ),
        }
    }

    /// Checks a value as if it were typed.
    pub(super) fn check(&mut self, key: &str, words: &[String]) -> Result<(), String> {
        let line = ["run", "--lease=x"].into_iter().map(str::to_owned);
        let line = line.chain(words.iter().cloned());
        let line = line.chain(["--".to_owned(), "x".to_owned()]);
        let Err(error) = self.run.try_get_matches_from_mut(line) else {
            return Ok(());
        };
        let why = usage::answer(&error, &[]).err().unwrap_or_default();
        Err(match why.strip_prefix(&option_of(key)) {
            Some(rest) => format!("{key}{rest}"),
            None => why,
        })
    }
}

/// How the value of an option is written.
pub(super) fn kind(option: &Arg) -> Kind {
    match (option.get_action(), option.get_long()) {
        (ArgAction::SetTrue, _) => Kind::Switch,
        (ArgAction::Append, Some("resource")) => Kind::List,
        (ArgAction::Append, _) => Kind::Table,
        (_, Some("held-exit-code")) => Kind::Integer,
        (_, Some("max-drift")) => Kind::Number,
        _ => Kind::Text,
    }
}

/// What a value of this kind is, and how it is written.
pub(super) fn form(kind: Kind, option: &Arg) -> &'static str {
    let is_duration = option.get_value_names().is_some_and(|names| {
        names
            .iter()
            .any(|name| name.as_str().starts_with("DURATION"))
    });
    match kind {
        Kind::Switch => "true or false",
        Kind::Text if is_duration => "a duration in quotes, such as \"30s\"",
        Kind::Text => "a text in quotes",
        Kind::Integer => "a whole number without quotes",
        Kind::Number => "a number without quotes",
        Kind::Table => "a table of texts, such as { team = \"storage\" }",
        Kind::List => "a list of texts, such as [\"web_3\"]",
    }
}

/// `held-exit-code` as a key.
pub(super) fn key_of(long: &str) -> String {
    long.replace('-', "_")
}

/// `held_exit_code` as it is typed.
pub(super) fn option_of(key: &str) -> String {
    format!("--{}", key.replace('_', "-"))
}

/// Pairs that clap lets pass, because they can be meant together when both are typed.
const MORE_CONFLICTS: [(&str, &str); 2] = [("restart", "wait"), ("restart", "nonblock")];

/// Whether two options of a verb, by their ids, exclude each other.
pub(super) fn exclude_each_other(verb: &Command, one: &str, other: &str) -> bool {
    let find = |id: &str| verb.get_arguments().find(|option| option.get_id() == id);
    let refuses = |of: &str, whom: &str| {
        let option = find(of);
        option.is_some_and(|option| {
            let conflicts = verb.get_arg_conflicts_with(option);
            conflicts.iter().any(|conflict| conflict.get_id() == whom)
        })
    };
    refuses(one, other)
        || refuses(other, one)
        || MORE_CONFLICTS.contains(&(one, other))
        || MORE_CONFLICTS.contains(&(other, one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_every_key_is_known() {
        let keys = Keys::new();
        let kind_of = |key: &str| kind(keys.find(key).unwrap());
        assert_eq!(kind_of("ttl"), Kind::Text);
        assert_eq!(kind_of("quiet"), Kind::Switch);
        assert_eq!(kind_of("meta"), Kind::Table);
        assert_eq!(kind_of("resource"), Kind::List);
        assert_eq!(kind_of("held_exit_code"), Kind::Integer);
        assert_eq!(kind_of("max_drift"), Kind::Number);
        // A new option that repeats is no table by itself.
        let tables = keys.all().filter(|option| kind(option) == Kind::Table);
        assert_eq!(tables.count(), 1);
    }

    #[test]
    fn what_is_for_one_call_is_no_key() {
        let keys = Keys::new();
        for key in [
            "lease",
            "command",
            "config",
            "store_file",
            "force",
            "token",
            "pid",
            "background",
            "reason",
            "json",
            "--force",
        ] {
            let why = keys.find(key).unwrap_err();
            assert!(why.contains("cannot be configured: "), "{key}: {why}");
        }
        for (key, near) in [("tll", "ttl"), ("held-exit-code", "held_exit_code")] {
            let why = keys.find(key).unwrap_err();
            assert!(why.ends_with(&format!("; did you mean {near}?")), "{why}");
        }
        assert!(keys.find("nonblock").is_err());
        assert!(keys.find("frobnicate").unwrap_err().contains("no setting"));
    }

    #[test]
    fn conflicts_are_seen_from_both_sides() {
        let keys = Keys::new();
        for (one, other) in [
            ("quiet", "verbose"),
            ("wait", "nonblock"),
            ("restart", "wait"),
        ] {
            assert!(exclude_each_other(keys.run(), one, other));
            assert!(exclude_each_other(keys.run(), other, one));
        }
        assert!(!exclude_each_other(keys.run(), "ttl", "grace"));
    }
}
