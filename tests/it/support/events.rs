//! Events as leasectl wrote them, and the schema that they have to obey.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::lab::Lab;
use super::needs::needs;
use super::source::root;

/// The program that judges: Debian's `python3-jsonschema`.
const JUDGE: &str = "jsonschema";

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        the_judge_refuses_what_is_wrong,
        a_key_that_the_schema_does_not_know_is_found,
    ]
}

/// The lines of one file or pipe.
#[derive(Debug)]
pub(crate) struct Events(pub(crate) Vec<Value>);

impl Events {
    /// Reads lines; each has to be JSON, and to fit a pipe.
    #[track_caller]
    pub(crate) fn parse(text: &str) -> Self {
        let lines = text.split_inclusive('\n').map(|line| {
            assert!(line.len() <= 4096 && line.ends_with('\n'), "{line:?}");
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))
        });
        Self(lines.collect())
    }

    /// Reads a file.
    #[track_caller]
    pub(crate) fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file);
        Self::parse(&text.unwrap_or_else(|error| panic!("{}: {error}", file.display())))
    }

    /// The kinds, in order.
    pub(crate) fn kinds(&self) -> Vec<&str> {
        self.0
            .iter()
            .filter_map(|one| one["kind"].as_str())
            .collect()
    }

    /// All of one kind.
    pub(crate) fn of(&self, kind: &str) -> Vec<&Value> {
        self.0.iter().filter(|one| one["kind"] == kind).collect()
    }

    /// The only one of its kind.
    #[track_caller]
    pub(crate) fn only(&self, kind: &str) -> &Value {
        let found = self.of(kind);
        assert_eq!(found.len(), 1, "{kind}: {:#?}", self.0);
        found[0]
    }

    /// Every line obeys the schema and has no key beyond it, `seq` counts from 1 without a gap, and
    /// `ended` comes last.
    #[track_caller]
    pub(crate) fn check(&self, lab: &Lab) {
        obeys(lab, "leasectl.event-1.schema.json", &self.0);
        let unknown: Vec<_> = self.0.iter().flat_map(unknown_keys).collect();
        assert!(unknown.is_empty(), "not in the schema: {unknown:?}");
        for (at, one) in self.0.iter().enumerate() {
            assert_eq!(one["seq"], json!(at + 1), "{one}");
            assert_eq!(one["run"], self.0[0]["run"], "{one}");
        }
        let last = self.0.last().map(|one| &one["kind"]);
        assert_eq!(last, Some(&json!("ended")), "{:#?}", self.0);
        self.only("ended");
    }
}

/// A schema of the repository.
pub(crate) fn schema(name: &str) -> Value {
    let text = fs::read_to_string(root().join("schemas").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Has every value judged by a schema of the repository.
#[track_caller]
pub(crate) fn obeys(lab: &Lab, name: &str, values: &[Value]) {
    if let Some(why) = judged(lab, name, values) {
        panic!("{why}");
    }
}

/// What the judge has to say against them. Asking it costs a second, so that it is asked once for all.
fn judged(lab: &Lab, name: &str, values: &[Value]) -> Option<String> {
    needs(JUDGE);
    let mut one = schema(name);
    let parts = one.as_object_mut().unwrap();
    let definitions = parts.remove("$defs").unwrap_or_else(|| json!({}));
    let all =
        json!({"$schema": parts["$schema"], "type": "array", "items": one, "$defs": definitions});
    fs::write(lab.path("schema.json"), all.to_string()).unwrap();
    fs::write(lab.path("values.json"), json!(values).to_string()).unwrap();
    let ended = lab.run(
        lab.command(JUDGE)
            .args(["-i", "values.json", "schema.json"]),
    );
    (ended.code() != Some(0)).then(|| ended.to_string())
}

/// Keys that the schema has for no event of this kind: forgotten there, or mistyped here.
fn unknown_keys(event: &Value) -> Vec<String> {
    let schema = schema("leasectl.event-1.schema.json");
    let names = |value: &Value| -> BTreeSet<String> {
        let properties = value["properties"].as_object();
        properties.map_or_else(BTreeSet::new, |all| all.keys().cloned().collect())
    };
    let kinds = schema["allOf"].as_array().unwrap();
    let own = kinds
        .iter()
        .find(|kind| kind["if"]["properties"]["kind"]["const"] == event["kind"])
        .map(|kind| names(&kind["then"]))
        .unwrap_or_default();
    let known: BTreeSet<String> = names(&schema).union(&own).cloned().collect();
    let keys = event.as_object().unwrap().keys();
    keys.filter(|key| !known.contains(*key))
        .map(|key| format!("{}.{key}", event["kind"]))
        .collect()
}

fn example() -> Value {
    json!({
        "schema": "leasectl.event/1", "seq": 1, "at": "2026-03-01T02:00:00.127Z", "boot_s": 1.5,
        "run": "9f0c2d51b7e84a36", "kind": "acquired", "lease": "nightly", "store": "memory:",
        "token": 7, "ttl_s": 30, "waited_s": 0.004, "slot": 0
    })
}

fn the_judge_refuses_what_is_wrong() {
    let lab = Lab::new();
    let name = "leasectl.event-1.schema.json";
    obeys(&lab, name, &[example()]);
    for (key, wrong) in [
        ("token", json!(0)),
        ("kind", json!("acquiered")),
        ("at", json!("2026-03-01T02:00:00Z")),
        ("waited_s", json!("0.004")),
        ("slot", Value::Null),
    ] {
        let mut event = example();
        event[key] = wrong;
        assert!(judged(&lab, name, &[example(), event]).is_some(), "{key}");
    }
    let mut event = example();
    event.as_object_mut().unwrap().remove("ttl_s");
    assert!(judged(&lab, name, &[event]).is_some());
}

fn a_key_that_the_schema_does_not_know_is_found() {
    let mut event = example();
    assert!(unknown_keys(&event).is_empty());
    event["pid"] = json!(7);
    assert_eq!(unknown_keys(&event), ["\"acquired\".pid"]);
}
