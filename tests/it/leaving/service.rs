//! A service that does not answer, and values that cannot be meant.

use std::fs;

use libtest_mimic::Trial;

use super::{LEASE, OBEDIENT, PREEMPT, endpoint, two_looks};
use crate::support::lab::{Lab, PATIENCE};
use crate::support::metadata::{Announced, MetadataService};
use crate::support::processes::wait_until;

pub(super) fn trials() -> Vec<Trial> {
    trials![what_cannot_be_meant_is_refused,]
}

pub(super) fn a_file_that_is_not_there_is_one_warning_and_goes_on_being_looked_at() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let url = endpoint(&lab, &service);
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

fn what_cannot_be_meant_is_refused() {
    let lab = Lab::new();
    for (options, word) in [
        (&["--scheduled-events", "rebot"][..], "reboot"),
        (&["--scheduled-events", ""][..], "scheduled-events"),
        (&["--notice", "5m"][..], "scheduled-events"),
        (
            &["--scheduled-events", "all", "--notice", "5"][..],
            "5s or 5m",
        ),
        (
            &[
                "--scheduled-events",
                "all",
                "--scheduled-events-endpoint",
                "x",
            ][..],
            "file:///PATH",
        ),
    ] {
        let mut command = lab.leasectl(["run", "--lease", LEASE]);
        let ended = lab
            .run(command.args(options).args(["--", "echo", "ran"]))
            .expect_code(125);
        assert_eq!(ended.stdout, "");
        assert!(ended.stderr.contains(word), "{ended}");
    }
}
