//! `--log-format json`: what is printed on standard error, in the form of events.

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::support::events::{Events, obeys};
use crate::support::lab::Lab;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        every_message_is_an_event,
        the_levels_are_those_of_the_options,
        an_error_is_one_too,
    ]
}

fn logged(lab: &Lab, options: &[&str], code: i32) -> Events {
    let mut command = lab.leasectl(["run", "--lease", "x", "--log-format", "json"]);
    command
        .args(options)
        .args(["--", "sh", "-c", "sleep 600 & :"]);
    let ended = lab.run(&mut command).expect_code(code);
    let events = Events::parse(&ended.stderr);
    obeys(lab, "leasectl.event-1.schema.json", &events.0);
    assert!(events.kinds().iter().all(|kind| *kind == "log"));
    for (at, one) in events.0.iter().enumerate() {
        assert_eq!(one["seq"], json!(at + 1));
    }
    events
}

fn levels(events: &Events) -> Vec<&str> {
    let level = |one: &'_ Value| -> &'static str {
        match one["level"].as_str() {
            Some("error") => "error",
            Some("warn") => "warn",
            Some("info") => "info",
            Some("debug") => "debug",
            other => panic!("{other:?}"),
        }
    };
    events.0.iter().map(level).collect()
}

fn every_message_is_an_event() {
    let lab = Lab::new();
    let events = logged(&lab, &["-v", "--leftovers-settle", "0s"], 0);
    let messages: Vec<_> = events.0.iter().map(|one| one["message"].clone()).collect();
    assert!(
        messages[0]
            .as_str()
            .unwrap()
            .starts_with("acquired x on file:///")
    );
    assert_eq!(levels(&events), ["debug", "debug", "warn", "debug"]);
    let first = &events.0[0];
    assert!(first["token"].is_u64(), "from the acquisition on: {first}");
}

fn the_levels_are_those_of_the_options() {
    let lab = Lab::new();
    let events = logged(&lab, &["--leftovers-settle", "0s"], 0);
    assert_eq!(levels(&events), ["warn"]);
    let events = logged(&lab, &["-q", "--leftovers-settle", "0s"], 0);
    assert!(events.0.is_empty());
}

fn an_error_is_one_too() {
    let lab = Lab::new();
    let events = logged(&lab, &["--ttl", "1s"], 125);
    assert_eq!(levels(&events), ["error"]);
    assert_eq!(events.0[0]["store"], Value::Null);
}
