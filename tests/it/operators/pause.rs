//! `leasectl pause` and `resume`: nobody new gets in, and then everyone may.

use std::fs;

use libtest_mimic::Trial;
use serde_json::json;

use super::{LEASE, OBEDIENT, holder, record, run};
use crate::cli::the_line;
use crate::support::events::Events;
use crate::support::lab::{Lab, PATIENCE};
use crate::support::processes::wait_until;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        a_paused_lease_is_refused_with_who_and_why,
        a_holder_is_left_alone,
        a_waiter_waits_through_a_pause_and_is_told_of_its_end,
        a_pause_ends_by_itself,
        resume_ends_a_minimum_hold,
        nothing_to_resume_is_said,
        one_name_that_fails_keeps_no_other_from_being_paused,
        from_cron_a_pause_is_silent,
        quiet_says_nothing,
        a_pause_has_a_length_that_can_be_written_down,
    ]
}

fn a_paused_lease_is_refused_with_who_and_why() {
    let lab = Lab::new();
    let mut pause = lab.leasectl([
        "pause", LEASE, "other", "--reason", "the disk", "--for", "1h",
    ]);
    let paused = lab.run(&mut pause).expect_code(0);
    let lines: Vec<&str> = paused.stderr.lines().collect();
    assert!(
        lines[0].starts_with("leasectl: nightly is paused by "),
        "{paused}"
    );
    assert!(
        lines[1].starts_with("leasectl: other is paused by "),
        "{paused}"
    );
    assert_eq!((lines.len(), paused.stdout.as_str()), (2, ""), "{paused}");
    let refused = lab.run(&mut run(&lab, &[], "true"));
    let line = the_line(&lab, &refused.expect_code(120));
    assert!(
        line.contains("nightly is paused by ") && line.contains(" until 2"),
        "{line}"
    );
    assert!(
        line.contains(", reason \"the disk\"; nothing was run"),
        "{line}"
    );
    let events = Events::read(&lab.path("events"));
    events.check(&lab);
    let refused = events.only("refused");
    assert_eq!(
        (&refused["reason"], &refused["holders"]),
        (&json!("paused"), &json!([]))
    );
    assert!(refused["until_at"].is_string(), "{refused}");
    let resumed = lab
        .run(&mut lab.leasectl(["resume", LEASE, "other"]))
        .expect_code(0);
    let lines: Vec<&str> = resumed.stderr.lines().collect();
    assert!(
        lines[0].contains("nightly can be had again: it was paused by "),
        "{resumed}"
    );
    assert_eq!(lines.len(), 2, "{resumed}");
    lab.run(&mut run(&lab, &[], "true")).expect_code(0);
}

fn a_holder_is_left_alone() {
    let lab = Lab::new();
    let running = holder(&lab, &[], OBEDIENT);
    let paused = lab.run(&mut lab.leasectl(["pause", LEASE])).expect_code(0);
    let line = the_line(&lab, &paused);
    assert!(
        line.contains("until somebody resumes it; it stays with "),
        "{line}"
    );
    assert!(line.contains(&format!("pid {}", running.id())), "{line}");
    lab.run(&mut run(&lab, &[], "true")).expect_code(120);
    // Maintenance: pause, then release, and nobody gets it.
    lab.run(&mut lab.leasectl(["release", LEASE]))
        .expect_code(0);
    running.wait(PATIENCE).expect_code(119);
    let refused = lab.run(&mut run(&lab, &[], "true")).expect_code(120);
    assert!(refused.stderr.contains("is paused by"), "{refused}");
}

fn a_waiter_waits_through_a_pause_and_is_told_of_its_end() {
    let lab = Lab::new();
    lab.run(&mut lab.leasectl(["pause", LEASE])).expect_code(0);
    let waiter = lab.spawn(&mut run(&lab, &["--wait", "1h"], "echo mine"));
    wait_until(PATIENCE, "it waits", || {
        waiter.stderr().contains("nightly is paused by ")
    });
    lab.run(&mut lab.leasectl(["resume", LEASE])).expect_code(0);
    let ended = waiter.wait(PATIENCE).expect_code(0);
    assert_eq!(ended.stdout, "mine\n");
    let events = Events::read(&lab.path("events"));
    let waiting = events.only("waiting");
    assert_eq!(
        (&waiting["state"], &waiting["holders"]),
        (&json!("paused"), &json!([]))
    );
}

fn a_pause_ends_by_itself() {
    let lab = Lab::new();
    let mut pause = lab.leasectl(["pause", LEASE, "--for", "700ms"]);
    lab.run(&mut pause).expect_code(0);
    let ended = lab
        .run(&mut run(&lab, &["--wait", "1h"], "true"))
        .expect_code(0);
    assert!(ended.took < PATIENCE / 2, "{ended}");
}

fn resume_ends_a_minimum_hold() {
    let lab = Lab::new();
    lab.run(&mut run(&lab, &["--min-hold", "1h"], "true"))
        .expect_code(0);
    lab.run(&mut run(&lab, &[], "true")).expect_code(120);
    let resumed = lab.run(&mut lab.leasectl(["resume", LEASE])).expect_code(0);
    let line = the_line(&lab, &resumed);
    assert!(
        line.contains("it was in its minimum hold until 2"),
        "{line}"
    );
    lab.run(&mut run(&lab, &["--min-hold", "1h"], "true"))
        .expect_code(0);
    lab.run(&mut run(&lab, &[], "true")).expect_code(120);
}

fn nothing_to_resume_is_said() {
    let lab = Lab::new();
    let resumed = lab.run(&mut lab.leasectl(["resume", LEASE])).expect_code(0);
    let line = the_line(&lab, &resumed);
    assert!(
        line.contains("neither paused nor in its minimum hold in file://LAB/store"),
        "{line}"
    );
    assert!(!lab.path("store/nightly.ask").exists());
}

fn one_name_that_fails_keeps_no_other_from_being_paused() {
    let lab = Lab::new();
    fs::create_dir(lab.path("store/bad.ask")).unwrap();
    let paused = lab.run(&mut lab.leasectl(["pause", "bad", LEASE]));
    let paused = paused.expect_code(125);
    assert!(paused.stderr.contains("bad.ask"), "{paused}");
    assert!(paused.stderr.contains("nightly is paused by"), "{paused}");
    // Of names that are none, nothing is done at all.
    lab.run(&mut lab.leasectl(["resume", LEASE, ""]))
        .expect_code(125);
    lab.run(&mut run(&lab, &[], "true")).expect_code(120);
}

fn from_cron_a_pause_is_silent() {
    let lab = Lab::new();
    lab.run(&mut lab.leasectl(["pause", LEASE])).expect_code(0);
    let ended = lab.run(&mut run(&lab, &["-E", "0"], "true")).expect_code(0);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""));
}

fn quiet_says_nothing() {
    let lab = Lab::new();
    for verb in ["pause", "resume"] {
        let done = lab
            .run(&mut lab.leasectl([verb, "--quiet", LEASE]))
            .expect_code(0);
        assert_eq!(done.stderr, "");
    }
    lab.run(&mut run(&lab, &[], "true")).expect_code(0);
    assert_eq!(record(&lab)["ended"]["outcome"], "completed");
}

fn a_pause_has_a_length_that_can_be_written_down() {
    let lab = Lab::new();
    for (span, why) in [
        ("0s", "longer than nothing"),
        ("30", "needs a unit"),
        ("100000d", "more than ten years"),
        ("-1s", "not a duration"),
    ] {
        let paused = lab.run(&mut lab.leasectl(["pause", LEASE, "--for", span]));
        let line = the_line(&lab, &paused.expect_code(125));
        assert!(line.contains(why), "{line}");
    }
    // None of them paused anything.
    lab.run(&mut run(&lab, &[], "true")).expect_code(0);
}
