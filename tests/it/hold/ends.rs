//! When a hold ends: a signal, `--for`, the end of its process or of its input, an operator.

use std::process::Stdio;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use nix::sys::signal::Signal;
use serde_json::json;

use super::{LEASE, hold, holding, is_held, nothing_is_left, obedient, stubborn};
use crate::support::events::Events;
use crate::support::lab::{Lab, PATIENCE};
use crate::support::processes::{alive, wait_until};

pub(super) fn trials() -> Vec<Trial> {
    trials![
        term_int_and_hup_give_it_back,
        other_signals_are_no_reason,
        for_gives_it_back_and_the_process_goes_on,
        the_end_of_the_process_gives_it_back,
        the_end_of_input_gives_it_back,
        an_operator_has_the_process_stopped,
        an_operator_kills_what_does_not_obey,
        an_operator_without_a_process_gets_it_at_once,
        a_process_that_ends_while_it_is_waited_for_ends_the_wait,
        input_that_ends_while_it_is_waited_for_ends_the_wait,
        without_need_from_the_beginning_the_store_decides,
    ]
}

fn term_int_and_hup_give_it_back() {
    for signal in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ] {
        let lab = Lab::new();
        let process = obedient(&lab);
        let held = holding(&lab, &["--pid", &process.id().to_string()]);
        assert!(is_held(&lab));
        held.send(signal);
        held.wait(PATIENCE).expect_code(0);
        assert!(!is_held(&lab) && alive(process.id()));
        let events = Events::read(&lab.path("events"));
        events.check(&lab);
        assert_eq!(events.kinds(), ["acquired", "released", "ended"]);
        let ended = events.only("ended");
        assert_eq!(
            (&ended["outcome"], &ended["exit_code"]),
            (&json!("completed"), &json!(0))
        );
        assert_eq!(ended["command_exit_code"], json!(null));
    }
}

fn other_signals_are_no_reason() {
    let lab = Lab::new();
    let process = obedient(&lab);
    let held = holding(&lab, &["--pid", &process.id().to_string()]);
    for signal in [
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGALRM,
        Signal::SIGWINCH,
    ] {
        held.send(signal);
    }
    assert!(is_held(&lab) && alive(held.id()) && alive(process.id()));
    held.send(Signal::SIGTERM);
    held.wait(PATIENCE).expect_code(0);
}

fn for_gives_it_back_and_the_process_goes_on() {
    let lab = Lab::new();
    let process = obedient(&lab);
    let began = Instant::now();
    let ended = lab.run(&mut hold(
        &lab,
        &["--for", "300ms", "--pid", &process.id().to_string()],
    ));
    ended.expect_code(0);
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert!(alive(process.id()) && !is_held(&lab));
}

fn the_end_of_the_process_gives_it_back() {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let lab = Lab::new();
        let process = obedient(&lab);
        let held = holding(&lab, &["--pid", &process.id().to_string()]);
        process.send(signal);
        held.wait(PATIENCE).expect_code(0);
        assert!(!is_held(&lab));
        nothing_is_left(&lab);
    }
}

fn the_end_of_input_gives_it_back() {
    let lab = Lab::new();
    let mut command = hold(&lab, &["--until-eof"]);
    let (reader, writer) = std::io::pipe().unwrap();
    let held = lab.spawn(command.stdin(Stdio::from(reader)));
    drop(command);
    wait_until(PATIENCE, "it holds", || held.stdout().contains('\n'));
    // What is said to it is no reason to end.
    std::io::Write::write_all(&mut &writer, b"hello\n").unwrap();
    assert!(is_held(&lab));
    drop(writer);
    held.wait(PATIENCE).expect_code(0);
    assert!(!is_held(&lab));
    // Without the option input is not read.
    let lab = Lab::new();
    let held = holding(&lab, &[]);
    assert!(is_held(&lab));
    held.send(Signal::SIGTERM);
    held.wait(PATIENCE).expect_code(0);
}

fn an_operator_has_the_process_stopped() {
    let lab = Lab::new();
    let process = obedient(&lab);
    let held = holding(
        &lab,
        &[
            "--pid",
            &process.id().to_string(),
            "--stop-signal",
            "INT",
            "--ttl",
            "24h",
        ],
    );
    lab.run(&mut lab.leasectl(["release", LEASE, "--reason", "moving"]))
        .expect_code(0);
    let ended = held.wait(PATIENCE).expect_code(119);
    let last = ended.stderr.lines().last().unwrap();
    assert!(
        last.contains("section was handed over: operator "),
        "{ended}"
    );
    let fate = format!("reason \"moving\"; process {} was stopped", process.id());
    assert!(last.ends_with(&fate), "{ended}");
    assert_eq!(process.wait(PATIENCE).signal(), Some(Signal::SIGINT as i32));
    let events = Events::read(&lab.path("events"));
    assert_eq!(events.only("stopping")["why"], "operator");
    assert_eq!(events.only("ended")["outcome"], "operator");
}

fn an_operator_kills_what_does_not_obey() {
    let lab = Lab::new();
    let process = stubborn(&lab);
    let held = holding(
        &lab,
        &["--pid", &process.id().to_string(), "--grace", "300ms"],
    );
    lab.run(&mut lab.leasectl(["release", LEASE]))
        .expect_code(0);
    held.wait(PATIENCE).expect_code(119);
    assert_eq!(
        process.wait(PATIENCE).signal(),
        Some(Signal::SIGKILL as i32)
    );
}

fn an_operator_without_a_process_gets_it_at_once() {
    let lab = Lab::new();
    let held = holding(&lab, &["--grace", "1h"]);
    lab.run(&mut lab.leasectl(["release", LEASE]))
        .expect_code(0);
    held.wait(PATIENCE).expect_code(119);
    nothing_is_left(&lab);
}

fn a_process_that_ends_while_it_is_waited_for_ends_the_wait() {
    let lab = Lab::new();
    let _holder = holding(&lab, &[]);
    let process = obedient(&lab);
    let pid = process.id().to_string();
    let waiter = lab.spawn(&mut hold(&lab, &["--wait", "forever", "--pid", &pid]));
    wait_until(PATIENCE, "it waits", || {
        waiter.stderr().contains("; waiting")
    });
    process.send(Signal::SIGKILL);
    let ended = waiter.wait(PATIENCE).expect_code(120);
    assert!(
        ended
            .stderr
            .ends_with(", and nobody waits for it any more\n"),
        "{ended}"
    );
    assert_eq!(ended.stdout, "");
}

fn input_that_ends_while_it_is_waited_for_ends_the_wait() {
    let lab = Lab::new();
    let _holder = holding(&lab, &[]);
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = lab.leasectl(["hold", "--lease", LEASE, "--events", "waited"]);
    command.args(["--wait", "forever", "--until-eof"]);
    let waiter = lab.spawn(command.stdin(Stdio::from(reader)));
    wait_until(PATIENCE, "it waits", || {
        lab.path("waited").exists() && lab.read("waited").contains("\"waiting\"")
    });
    drop((command, writer));
    let ended = waiter.wait(PATIENCE).expect_code(120);
    assert_eq!(ended.stdout, "");
}

fn without_need_from_the_beginning_the_store_decides() {
    let lab = Lab::new();
    // The lab's commands have no input: it is at its end at once. More than once, as it was once this and once that.
    for _ in 0..10 {
        lab.run(&mut hold(&lab, &["--until-eof"])).expect_code(0);
        assert!(!is_held(&lab));
    }
    let process = obedient(&lab);
    let held = holding(&lab, &["--pid", &process.id().to_string()]);
    for wait in ["0s", "forever"] {
        for _ in 0..10 {
            lab.run(&mut hold(&lab, &["--until-eof", "--wait", wait]))
                .expect_code(120);
        }
    }
    held.send(Signal::SIGTERM);
    held.wait(PATIENCE).expect_code(0);
}
