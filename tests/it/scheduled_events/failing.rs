//! A service that refuses, fails or says nothing: never a reason for anybody else to ask, nor to believe that
//! an event is gone.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use super::{Machine, changes, lines, rates, role};
use crate::support::lab::PATIENCE;
use crate::support::metadata::Announced;
use crate::support::processes::{comes_true, wait_until};

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_failing_service_is_asked_less_and_nothing_is_gone,
        a_silent_service_is_asked_by_nobody_else,
        another_service_at_that_address_is_said,
        nobody_there_is_said,
        a_late_first_answer_is_waited_for,
    ]
}

fn a_failing_service_is_asked_less_and_nothing_is_gone() {
    let machine = Machine::new();
    let watchers = machine.watchers(3);
    machine.service.announce(Announced::begun("Preempt"));
    for watcher in &watchers {
        wait_until(PATIENCE, "it is told", || lines(watcher).len() == 2);
    }
    for status in [429, 500, 410] {
        machine.service.fail_with(Some(status));
        let since = Instant::now();
        for watcher in &watchers {
            let said = |role_word: &str| role(watcher) == role_word || role(watcher) == "poller";
            wait_until(PATIENCE, "readers know that it is stale", || said("stale"));
        }
        let (most, average) = rates(&machine.service.requests(), since);
        println!("{status}: {average:.2} requests a second, at most {most} in one");
        assert!(
            most <= 2 && average <= 1.2,
            "{status}: {average} a second, {most} in one"
        );
        machine.service.fail_with(None);
        for watcher in &watchers {
            let back = || role(watcher) == "reader" || role(watcher) == "poller";
            wait_until(PATIENCE, "they are back", back);
        }
    }
    for watcher in &watchers {
        assert_eq!(changes(&lines(watcher)), ["appeared", "started"]);
        assert!(!watcher.stderr().contains("direct"), "{}", watcher.stderr());
    }
}

fn a_silent_service_is_asked_by_nobody_else() {
    let machine = Machine::new();
    let watchers = machine.watchers(4);
    machine.service.be_silent(true);
    let since = Instant::now();
    comes_true(Duration::from_secs(6), || false);
    let (_, average) = rates(&machine.service.requests(), since);
    println!("{average:.2} requests a second");
    assert!(average <= 0.7, "{average} requests a second");
    let asking = watchers.iter().filter(|watcher| role(watcher) == "poller");
    assert_eq!(asking.count(), 1);
    machine.service.be_silent(false);
    machine.service.announce(Announced::begun("Preempt"));
    for watcher in &watchers {
        wait_until(PATIENCE, "all hear of the next event", || {
            lines(watcher).len() == 2
        });
    }
}

fn another_service_at_that_address_is_said() {
    let machine = Machine::new();
    machine.service.fail_with(Some(404));
    let ended = machine
        .lab
        .run(&mut machine.sharing(&["list"]))
        .expect_code(123);
    assert!(
        ended
            .stderr
            .contains("there are no Azure scheduled events here"),
        "{ended}"
    );
    assert!(
        ended.stderr.contains("gave no answer that can be used"),
        "{ended}"
    );
}

fn nobody_there_is_said() {
    let machine = Machine::new();
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let words = [
        "scheduled-events",
        "--endpoint",
        &endpoint,
        "--no-coordination",
    ];
    let ended = machine
        .lab
        .run(&mut machine.lab.leasectl(words))
        .expect_code(123);
    assert!(
        ended
            .stderr
            .contains("the metadata service cannot be reached"),
        "{ended}"
    );
}

fn a_late_first_answer_is_waited_for() {
    let machine = Machine::new();
    machine
        .service
        .delay_the_first_answer(Duration::from_secs(7));
    machine.service.announce(Announced::begun("Preempt"));
    let ended = machine
        .lab
        .run(&mut machine.sharing(&["list"]))
        .expect_code(0);
    assert!(ended.stdout.contains("1 event"), "{ended}");
    assert!(
        ended
            .stderr
            .contains("whose first answer may take two minutes"),
        "{ended}"
    );
}
