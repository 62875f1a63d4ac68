//! Being refused, waiting, and keeping others out.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::super::{said, the_line};
use super::{Shown, held, run};
use crate::support::lab::{Lab, PATIENCE};
use crate::support::pattern::line_matches;
use crate::support::processes::wait_until;

pub(super) const SHOWN: &[Shown] = &[
    ("--wait", "it ends in vain", in_vain),
    ("--wait", "it ends with the lease", with_the_lease),
    ("--wait", "forever", forever),
    ("--wait", "0s is one try", one_try),
    ("-w", "the same, short", short),
    ("--held-exit-code", "it is the exit code", exit_code),
    ("-E", "with 0 it is silent", silent),
    ("--min-hold", "others are refused", min_hold_refuses),
    ("--min-hold", "it is waited out", min_hold_is_waited_out),
    ("--min-hold", "it survives SIGKILL", min_hold_survives),
    (
        "--min-hold",
        "it holds however the command ends",
        min_hold_after_a_failure,
    ),
];

const WHO: &str =
    "by ..., pid ... of ..., running sh, since ...Z (... ago), until its last process ends";

fn in_vain() {
    let lab = Lab::new();
    let _holder = held(&lab, &[]);
    let ended = lab.run(&mut run(&lab, &["--wait", "300ms"], "touch ran"));
    let ended = ended.expect_code(120);
    assert!(ended.took >= Duration::from_millis(300), "{ended}");
    let [waiting, refused] = &said(&lab, &ended)[..] else {
        panic!("{ended}");
    };
    assert!(
        line_matches(&format!("x is held: {WHO}; waiting"), waiting),
        "{waiting}"
    );
    let end = "nothing was run, although --wait was 300ms";
    assert!(
        line_matches(&format!("x is held: {WHO}; {end}"), refused),
        "{refused}"
    );
    assert!(!lab.path("ran").exists());
}

fn with_the_lease() {
    after_the_holder("1h");
}

fn forever() {
    after_the_holder("forever");
}

fn after_the_holder(wait: &str) {
    let lab = Lab::new();
    let holder = held(&lab, &[]);
    let waiter = lab.spawn(&mut run(&lab, &["--wait", wait], "touch ran"));
    wait_until(PATIENCE, "it says that it waits", || {
        waiter.stderr().contains("; waiting\n")
    });
    assert!(!lab.path("ran").exists());
    holder.send(Signal::SIGTERM);
    assert_eq!(holder.wait(PATIENCE).signal(), Some(15));
    waiter.wait(PATIENCE).expect_code(0);
    assert!(lab.path("ran").exists());
}

fn one_try() {
    let lab = Lab::new();
    let _holder = held(&lab, &[]);
    let ended = lab
        .run(&mut run(&lab, &["--wait", "0s"], "touch ran"))
        .expect_code(120);
    assert!(ended.took < Duration::from_secs(30), "{ended}");
}

fn short() {
    let lab = Lab::new();
    let _holder = held(&lab, &[]);
    let ended = lab
        .run(&mut run(&lab, &["-w", "200ms"], "touch ran"))
        .expect_code(120);
    assert!(ended.took >= Duration::from_millis(200), "{ended}");
}

fn exit_code() {
    let lab = Lab::new();
    let _holder = held(&lab, &[]);
    let ended = lab.run(&mut run(&lab, &["--held-exit-code", "75"], "touch ran"));
    let line = the_line(&lab, &ended.expect_code(75));
    let end = "nothing was run; --wait DURATION waits for it";
    assert!(
        line_matches(&format!("x is held: {WHO}; {end}"), &line),
        "{line}"
    );
}

/// Cron mails whatever is printed.
fn silent() {
    let lab = Lab::new();
    let _holder = held(&lab, &[]);
    for options in [&["-E", "0"][..], &["-E", "0", "--wait", "100ms"]] {
        let ended = lab.run(&mut run(&lab, options, "touch ran")).expect_code(0);
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""));
    }
    assert!(!lab.path("ran").exists());
}

fn min_hold_refuses() {
    let lab = Lab::new();
    lab.run(&mut run(
        &lab,
        &["--min-hold", "1h", "--note", "daily"],
        ":",
    ))
    .expect_code(0);
    let ended = lab.run(&mut run(&lab, &[], "touch ran")).expect_code(120);
    let expected = "x is in its minimum hold: 59m ...s left, until ...Z, last held by ..., pid ... of ..., \
                    note \"daily\"; nothing was run; --wait DURATION waits for it";
    let line = the_line(&lab, &ended);
    assert!(line_matches(expected, &line), "{line}");
    assert!(!lab.path("ran").exists());
    let ended = lab.run(&mut run(&lab, &["--wait", "100ms", "-q"], "touch ran"));
    let line = the_line(&lab, &ended.expect_code(120));
    assert!(
        line.ends_with("; nothing was run, although --wait was 100ms"),
        "{line}"
    );
    let ended = lab
        .run(&mut run(&lab, &["-E", "0"], "touch ran"))
        .expect_code(0);
    assert_eq!(ended.stderr, "");
}

fn min_hold_is_waited_out() {
    let lab = Lab::new();
    let started = Instant::now();
    lab.run(&mut run(&lab, &["--min-hold", "1500ms"], "false"))
        .expect_code(1);
    lab.run(&mut run(&lab, &["--wait", "1m"], "touch ran"))
        .expect_code(0);
    assert!(started.elapsed() >= Duration::from_millis(1500));
}

fn min_hold_survives() {
    let lab = Lab::new();
    let holder = held(&lab, &["--min-hold", "1h", "--expiry-grace", "0s"]);
    holder.send(Signal::SIGKILL);
    wait_until(PATIENCE, "everything has ended", || {
        lab.processes().is_empty()
    });
    let ended = lab.run(&mut run(&lab, &[], "touch ran")).expect_code(120);
    assert!(
        the_line(&lab, &ended).starts_with("x is in its minimum hold: 59m "),
        "{ended}"
    );
}

fn min_hold_after_a_failure() {
    let lab = Lab::new();
    let mut command = lab.leasectl([
        "run",
        "--lease",
        "x",
        "--min-hold",
        "1h",
        "--",
        "no-such-command",
    ]);
    lab.run(&mut command).expect_code(127);
    lab.run(&mut run(&lab, &[], "touch ran")).expect_code(120);
}
