//! `watch`: what becomes of events, told once each, and a command for each.

use std::time::Duration;

use libtest_mimic::Trial;

use super::{Machine, changes, lines};
use crate::support::lab::PATIENCE;
use crate::support::metadata::{Announced, VM};
use crate::support::processes::wait_until;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        an_event_is_told_from_its_notice_to_its_end,
        the_scenarios_of_the_public_mock_are_told,
        a_command_runs_for_each_change,
        a_watch_ends_when_nobody_reads,
    ]
}

fn an_event_is_told_from_its_notice_to_its_end() {
    let machine = Machine::new();
    let watcher = machine.watcher();
    let told = |count: usize| {
        wait_until(PATIENCE, "it is told", || lines(&watcher).len() >= count);
        lines(&watcher)
    };
    machine
        .service
        .announce(Announced::begun("Freeze").of(&["other_1"]));
    let id = machine
        .service
        .announce(Announced::ours("Redeploy", Duration::from_secs(20)));
    let seen = told(1);
    assert_eq!(seen[0]["event"]["event_id"], id.as_str());
    assert_eq!(seen[0]["event"]["ours"], true);
    assert_eq!(seen[0]["event"]["event_status"], "Scheduled");
    assert!(seen[0]["event"]["not_before_at"].is_string());
    let seen = told(2);
    assert_eq!(seen[1]["event"]["not_before_at"], serde_json::Value::Null);
    machine.service.vanish(&id);
    let seen = told(3);
    assert_eq!(changes(&seen), ["appeared", "started", "gone"]);
    let seqs: Vec<_> = seen
        .iter()
        .map(|line| line["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(seqs, [1, 2, 3]);
}

/// Live migration, a user's reboot, maintenance of the host's agent, a redeploy, and maintenance that is
/// cancelled: what Microsoft's mock server plays.
fn the_scenarios_of_the_public_mock_are_told() {
    let machine = Machine::new();
    let watcher = machine.watcher();
    let mut seen = 0;
    for (kind, duration, cancelled) in [
        ("Freeze", 5, false),
        ("Reboot", -1, false),
        ("Freeze", 9, false),
        ("Redeploy", -1, false),
        ("Freeze", 9, true),
    ] {
        let announced = Announced {
            duration,
            ..Announced::ours(kind, Duration::from_secs(900))
        };
        let id = machine.service.announce(announced);
        let words: &[&str] = if cancelled {
            &["appeared", "gone"]
        } else {
            &["appeared", "started", "gone"]
        };
        for (at, word) in words.iter().enumerate() {
            match *word {
                "gone" => machine.service.vanish(&id),
                // Approving it makes it begin.
                "started" => {
                    let mut ack = machine.sharing(&["ack", &id]);
                    machine.lab.run(&mut ack).expect_code(0);
                }
                _ => {}
            }
            wait_until(PATIENCE, word, || lines(&watcher).len() > seen + at);
            let line = lines(&watcher).remove(seen + at);
            assert_eq!(line["change"], *word, "{line}");
            assert_eq!(line["event"]["event_id"], id.as_str());
            assert_eq!(line["event"]["duration_s"], duration);
        }
        seen += words.len();
    }
}

fn a_command_runs_for_each_change() {
    let machine = Machine::new();
    let id = machine
        .service
        .announce(Announced::begun("Preempt").of(&["other", VM]));
    let command = "echo noise; cat >>lines; echo $LEASECTL_EVENT_CHANGE $LEASECTL_EVENT_ID \
                   $LEASECTL_EVENT_TYPE $LEASECTL_EVENT_STATUS \"<$LEASECTL_EVENT_NOT_BEFORE>\" >>told; \
                   exit 3";
    let words = ["watch", "--count", "2", "--exec", command];
    let ended = machine.lab.run(&mut machine.sharing(&words)).expect_code(0);
    // What the command prints is not among the lines, and what it was told are the lines.
    assert_eq!(ended.stdout, machine.lab.read("lines"));
    let told = format!("appeared {id} Preempt Started <>\nstarted {id} Preempt Started <>\n");
    assert_eq!(machine.lab.read("told"), told);
    assert!(ended.stderr.contains("noise"), "{ended}");
    assert!(
        ended
            .stderr
            .contains("the command of --exec ended with exit status: 3"),
        "{ended}"
    );
}

fn a_watch_ends_when_nobody_reads() {
    let machine = Machine::new();
    let endpoint = machine.service.endpoint();
    let directory = machine.lab.path("events");
    let directory = directory.display();
    let script = format!(
        "leasectl scheduled-events watch --endpoint {endpoint} --cache-dir {directory} | true; echo over"
    );
    let ended = machine.lab.run(&mut machine.lab.sh(&script)).expect_code(0);
    assert_eq!(ended.stdout, "over\n");
}
