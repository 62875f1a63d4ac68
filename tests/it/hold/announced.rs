//! Who is told that it is held, and in which form.

use std::fs;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::{LEASE, hold, holding, obedient};
use crate::cli::the_line;
use crate::support::events::{Events, obeys};
use crate::support::lab::{Lab, PATIENCE};
use crate::support::manager::Manager;
use crate::support::processes::{alive, wait_until};

pub(super) fn trials() -> Vec<Trial> {
    trials![
        one_line_says_token_and_process,
        json_obeys_its_schema,
        a_ready_file_is_there_while_it_is_held,
        a_ready_file_of_a_killed_hold_is_replaced_and_another_file_is_not,
        a_ready_descriptor_gets_the_line_and_its_end,
        what_cannot_be_told_fails_the_start,
        a_service_is_ready_when_it_is_held_and_not_before,
        the_record_names_the_process,
        what_is_said_can_be_less_more_or_json,
        times_are_those_that_were_typed,
    ]
}

fn record(lab: &Lab) -> Value {
    let text = lab.read("store/section.record");
    serde_json::from_str(text.lines().next().unwrap()).unwrap()
}

fn one_line_says_token_and_process() {
    let lab = Lab::new();
    let held = holding(&lab, &[]);
    let token = record(&lab)["token"].to_string();
    let line = format!("holding section, token {token}, pid {}\n", held.id());
    assert_eq!(held.stdout(), line);
    held.send(Signal::SIGTERM);
    assert_eq!(held.wait(PATIENCE).expect_code(0).stdout, line);
}

fn json_obeys_its_schema() {
    let lab = Lab::new();
    let ended = lab
        .run(&mut hold(&lab, &["--json", "--for", "1ms"]))
        .expect_code(0);
    let file: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(file["token"], record(&lab)["token"]);
    assert_eq!(file["ttl_s"], json!(null));
    let mut command = hold(
        &lab,
        &[
            "--json", "--for", "1ms", "--store", "memory:", "--ttl", "12s",
        ],
    );
    let ended = lab.run(&mut command).expect_code(0);
    let memory: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(
        (&memory["ttl_s"], &memory["lease"]),
        (&json!(12.0), &json!(LEASE))
    );
    obeys(&lab, "leasectl.hold-1.schema.json", &[file, memory]);
}

fn a_ready_file_is_there_while_it_is_held() {
    let lab = Lab::new();
    let first = holding(&lab, &[]);
    let mut waiter = hold(&lab, &["--wait", "1h", "--ready-file", "ready"]);
    let waiter = lab.spawn(&mut waiter);
    wait_until(PATIENCE, "it waits", || {
        waiter.stderr().contains("; waiting")
    });
    assert!(!lab.path("ready").exists());
    first.send(Signal::SIGTERM);
    first.wait(PATIENCE).expect_code(0);
    wait_until(PATIENCE, "it is ready", || lab.path("ready").exists());
    let read =
        lab.run(&mut lab.sh(". ./ready; echo $LEASECTL_LEASE $LEASECTL_TOKEN $LEASECTL_HOLD_PID"));
    let token = record(&lab)["token"].to_string();
    assert_eq!(read.stdout, format!("{LEASE} {token} {}\n", waiter.id()));
    waiter.send(Signal::SIGTERM);
    waiter.wait(PATIENCE).expect_code(0);
    let left: Vec<_> = fs::read_dir(lab.path("."))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("ready"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

fn a_ready_file_of_a_killed_hold_is_replaced_and_another_file_is_not() {
    let lab = Lab::new();
    let killed = holding(&lab, &["--ready-file", "ready"]);
    wait_until(PATIENCE, "it is ready", || lab.path("ready").exists());
    killed.send(Signal::SIGKILL);
    let ended = killed.wait(PATIENCE);
    assert_eq!(ended.signal(), Some(9));
    assert!(lab.path("ready").exists());
    super::wait_free(&lab);
    let ended = lab.run(&mut hold(&lab, &["--ready-file", "ready", "--for", "1ms"]));
    ended.expect_code(0);
    assert!(!lab.path("ready").exists());
    fs::write(lab.path("mine"), "export PATH\n").unwrap();
    let refused = lab.run(&mut hold(&lab, &["--ready-file", "mine", "--for", "1ms"]));
    let line = the_line(&lab, &refused.expect_code(125));
    assert!(line.contains("there is a file of another kind"), "{line}");
    assert_eq!(lab.read("mine"), "export PATH\n");
}

fn a_ready_descriptor_gets_the_line_and_its_end() {
    let lab = Lab::new();
    let script = "leasectl hold --lease section --ready-fd 7 --for 1h 7>&1 >/dev/null | { read -r line; \
                  echo \"got $line\"; read -r more || echo end; }";
    let running = lab.spawn(&mut lab.sh(script));
    wait_until(PATIENCE, "its end is read", || {
        running.stdout().ends_with("end\n")
    });
    assert!(
        running.stdout().starts_with("got holding section, token "),
        "{running:?}"
    );
    assert!(super::is_held(&lab));
}

fn what_cannot_be_told_fails_the_start() {
    let lab = Lab::new();
    for (words, why) in [
        (["--ready-fd", "9"], "it is not open"),
        (["--ready-fd", "2"], "from 3 on"),
        (["--ready-fd", "x"], "from 3 on"),
        (["--ready-file", "no/where"], "no such file"),
        (["--ready-file", "."], "directory"),
    ] {
        let refused = lab.run(&mut hold(&lab, &words)).expect_code(125);
        let line = the_line(&lab, &refused);
        assert!(line.contains(why), "{line}");
        assert!(!lab.path("store/section.record").exists());
    }
    // Open, but for reading alone.
    let mut script = lab.sh("exec leasectl hold --lease section --ready-fd 9 9</dev/null");
    let line = the_line(&lab, &lab.run(&mut script).expect_code(125));
    assert!(line.contains("not open for writing"), "{line}");
}

fn a_service_is_ready_when_it_is_held_and_not_before() {
    let lab = Lab::new();
    let process = obedient(&lab);
    let first = holding(&lab, &[]);
    let mut manager = Manager::at_a_path(&lab);
    let mut command = hold(&lab, &["--wait", "1h", "--pid", &process.id().to_string()]);
    let command = manager.starts(&mut command).env("WATCHDOG_USEC", "200000");
    let waiter = lab.spawn(command);
    manager.wait_for_status("waiting for section: held by ");
    assert_eq!(manager.count("READY=1"), 0);
    first.send(Signal::SIGTERM);
    first.wait(PATIENCE).expect_code(0);
    manager.wait_for("ready", |message| message.has("READY=1"));
    manager.wait_for_status("holding section since ");
    manager.wait_for("fed", |message| message.has("WATCHDOG=1"));
    waiter.send(Signal::SIGTERM);
    waiter.wait(PATIENCE).expect_code(0);
    manager.wait_for("stopping", |message| message.has("STOPPING=1"));
    assert_eq!(manager.count("READY=1"), 1);
    assert!(alive(process.id()));
}

fn the_record_names_the_process() {
    let lab = Lab::new();
    let process = obedient(&lab);
    let pid = process.id().to_string();
    for (options, program, args) in [
        (&[][..], json!("sleep"), json!(null)),
        (&["--record", "args"], json!("sleep"), json!(["600"])),
        (&["--record", "nothing"], json!(null), json!(null)),
    ] {
        let short = [
            "--for",
            "1ms",
            "--pid",
            &pid,
            "--note",
            "by hand",
            "--holder",
            "me",
            "--meta",
            "team=storage",
        ];
        lab.run(&mut hold(&lab, &[&short[..], options].concat()))
            .expect_code(0);
        let record = record(&lab);
        assert_eq!((&record["program"], &record["args"]), (&program, &args));
        assert_eq!(
            (&record["note"], &record["holder"]["label"]),
            (&json!("by hand"), &json!("me"))
        );
        assert_eq!(record["meta"], json!({"team": "storage"}));
        assert_eq!(record["ended"]["outcome"], "completed");
        assert_eq!(record["ended"]["exit_code"], json!(null));
        assert_eq!(record["last_success_at"], json!(null));
    }
}

fn what_is_said_can_be_less_more_or_json() {
    let lab = Lab::new();
    let said = |options: &[&str]| {
        let all = [&["--for", "1ms"], options].concat();
        lab.run(&mut hold(&lab, &all)).expect_code(0).stderr
    };
    assert_eq!((said(&[]), said(&["-q"])), (String::new(), String::new()));
    let more = said(&["--verbose"]);
    for word in [
        "acquired section on ",
        "guarding no process",
        "released section",
    ] {
        assert!(more.contains(word), "{more}");
    }
    let json = said(&["-v", "--log-format", "json"]);
    let lines: Vec<Value> = json
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(lines.len() >= 3 && lines.iter().all(|line| line["kind"] == "log"));
}

fn times_are_those_that_were_typed() {
    let lab = Lab::new();
    for (words, why) in [
        (&["--ttl", "6s", "--renew-every", "7s"][..], "--renew-every"),
        (&["--max-drift", "2"], "--max-drift"),
        (&["--ttl", "6s", "--expiry-grace", "5s"], "--expiry-grace"),
    ] {
        let line = the_line(&lab, &lab.run(&mut hold(&lab, words)).expect_code(125));
        assert!(line.contains(why), "{line}");
    }
    let often = [
        "--store",
        "memory:",
        "--ttl",
        "10s",
        "--renew-every",
        "1500ms",
    ];
    let held = holding(&lab, &often);
    let renewed = || Events::read(&lab.path("events")).of("renewed").len();
    wait_until(PATIENCE, "it is renewed", || renewed() >= 4);
    held.send(Signal::SIGTERM);
    held.wait(PATIENCE).expect_code(0);
    let events = Events::read(&lab.path("events"));
    let boot = |event: &&Value| event["boot_s"].as_f64().unwrap();
    let at: Vec<f64> = events.of("renewed").iter().map(boot).collect();
    let least = at.windows(2).map(|pair| pair[1] - pair[0]);
    // Two seconds by default.
    let least = least.fold(f64::MAX, f64::min);
    assert!((1.0..1.9).contains(&least), "{at:?}");
}
