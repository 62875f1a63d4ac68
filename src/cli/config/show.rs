//! `leasectl config`: each setting, and who says so.

use super::apply::Call;
use super::files::{self, Source};
use super::keys::{self, Keys};
use super::value::{Setting, Value};
use crate::cli::args::ConfigArgs;
use crate::cli::{choice, plan, printable};

const NOBODY: &str = "default";

/// A setting, its value and its origin.
type Row = (String, String, String);

/// The settings for the lease that was typed, or for any.
pub(in crate::cli) fn show(typed: &ConfigArgs) -> Result<String, String> {
    let lease = typed.lease.as_deref().map(plan::lease).transpose()?;
    let keys = Keys::new();
    let (layers, sources) = files::load(typed.store.config.as_deref())?;
    let chosen = choice::choose(&typed.store)?;
    let run = Call {
        verb: keys.run(),
        typed: Vec::new(),
    };
    let settings = run.usable(layers.settings(lease.as_ref().map(|name| name.as_str())));
    let mut rows: Vec<Row> = sources.into_iter().map(of_file).collect();
    rows.push(of_store(&chosen, &settings));
    rows.extend(keys.all().map(|option| of_option(option, &settings)));
    Ok(table(&rows))
}

fn of_file(Source { file, origin }: Source) -> Row {
    ("config".to_owned(), file, origin.to_owned())
}

fn of_store(chosen: &choice::Choice, settings: &[&Setting]) -> Row {
    let (url, origin) = chosen.in_words();
    let mut configured = settings.iter();
    let configured = configured.find(|one| one.place.to_string() == origin);
    let (value, origin) = match configured {
        Some(setting) => {
            let name = setting.value.shown();
            let is_name = name != url;
            let value = if is_name {
                format!("{name} ({url})")
            } else {
                url
            };
            (value, setting.place.line())
        }
        None if chosen.is_default => (url, NOBODY.to_owned()),
        None => (url, origin.to_owned()),
    };
    ("store".to_owned(), printable(&value), origin)
}

fn of_option(option: &clap::Arg, settings: &[&Setting]) -> Row {
    let key = keys::key_of(option.get_long().unwrap_or_default());
    match settings.iter().find(|setting| setting.key == key) {
        Some(Setting { value, place, .. }) => (key, value.shown(), place.line()),
        None => (key, default_of(option), NOBODY.to_owned()),
    }
}

/// What holds when nobody says anything: clap knows it, or the help says it.
fn default_of(option: &clap::Arg) -> String {
    if keys::kind(option) == keys::Kind::Switch {
        return Value::Switch(false).shown();
    }
    if let Some(value) = option.get_default_values().first() {
        return value.to_string_lossy().into_owned();
    }
    let help = option
        .get_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let said = help.split_once("[default: ").map(|(_, rest)| rest);
    let said = said.and_then(|rest| rest.split(']').next());
    said.unwrap_or("-").to_owned()
}

fn table(rows: &[Row]) -> String {
    const LONGEST: usize = 48;
    let width = |column: fn(&Row) -> &str| {
        let widths = rows.iter().map(|row| column(row).chars().count());
        widths.filter(|width| *width <= LONGEST).max().unwrap_or(0)
    };
    let (first, second) = (width(|row| &row.0), width(|row| &row.1));
    let lines = rows
        .iter()
        .map(|(key, value, origin)| format!("{key:first$}  {value:second$}  {origin}\n"));
    lines.collect()
}
