//! Scheduled events as programs are told of them (`leasectl.scheduled_events/1`).

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::filter::Filter;
use super::session::Listed;
use crate::clock::WallTime;
use crate::commands::status::line;
use crate::notices::{Change, Notice, Update};

const SCHEMA: &str = "leasectl.scheduled_events/1";

#[derive(Serialize)]
struct List<'a> {
    schema: &'static str,
    at: WallTime,
    vm: Option<&'a str>,
    source: &'static str,
    age_s: Option<f64>,
    incarnation: Option<i64>,
    events: &'a [Notice],
}

/// One object, in one line.
#[must_use]
pub fn json(at: WallTime, listed: &Listed) -> String {
    let list = List {
        schema: SCHEMA,
        at,
        vm: listed.machine.as_deref(),
        source: if listed.from_cache {
            "cache"
        } else {
            "service"
        },
        age_s: listed
            .age
            .map(|age| (age.as_secs_f64() * 1e3).round() / 1e3),
        incarnation: listed.incarnation,
        events: &listed.notices,
    };
    line(&list) + "\n"
}

#[derive(Serialize)]
struct Line<'a> {
    schema: &'static str,
    seq: u64,
    at: WallTime,
    change: &'static str,
    event: &'a Notice,
    incarnation: Option<i64>,
    /// What it was and is, for each key that changed.
    #[serde(skip_serializing_if = "Map::is_empty")]
    keys: Map<String, Value>,
}

/// Numbers the lines of a watch.
#[derive(Debug)]
pub struct Follower {
    filter: Filter,
    told: u64,
}

impl Follower {
    /// Tells of these events.
    #[must_use]
    pub const fn new(filter: Filter) -> Self {
        Self { filter, told: 0 }
    }

    /// How many lines there were.
    #[must_use]
    pub const fn told(&self) -> u64 {
        self.told
    }

    /// The line for one update; none when it is not about an event that is meant, and was not before.
    pub fn line(&mut self, at: WallTime, update: &Update) -> Option<String> {
        let before = update.before.as_ref();
        let meant = self.filter.wants(&update.notice)
            || before.is_some_and(|before| self.filter.wants(before));
        if !meant {
            return None;
        }
        self.told += 1;
        let line = line(&Line {
            schema: SCHEMA,
            seq: self.told,
            at,
            change: update.change.word(),
            event: &update.notice,
            incarnation: update.incarnation,
            keys: keys(update),
        });
        Some(line + "\n")
    }
}

fn keys(update: &Update) -> Map<String, Value> {
    let (Change::Changed(keys), Some(before)) = (&update.change, &update.before) else {
        return Map::new();
    };
    // A notice is plain data, and always has a form in JSON.
    let from = serde_json::to_value(before).unwrap_or_default();
    let to = serde_json::to_value(&update.notice).unwrap_or_default();
    let both = |key: &&'static str| {
        let value = |of: &Value| of.get(*key).cloned();
        (
            (*key).to_owned(),
            json!({"from": value(&from), "to": value(&to)}),
        )
    };
    keys.iter().map(both).collect()
}
