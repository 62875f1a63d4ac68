//! `list`: what is announced, chosen and shown.

use std::fs;
use std::time::Duration;

use libtest_mimic::Trial;
use serde_json::Value;

use super::Machine;
use crate::support::events::obeys;
use crate::support::lab::Ended;
use crate::support::metadata::{Announced, VM};

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_table_shows_what_is_announced,
        events_are_chosen,
        json_obeys_its_schema,
        the_next_list_reads_the_cache,
        a_name_that_is_typed_goes_before_the_services,
        a_file_is_a_source_too,
        what_cannot_be_meant_is_said,
    ]
}

const AHEAD: Duration = Duration::from_secs(900);

fn events(ended: &Ended) -> Vec<String> {
    let list: Value = serde_json::from_str(&ended.stdout).unwrap();
    let events = list["events"].as_array().unwrap().iter();
    events
        .map(|event| event["event_type"].as_str().unwrap().to_owned())
        .collect()
}

fn a_table_shows_what_is_announced() {
    let machine = Machine::new();
    let ended = machine.lab.run(&mut machine.sharing(&[])).expect_code(0);
    assert_eq!(ended.stdout, format!("{VM}: nothing is announced\n"));
    let id = machine.service.announce(Announced::ours("Reboot", AHEAD));
    machine
        .service
        .announce(Announced::begun("Freeze").of(&["other_1"]));
    let ended = machine
        .lab
        .run(&mut machine.bare(&["list", "--no-coordination"]));
    let ended = ended.expect_code(0);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(
        lines[0],
        format!("{VM}: 1 event; 1 more is not shown (--all-resources)")
    );
    assert!(lines[1].starts_with("EVENT"), "{ended}");
    assert!(
        lines[2].contains(&id) && lines[2].contains("Reboot"),
        "{ended}"
    );
    assert!(lines[2].contains("in 14m"), "{ended}");
    assert_eq!(lines.len(), 3);
}

fn events_are_chosen() {
    let machine = Machine::new();
    let service = &machine.service;
    service.announce(Announced {
        duration: 9,
        ..Announced::ours("Freeze", AHEAD)
    });
    service.announce(Announced::ours("Reboot", AHEAD));
    service.announce(Announced::ours("Redeploy", AHEAD).of(&["other_1"]));
    for (words, chosen) in [
        (vec![], vec!["Freeze", "Reboot"]),
        (vec!["--types", "reboot,preempt"], vec!["Reboot"]),
        (vec!["--types", "all"], vec!["Freeze", "Reboot"]),
        (vec!["--min-duration", "10s"], vec!["Reboot"]),
        (vec!["--min-duration", "9s"], vec!["Freeze", "Reboot"]),
        (
            vec!["--all-resources"],
            vec!["Freeze", "Reboot", "Redeploy"],
        ),
        (vec!["--resource", "OTHER_1"], vec!["Redeploy"]),
        (
            vec!["--resource", "x", "--resource", VM],
            vec!["Freeze", "Reboot"],
        ),
    ] {
        let words = [vec!["list", "--json"], words].concat();
        let ended = machine.lab.run(&mut machine.sharing(&words)).expect_code(0);
        assert_eq!(events(&ended), chosen, "{words:?}");
    }
}

fn json_obeys_its_schema() {
    let machine = Machine::new();
    machine.service.announce(Announced::ours("Reboot", AHEAD));
    machine.service.announce(Announced::begun("Preempt"));
    let ended = machine
        .lab
        .run(&mut machine.sharing(&["--json"]))
        .expect_code(0);
    let watcher = machine.sharing(&["watch", "--count", "3"]);
    let watched = machine.lab.run(&mut { watcher }).expect_code(0);
    let mut lines = vec![serde_json::from_str(&ended.stdout).unwrap()];
    lines.extend(
        watched
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap()),
    );
    assert_eq!(lines.len(), 4, "{watched}");
    obeys(
        &machine.lab,
        "leasectl.scheduled_events-1.schema.json",
        &lines,
    );
    let list: Value = lines.remove(0);
    assert_eq!(list["vm"], VM);
    assert_eq!(list["source"], "service");
    assert_eq!(list["incarnation"], 3);
    assert!(list["age_s"].as_f64().unwrap() < 5.0);
}

fn the_next_list_reads_the_cache() {
    let machine = Machine::new();
    let watcher = machine.watchers(1);
    let list = || {
        machine
            .lab
            .run(&mut machine.sharing(&["--json"]))
            .expect_code(0)
    };
    let list: Value = serde_json::from_str(&list().stdout).unwrap();
    assert_eq!(list["source"], "cache");
    assert_eq!(list["vm"], VM);
    drop(watcher);
}

fn a_name_that_is_typed_goes_before_the_services() {
    let machine = Machine::new();
    machine.service.announce(Announced::ours("Reboot", AHEAD));
    let ended = machine
        .lab
        .run(&mut machine.sharing(&["--resource", "elsewhere"]));
    let ended = ended.expect_code(0);
    assert!(
        ended
            .stdout
            .starts_with("elsewhere: nothing is announced; 1 more"),
        "{ended}"
    );
}

fn a_file_is_a_source_too() {
    let machine = Machine::new();
    let path = machine.lab.path("notices.json");
    let text = r#"{"Events":[{"EventId":"a\u001b[2J","EventType":"x"},
        {"EventId":"b","EventType":"Spot\u202e","Resources":["web_0"]}]}"#;
    fs::write(&path, text).unwrap();
    let endpoint = format!("file://{}", path.display());
    let words = [
        "scheduled-events",
        "--endpoint",
        &endpoint,
        "--resource",
        "web_0",
    ];
    let ended = machine
        .lab
        .run(&mut machine.lab.leasectl(words))
        .expect_code(0);
    assert!(ended.stdout.starts_with("web_0: 1 event\n"), "{ended}");
    assert!(ended.stdout.contains(r"Spot\u{202e}"), "{ended}");
    assert!(ended.stderr.contains("control characters"), "{ended}");
    assert!(!ended.stderr.contains('\u{1b}'), "{ended}");
    assert_eq!(machine.service.requests().len(), 0);
}

fn what_cannot_be_meant_is_said() {
    let machine = Machine::new();
    for (words, why) in [
        (
            vec!["--exec", "true"],
            "--exec belongs to leasectl scheduled-events watch",
        ),
        (
            vec!["watch", "--json"],
            "--json belongs to leasectl scheduled-events list",
        ),
        (
            vec!["list", "some-id"],
            "an EVENT_ID belongs to leasectl scheduled-events ack",
        ),
        (vec!["ack"], "nothing is to be approved"),
        (
            vec!["--types", "reboot,"],
            "write it as reboot,preempt, or all",
        ),
        (
            vec!["--endpoint", "http://localhost"],
            "with a literal address",
        ),
        (
            vec!["--api-version", "1 HTTP/1.1"],
            "write it as 2020-07-01",
        ),
        (
            vec!["--cache-dir", "x", "--no-coordination"],
            "--no-coordination",
        ),
    ] {
        let words = [vec!["scheduled-events"], words].concat();
        let ended = machine
            .lab
            .run(&mut machine.lab.leasectl(&words))
            .expect_code(125);
        assert!(ended.stderr.contains(why), "{words:?}: {ended}");
    }
}
