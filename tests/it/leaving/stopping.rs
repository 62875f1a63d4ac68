//! The command runs, and an event comes.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use serde_json::json;

use super::{LEASE, OBEDIENT, PREEMPT, STUBBORN, is_free, run, running, so_far, two_looks};
use crate::support::events::Events;
use crate::support::lab::{Lab, PATIENCE};
use crate::support::metadata::{Announced, MetadataService};
use crate::support::processes::wait_until;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        the_next_machine_has_it_before_this_one_goes,
        sigkill_comes_in_time_whatever_the_grace,
        an_event_that_has_started_leaves_five_seconds_at_most,
        only_what_is_wanted_is_a_reason,
        a_hand_over_clears_the_minimum_hold,
        a_command_that_ends_by_itself_keeps_its_own_code,
        an_event_lengthens_no_grace,
        an_event_lengthens_no_lease,
    ]
}

pub(super) fn a_notice_stops_the_command_and_says_so() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let running = running(
        &lab,
        &service,
        &["--scheduled-events", "reboot,preempt"],
        OBEDIENT,
    );
    let id = service.announce(Announced::ours("Preempt", PREEMPT));
    let ended = running.wait(PATIENCE).expect_code(118);
    let last = ended.stderr.lines().last().unwrap();
    for word in [
        "nightly was handed over",
        "Preempt",
        &id,
        "the command was stopped",
    ] {
        assert!(last.contains(word), "{ended}");
    }
    let events = Events::read(&lab.path("events"));
    events.check(&lab);
    let told = events.only("scheduled_event");
    assert_eq!(
        (&told["change"], &told["event_id"]),
        (&json!("appeared"), &json!(id))
    );
    assert_eq!(
        (&told["event_type"], &told["ours"]),
        (&json!("Preempt"), &json!(true))
    );
    let stopping = events.only("stopping");
    assert_eq!(
        (&stopping["why"], &stopping["event_id"]),
        (&json!("scheduled_event"), &json!(id))
    );
    let ended = events.only("ended");
    assert_eq!(
        (&ended["outcome"], &ended["exit_code"]),
        (&json!("scheduled_event"), &json!(118))
    );
    assert_eq!(ended["command_exit_code"], 3);
    assert_eq!(events.only("released")["certain"], true);
    let record: serde_json::Value =
        serde_json::from_str(lab.read("store/nightly.record").lines().next().unwrap()).unwrap();
    assert_eq!(record["ended"]["outcome"], "scheduled_event");
    assert!(is_free(&lab));
}

fn the_next_machine_has_it_before_this_one_goes() {
    for (how, script, at_most) in [
        ("ends on TERM", OBEDIENT, 15.0),
        ("ignores TERM", STUBBORN, 25.0),
    ] {
        let lab = Lab::new();
        let service = MetadataService::start();
        let first = running(&lab, &service, &["--scheduled-events", "all"], script);
        // The other machine hears of no event of ours.
        let mut other = lab.leasectl([
            "run", "--lease", LEASE, "--wait", "forever", "--", "echo", "mine",
        ]);
        let next = lab.spawn(&mut other);
        service.announce(Announced::ours("Preempt", PREEMPT));
        let announced = Instant::now();
        wait_until(PATIENCE, "the other has it", || next.stdout() == "mine\n");
        let took = announced.elapsed().as_secs_f64();
        eprintln!(
            "measured: Preempt announced to lease taken by another, command {how}: {took:.2} s"
        );
        assert!(took < at_most, "{how}: {took} s of 30 s");
        first.wait(PATIENCE).expect_code(118);
        next.wait(PATIENCE).expect_code(0);
    }
}

fn sigkill_comes_in_time_whatever_the_grace() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let options = ["--scheduled-events", "preempt", "--grace", "5m"];
    let running = running(&lab, &service, &options, STUBBORN);
    service.announce(Announced::ours("Preempt", Duration::from_secs(9)));
    let announced = Instant::now();
    running.wait(PATIENCE).expect_code(118);
    let took = announced.elapsed();
    assert!(
        took < Duration::from_secs(9),
        "gone with the machine: {took:?}"
    );
    let events = Events::read(&lab.path("events"));
    let kill_in = events.only("stopping")["kill_in_s"].as_f64().unwrap();
    assert!((0.0..=4.0).contains(&kill_in), "{kill_in}");
    assert_eq!(events.only("exited")["signal"], "KILL");
}

fn an_event_that_has_started_leaves_five_seconds_at_most() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let options = ["--scheduled-events", "reboot", "--grace", "5m"];
    let running = running(&lab, &service, &options, OBEDIENT);
    service.announce(Announced::begun("Reboot"));
    running.wait(PATIENCE).expect_code(118);
    let events = Events::read(&lab.path("events"));
    assert_eq!(
        events.of("scheduled_event")[0]["not_before_at"],
        json!(null)
    );
    let kill_in = events.only("stopping")["kill_in_s"].as_f64().unwrap();
    assert!((4.0..=5.0).contains(&kill_in), "{kill_in}");
}

fn only_what_is_wanted_is_a_reason() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let running = running(
        &lab,
        &service,
        &["--scheduled-events", "redeploy,preempt"],
        OBEDIENT,
    );
    service.announce(Announced::ours("Freeze", PREEMPT));
    service.announce(Announced::ours("Preempt", PREEMPT).of(&["issue_1"]));
    let both = || so_far(&lab, "scheduled_event").len() >= 2;
    wait_until(PATIENCE, "both are told", both);
    // Both were looked at, and a look later the command runs still.
    two_looks();
    assert_eq!(so_far(&lab, "stopping"), [] as [serde_json::Value; 0]);
    service.announce(Announced::ours("Redeploy", PREEMPT));
    running.wait(PATIENCE).expect_code(118);
}

pub(super) fn what_is_far_ahead_is_acted_on_when_it_comes_near() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let options = ["--scheduled-events", "all", "--notice", "20s"];
    let running = running(&lab, &service, &options, OBEDIENT);
    let id = service.announce(Announced::ours("Reboot", Duration::from_secs(23)));
    let announced = Instant::now();
    wait_until(PATIENCE, "it is told", || {
        !so_far(&lab, "scheduled_event").is_empty()
    });
    assert_eq!(so_far(&lab, "stopping").len(), 0, "it is too early");
    running.wait(PATIENCE).expect_code(118);
    // The date has whole seconds.
    let took = announced.elapsed().as_secs_f64();
    assert!((1.5..10.0).contains(&took), "{took}");
    assert_eq!(so_far(&lab, "stopping")[0]["event_id"], json!(id));
}

fn a_hand_over_clears_the_minimum_hold() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let options = ["--scheduled-events", "all", "--min-hold", "1h"];
    let running = running(&lab, &service, &options, OBEDIENT);
    service.announce(Announced::ours("Redeploy", PREEMPT));
    running.wait(PATIENCE).expect_code(118);
    assert!(is_free(&lab), "the next machine may start");
}

fn a_command_that_ends_by_itself_keeps_its_own_code() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let ended = lab.run(&mut run(
        &lab,
        &service,
        &["--scheduled-events", "all"],
        "exit 7",
    ));
    ended.expect_code(7);
    Events::read(&lab.path("events")).check(&lab);
}

/// How long after `first` the command had ended, by the boot clock.
fn from_to_exited(events: &Events, first: &str) -> f64 {
    let at = |kind: &str| events.of(kind)[0]["boot_s"].as_f64().unwrap();
    at("exited") - at(first)
}

fn an_event_lengthens_no_grace() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let options = "--scheduled-events all --run-timeout 2s --grace 4s";
    let options: Vec<&str> = options.split(' ').collect();
    let running = running(&lab, &service, &options, STUBBORN);
    wait_until(PATIENCE, "the run has taken too long", || {
        !so_far(&lab, "stopping").is_empty()
    });
    // Until its date there would be ten minutes.
    service.announce(Announced::ours("Reboot", Duration::from_secs(600)));
    running.wait(PATIENCE).expect_code(124);
    let events = Events::read(&lab.path("events"));
    assert_eq!(events.of("scheduled_event").len(), 1, "it was heard of");
    assert_eq!(events.only("stopping")["why"], "run_timeout");
    let took = from_to_exited(&events, "stopping");
    assert!((3.9..8.0).contains(&took), "{took}");
}

fn an_event_lengthens_no_lease() {
    let lab = Lab::new();
    let service = MetadataService::start();
    // Nothing is renewed, and SIGKILL is due five sixths of a ttl after the asking.
    let options = "--scheduled-events all --store memory:?answers=1 --ttl 15s --grace 5m";
    let options: Vec<&str> = options.split(' ').collect();
    let running = running(&lab, &service, &options, STUBBORN);
    service.announce(Announced::ours("Reboot", Duration::from_secs(600)));
    let ended = running.wait(PATIENCE);
    let events = Events::read(&lab.path("events"));
    assert_eq!(events.of("stopping")[0]["why"], "scheduled_event");
    // What is said of the grace is what there is of the lease.
    let kill_in = events.of("stopping")[0]["kill_in_s"].as_f64().unwrap();
    assert!(kill_in < 12.5, "{kill_in}");
    assert_eq!(events.only("exited")["signal"], "KILL");
    let took = from_to_exited(&events, "acquired");
    assert!((11.0..13.5).contains(&took), "{took}: {ended}");
    assert_eq!(events.only("released")["certain"], false);
    // What it was stopped for stands.
    ended.expect_code(118);
}
