//! A service that does not answer, and values that cannot be meant.

use std::fs;

use libtest_mimic::Trial;

use super::{LEASE, OBEDIENT, PREEMPT, run, running, two_looks};
use crate::support::lab::{Lab, PATIENCE};
use crate::support::metadata::{Announced, MetadataService};
use crate::support::needs::needs;
use crate::support::processes::wait_until;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        a_silent_service_is_one_warning_and_goes_on_being_asked,
        a_service_that_fails_is_one_warning,
        nobody_there_is_one_warning,
        a_process_that_the_kernel_tells_nothing_looks_and_says_so,
        what_cannot_be_meant_is_refused,
    ]
}

pub(super) fn a_file_that_is_not_there_is_one_warning_and_goes_on_being_looked_at() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let url = service.in_a_file(&lab.path("announced"));
    let file = lab.path("announced");
    fs::remove_file(&file).unwrap();
    let script = format!("{OBEDIENT}; echo ready; while :; do sleep 0.05; done");
    let mut command = lab.leasectl(["run", "--lease", LEASE, "--events", "events"]);
    command.args([
        "--scheduled-events",
        "all",
        "--scheduled-events-endpoint",
        &url,
    ]);
    let running = lab.spawn(command.args(["--", "sh", "-c", &script]));
    wait_until(PATIENCE, "it runs", || running.stdout() == "ready\n");
    two_looks();
    let said = running.stderr();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("announced"), "{said}");
    service.announce(Announced::ours("Preempt", PREEMPT));
    running.wait(PATIENCE).expect_code(118);
}

fn a_silent_service_is_one_warning_and_goes_on_being_asked() {
    let lab = Lab::new();
    let service = MetadataService::start();
    service.be_silent(true);
    let running = running(&lab, &service, &["--scheduled-events", "all"], OBEDIENT);
    two_looks();
    let said = running.stderr();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("going on without knowing"), "{said}");
    service.be_silent(false);
    service.announce(Announced::ours("Preempt", PREEMPT));
    running.wait(PATIENCE).expect_code(118);
}

fn a_service_that_fails_is_one_warning() {
    let lab = Lab::new();
    let service = MetadataService::start();
    service.fail_with(Some(500));
    let script = "sleep 3; echo ran";
    let mut command = run(&lab, &service, &["--scheduled-events", "all"], script);
    let ended = lab.run(&mut command).expect_code(0);
    assert_eq!(ended.stdout, "ran\n");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended}");
}

fn nobody_there_is_one_warning() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let script = "sleep 3; echo ran";
    let mut command = run(&lab, &service, &["--scheduled-events", "all"], script);
    drop(service);
    let ended = lab.run(&mut command).expect_code(0);
    assert_eq!(ended.stdout, "ran\n");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended}");
    // In its own words, and not as somebody who takes his time.
    let why = "the metadata service cannot be reached: Connection refused";
    assert!(ended.stderr.contains(why), "{ended}");
}

fn a_process_that_the_kernel_tells_nothing_looks_and_says_so() {
    needs("userns");
    let lab = Lab::new();
    let service = MetadataService::start();
    let none = "echo 0 >/proc/sys/user/max_inotify_instances && exec leasectl \"$@\"";
    let mut command = lab.command("unshare");
    command.args(["--user", "--map-root-user", "sh", "-c", none, "sh"]);
    command.args(["run", "--lease", LEASE, "-v", "--scheduled-events", "all"]);
    command.args(["--scheduled-events-endpoint", &service.endpoint()]);
    let script = format!("{OBEDIENT}; echo ready; while :; do sleep 0.05; done");
    let running = lab.spawn(command.args(["--", "sh", "-c", &script]));
    wait_until(PATIENCE, "it runs", || running.stdout() == "ready\n");
    service.announce(Announced::ours("Preempt", PREEMPT));
    let ended = running.wait(PATIENCE).expect_code(118);
    assert_eq!(
        ended.stderr.matches("no inotify instance").count(),
        1,
        "{ended}"
    );
}

/// Options, and a word of what is said about them.
const REFUSED: &[(&str, &str)] = &[
    ("--scheduled-events rebot", "reboot"),
    ("--scheduled-events=", "scheduled-events"),
    ("--notice 5m", "scheduled-events"),
    ("--min-duration 5m", "scheduled-events"),
    ("--ack-when-done", "scheduled-events"),
    ("--resource web_0", "scheduled-events"),
    ("--cache-dir x", "scheduled-events"),
    ("--no-coordination", "scheduled-events"),
    ("--scheduled-events all --notice 5", "5s or 5m"),
    (
        "--scheduled-events all --scheduled-events-endpoint x",
        "file:///PATH",
    ),
    (
        "--scheduled-events all --ack-when-done --no-coordination",
        "--no-coordination",
    ),
    (
        "--scheduled-events all --ack-when-done --scheduled-events-endpoint file:///x",
        "cannot be approved",
    ),
    (
        "--scheduled-events all --cache-dir x --scheduled-events-endpoint file:///x",
        "does nothing with a file",
    ),
];

fn what_cannot_be_meant_is_refused() {
    let lab = Lab::new();
    for (options, word) in REFUSED {
        let mut command = lab.leasectl(["run", "--lease", LEASE]);
        let ended = lab
            .run(command.args(options.split(' ')).args(["--", "echo", "ran"]))
            .expect_code(125);
        assert_eq!(ended.stdout, "");
        assert!(ended.stderr.contains(word), "{ended}");
    }
}
