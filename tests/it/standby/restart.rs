//! What `--restart` goes on after, what it does not, and the pauses between.

use std::process::Command;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::script::{self, BY_ITSELF, TOLD, begun};
use super::{LEASE, assert_all_is_over, events_so_far, holder, wait_for};
use crate::cli::the_line;
use crate::support::events::Events;
use crate::support::lab::{Lab, PATIENCE, Running};
use crate::support::processes::{alive, boot_now, guardian_of, send, wait_until};
use crate::support::puppet::Puppets;
use crate::support::witness::Witness;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        a_killed_guardian_leads_to_another_run_with_another_guardian,
        a_guardian_killed_while_waiting_leads_to_another,
        a_lost_lease_leads_to_another_run_after_1s_and_2s,
        the_commands_own_end_ends_on_lost,
        pauses_double_and_term_in_one_ends_it_at_once,
        a_command_that_outlives_term_is_the_last,
        a_time_out_is_an_end_like_another,
        a_wait_with_a_limit_is_refused_in_one_line,
        a_command_that_is_not_there_is_no_reason_to_run_again,
        a_command_that_is_not_there_any_more_was_run_before,
    ]
}

/// `leasectl run --restart POLICY`, with its events in `events`.
fn restarting(lab: &Lab, policy: &str, options: &[&str]) -> Command {
    let mut command = lab.leasectl(["run", "--lease", LEASE, "--events", "events"]);
    command.args(["--restart", policy]).args(options).arg("--");
    command
}

/// The same around the script, under a witness.
fn scripted(lab: &Lab, policy: &str, options: &[&str]) -> (Running, Witness) {
    let witness = Witness::new(lab.path("witness"));
    let mut command = restarting(lab, policy, &[&script::PATIENT, options].concat());
    (lab.spawn(command.args(script::words(&witness))), witness)
}

#[track_caller]
fn wait_begun(lab: &Lab, times: usize) {
    wait_until(PATIENCE, "the command runs", || begun(lab).len() == times);
}

/// The events of a process that has ended.
#[track_caller]
fn told(lab: &Lab) -> Events {
    let events = Events::read(&lab.path("events"));
    for (number, event) in events.0.iter().enumerate() {
        assert_eq!(event["seq"], json!(number + 1), "{event}");
    }
    let ended = events.only("ended");
    assert_eq!(Some(ended), events.0.last());
    events
}

fn delays(events: &[Value]) -> Vec<f64> {
    let all = events.iter().filter(|event| event["kind"] == "restarting");
    all.map(|event| event["delay_s"].as_f64().unwrap())
        .collect()
}

fn a_killed_guardian_leads_to_another_run_with_another_guardian() {
    let lab = Lab::new();
    let (front, witness) = scripted(&lab, "on-lost", &[]);
    wait_begun(&lab, 1);
    let first = guardian_of(front.id());
    send(first, Signal::SIGKILL);
    wait_begun(&lab, 2);
    let both = begun(&lab);
    assert!(both[1].token > both[0].token, "{both:?}");
    assert!(!alive(both[0].pid) && alive(both[1].pid));
    let second = guardian_of(front.id());
    assert_ne!(second, first);
    // It guards: its end takes the command along, without the front.
    front.send(Signal::SIGKILL);
    assert_eq!(front.wait(PATIENCE).signal(), Some(9));
    wait_until(PATIENCE, "the new guardian stops the command", || {
        !alive(both[1].pid) && !alive(second)
    });
    let events = events_so_far(&lab.path("events"));
    let kinds: Vec<_> = events
        .iter()
        .map(|one| one["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "acquired",
            "started",
            "stopping",
            "exited",
            "released",
            "restarting",
            "acquired",
            "started"
        ]
    );
    assert_eq!(events[2]["why"], "internal");
    assert_eq!(events[5]["delay_s"], 1.0);
    assert!(witness.overlaps().is_empty());
    assert_all_is_over(&lab);
}

/// A standby that ended because somebody killed its guardian would stand by no more.
fn a_guardian_killed_while_waiting_leads_to_another() {
    let lab = Lab::new();
    let before = holder(&lab);
    let (front, witness) = scripted(&lab, "on-lost", &[]);
    let file = lab.path("events");
    wait_for(&file, "waiting", 1);
    let first = guardian_of(front.id());
    send(first, Signal::SIGKILL);
    wait_until(PATIENCE, "it waits again, or has ended", || {
        super::count(&file, "waiting") == 2 || !alive(front.id())
    });
    assert!(alive(front.id()), "{}", front.wait(PATIENCE));
    assert_ne!(guardian_of(front.id()), first);
    before.send(Signal::SIGTERM);
    assert_eq!(before.wait(PATIENCE).signal(), Some(15));
    wait_begun(&lab, 1);
    send(begun(&lab)[0].pid, Signal::SIGUSR1);
    front.wait(PATIENCE).expect_code(BY_ITSELF);
    assert!(witness.overlaps().is_empty());
    assert_all_is_over(&lab);
}

fn a_lost_lease_leads_to_another_run_after_1s_and_2s() {
    let lab = Lab::new();
    let options = ["--store", "memory:?lost-after=0", "--ttl", "2s", "-q"];
    let (front, witness) = scripted(&lab, "on-lost", &options);
    let file = lab.path("events");
    wait_for(&file, "restarting", 2);
    let events = events_so_far(&file);
    assert_eq!(delays(&events)[..2], [1.0, 2.0]);
    front.send(Signal::SIGTERM);
    let ended = front.wait(PATIENCE);
    assert_eq!(ended.signal(), Some(15), "{ended}");
    let events = told(&lab);
    for lost in events.of("lost") {
        assert_eq!(lost["reason"], "taken");
    }
    assert!(events.of("lost").len() >= 2);
    let tokens: Vec<_> = events
        .of("acquired")
        .iter()
        .map(|one| one["token"].as_u64())
        .collect();
    assert!(tokens.is_sorted_by(|one, next| one < next), "{tokens:?}");
    assert!(lab.processes().is_empty());
    assert!(witness.overlaps().is_empty());
}

fn the_commands_own_end_ends_on_lost() {
    let lab = Lab::new();
    let (front, _witness) = scripted(&lab, "on-lost", &[]);
    wait_begun(&lab, 1);
    send(begun(&lab)[0].pid, Signal::SIGUSR1);
    front.wait(PATIENCE).expect_code(BY_ITSELF);
    let events = told(&lab);
    assert_eq!(
        events.kinds(),
        ["acquired", "started", "exited", "released", "ended"],
        "{events:#?}"
    );
    assert_eq!(events.only("ended")["command_exit_code"], BY_ITSELF);
    assert_eq!(begun(&lab).len(), 1);
    assert_all_is_over(&lab);
}

fn pauses_double_and_term_in_one_ends_it_at_once() {
    let lab = Lab::new();
    let mut command = restarting(&lab, "always", &[]);
    let front = lab.spawn(command.args(["sh", "-c", "exit 3"]));
    let file = lab.path("events");
    wait_for(&file, "restarting", 3);
    assert_eq!(delays(&events_so_far(&file)), [1.0, 2.0, 4.0]);
    let sent = boot_now().as_secs_f64();
    front.send(Signal::SIGTERM);
    let ended = front.wait(PATIENCE);
    assert_eq!(ended.signal(), Some(15), "{ended}");
    let events = told(&lab);
    let (paused, last) = (events.of("restarting")[2], events.only("ended"));
    let at = |event: &Value| event["boot_s"].as_f64().unwrap();
    // A test that came too late to its own pause has shown nothing.
    assert!(sent < at(paused) + 4.0, "the machine is too busy for this");
    assert!(at(last) < at(paused) + 4.0, "{paused} {last}");
    eprintln!(
        "measured: TERM in a pause to `ended`: {:.1} ms",
        (at(last) - sent) * 1e3
    );
    assert_eq!(last["outcome"], "interrupted");
    assert_eq!(last["exit_code"], 128 + 15);
    assert_eq!(events.of("acquired").len(), 3, "nothing was begun any more");
    // The pauses are kept: by the clock of the events, not by ours.
    for (pause, acquired) in [(0, 1), (1, 2)] {
        let (pause, acquired) = (
            events.of("restarting")[pause],
            events.of("acquired")[acquired],
        );
        let waited = at(acquired) - at(pause);
        assert!(waited >= pause["delay_s"].as_f64().unwrap(), "{waited}");
    }
    assert_all_is_over(&lab);
}

/// The signal is the command's, and says of leasectl that nothing is to follow.
fn a_command_that_outlives_term_is_the_last() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT] {
        let lab = Lab::new();
        let puppets = Puppets::new(&lab, "log", &["main:stubborn"]);
        let mut command = restarting(&lab, "always", &[]);
        let front = lab.spawn(command.args(puppets.command()));
        puppets.wait_ready();
        front.send(signal);
        let word = signal.as_str().trim_start_matches("SIG");
        wait_until(PATIENCE, "the command has heard it", || {
            puppets.of_kind(word).len() == 1
        });
        assert!(alive(front.id()));
        send(puppets.pid("main"), Signal::SIGKILL);
        let ended = front.wait(PATIENCE);
        assert_eq!(ended.signal(), Some(9), "{ended}");
        assert!(told(&lab).of("restarting").is_empty());
        assert_all_is_over(&lab);
    }
}

fn a_time_out_is_an_end_like_another() {
    let lab = Lab::new();
    let (front, witness) = scripted(&lab, "always", &["--run-timeout", "100ms"]);
    wait_for(&lab.path("events"), "restarting", 1);
    wait_for(&lab.path("events"), "started", 2);
    front.send(Signal::SIGTERM);
    let ended = front.wait(PATIENCE);
    // Whichever came first: the time-out of the second run, TERM to it, or TERM in the pause after it.
    let ways = [(Some(124), None), (Some(TOLD), None), (None, Some(15))];
    assert!(ways.contains(&(ended.code(), ended.signal())), "{ended}");
    let events = told(&lab);
    assert_eq!(events.of("stopping")[0]["why"], "run_timeout");
    assert_eq!(events.of("restarting")[0]["delay_s"], 1.0);
    assert!(witness.overlaps().is_empty());
    assert_all_is_over(&lab);
}

fn a_wait_with_a_limit_is_refused_in_one_line() {
    let lab = Lab::new();
    for policy in ["on-lost", "always"] {
        let mut command = restarting(&lab, policy, &["--wait", "5m"]);
        let ended = lab.run(command.args(["touch", "ran"])).expect_code(125);
        let line = the_line(&lab, &ended);
        assert!(
            line.contains("--restart") && line.contains("--wait"),
            "{line}"
        );
    }
    let mut command = restarting(&lab, "on-lost", &["--wait", "forever"]);
    lab.run(command.arg("true")).expect_code(0);
    assert!(!lab.path("ran").exists());
}

fn a_command_that_is_not_there_is_no_reason_to_run_again() {
    let lab = Lab::new();
    let mut command = restarting(&lab, "always", &[]);
    let ended = lab.run(command.arg("no-such-program")).expect_code(127);
    the_line(&lab, &ended);
    assert_eq!(told(&lab).kinds(), ["acquired", "released", "ended"]);
    assert_all_is_over(&lab);
}

fn a_command_that_is_not_there_any_more_was_run_before() {
    let lab = Lab::new();
    let program = lab.path("once");
    std::fs::copy("/bin/rm", &program).unwrap();
    let mut command = restarting(&lab, "always", &[]);
    let ended = lab
        .run(command.arg(&program).arg(&program))
        .expect_code(127);
    let line = ended.stderr.trim_end();
    assert!(line.ends_with("; the command was not run again"), "{line}");
    assert_eq!(told(&lab).of("acquired").len(), 2);
    assert_all_is_over(&lab);
}
