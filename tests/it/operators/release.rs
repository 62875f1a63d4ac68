//! `leasectl release`: the holder is asked, stops its command, and says who asked.

use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;
use nix::unistd::{User, geteuid, gethostname};
use serde_json::json;

use super::{LEASE, OBEDIENT, STUBBORN, holder, record, run};
use crate::cli::the_line;
use crate::support::events::Events;
use crate::support::lab::{Lab, PATIENCE};
use crate::support::needs::needs;
use crate::support::processes::wait_until;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        a_holder_that_is_asked_stops_its_command_and_says_who_asked,
        a_command_that_does_not_obey_is_killed_after_the_grace,
        a_lease_that_nobody_holds_needs_no_release,
        a_wait_that_runs_out_is_120_and_the_request_stands,
        without_waiting_it_only_asks,
        the_next_in_the_queue_gets_it_and_is_named,
        a_standby_queues_again_one_ttl_later,
        a_frozen_holder_is_waited_for_and_obeys_when_it_goes_on,
        a_holder_that_cannot_be_told_hears_it_with_its_renewal,
        a_request_that_comes_with_the_end_of_the_command_changes_no_exit_code,
        a_hand_over_ends_a_minimum_hold,
        several_operators_at_once_all_get_their_answer,
        quiet_says_nothing,
        what_cannot_be_a_reason_is_refused,
    ]
}

fn me() -> String {
    let user = User::from_uid(geteuid()).unwrap().unwrap().name;
    format!("{user}@{}", gethostname().unwrap().to_str().unwrap())
}

fn a_holder_that_is_asked_stops_its_command_and_says_who_asked() {
    let lab = Lab::new();
    // Its next renewal is hours away: the request is pushed.
    let running = holder(&lab, &["--ttl", "24h"], OBEDIENT);
    let pid = running.id();
    let reason = "moving the disk";
    let asked = lab.run(&mut lab.leasectl(["release", LEASE, "--reason", reason]));
    let asked = asked.expect_code(0);
    let lines: Vec<&str> = asked.stderr.lines().collect();
    let [told, done] = lines[..] else {
        panic!("{asked}")
    };
    let who = format!("pid {pid} of ");
    assert!(
        told.starts_with("leasectl: asked ") && told.contains(&who),
        "{told}"
    );
    assert!(
        told.ends_with(", running sh to give nightly back; waiting up to 1m"),
        "{told}"
    );
    assert!(
        done.starts_with("leasectl: nightly was given back after "),
        "{done}"
    );
    assert_eq!(asked.stdout, "");
    let ended = running.wait(PATIENCE).expect_code(119);
    let last = ended.stderr.lines().last().unwrap();
    let by = me();
    for word in [
        format!("nightly was handed over: operator {by} asked for it at "),
        format!(", reason \"{reason}\"; the command was stopped"),
    ] {
        assert!(last.contains(&word), "{ended}");
    }
    the_record_and_the_events_say_so(&lab, &by, reason);
    lab.run(&mut run(&lab, &[], "true")).expect_code(0);
}

fn the_record_and_the_events_say_so(lab: &Lab, by: &str, reason: &str) {
    let end = &record(lab)["ended"];
    assert_eq!(end["outcome"], "operator");
    assert_eq!(end["exit_code"], 3);
    assert_eq!((&end["by"], &end["reason"]), (&json!(by), &json!(reason)));
    let events = Events::read(&lab.path("events"));
    events.check(lab);
    let stopping = events.only("stopping");
    assert_eq!(
        (&stopping["why"], &stopping["signal"]),
        (&json!("operator"), &json!("TERM"))
    );
    assert_eq!(
        (&stopping["by"], &stopping["reason"]),
        (&json!(by), &json!(reason))
    );
    let told = events.only("ended");
    assert_eq!(
        (&told["outcome"], &told["exit_code"]),
        (&json!("operator"), &json!(119))
    );
    assert_eq!(told["command_exit_code"], 3);
}

fn a_command_that_does_not_obey_is_killed_after_the_grace() {
    let lab = Lab::new();
    let running = holder(
        &lab,
        &["--grace", "300ms", "--stop-signal", "TERM"],
        STUBBORN,
    );
    lab.run(&mut lab.leasectl(["release", LEASE]))
        .expect_code(0);
    running.wait(PATIENCE).expect_code(119);
    assert_eq!(record(&lab)["ended"]["signal"], "KILL");
    let events = Events::read(&lab.path("events"));
    assert_eq!(events.only("stopping")["kill_in_s"], 0.3);
    assert_eq!(events.only("exited")["signal"], "KILL");
}

fn a_lease_that_nobody_holds_needs_no_release() {
    let lab = Lab::new();
    let asked = lab
        .run(&mut lab.leasectl(["release", LEASE]))
        .expect_code(0);
    let line = the_line(&lab, &asked);
    assert!(
        line.contains("nightly is not held in file://LAB/store"),
        "{line}"
    );
    assert!(line.ends_with("; nothing to release"), "{line}");
}

fn a_wait_that_runs_out_is_120_and_the_request_stands() {
    let lab = Lab::new();
    let running = holder(&lab, &["--grace", "1h"], STUBBORN);
    let asked = lab.run(&mut lab.leasectl(["release", LEASE, "--wait", "200ms"]));
    let asked = asked.expect_code(120);
    assert!(asked.took >= Duration::from_millis(200), "{asked}");
    let line = asked.stderr.lines().last().unwrap();
    assert!(
        line.starts_with("leasectl: nightly is still held: by "),
        "{line}"
    );
    assert!(line.contains(&format!("pid {}", running.id())), "{line}");
    assert!(
        line.contains("the request stands; --wait waits longer"),
        "{line}"
    );
    // One graceful stop is enough: a second request changes nothing.
    lab.run(&mut lab.leasectl(["release", LEASE, "-w", "0s"]))
        .expect_code(120);
    let events = Events::read(&lab.path("events"));
    events.only("stopping");
}

fn without_waiting_it_only_asks() {
    let lab = Lab::new();
    let running = holder(&lab, &["--grace", "1h"], STUBBORN);
    let asked = lab.run(&mut lab.leasectl(["release", LEASE, "--wait", "0s"]));
    let asked = asked.expect_code(120);
    assert!(asked.stderr.contains("; not waiting for it\n"), "{asked}");
    wait_until(PATIENCE, "it is told", || {
        running.stderr().contains("asked for nightly")
    });
}

fn the_next_in_the_queue_gets_it_and_is_named() {
    let lab = Lab::new();
    // It obeys when the file is there.
    let script = "trap 'while [ ! -e go ]; do sleep 0.05; done; exit 3' TERM";
    let first = holder(&lab, &[], script);
    let mut next = run(
        &lab,
        &["--wait", "1m", "--holder", "next"],
        "echo mine; sleep 60",
    );
    let next = lab.spawn(&mut next);
    wait_until(PATIENCE, "it waits", || next.stderr().contains("; waiting"));
    let asked = lab.spawn(&mut lab.leasectl(["release", LEASE]));
    wait_until(PATIENCE, "it is asked", || {
        asked.stderr().contains("asked ")
    });
    // In the moment between two holders it would be seen free: this one does not look then.
    asked.send(Signal::SIGSTOP);
    std::fs::write(lab.path("go"), "").unwrap();
    first.wait(PATIENCE).expect_code(119);
    wait_until(PATIENCE, "it runs", || next.stdout() == "mine\n");
    asked.send(Signal::SIGCONT);
    let asked = asked.wait(PATIENCE).expect_code(0);
    let line = asked.stderr.lines().last().unwrap();
    assert!(line.contains("nightly was given back after "), "{line}");
    assert!(line.contains("; it is now held: by next on "), "{line}");
}

fn a_standby_queues_again_one_ttl_later() {
    let lab = Lab::new();
    let running = holder(&lab, &["--restart", "always", "--ttl", "2s"], OBEDIENT);
    lab.run(&mut lab.leasectl(["release", LEASE]))
        .expect_code(0);
    wait_until(PATIENCE, "it runs again", || {
        running.stdout() == "ready\nready\n"
    });
    let events = Events::read(&lab.path("events"));
    assert_eq!(events.only("restarting")["delay_s"], 2.0);
    let acquired = events.of("acquired");
    let boot = |event: &serde_json::Value| event["boot_s"].as_f64().unwrap();
    let released = boot(events.of("released")[0]);
    assert!(boot(acquired[1]) - released >= 2.0, "{acquired:?}");
    running.send(Signal::SIGTERM);
    running.wait(PATIENCE).expect_code(3);
}

fn a_frozen_holder_is_waited_for_and_obeys_when_it_goes_on() {
    let lab = Lab::new();
    let running = holder(&lab, &[], OBEDIENT);
    running.send(Signal::SIGSTOP);
    let asked = lab.spawn(&mut lab.leasectl(["release", LEASE]));
    wait_until(PATIENCE, "it is asked", || {
        asked.stderr().contains("asked ")
    });
    running.send(Signal::SIGCONT);
    running.wait(PATIENCE).expect_code(119);
    asked.wait(PATIENCE).expect_code(0);
}

/// Where no inotify instance is to be had, nothing is pushed.
fn a_holder_that_cannot_be_told_hears_it_with_its_renewal() {
    needs("userns");
    let lab = Lab::new();
    let script = "echo 0 >/proc/sys/user/max_inotify_instances && exec \"$@\"";
    let mut command = lab.command("unshare");
    command.args([
        "--user",
        "--map-root-user",
        "sh",
        "-c",
        script,
        "sh",
        "leasectl",
    ]);
    command.args([
        "run", "--lease", LEASE, "--ttl", "4s", "--events", "events", "--", "sh", "-c",
    ]);
    let running = lab.spawn(command.arg(format!("{OBEDIENT}; echo ready; {}", super::LOOP)));
    wait_until(PATIENCE, "it runs", || running.stdout() == "ready\n");
    // In its beginning it looks once by itself.
    wait_until(PATIENCE, "it renews", || {
        lab.read("events").contains("\"renewed\"")
    });
    lab.run(&mut lab.leasectl(["release", LEASE]))
        .expect_code(0);
    running.wait(PATIENCE).expect_code(119);
    let events = Events::read(&lab.path("events"));
    let kinds = events.kinds();
    let stopping = kinds.iter().position(|kind| *kind == "stopping").unwrap();
    assert_eq!(kinds[stopping - 1], "renewed", "{kinds:?}");
}

fn a_request_that_comes_with_the_end_of_the_command_changes_no_exit_code() {
    let lab = Lab::new();
    let script = "leasectl release nightly --wait 0s; exit 7";
    let mut command = run(&lab, &["--grace", "1m"], script);
    command.env(
        "LEASECTL_STORE",
        format!("file://{}", lab.store().display()),
    );
    let ended = lab.run(&mut command);
    // Asked from inside: either the request was heard before the command's end, or it was not.
    let outcome = record(&lab)["ended"]["outcome"].clone();
    match ended.code() {
        Some(7) => assert_eq!(outcome, "completed", "{ended}"),
        Some(119) => assert_eq!(outcome, "operator", "{ended}"),
        _ => panic!("{ended}"),
    }
}

fn a_hand_over_ends_a_minimum_hold() {
    let lab = Lab::new();
    let running = holder(&lab, &["--min-hold", "1h"], OBEDIENT);
    lab.run(&mut lab.leasectl(["release", LEASE]))
        .expect_code(0);
    running.wait(PATIENCE).expect_code(119);
    lab.run(&mut run(&lab, &[], "true")).expect_code(0);
}

fn several_operators_at_once_all_get_their_answer() {
    for _ in 0..5 {
        let lab = Lab::new();
        let running = holder(&lab, &[], OBEDIENT);
        let all: Vec<_> = (0..6)
            .map(|_| lab.spawn(&mut lab.leasectl(["release", LEASE])))
            .collect();
        for one in all {
            one.wait(PATIENCE).expect_code(0);
        }
        running.wait(PATIENCE).expect_code(119);
        Events::read(&lab.path("events")).only("stopping");
    }
}

fn quiet_says_nothing() {
    let lab = Lab::new();
    let running = holder(&lab, &["--quiet"], OBEDIENT);
    let asked = lab
        .run(&mut lab.leasectl(["release", "-q", LEASE]))
        .expect_code(0);
    assert_eq!(asked.stderr, "");
    running.wait(PATIENCE).expect_code(119);
}

fn what_cannot_be_a_reason_is_refused() {
    let lab = Lab::new();
    let long = "x".repeat(513);
    for (reason, why) in [("a\u{1b}[31m", "U+001B"), (&long, "the limit is 512")] {
        let asked = lab.run(&mut lab.leasectl(["release", LEASE, "--reason", reason]));
        let line = the_line(&lab, &asked.expect_code(125));
        assert!(line.contains(why), "{line}");
    }
}
