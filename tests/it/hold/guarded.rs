//! What becomes of the process when the lease cannot be kept, and of the lease when leasectl is killed.

use std::process::Command;
use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::{LEASE, holding, is_held, nothing_is_left, obedient, stubborn, wait_free};
use crate::support::events::Events;
use crate::support::lab::{Lab, PATIENCE, Running};
use crate::support::processes::{alive, boot_now, guardian_of, send, wait_until};

pub(super) fn trials() -> Vec<Trial> {
    trials![
        when_renewals_stay_away_it_is_asked_at_stop_and_killed_at_kill,
        an_obedient_one_ends_at_stop,
        a_known_loss_asks_it_at_once,
        hooks_tell_of_doubt_and_of_loss,
        a_frozen_front_does_not_keep_the_guardian_from_it,
        without_a_process_a_loss_is_said_and_121,
        a_killed_front_has_it_stopped_and_the_lease_freed,
        a_killed_front_keeps_the_lease_until_a_stubborn_one_is_killed,
        a_killed_guardian_has_it_stopped,
        a_process_that_is_stopped_is_woken_to_hear_it,
        all_killed_at_once_leave_nothing,
        a_hook_is_part_of_it_and_what_it_leaves_is_stopped,
    ]
}

/// A hold in memory, which falls silent after `answers`.
fn silent(lab: &Lab, process: &Running, store: &str) -> Running {
    let mut command: Command = lab.leasectl(["hold", "--lease", LEASE, "--events", "events"]);
    command.args(["--store", store, "--ttl", "6s"]);
    lab.spawn(command.args(["--pid", &process.id().to_string()]))
}

fn boot_of(event: &serde_json::Value) -> f64 {
    event["boot_s"].as_f64().unwrap()
}

fn when_renewals_stay_away_it_is_asked_at_stop_and_killed_at_kill() {
    let lab = Lab::new();
    let process = stubborn(&lab);
    let held = silent(&lab, &process, "memory:?answers=1");
    let ended = held.wait(PATIENCE).expect_code(121);
    let killed = boot_now().as_secs_f64();
    assert_eq!(
        process.wait(PATIENCE).signal(),
        Some(Signal::SIGKILL as i32)
    );
    let text = "section could not be renewed in time: sending TERM to process ";
    assert!(ended.stderr.contains(text), "{ended}");
    let events = Events::read(&lab.path("events"));
    events.check(&lab);
    let (acquired, stopping) = (events.only("acquired"), events.only("stopping"));
    assert_eq!(stopping["why"], "not_renewed");
    // ttl 6s: stop after 4.0s, kill after 5.0s, dead after 5.4s, counted from before the request.
    let stopped = boot_of(stopping) - boot_of(acquired);
    assert!((3.5..4.9).contains(&stopped), "{stopped}");
    assert!(killed - boot_of(acquired) < 5.4 + 2.0, "{events:?}");
}

fn an_obedient_one_ends_at_stop() {
    let lab = Lab::new();
    let process = obedient(&lab);
    let held = silent(&lab, &process, "memory:?answers=1");
    let ended = held.wait(PATIENCE).expect_code(121);
    assert_eq!(
        process.wait(PATIENCE).signal(),
        Some(Signal::SIGTERM as i32)
    );
    assert!(
        ended
            .stderr
            .contains("section could not be renewed in time"),
        "{ended}"
    );
    assert_eq!(
        Events::read(&lab.path("events")).only("ended")["outcome"],
        "lost"
    );
}

fn a_known_loss_asks_it_at_once() {
    let lab = Lab::new();
    let process = obedient(&lab);
    let held = silent(&lab, &process, "memory:?lost-after=0");
    let ended = held.wait(PATIENCE).expect_code(121);
    assert_eq!(
        process.wait(PATIENCE).signal(),
        Some(Signal::SIGTERM as i32)
    );
    assert!(
        ended.stderr.contains("it now belongs to somebody else"),
        "{ended}"
    );
    let events = Events::read(&lab.path("events"));
    let stopping = events.only("stopping");
    assert_eq!(
        (stopping["why"].as_str(), stopping["kill_in_s"].as_f64()),
        (Some("lost"), Some(1.0))
    );
    assert!(
        boot_of(stopping) - boot_of(events.only("acquired")) < 3.5,
        "{events:?}"
    );
}

fn hooks_tell_of_doubt_and_of_loss() {
    let lab = Lab::new();
    let mut command = lab.leasectl(["hold", "--lease", LEASE, "--ttl", "6s"]);
    command.args(["--store", "memory:?answers=1"]);
    command.args(["--on-doubt", "echo $LEASECTL_REMAINING_S >doubt"]);
    command.args(["--on-lost", "echo $LEASECTL_EVENT $LEASECTL_REASON >lost"]);
    lab.run(&mut command).expect_code(121);
    let remaining: f64 = lab.read("doubt").trim().parse().unwrap();
    assert!((0.0..4.0).contains(&remaining), "{remaining}");
    assert_eq!(lab.read("lost"), "lost not_renewed\n");
}

fn a_frozen_front_does_not_keep_the_guardian_from_it() {
    let lab = Lab::new();
    let process = stubborn(&lab);
    let held = silent(&lab, &process, "memory:");
    wait_until(PATIENCE, "it holds", || held.stdout().contains('\n'));
    held.send(Signal::SIGSTOP);
    assert_eq!(
        process.wait(PATIENCE).signal(),
        Some(Signal::SIGKILL as i32)
    );
    held.send(Signal::SIGCONT);
    held.wait(PATIENCE).expect_code(121);
}

fn without_a_process_a_loss_is_said_and_121() {
    let lab = Lab::new();
    let mut command = lab.leasectl(["hold", "--lease", LEASE, "--ttl", "4s"]);
    let ended = lab.run(command.args(["--store", "memory:?lost-after=0"]));
    let ended = ended.expect_code(121);
    let last = ended.stderr.lines().last().unwrap();
    assert_eq!(
        last,
        "leasectl: section was lost: it now belongs to somebody else"
    );
}

fn a_killed_front_has_it_stopped_and_the_lease_freed() {
    let lab = Lab::new();
    let process = obedient(&lab);
    let held = holding(&lab, &["--pid", &process.id().to_string(), "--ttl", "24h"]);
    held.send(Signal::SIGKILL);
    assert_eq!(
        process.wait(PATIENCE).signal(),
        Some(Signal::SIGTERM as i32)
    );
    wait_free(&lab);
    nothing_is_left(&lab);
}

fn a_killed_front_keeps_the_lease_until_a_stubborn_one_is_killed() {
    let lab = Lab::new();
    let process = stubborn(&lab);
    let pid = process.id().to_string();
    let held = holding(&lab, &["--pid", &pid, "--expiry-grace", "2s"]);
    let killed = boot_now();
    held.send(Signal::SIGKILL);
    // It excludes as long as the process lives, without its leasectl.
    while alive(process.id()) {
        let was_alive = boot_now();
        let held = is_held(&lab);
        assert!(
            held || !alive(process.id()),
            "free after {:?}",
            was_alive - killed
        );
    }
    assert!(boot_now() - killed >= Duration::from_secs(2));
    assert_eq!(
        process.wait(PATIENCE).signal(),
        Some(Signal::SIGKILL as i32)
    );
    wait_free(&lab);
    nothing_is_left(&lab);
}

fn a_killed_guardian_has_it_stopped() {
    for (process, grace, signal) in [
        (obedient as fn(&Lab) -> Running, "1h", Signal::SIGTERM),
        (stubborn, "300ms", Signal::SIGKILL),
    ] {
        let lab = Lab::new();
        let process = process(&lab);
        let pid = process.id().to_string();
        let times = ["--ttl", "24h", "--expiry-grace", grace];
        let held = holding(&lab, &[&["--pid", &pid][..], &times].concat());
        send(guardian_of(held.id()), Signal::SIGKILL);
        let ended = held.wait(PATIENCE).expect_code(121);
        assert_eq!(process.wait(PATIENCE).signal(), Some(signal as i32));
        assert_eq!(ended.stderr.matches("the guardian is gone").count(), 1);
        assert!(
            ended.stderr.contains("the guardian of section was killed"),
            "{ended}"
        );
        wait_free(&lab);
        nothing_is_left(&lab);
    }
}

fn a_process_that_is_stopped_is_woken_to_hear_it() {
    let lab = Lab::new();
    let process = obedient(&lab);
    let held = holding(&lab, &["--pid", &process.id().to_string(), "--grace", "1h"]);
    process.send(Signal::SIGSTOP);
    lab.run(&mut lab.leasectl(["release", LEASE]))
        .expect_code(0);
    held.wait(PATIENCE).expect_code(119);
    assert_eq!(
        process.wait(PATIENCE).signal(),
        Some(Signal::SIGTERM as i32)
    );
}

fn all_killed_at_once_leave_nothing() {
    let lab = Lab::new();
    let process = obedient(&lab);
    let held = holding(&lab, &["--pid", &process.id().to_string()]);
    for pid in [held.id(), guardian_of(held.id()), process.id()] {
        send(pid, Signal::SIGKILL);
    }
    wait_free(&lab);
    nothing_is_left(&lab);
}

fn a_hook_is_part_of_it_and_what_it_leaves_is_stopped() {
    let lab = Lab::new();
    let process = obedient(&lab);
    let pid = process.id().to_string();
    let hook = "echo $LEASECTL_TOKEN >token; sleep 600 & echo $! >left";
    let held = holding(
        &lab,
        &[
            "--pid",
            &pid,
            "--on-acquired",
            hook,
            "--on-released",
            "touch back",
        ],
    );
    let left: u32 = lab.read("left").trim().parse().unwrap();
    assert!(held.stdout().contains(lab.read("token").trim()));
    assert!(alive(left));
    process.send(Signal::SIGKILL);
    held.wait(PATIENCE).expect_code(0);
    assert!(!alive(left) && lab.path("back").exists());
    // One that fails holds nothing.
    let failed = lab
        .run(&mut super::hold(&lab, &["--on-acquired", "exit 7"]))
        .expect_code(125);
    assert_eq!(failed.stdout, "");
    let text = "--on-acquired failed with exit code 7; nothing is held";
    assert!(failed.stderr.contains(text), "{failed}");
}
