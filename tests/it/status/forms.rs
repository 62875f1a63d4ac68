//! What programs are shown: the object and its schema, and who holds how many.

use std::collections::BTreeSet;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::{holder, lease, object, ran, shown, status};
use crate::cli::the_line;
use crate::support::events::{obeys, schema};
use crate::support::lab::{Lab, PATIENCE};
use crate::support::processes::{send, wait_until};

pub(super) fn trials() -> Vec<Trial> {
    trials![
        every_state_obeys_the_schema,
        a_run_is_the_last_until_the_next_one_is_over,
        a_run_whose_end_nobody_wrote_vanished,
        holders_are_counted,
        forms_that_exclude_each_other_are_refused,
    ]
}

const SCHEMA: &str = "leasectl.status-1.schema.json";

/// The keys of an object that its schema does not have.
fn unknown(value: &Value, definition: &Value) -> Vec<String> {
    let known: BTreeSet<&String> = definition["properties"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    let keys = value.as_object().unwrap().keys();
    keys.filter(|key| !known.contains(key)).cloned().collect()
}

#[track_caller]
fn knows_every_key(seen: &[Value]) {
    let schema = schema(SCHEMA);
    for one in seen {
        assert_eq!(unknown(one, &schema), [""; 0]);
        for lease in one["leases"].as_array().unwrap() {
            assert_eq!(unknown(lease, &schema["$defs"]["lease"]), [""; 0]);
            for holder in lease["holders"].as_array().unwrap() {
                assert_eq!(unknown(holder, &schema["$defs"]["holder"]), [""; 0]);
            }
        }
    }
}

fn every_state_obeys_the_schema() {
    let lab = Lab::new();
    let mut seen = vec![object(&lab, &[]), object(&lab, &["never"])];
    ran(&lab, "free", &[], "exit 1").expect_code(1);
    ran(&lab, "cooldown", &["--min-hold", "10m"], "true").expect_code(0);
    let options = [
        "--note", "n", "--meta", "k=v", "--record", "args", "--ttl", "2s",
    ];
    let held = holder(&lab, "held", &options);
    let pause = ["pause", "-q", "paused", "held", "--reason", "r"];
    lab.run(&mut lab.leasectl(pause)).expect_code(0);
    // One that holds and has no record that can be read.
    let unrecorded = holder(&lab, "unrecorded", &[]);
    std::fs::write(lab.path("store/unrecorded.record"), "nonsense").unwrap();
    seen.push(object(&lab, &[]));
    let states: Vec<&str> = seen[2]["leases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|lease| lease["state"].as_str().unwrap())
        .collect();
    assert_eq!(
        states,
        ["cooldown", "free", "held", "paused", "held"],
        "{seen:?}"
    );
    assert_eq!(seen[0]["leases"], json!([]));
    assert_eq!(seen[1]["leases"][0]["lease"], "never");
    assert_eq!(seen[1]["leases"][0]["last_run"], Value::Null);
    let nobody = &seen[2]["leases"][4]["holders"];
    assert_eq!(nobody.as_array().unwrap().len(), 1);
    assert!(
        nobody[0].as_object().unwrap().values().all(Value::is_null),
        "{nobody}"
    );
    obeys(&lab, SCHEMA, &seen);
    knows_every_key(&seen);
    let first = &seen[2]["leases"][2];
    assert_eq!(first["holders"][0]["pid"], held.id());
    assert_eq!(first["holders"][0]["here"], true);
    assert_eq!(first["holders"][0]["note"], "n");
    assert_eq!(first["holders"][0]["expires_in_s"], Value::Null);
    assert_eq!(first["paused"]["reason"], "r");
    drop(unrecorded);
}

fn a_run_is_the_last_until_the_next_one_is_over() {
    let lab = Lab::new();
    ran(&lab, "a", &[], "true").expect_code(0);
    let first = lease(&lab, "a");
    assert_eq!(first["last_run"]["exit_code"], 0);
    assert_eq!(first["last_success_at"], first["last_run"]["ended_at"]);
    let held = holder(&lab, "a", &[]);
    let during = lease(&lab, "a");
    assert_eq!(during["last_run"], first["last_run"]);
    assert!(during["holders"][0]["token"].as_u64() > first["last_run"]["token"].as_u64());
    held.send(Signal::SIGTERM);
    held.wait(PATIENCE);
    let after = lease(&lab, "a");
    assert_eq!(after["last_run"]["token"], during["holders"][0]["token"]);
    assert_eq!(after["last_run"]["signal"], "TERM");
    assert_eq!(after["last_success_at"], first["last_success_at"]);
}

fn a_run_whose_end_nobody_wrote_vanished() {
    let lab = Lab::new();
    let held = holder(&lab, "a", &[]);
    let token = lease(&lab, "a")["holders"][0]["token"].clone();
    for pid in lab.processes() {
        send(pid, Signal::SIGKILL);
    }
    held.wait(PATIENCE);
    wait_until(PATIENCE, "it is free", || {
        lease(&lab, "a")["state"] == "free"
    });
    let seen = object(&lab, &["a"]);
    obeys(&lab, SCHEMA, std::slice::from_ref(&seen));
    let run = &seen["leases"][0]["last_run"];
    assert_eq!(
        (&run["outcome"], &run["token"]),
        (&json!("vanished"), &token)
    );
    assert_eq!(run["ended_at"], Value::Null);
}

fn holders_are_counted() {
    let lab = Lab::new();
    let blue = ["--holder", "blue"];
    let running = [
        holder(&lab, "one", &[]),
        holder(&lab, "two", &blue),
        holder(&lab, "three", &blue),
        holder(&lab, "unrecorded", &[]),
    ];
    ran(&lab, "free", &[], "true").expect_code(0);
    std::fs::write(lab.path("store/unrecorded.record"), "nonsense").unwrap();
    let text = shown(&lab, &["--by-holder"]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].ends_with(": 4 held, 1 not"), "{text}");
    assert!(
        lines[2].starts_with("blue on ") && lines[2].ends_with("  2       three two"),
        "{text}"
    );
    let others: BTreeSet<&str> = lines[3..]
        .iter()
        .map(|line| line.rsplit("  ").next().unwrap())
        .collect();
    assert_eq!(others, ["one", "unrecorded"].into());
    assert!(
        lines[3..].iter().any(|line| line.starts_with("no record ")),
        "{text}"
    );
    drop(running);
}

fn forms_that_exclude_each_other_are_refused() {
    let lab = Lab::new();
    for words in [
        &["--json", "--prometheus"][..],
        &["--json", "--by-holder"],
        &["--prometheus", "--by-holder"],
        &["--prometheus", "--watch"],
        &["--by-holder", "--watch"],
        &["a", "--check", "--json"],
        &["a", "--check", "--watch"],
        &["a", "--until", "free"],
        &["--only", "lost"],
        &["--count", "1"],
        &["--watch", "--count", "0"],
        &["--watch", "--only", "gone"],
        &["--watch", "--until", "free"],
        &["a", "b", "--watch", "--until", "free"],
        &["a", "--prefix", "b", "--check"],
        &["--check"],
        &["a", "--here"],
        &["a", "--token", "1"],
        &["a", "--check", "--token", "0"],
        &[""],
        &["a\tb"],
    ] {
        let ended = status(&lab, words).expect_code(125);
        assert_eq!(ended.stdout, "", "{words:?}");
        the_line(&lab, &ended);
    }
}
