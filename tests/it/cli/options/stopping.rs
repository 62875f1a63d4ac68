//! How the command is stopped, and what it leaves behind.

use std::time::Duration;

use super::super::{said, the_line};
use super::{Shown, run};
use crate::support::lab::Lab;
use crate::support::pattern::line_matches;

pub(super) const SHOWN: &[Shown] = &[
    ("--run-timeout", "the command is stopped", run_timeout),
    (
        "--stop-signal",
        "it is the signal that is sent",
        stop_signal,
    ),
    ("--grace", "SIGKILL comes after it", grace),
    ("--leftovers", "stop", leftovers_stop),
    ("--leftovers", "wait", leftovers_wait),
    ("--leftovers", "leave", leftovers_leave),
    (
        "--leftovers-settle",
        "what ends by itself is not told",
        settle,
    ),
];

fn run_timeout() {
    let lab = Lab::new();
    let ended = lab.run(&mut run(
        &lab,
        &["--run-timeout", "300ms"],
        "sleep 600 & sleep 600",
    ));
    let ended = ended.expect_code(124);
    assert!(ended.took >= Duration::from_millis(300), "{ended}");
    assert_eq!(
        said(&lab, &ended),
        [
            "--run-timeout was reached: sending TERM to the whole command, and SIGKILL in 10s",
            "the command ran longer than --run-timeout 300ms; it was stopped"
        ]
    );
    assert!(lab.processes().is_empty());
}

fn stop_signal() {
    let lab = Lab::new();
    let script = "exec 2>/dev/null; trap 'touch told; exit 7' USR1; while :; do sleep 0.05; done";
    let options = ["--run-timeout", "500ms", "--stop-signal", "USR1"];
    let ended = lab.run(&mut run(&lab, &options, script)).expect_code(124);
    assert!(lab.path("told").exists(), "{ended}");
    assert!(
        said(&lab, &ended)[0].contains(": sending USR1 to the whole command"),
        "{ended}"
    );
}

fn grace() {
    let lab = Lab::new();
    let script = "trap '' TERM; while :; do sleep 0.05; done";
    let options = ["--run-timeout", "200ms", "--grace", "700ms"];
    let ended = lab.run(&mut run(&lab, &options, script)).expect_code(124);
    // The default would be 10 s.
    let expected = Duration::from_millis(900)..Duration::from_secs(9);
    assert!(expected.contains(&ended.took), "{ended}");
    let first =
        "--run-timeout was reached: sending TERM to the whole command, and SIGKILL in 700ms";
    assert_eq!(said(&lab, &ended)[0], first);
}

const LEAVE_TWO: &str = "sleep 600 & setsid sleep 601 & sleep 0.2; :";

fn leftovers_stop() {
    let lab = Lab::new();
    for options in [
        &["--leftovers", "stop", "--leftovers-settle", "0s"][..],
        &["--leftovers-settle", "0s"],
    ] {
        let ended = lab.run(&mut run(&lab, options, LEAVE_TWO)).expect_code(0);
        let expected = "the command ended and left ... (sleep), ... (sleep) behind; stopping them \
                        (--leftovers wait or leave changes that)";
        let line = the_line(&lab, &ended);
        assert!(line_matches(expected, &line), "{line}");
        assert!(lab.processes().is_empty());
    }
}

fn leftovers_wait() {
    let lab = Lab::new();
    let options = ["--leftovers", "wait", "--leftovers-settle", "0s"];
    let script = "(sleep 0.5; touch done) & exit 3";
    let ended = lab.run(&mut run(&lab, &options, script)).expect_code(3);
    assert!(lab.path("done").exists(), "{ended}");
    assert_eq!(ended.stderr, "");
}

fn leftovers_leave() {
    let lab = Lab::new();
    let options = ["--leftovers", "leave", "--leftovers-settle", "0s"];
    let ended = lab.run(&mut run(&lab, &options, LEAVE_TWO)).expect_code(0);
    assert_eq!(ended.stderr, "");
    assert_eq!(lab.processes().len(), 2, "they go on");
    lab.run(&mut run(&lab, &[], ":")).expect_code(0);
}

fn settle() {
    let lab = Lab::new();
    let script = "(sleep 0.3; touch done) & exit 3";
    let ended = lab
        .run(&mut run(&lab, &["--leftovers-settle", "30s"], script))
        .expect_code(3);
    assert!(
        lab.path("done").exists() && ended.took < Duration::from_secs(25),
        "{ended}"
    );
    assert_eq!(ended.stderr, "");
    let script = "(sleep 600; :) & exit 3";
    let ended = lab
        .run(&mut run(&lab, &["--leftovers-settle", "0s"], script))
        .expect_code(3);
    assert!(
        the_line(&lab, &ended).contains(" behind; stopping them"),
        "{ended}"
    );
}
