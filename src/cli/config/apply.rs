//! The words that were typed, with what is configured put between them: the same definitions parse and
//! check both.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches, Parser};

use super::configured::Configured;
use super::files;
use super::keys;
use super::layers::Layers;
use super::value::{Setting, Value};
use crate::cli::args::Cli;
use crate::cli::{choice, named, usage};

/// What is printed when there is nothing to do: a text that was asked for, or an error.
type Answer = Result<String, String>;

/// Parses what was typed, over what is configured.
pub(in crate::cli) fn parse(words: &[OsString]) -> Result<Cli, Answer> {
    let mut leasectl = Cli::command();
    let matches = leasectl
        .try_get_matches_from_mut(words)
        .map_err(|error| usage::answer(&error, words))?;
    let as_typed = || Cli::from_arg_matches(&matches).map_err(|error| usage::answer(&error, words));
    let found = matches.subcommand().and_then(|(name, typed)| {
        let verb = leasectl.find_subcommand(name)?;
        let mut options = verb.get_arguments();
        let is_configurable = options.any(|option| option.get_id() == "config");
        is_configurable.then_some((verb, typed))
    });
    let Some((verb, typed)) = found else {
        return as_typed();
    };
    let file = typed.get_one::<PathBuf>("config");
    let (layers, _) = files::load(file.map(PathBuf::as_path)).map_err(Err)?;
    if layers.is_empty() {
        return as_typed();
    }
    laid_over(&layers, (verb, typed), words).map_err(Err)
}

fn laid_over(
    layers: &Layers,
    (verb, typed): (&Command, &ArgMatches),
    words: &[OsString],
) -> Result<Cli, String> {
    let call = Call::of(verb, typed);
    let configured = call.configured(layers, &leases(verb, typed))?;
    let given = given(layers, &configured);
    let mut line = words.to_vec();
    let place = words
        .iter()
        .skip(1)
        .position(|word| *word == *verb.get_name());
    let place = place.map_or(words.len(), |at| at + 2);
    let added = configured.iter().flat_map(|one| one.value.words(&one.key));
    line.splice(place..place, added.map(OsString::from));
    match Cli::try_parse_from(&line) {
        Ok(mut cli) => {
            if let Some(store) = cli.verb.store() {
                store.configured = given;
            }
            Ok(cli)
        }
        Err(error) => {
            let why = usage::answer(&error, &line).unwrap_or_else(|why| why);
            Err(given.explain(why))
        }
    }
}

/// What is configured for every lease, for one who only looks for the store.
pub(in crate::cli) fn of_any_lease(file: Option<&Path>) -> Result<Configured, String> {
    let (layers, _) = files::load(file)?;
    Ok(given(&layers, &layers.settings(None)))
}

/// What a verb is given of these settings beside its options.
fn given(layers: &Layers, settings: &[&Setting]) -> Configured {
    let store = settings.iter().find_map(|one| match &one.value {
        Value::Store(wish) => Some((wish.clone(), one.place.clone())),
        _ => None,
    });
    // Where the store is from its own errors say.
    let options = settings
        .iter()
        .filter(|one| !matches!(one.value, Value::Store(_)));
    let options = options.map(|one| (keys::option_of(&one.key), one.place.clone()));
    Configured {
        stores: layers.stores().clone(),
        store,
        options: options.collect(),
    }
}

/// The leases that a verb is about.
fn leases(verb: &Command, typed: &ArgMatches) -> Vec<String> {
    let is_lease = |option: &&clap::Arg| {
        let mut names = option.get_value_names().unwrap_or_default().iter();
        let is_name = names.any(|name| name.as_str() == "NAME");
        option.get_long() == Some("lease") || (option.is_positional() && is_name)
    };
    let ids = verb.get_arguments().filter(is_lease);
    let raw = ids.filter_map(|option| typed.get_raw(option.get_id().as_str()));
    raw.flatten()
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}

/// A verb, and the ids of what was typed.
pub(super) struct Call<'a> {
    pub(super) verb: &'a Command,
    pub(super) typed: Vec<&'a str>,
}

impl<'a> Call<'a> {
    fn of(verb: &'a Command, typed: &'a ArgMatches) -> Self {
        let is_typed = |id: &&str| typed.value_source(id) == Some(ValueSource::CommandLine);
        let typed = typed.ids().map(clap::Id::as_str).filter(is_typed).collect();
        Self { verb, typed }
    }

    /// What is configured for the leases and has a meaning for this verb. One call has one store and one of
    /// each option, so that leases for which these differ cannot be meant together.
    fn configured<'l>(
        &self,
        layers: &'l Layers,
        leases: &[String],
    ) -> Result<Vec<&'l Setting>, String> {
        let Some((first, others)) = leases.split_first() else {
            return Ok(self.usable(layers.settings(None)));
        };
        let wanted = self.usable(layers.settings(Some(first)));
        for other in others {
            let also = self.usable(layers.settings(Some(other)));
            let different = |a: &[&Setting], b: &[&'l Setting]| {
                let missing = |one: &&&Setting| {
                    let mut same = b.iter().filter(|two| two.key == one.key);
                    !same.any(|two| two.value.is_the_same_as(&one.value))
                };
                a.iter().find(missing).map(|one| one.place.clone())
            };
            if let Some(place) = different(&wanted, &also).or_else(|| different(&also, &wanted)) {
                return Err(format!(
                    "{place}: {} and {} are configured differently; name them in calls of their own",
                    named(first),
                    named(other)
                ));
            }
        }
        Ok(wanted)
    }

    /// Those that the verb has and that nothing more important excludes, in the same order.
    pub(super) fn usable<'l>(&self, settings: Vec<&'l Setting>) -> Vec<&'l Setting> {
        let store_is_chosen = self
            .typed
            .iter()
            .any(|id| ["store", "store_file"].contains(id))
            || choice::is_in_the_environment();
        let mut given = self.typed.clone();
        let mut usable = Vec::new();
        for setting in settings {
            if let Value::Store(_) = setting.value {
                if !store_is_chosen {
                    usable.push(setting);
                }
                continue;
            }
            let Some(id) = self.id_of(&setting.key) else {
                continue;
            };
            let is_free =
                |other: &&str| *other != id && !keys::exclude_each_other(self.verb, other, id);
            if given.iter().all(is_free) {
                usable.push(setting);
                if setting.value.is_given() {
                    given.push(id);
                }
            }
        }
        usable
    }

    /// The option of that key. Only a verb that takes a lease waits for one: `release --wait` is for something
    /// else.
    fn id_of(&self, key: &str) -> Option<&str> {
        let has = |long: &str| {
            let mut options = self.verb.get_arguments();
            options.find(|option| option.get_long() == Some(long))
        };
        if key == "wait" && has("lease").is_none() {
            return None;
        }
        has(&key.replace('_', "-")).map(|option| option.get_id().as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::config::document::Document;
    use crate::cli::config::keys::Keys;

    /// The words that are added to a line, for a file.
    fn added(text: &str, line: &str) -> Result<Vec<String>, String> {
        let document = Document::parse(text, "f", true, &mut Keys::new())?;
        let layers = Layers::new(vec![document])?;
        let mut leasectl = Cli::command();
        let matches = leasectl.try_get_matches_from_mut(line.split(' ')).unwrap();
        let (name, typed) = matches.subcommand().unwrap();
        let verb = leasectl.find_subcommand(name).unwrap();
        let call = Call::of(verb, typed);
        let configured = call.configured(&layers, &leases(verb, typed))?;
        let words = configured.iter().flat_map(|one| one.value.words(&one.key));
        Ok(words.collect())
    }

    const FILE: &str = "[defaults]\nttl = '1m'\nverbose = true\nwait = '1h'\nmeta = { a = '1' }";

    #[test]
    fn what_is_typed_goes_before_what_is_configured() {
        let run = |options: &str| added(FILE, &format!("leasectl run --lease x{options} -- y"));
        let all = ["--meta=a=1", "--ttl=1m", "--verbose", "--wait=1h"];
        assert_eq!(run("").unwrap(), all);
        assert_eq!(
            run(" --ttl 3m").unwrap(),
            ["--meta=a=1", "--verbose", "--wait=1h"]
        );
        assert_eq!(run(" -q").unwrap(), ["--meta=a=1", "--ttl=1m", "--wait=1h"]);
        assert_eq!(run(" --meta b=2 -vn").unwrap(), ["--ttl=1m"]);
        assert_eq!(run(" --restart always").unwrap(), all[..3]);
    }

    #[test]
    fn a_verb_takes_what_it_has() {
        let hold = added(FILE, "leasectl hold --lease x").unwrap();
        assert_eq!(hold.len(), 4, "{hold:?}");
        // The wait of `release` is another, and --force would exclude it.
        let release = added(FILE, "leasectl release x --force --token 1").unwrap();
        assert_eq!(release, Vec::<String>::new());
        let quiet = added("[defaults]\nquiet = true", "leasectl release x").unwrap();
        assert_eq!(quiet, ["--quiet"]);
    }

    #[test]
    fn what_is_of_a_lease_excludes_what_is_of_all() {
        let text = "[defaults]\nverbose = true\n[[lease]]\nmatch = 'x'\nquiet = true\n[[lease]]\n\
                    match = 'z'\nverbose = false";
        assert_eq!(
            added(text, "leasectl run --lease x -- y").unwrap(),
            ["--quiet"]
        );
        assert_eq!(
            added(text, "leasectl run --lease y -- y").unwrap(),
            ["--verbose"]
        );
        assert!(
            added(text, "leasectl run --lease z -- y")
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn leases_of_one_call_have_the_same_settings() {
        let text = "store = 'a'\n[stores.a]\nurl = 'memory:'\n[[lease]]\nmatch = 'x'\nstore = 'file:'\n\
                    [[lease]]\nmatch = 'y'\nstore = 'a'\nttl = '5m'";
        let why = added(text, "leasectl pause z x").unwrap_err();
        assert!(
            why.contains("z and x are configured differently; "),
            "{why}"
        );
        assert!(added(text, "leasectl pause z y").is_ok());
        assert!(added(text, "leasectl pause z x --store memory:").is_ok());
    }
}
