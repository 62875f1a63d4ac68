//! Real runs, each with the events that it has to leave, in their order and with their values.

use std::collections::BTreeSet;
use std::process::Command;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::events::{Events, obeys, schema};
use crate::support::lab::{Ended, Lab, PATIENCE};
use crate::support::processes::wait_until;
use crate::support::trial::trial;

/// A course of events: its name, and what leads to it. It ends with what was written.
type Course = (&'static str, fn(&Lab) -> Events);

const COURSES: &[Course] = &[
    ("a run that ends well", ends_well),
    ("a run that a signal kills", killed),
    ("a run that is refused", refused),
    ("a minimum hold", in_cooldown),
    ("a wait", waited),
    ("a lease that is renewed", renewed),
    ("a lease that is not renewed", not_renewed),
    ("a lease that the store says is lost", lost),
    ("a time limit", timed_out),
    ("processes left behind", leftovers),
    ("hooks", hooks),
    ("a run that is repeated", repeated),
    ("a command that is not there", not_there),
    ("a setting that is wrong", wrong),
    ("a signal while waiting", interrupted),
    ("a machine that goes", crate::leaving::not_started),
];

pub(super) fn trials() -> Vec<Trial> {
    let mut trials = trials![
        every_kind_is_seen,
        the_record_obeys_its_schema,
        no_event_holds_a_secret
    ];
    trials.extend(COURSES.iter().map(|(name, course)| {
        let name = format!("it::events::kinds::{}", name.replace(' ', "_"));
        trial(&name, move || {
            let lab = Lab::new();
            course(&lab).check(&lab);
        })
    }));
    trials
}

/// `leasectl run --lease x --events events OPTIONS -- sh -c SCRIPT`.
fn run(lab: &Lab, options: &[&str], script: &str) -> Command {
    let mut command = lab.leasectl(["run", "--lease", "x", "--events", "events"]);
    command.args(options).args(["--", "sh", "-c", script]);
    command
}

fn events(lab: &Lab) -> Events {
    Events::read(&lab.path("events"))
}

#[track_caller]
fn ran(lab: &Lab, options: &[&str], script: &str, code: i32) -> (Ended, Events) {
    let ended = lab.run(&mut run(lab, options, script)).expect_code(code);
    (ended, events(lab))
}

#[track_caller]
fn has(event: &Value, expected: Value) {
    let Value::Object(expected) = expected else {
        panic!("an object is expected");
    };
    for (key, value) in expected {
        assert_eq!(event[&key], value, "{key} of {event}");
    }
}

fn ends_well(lab: &Lab) -> Events {
    let (_, events) = ran(lab, &[], "exit 7", 7);
    assert_eq!(
        events.kinds(),
        ["acquired", "started", "exited", "released", "ended"]
    );
    has(events.only("acquired"), json!({"ttl_s": null, "slot": 0}));
    has(events.only("exited"), json!({"exit_code": 7}));
    has(
        events.only("released"),
        json!({"certain": true, "renewals": 0}),
    );
    has(
        events.only("ended"),
        json!({"outcome": "completed", "exit_code": 7, "command_exit_code": 7, "command_signal": null}),
    );
    let store = format!("file://{}", lab.store().display());
    assert!(events.0.iter().all(|one| one["store"] == json!(store)));
    events
}

fn killed(lab: &Lab) -> Events {
    let ended = lab.run(&mut run(lab, &[], "kill -KILL $$"));
    assert_eq!(ended.signal(), Some(9), "{ended}");
    let events = events(lab);
    has(
        events.only("exited"),
        json!({"signal": "KILL", "exit_code": null}),
    );
    has(
        events.only("ended"),
        json!({"exit_code": 137, "command_exit_code": null, "command_signal": "KILL"}),
    );
    events
}

/// Somebody else, until the lab ends.
fn other(lab: &Lab, options: &[&str]) -> crate::support::lab::Running {
    let mut command = lab.leasectl(["run", "--lease", "x", "--holder", "web3"]);
    command.args(options);
    let running = lab.spawn(command.args(["--", "sh", "-c", "touch held; exec sleep 600"]));
    wait_until(PATIENCE, "it is held", || lab.path("held").exists());
    running
}

fn refused(lab: &Lab) -> Events {
    let other = other(lab, &["--note", "n", "--meta", "a=b", "--record", "args"]);
    let (_, events) = ran(lab, &[], "touch ran", 120);
    assert_eq!(events.kinds(), ["refused", "ended"]);
    let refused = events.only("refused");
    has(refused, json!({"reason": "held", "until_at": null}));
    let holders = refused["holders"].as_array().unwrap();
    assert_eq!(holders.len(), 1, "{refused}");
    has(
        &holders[0],
        json!({"label": "web3", "pid": other.id(), "program": "sh", "note": "n", "meta": {"a": "b"},
               "slot": 0, "expires_in_s": null, "renewed_at": null}),
    );
    assert_eq!(holders[0]["args"][1], "touch held; exec sleep 600");
    has(
        events.only("ended"),
        json!({"outcome": "refused", "exit_code": 120}),
    );
    assert!(!lab.path("ran").exists());
    events
}

fn in_cooldown(lab: &Lab) -> Events {
    let mut first = lab.leasectl(["run", "--lease", "x", "--min-hold", "1h", "--", "true"]);
    lab.run(&mut first).expect_code(0);
    let (_, events) = ran(lab, &[], ":", 120);
    let refused = events.only("refused");
    has(refused, json!({"reason": "cooldown", "holders": []}));
    assert!(refused["until_at"].is_string());
    events
}

fn waited(lab: &Lab) -> Events {
    let other = other(lab, &[]);
    let waiter = lab.spawn(&mut run(lab, &["--wait", "1m"], ":"));
    wait_until(PATIENCE, "it waits", || {
        std::fs::read_to_string(lab.path("events")).is_ok_and(|text| text.contains("waiting"))
    });
    other.send(Signal::SIGTERM);
    waiter.wait(PATIENCE).expect_code(0);
    let events = events(lab);
    assert_eq!(events.kinds()[..2], ["waiting", "acquired"]);
    let waiting = events.only("waiting");
    has(waiting, json!({"state": "held"}));
    has(&waiting["holders"][0], json!({"pid": other.id()}));
    let token = |one: &Value| one["token"].as_u64().unwrap();
    assert!(token(events.only("acquired")) > token(&waiting["holders"][0]));
    assert!(events.only("acquired")["waited_s"].as_f64() > Some(0.0));
    events
}

fn renewed(lab: &Lab) -> Events {
    let options = ["--store", "memory:", "--ttl", "6s", "-q"];
    let (_, events) = ran(lab, &options, "sleep 4", 0);
    let renewals = events.of("renewed");
    assert!(renewals.len() >= 2, "{events:#?}");
    for (at, one) in renewals.iter().enumerate() {
        has(one, json!({"renewals": at + 1}));
        // SIGKILL is due 5 s after the asking.
        let remaining = one["remaining_s"].as_f64().unwrap();
        assert!((3.5..=5.0).contains(&remaining), "{one}");
    }
    has(events.only("released"), json!({"renewals": renewals.len()}));
    has(events.only("acquired"), json!({"ttl_s": 6.0}));
    events
}

fn not_renewed(lab: &Lab) -> Events {
    let options = ["--store", "memory:?answers=1", "--ttl", "2s", "-q"];
    let (_, events) = ran(lab, &options, "sleep 600", 121);
    let kinds = events.kinds();
    let place = |kind: &str| kinds.iter().position(|one| *one == kind).unwrap();
    let order = [
        "renew_failed",
        "doubt",
        "stopping",
        "exited",
        "lost",
        "released",
        "ended",
    ];
    assert!(order.map(place).is_sorted(), "{kinds:?}");
    let failed = events.of("renew_failed");
    let stopping = events.only("stopping");
    for (at, one) in failed.iter().enumerate() {
        // The last attempt may go unanswered when stopping has begun.
        let retries = one["seq"].as_u64() < stopping["seq"].as_u64();
        has(one, json!({"attempt": at + 1, "will_retry": retries}));
    }
    assert!(events.only("doubt")["remaining_s"].as_f64() < Some(1.22));
    has(
        events.only("stopping"),
        json!({"why": "not_renewed", "signal": "TERM"}),
    );
    has(events.only("lost"), json!({"reason": "not_renewed"}));
    has(events.only("released"), json!({"certain": false}));
    has(
        events.only("ended"),
        json!({"outcome": "lost", "exit_code": 121, "command_signal": "TERM"}),
    );
    events
}

fn lost(lab: &Lab) -> Events {
    let options = ["--store", "memory:?lost-after=0", "--ttl", "2s", "-q"];
    let (_, events) = ran(lab, &options, "sleep 600", 121);
    let expected = json!({"why": "lost", "signal": "KILL", "kill_in_s": 0.0});
    has(events.only("stopping"), expected);
    has(events.only("lost"), json!({"reason": "taken"}));
    assert!(events.of("released").is_empty(), "nothing to give back");
    events
}

fn timed_out(lab: &Lab) -> Events {
    let options = ["--run-timeout", "100ms", "--grace", "3s", "-q"];
    let (_, events) = ran(lab, &options, "exec sleep 600", 124);
    let expected = json!({"why": "run_timeout", "signal": "TERM", "kill_in_s": 3.0});
    has(events.only("stopping"), expected);
    has(
        events.only("ended"),
        json!({"outcome": "timed_out", "exit_code": 124}),
    );
    events
}

fn leftovers(lab: &Lab) -> Events {
    let options = ["--leftovers-settle", "0s", "-q"];
    let (_, events) = ran(lab, &options, "sleep 600 & echo $! >left; :", 0);
    let left: u32 = lab.read("left").trim().parse().unwrap();
    let processes = &events.only("leftovers")["processes"];
    assert_eq!(processes[0]["pid"], json!(left));
    has(events.only("stopping"), json!({"why": "leftovers"}));
    events
}

fn hooks(lab: &Lab) -> Events {
    let options = [
        "--on-acquired",
        "kill -9 $$",
        "--on-released",
        "exit 3",
        "-q",
    ];
    let (_, events) = ran(lab, &options, "touch ran", 125);
    assert_eq!(
        events.kinds(),
        ["acquired", "hook", "released", "hook", "ended"]
    );
    let hooks = events.of("hook");
    has(hooks[0], json!({"hook": "acquired", "signal": "KILL"}));
    has(hooks[1], json!({"hook": "released", "exit_code": 3}));
    has(
        events.only("ended"),
        json!({"outcome": "not_started", "exit_code": 125}),
    );
    assert!(!lab.path("ran").exists());
    events
}

fn repeated(lab: &Lab) -> Events {
    let running = lab.spawn(&mut run(lab, &["--restart", "always"], "exit 5"));
    wait_until(PATIENCE, "it pauses", || {
        std::fs::read_to_string(lab.path("events")).is_ok_and(|text| text.contains("restarting"))
    });
    running.send(Signal::SIGTERM);
    assert_eq!(running.wait(PATIENCE).signal(), Some(15));
    let events = events(lab);
    has(events.only("restarting"), json!({"delay_s": 1.0}));
    has(
        events.only("ended"),
        json!({"outcome": "interrupted", "exit_code": 143}),
    );
    events
}

fn not_there(lab: &Lab) -> Events {
    let mut command = lab.leasectl(["run", "--lease", "x", "--events", "events", "--", "nowhere"]);
    lab.run(&mut command).expect_code(127);
    let events = events(lab);
    assert_eq!(events.kinds(), ["acquired", "released", "ended"]);
    has(
        events.only("ended"),
        json!({"outcome": "not_started", "exit_code": 127}),
    );
    events
}

fn wrong(lab: &Lab) -> Events {
    let (_, events) = ran(lab, &["--ttl", "1s"], "touch ran", 125);
    has(
        events.only("ended"),
        json!({"outcome": "invalid", "exit_code": 125, "store": null}),
    );
    events
}

fn interrupted(lab: &Lab) -> Events {
    let _other = other(lab, &[]);
    let waiter = lab.spawn(&mut run(lab, &["--wait", "forever"], "touch ran"));
    wait_until(PATIENCE, "it waits", || {
        std::fs::read_to_string(lab.path("events")).is_ok_and(|text| text.contains("waiting"))
    });
    waiter.send(Signal::SIGINT);
    assert_eq!(waiter.wait(PATIENCE).signal(), Some(2));
    let events = events(lab);
    assert_eq!(events.kinds(), ["waiting", "ended"]);
    has(
        events.only("ended"),
        json!({"outcome": "interrupted", "exit_code": 130}),
    );
    events
}

/// All that the schema describes and this release can say; the rest belongs to what is to come.
fn every_kind_is_seen() {
    let mut seen = BTreeSet::new();
    for (_, course) in COURSES {
        let lab = Lab::new();
        seen.extend(course(&lab).kinds().into_iter().map(ToOwned::to_owned));
    }
    let schema = schema("leasectl.event-1.schema.json");
    let kinds = schema["properties"]["kind"]["enum"].as_array().unwrap();
    let kinds: BTreeSet<String> = kinds
        .iter()
        .map(|kind| kind.as_str().unwrap().to_owned())
        // On standard error only: events/log.rs. And of a server whose clock is the test's: redis/clock.rs.
        .filter(|kind| kind != "log" && kind != "clock_jump")
        .collect();
    assert_eq!(seen, kinds);
}

fn the_record_obeys_its_schema() {
    let lab = Lab::new();
    let mut records = Vec::new();
    let read = |lab: &Lab| -> Value {
        let text = lab.read("store/x.record");
        serde_json::from_str(text.lines().next().unwrap()).unwrap()
    };
    for (options, script) in [
        (
            &["--note", "n", "--meta", "a=b"][..],
            "cp store/x.record during; kill -9 $$",
        ),
        (&["--record", "args", "--min-hold", "1ms"], "exit 0"),
        (&["--record", "nothing"], "exit 3"),
    ] {
        lab.run(&mut run(&lab, options, script));
        records.push(read(&lab));
    }
    let during = lab.read("during");
    records.push(serde_json::from_str(during.lines().next().unwrap()).unwrap());
    assert_eq!(records[0]["ended"]["signal"], "KILL");
    assert_eq!(records[1]["last_run"], records[0]["ended"]);
    obeys(&lab, "leasectl.record-1.schema.json", &records);
}

fn no_event_holds_a_secret() {
    let lab = Lab::new();
    let mut command = run(&lab, &["--record", "args", "-v"], "echo canary-$SECRET");
    command.args(["an argument"]);
    command
        .env("SECRET", "canary")
        .env("LEASECTL_STORE", "etcd://app:canary@db1/0")
        .args(["--"]);
    lab.run(command.arg("x")).expect_code(125);
    let text = lab.read("events");
    assert!(!text.contains("canary"), "{text}");
}
