//! The event is due before the command has started.

use std::time::Duration;

use libtest_mimic::Trial;
use serde_json::json;

use super::{LEASE, OBEDIENT, PREEMPT, is_free, run, running};
use crate::support::events::Events;
use crate::support::lab::{Lab, PATIENCE};
use crate::support::metadata::{Announced, MetadataService};
use crate::support::processes::wait_until;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        what_is_due_keeps_the_command_from_starting,
        what_comes_while_waiting_ends_the_wait,
        what_is_far_ahead_keeps_nothing_from_starting,
    ]
}

fn what_is_due_keeps_the_command_from_starting() {
    let lab = Lab::new();
    let events = not_started(&lab);
    events.check(&lab);
    assert!(is_free(&lab));
}

/// A command that is not started, because an event is due.
pub(crate) fn not_started(lab: &Lab) -> Events {
    let service = MetadataService::start();
    let id = service.announce(Announced::ours("Reboot", PREEMPT));
    let options = ["--scheduled-events", "all", "--min-hold", "1h"];
    let ended = lab
        .run(&mut run(lab, &service, &options, "echo ran"))
        .expect_code(118);
    assert_eq!(ended.stdout, "");
    let last = ended.stderr.lines().last().unwrap();
    for word in ["nightly", "Reboot", &id, "nothing was run"] {
        assert!(last.contains(word), "{ended}");
    }
    let events = Events::read(&lab.path("events"));
    let refused = events.only("refused");
    assert_eq!(
        (&refused["reason"], &refused["holders"]),
        (&json!("scheduled_event"), &json!([]))
    );
    assert_eq!(events.only("ended")["outcome"], "scheduled_event");
    assert_eq!(events.of("acquired").len(), 0, "no claim is made");
    assert!(
        !lab.path("store/nightly.record").exists(),
        "no claim is made"
    );
    events
}

fn what_comes_while_waiting_ends_the_wait() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let mut other = lab.leasectl([
        "run",
        "--lease",
        LEASE,
        "--",
        "sh",
        "-c",
        "echo in; exec sleep 600",
    ]);
    let holder = lab.spawn(&mut other);
    wait_until(PATIENCE, "it holds", || holder.stdout() == "in\n");
    let options = ["--scheduled-events", "all", "--wait", "forever"];
    let waiting = lab.spawn(&mut run(&lab, &service, &options, "echo ran"));
    wait_until(PATIENCE, "it waits", || {
        waiting.stderr().contains("waiting")
    });
    service.announce(Announced::ours("Preempt", PREEMPT));
    let ended = waiting.wait(PATIENCE).expect_code(118);
    assert_eq!(ended.stdout, "");
    let events = Events::read(&lab.path("events"));
    events.check(&lab);
    assert_eq!(events.only("refused")["reason"], "scheduled_event");
    // It stands in no queue any more: whoever comes next gets it when the holder ends.
    drop(holder);
    wait_until(PATIENCE, "the lease is free", || is_free(&lab));
}

fn what_is_far_ahead_keeps_nothing_from_starting() {
    let lab = Lab::new();
    let service = MetadataService::start();
    service.announce(Announced::ours("Reboot", Duration::from_secs(3 * 86_400)));
    let started = running(&lab, &service, &["--scheduled-events", "all"], OBEDIENT);
    service.announce(Announced::ours("Preempt", PREEMPT));
    started.wait(PATIENCE).expect_code(118);
}
