//! What a service manager hears of a run: sd_notify(3) on a real socket, from real processes.

mod watchdog;

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::{said, the_line};
use crate::support::lab::{Lab, PATIENCE, Running};
use crate::support::manager::{Manager, Message};
use crate::support::pattern::line_matches;
use crate::support::processes::wait_until;

pub(super) fn trials() -> Vec<Trial> {
    let mut all = watchdog::trials();
    all.extend(trials![
        a_standby_is_ready_once_and_names_the_holder,
        a_holder_is_ready_at_once,
        who_is_refused_is_never_ready,
        only_the_main_process_speaks,
        a_full_queue_delays_nothing,
        what_found_a_full_queue_is_said_later,
        a_socket_that_cannot_be_reached_is_one_warning,
        a_service_manager_that_goes_is_one_warning,
        a_grace_is_not_cut_off,
        a_loss_is_told,
        the_end_of_one_run_of_many_is_not_the_end,
        foreign_text_stays_one_short_line,
    ]);
    all
}

/// `leasectl run --lease nightly OPTIONS -- sh -c SCRIPT`.
fn run(lab: &Lab, options: &[&str], script: &str) -> Command {
    let mut command = lab.leasectl(["run", "--lease", "nightly"]);
    command.args(options).args(["--", "sh", "-c", script]);
    command
}

/// Holds the lease until a file called `go` is there.
const UNTIL_GO: &str = "until test -e go; do sleep 0.02; done";

fn hold(lab: &Lab, options: &[&str]) -> Running {
    let holder = lab.spawn(&mut run(lab, options, &format!("echo in; {UNTIL_GO}")));
    wait_until(PATIENCE, "the lease is held", || holder.stdout() == "in\n");
    holder
}

fn go(lab: &Lab) {
    std::fs::write(lab.path("go"), "").unwrap();
}

fn a_standby_is_ready_once_and_names_the_holder() {
    let lab = Lab::new();
    let holder = hold(&lab, &["--holder", "web3", "--note", "till noon"]);
    let mut manager = Manager::at_a_path(&lab);
    let mut command = run(&lab, &["--wait", "forever"], "exit 3");
    let standby = lab.spawn(manager.starts(&mut command));
    manager.wait_for("READY", |message| message.has("READY=1"));
    let status = manager.heard[0].status().unwrap();
    let expected = format!(
        "waiting for nightly: held by web3 on ..., pid {} of ..., running sh, since 20...Z, note \
         \"till noon\"",
        holder.id()
    );
    assert!(line_matches(&expected, status), "{status}");
    go(&lab);
    holder.wait(PATIENCE).expect_code(0);
    standby.wait(PATIENCE).expect_code(3);
    manager.wait_for("STOPPING", |message| message.has("STOPPING=1"));
    let said: Vec<&str> = manager.heard.iter().filter_map(|m| m.status()).collect();
    let expected = [
        "holding nightly since 20...Z, token ...",
        "holding nightly since 20...Z, token ..., running sh",
        "finishing: the command ended with exit code 3",
        "finished: the command ended with exit code 3",
    ];
    assert_eq!(said.len(), 1 + expected.len(), "{said:?}");
    for (pattern, status) in expected.iter().zip(&said[1..]) {
        assert!(line_matches(pattern, status), "{status}");
    }
    assert_eq!(
        (manager.count("READY=1"), manager.count("STOPPING=1")),
        (1, 1)
    );
    assert_eq!(manager.count("WATCHDOG=1"), 0, "nobody watches");
}

fn a_holder_is_ready_at_once() {
    let lab = Lab::new();
    let mut manager = Manager::abstract_one();
    let ended = lab.run(manager.starts(&mut run(&lab, &["--record", "nothing"], ":")));
    ended.expect_code(0);
    manager.listen();
    assert!(manager.heard[0].has("READY=1"), "{:?}", manager.heard);
    let last = manager.heard.last().unwrap();
    assert!(last.has("STOPPING=1"), "{:?}", manager.heard);
    assert_eq!(
        (manager.count("READY=1"), manager.count("STOPPING=1")),
        (1, 1)
    );
    let running = manager.heard[1].status().unwrap();
    assert!(running.ends_with(", running the command"), "{running}");
}

fn who_is_refused_is_never_ready() {
    let lab = Lab::new();
    let _holder = hold(&lab, &[]);
    let mut manager = Manager::abstract_one();
    let ended = lab.run(manager.starts(&mut run(&lab, &["-E", "0"], "touch ran")));
    ended.expect_code(0);
    manager.listen();
    assert_eq!(
        (manager.count("READY=1"), manager.count("STOPPING=1")),
        (0, 1)
    );
    let status = manager.heard[0].status().unwrap();
    assert!(
        line_matches("refused: nightly is held by ...", status),
        "{status}"
    );
}

/// With `NotifyAccess=main` nobody else would be heard; and the command is not to be heard.
fn only_the_main_process_speaks() {
    let lab = Lab::new();
    let mut manager = Manager::abstract_one();
    let script = "env | grep -E '^(NOTIFY|WATCHDOG)'; ls -l /proc/self/fd | grep -c socket";
    let mut command = run(&lab, &[], script);
    let running = lab.spawn(manager.starts(command.env("WATCHDOG_USEC", "100000")));
    let front = running.id();
    let ended = running.wait(PATIENCE);
    assert_eq!(ended.stdout, "0\n", "{ended}");
    manager.listen();
    assert!(manager.heard.len() > 3);
    assert!(manager.heard.iter().all(|message| message.sender == front));
}

/// Long beside the time for which a busy machine may forget a process.
const WATCHDOG: Duration = Duration::from_secs(1);

fn watched<'a>(manager: &Manager, command: &'a mut Command) -> &'a mut Command {
    let limit = WATCHDOG.as_micros().to_string();
    manager.starts(command.env("WATCHDOG_USEC", limit))
}

fn wait_fed(manager: &mut Manager, times: usize) {
    wait_until(PATIENCE, "the watchdog is fed", || {
        manager.listen();
        manager.count("WATCHDOG=1") >= times
    });
}

fn a_full_queue_delays_nothing() {
    let lab = Lab::new();
    let mut manager = Manager::at_a_path(&lab);
    manager.stop_reading();
    let mut command = run(&lab, &[], "echo ran; exit 3");
    let ended = lab.run(watched(&manager, &mut command)).expect_code(3);
    assert_eq!(
        (ended.stdout.as_str(), ended.stderr.as_str()),
        ("ran\n", "")
    );
    manager.listen();
    assert_eq!(manager.count("NOISE=1"), manager.heard.len());
}

fn what_found_a_full_queue_is_said_later() {
    let lab = Lab::new();
    let mut manager = Manager::at_a_path(&lab);
    manager.stop_reading();
    let mut command = run(&lab, &[], &format!("echo in; {UNTIL_GO}"));
    let running = lab.spawn(watched(&manager, &mut command));
    wait_until(PATIENCE, "it runs", || running.stdout() == "in\n");
    manager.wait_for("READY", |message| message.has("READY=1"));
    manager.wait_for_status("holding nightly since");
    assert_eq!(manager.count("READY=1"), 1);
    go(&lab);
    running.wait(PATIENCE).expect_code(0);
}

fn a_socket_that_cannot_be_reached_is_one_warning() {
    let lab = Lab::new();
    drop(UnixDatagram::bind(lab.path("dead")).unwrap());
    for (name, expected) in [
        (
            "dead",
            "cannot be reached: connection refused; unset NOTIFY_SOCKET if there is none",
        ),
        (
            "none",
            "cannot be reached: no such file or directory; unset ...",
        ),
        ("store", "cannot be reached: connection refused; unset ..."),
    ] {
        let path = lab.path(name).display().to_string();
        warned(&lab, &path, &format!("socket, NOTIFY_SOCKET, {expected}"));
    }
    warned(
        &lab,
        "@leasectl-test-nobody",
        "cannot be reached: ...; unset ...",
    );
    let unknown =
        "is neither an absolute path nor an abstract name (@NAME); unset NOTIFY_SOCKET, ...";
    warned(&lab, "vsock:2:9999", unknown);
    warned(&lab, "dead", unknown);
}

#[track_caller]
fn warned(lab: &Lab, socket: &str, expected: &str) {
    let mut command = run(lab, &[], "echo ran");
    let ended = lab.run(command.env("NOTIFY_SOCKET", socket)).expect_code(0);
    assert_eq!(ended.stdout, "ran\n");
    let line = the_line(lab, &ended);
    let expected = format!("the service manager is not told: its ...{expected}");
    assert!(line_matches(&expected, &line), "{line}");
    let mut command = run(lab, &["-q"], ":");
    let ended = lab.run(command.env("NOTIFY_SOCKET", socket)).expect_code(0);
    assert_eq!(ended.stderr, "");
}

fn a_service_manager_that_goes_is_one_warning() {
    let lab = Lab::new();
    let mut manager = Manager::abstract_one();
    let mut command = run(&lab, &[], UNTIL_GO);
    let running = lab.spawn(watched(&manager, &mut command));
    wait_fed(&mut manager, 1);
    drop(manager);
    wait_until(PATIENCE, "a warning", || !running.stderr().is_empty());
    go(&lab);
    let ended = running.wait(PATIENCE).expect_code(0);
    let lines = said(&lab, &ended);
    let expected = "the service manager is not told: ...: connection refused; unset ...";
    assert!(
        lines.len() == 1 && line_matches(expected, &lines[0]),
        "{ended}"
    );
}

/// `TimeoutStopSec=` counts from STOPPING on, and may be shorter than the grace.
fn a_grace_is_not_cut_off() {
    let lab = Lab::new();
    let mut manager = Manager::abstract_one();
    let options = ["--run-timeout", "100ms", "--grace", "5m"];
    let mut command = run(&lab, &options, "sleep 60");
    lab.run(manager.starts(&mut command)).expect_code(124);
    manager.listen();
    let stopping = |message: &&Message| message.has("STOPPING=1");
    let first = manager.heard.iter().find(stopping).unwrap();
    assert!(first.has("EXTEND_TIMEOUT_USEC=310000000"), "{first:?}");
    assert_eq!(first.status(), Some("stopping: --run-timeout was reached"));
    assert_eq!(manager.count("STOPPING=1"), 1);
}

fn a_loss_is_told() {
    let lab = Lab::new();
    let mut manager = Manager::abstract_one();
    let options = ["--store", "memory:?lost-after=1", "--ttl", "2s"];
    let mut command = run(&lab, &options, "sleep 60");
    lab.run(manager.starts(&mut command)).expect_code(121);
    manager.wait_for_status("stopping: nightly was lost: it now belongs to somebody else");
    assert_eq!(manager.count("STOPPING=1"), 1);
}

fn foreign_text_stays_one_short_line() {
    let lab = Lab::new();
    let label = format!("a\u{202e}b{}", "x".repeat(200));
    let long = "y".repeat(400);
    let _holder = hold(&lab, &["--holder", &label, "--note", &long]);
    let mut manager = Manager::abstract_one();
    let mut command = run(&lab, &["--wait", "forever"], ":");
    let standby = lab.spawn(manager.starts(&mut command));
    manager.wait_for_status("waiting");
    let status = manager.heard[0].status().unwrap();
    assert!(status.contains(r"held by a\u{202e}bxxx"), "{status}");
    assert_eq!(status.chars().count(), 301, "{status}");
    assert!(status.ends_with('…'), "{status}");
    standby.send(Signal::SIGTERM);
    assert_eq!(standby.wait(PATIENCE).signal(), Some(15));
    manager.wait_for_status("ended by TERM while waiting for nightly; nothing was run");
}

/// STOPPING would have the service manager end what is about to run again.
fn the_end_of_one_run_of_many_is_not_the_end() {
    let lab = Lab::new();
    let mut manager = Manager::at_a_path(&lab);
    let options = ["-q", "--restart", "always", "--run-timeout", "100ms"];
    let running = lab.spawn(manager.starts(&mut run(&lab, &options, "exec sleep 600")));
    wait_until(PATIENCE, "it pauses for the second time", || {
        manager.listen();
        let all = manager.heard.iter().filter_map(|message| message.status());
        all.filter(|text| text.starts_with("queueing")).count() == 2
    });
    assert_eq!(manager.count("STOPPING=1"), 0, "{:?}", manager.heard);
    assert_eq!(manager.count("READY=1"), 1);
    running.send(Signal::SIGTERM);
    running.wait(PATIENCE);
    manager.wait_for("STOPPING", |message| message.has("STOPPING=1"));
    assert_eq!(manager.count("STOPPING=1"), 1);
}
