//! `ack`: an event begins before its time.

use std::time::Duration;

use libtest_mimic::Trial;

use super::{Machine, knows, lines};
use crate::support::lab::PATIENCE;
use crate::support::metadata::{Announced, VM};
use crate::support::processes::wait_until;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        an_approved_event_begins,
        all_approves_what_is_meant,
        what_is_not_announced_is_not_approved,
        a_file_knows_no_approval,
    ]
}

const AHEAD: Duration = Duration::from_secs(900);

fn an_approved_event_begins() {
    let machine = Machine::new();
    let id = machine
        .service
        .announce(Announced::ours("Reboot", AHEAD).of(&[VM, "other_1"]));
    let watcher = machine.watcher();
    wait_until(PATIENCE, "it is announced", || knows(&watcher, &id));
    let words = ["ack", &id.to_lowercase()];
    let ended = machine.lab.run(&mut machine.sharing(&words)).expect_code(0);
    // It says for whom that counts.
    assert!(
        ended
            .stderr
            .contains("for all it is about: \"issue_0\", \"other_1\""),
        "{ended}"
    );
    assert_eq!(machine.service.approved(), [id]);
    wait_until(PATIENCE, "it has begun", || lines(&watcher).len() >= 2);
    assert_eq!(lines(&watcher)[1]["change"], "started");
}

fn all_approves_what_is_meant() {
    let machine = Machine::new();
    let service = &machine.service;
    let ours = service.announce(Announced::ours("Reboot", AHEAD));
    service.announce(Announced::ours("Freeze", AHEAD));
    service.announce(Announced::ours("Reboot", AHEAD).of(&["other_1"]));
    let words = ["ack", "--all", "--types", "reboot"];
    machine.lab.run(&mut machine.sharing(&words)).expect_code(0);
    assert_eq!(service.approved(), [ours]);
    let words = ["ack", "--all", "--types", "preempt"];
    let ended = machine.lab.run(&mut machine.sharing(&words)).expect_code(0);
    assert!(ended.stderr.contains("nothing to approve"), "{ended}");
    assert_eq!(service.approved().len(), 1);
}

fn what_is_not_announced_is_not_approved() {
    let machine = Machine::new();
    let ended = machine
        .lab
        .run(&mut machine.sharing(&["ack", "none"]))
        .expect_code(125);
    assert!(
        ended.stderr.contains("event \"none\" is not announced"),
        "{ended}"
    );
    assert_eq!(machine.service.approved(), [""; 0]);
}

fn a_file_knows_no_approval() {
    let machine = Machine::new();
    let path = machine.lab.path("notices.json");
    std::fs::write(&path, r#"{"Events":[{"EventId":"a"}]}"#).unwrap();
    let endpoint = format!("file://{}", path.display());
    let words = ["scheduled-events", "ack", "a", "--endpoint", &endpoint];
    let ended = machine
        .lab
        .run(&mut machine.lab.leasectl(words))
        .expect_code(125);
    assert!(ended.stderr.contains("cannot be approved"), "{ended}");
}
