//! The watchdog: fed by the loop that renews, twice an interval, and by nothing else.

use std::time::Instant;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::super::the_line;
use super::{UNTIL_GO, WATCHDOG, go, run, wait_fed, watched};
use crate::support::lab::{LEASECTL, Lab, PATIENCE, Running};
use crate::support::manager::Manager;
use crate::support::pattern::line_matches;
use crate::support::processes::{comes_true, guardian_of, send, stopped, wait_until};

pub(super) fn trials() -> Vec<Trial> {
    trials![
        the_watchdog_is_fed_while_holding_and_while_waiting,
        a_frozen_front_starves_the_watchdog,
        a_silent_store_does_not_starve_the_watchdog,
        a_frozen_guardian_does_not_starve_the_watchdog,
        the_watchdog_of_another_process_is_not_fed,
        our_own_watchdog_is_fed,
        a_watchdog_that_cannot_be_understood_is_one_warning,
    ]
}

fn the_watchdog_is_fed_while_holding_and_while_waiting() {
    let lab = Lab::new();
    let mut managers = [Manager::abstract_one(), Manager::abstract_one()];
    let mut command = run(&lab, &[], &format!("echo in; {UNTIL_GO}"));
    let holder = lab.spawn(watched(&managers[0], &mut command));
    wait_until(PATIENCE, "the lease is held", || holder.stdout() == "in\n");
    let mut command = run(&lab, &["--wait", "forever"], ":");
    let standby = lab.spawn(watched(&managers[1], &mut command));
    managers[1].wait_for_status("waiting");
    let began = Instant::now();
    wait_until(PATIENCE, "both watchdogs are fed", || {
        for manager in &mut managers {
            manager.listen();
        }
        managers
            .iter()
            .all(|manager| manager.count("WATCHDOG=1") >= 5)
    });
    assert!(
        began.elapsed() > WATCHDOG,
        "fed more often than twice an interval"
    );
    for manager in &managers {
        assert!(
            manager.longest_gap() < WATCHDOG,
            "{:?}",
            manager.longest_gap()
        );
    }
    go(&lab);
    holder.wait(PATIENCE).expect_code(0);
    standby.wait(PATIENCE).expect_code(0);
}

fn a_frozen_front_starves_the_watchdog() {
    let lab = Lab::new();
    let mut manager = Manager::abstract_one();
    let mut command = run(&lab, &[], UNTIL_GO);
    let running = lab.spawn(watched(&manager, &mut command));
    wait_fed(&mut manager, 2);
    running.send(Signal::SIGSTOP);
    wait_until(PATIENCE, "the front stands still", || stopped(running.id()));
    manager.listen();
    let fed = comes_true(WATCHDOG * 2, || !manager.listen().is_empty());
    assert!(!fed, "{:?}", manager.heard);
    running.send(Signal::SIGCONT);
    let before = manager.heard.len();
    wait_fed(&mut manager, before + 1);
    go(&lab);
    running.wait(PATIENCE).expect_code(0);
}

/// Being killed over a doubt would end a command whose lease may still be kept.
fn a_silent_store_does_not_starve_the_watchdog() {
    let lab = Lab::new();
    let mut manager = Manager::abstract_one();
    let options = ["--store", "memory:?answers=1", "--ttl", "10s"];
    let mut command = run(&lab, &options, "sleep 60; :");
    let running = lab.spawn(watched(&manager, &mut command));
    wait_until(PATIENCE, "the run ends", || {
        manager.listen();
        manager.count("STOPPING=1") == 1
    });
    let gap = manager.longest_gap();
    assert!(gap < WATCHDOG, "{gap:?}");
    let expected =
        "nightly in doubt: ...; the command is stopped at 20...Z unless a renewal is answered";
    let said: Vec<&str> = manager.heard.iter().filter_map(|m| m.status()).collect();
    assert!(
        said.iter().any(|one| line_matches(expected, one)),
        "{said:?}"
    );
    let last = "stopping: nightly could not be renewed in time";
    assert!(said.contains(&last), "{said:?}");
    running.wait(PATIENCE).expect_code(121);
}

/// The front deals with it by itself, and says why.
fn a_frozen_guardian_does_not_starve_the_watchdog() {
    let lab = Lab::new();
    let mut manager = Manager::abstract_one();
    let mut command = run(&lab, &[], "sleep 60; :");
    let running = lab.spawn(watched(&manager, &mut command));
    manager.wait_for("the command runs", |message| {
        message
            .status()
            .is_some_and(|text| text.ends_with("running sh"))
    });
    send(guardian_of(running.id()), Signal::SIGSTOP);
    manager.wait_for_status("stopping: the guardian is gone");
    manager.wait_for("STOPPING", |message| message.has("STOPPING=1"));
    let gap = manager.longest_gap();
    assert!(gap < WATCHDOG, "{gap:?}");
    running.wait(PATIENCE).expect_code(121);
}

/// leasectl as the process that the watchdog names, or as its child.
fn started_by_a_shell(lab: &Lab, manager: &Manager, becomes: &str) -> Running {
    let script = format!(
        "export WATCHDOG_USEC=100000 WATCHDOG_PID=$$; {becomes} {LEASECTL} run --lease nightly -- \
         sleep 0.5"
    );
    lab.spawn(manager.starts(&mut lab.sh(&script)))
}

fn the_watchdog_of_another_process_is_not_fed() {
    let lab = Lab::new();
    let mut manager = Manager::abstract_one();
    let ended = started_by_a_shell(&lab, &manager, ":; :;").wait(PATIENCE);
    assert_eq!(ended.expect_code(0).stderr, "");
    manager.listen();
    assert_eq!(
        (manager.count("READY=1"), manager.count("WATCHDOG=1")),
        (1, 0)
    );
}

fn our_own_watchdog_is_fed() {
    let lab = Lab::new();
    let mut manager = Manager::abstract_one();
    let ended = started_by_a_shell(&lab, &manager, "exec").wait(PATIENCE);
    assert_eq!(ended.expect_code(0).stderr, "");
    manager.listen();
    assert!(manager.count("WATCHDOG=1") >= 2, "{:?}", manager.heard);
}

fn a_watchdog_that_cannot_be_understood_is_one_warning() {
    let lab = Lab::new();
    let mut manager = Manager::abstract_one();
    for limit in ["", "0", "-1", "30s", "18446744073709551615"] {
        let mut command = run(&lab, &[], "echo ran");
        let ended = lab.run(manager.starts(command.env("WATCHDOG_USEC", limit)));
        let ended = ended.expect_code(0);
        assert_eq!(ended.stdout, "ran\n");
        let line = the_line(&lab, &ended);
        let expected =
            "the service manager's watchdog is not fed: WATCHDOG_USEC is not a number ...";
        assert!(line_matches(expected, &line), "{line}");
        // Without a service manager there is nobody to feed.
        let ended = lab.run(run(&lab, &[], ":").env("WATCHDOG_USEC", limit));
        assert_eq!(ended.expect_code(0).stderr, "");
        manager.listen();
    }
    assert_eq!(
        (manager.count("READY=1"), manager.count("WATCHDOG=1")),
        (5, 0)
    );
}
