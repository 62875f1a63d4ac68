//! Who is told what happens, and whether a further run follows. Their courses stand in `events/`, `hooks/`
//! and `standby/`; here each option shows that it does something.

use nix::sys::signal::Signal;

use super::super::said;
use super::{Shown, run};
use crate::support::events::Events;
use crate::support::lab::{Lab, PATIENCE};
use crate::support::processes::wait_until;

pub(super) const SHOWN: &[Shown] = &[
    ("--on-acquired", "it runs before the command", on_acquired),
    (
        "--on-doubt",
        "it runs when a renewal is unanswered",
        on_doubt,
    ),
    ("--on-lost", "it runs when the lease is lost", on_lost),
    ("--on-released", "it runs after the release", on_released),
    ("--events", "they are written there", events),
    ("--log-format", "messages are events", log_format),
    ("--restart", "it runs again", restart),
];

fn on_acquired() {
    let lab = Lab::new();
    lab.run(&mut run(
        &lab,
        &["--on-acquired", "touch hook"],
        "test -e hook",
    ))
    .expect_code(0);
}

fn on_doubt() {
    lost_with("--on-doubt");
}

fn on_lost() {
    lost_with("--on-lost");
}

fn lost_with(option: &str) {
    let lab = Lab::new();
    let options = [
        "-q",
        "--store",
        "memory:?answers=1",
        "--ttl",
        "2s",
        option,
        "touch hook",
    ];
    lab.run(&mut run(&lab, &options, "sleep 600"))
        .expect_code(121);
    assert!(lab.path("hook").exists());
}

fn on_released() {
    let lab = Lab::new();
    lab.run(&mut run(
        &lab,
        &["--on-released", "touch hook"],
        "test ! -e hook",
    ))
    .expect_code(0);
    assert!(lab.path("hook").exists());
}

fn events() {
    let lab = Lab::new();
    lab.run(&mut run(&lab, &["--events", "events"], ":"))
        .expect_code(0);
    assert_eq!(Events::read(&lab.path("events")).of("ended").len(), 1);
}

fn log_format() {
    let lab = Lab::new();
    let ended = lab.run(&mut run(&lab, &["-v", "--log-format", "json"], ":"));
    assert_eq!(
        Events::parse(&ended.expect_code(0).stderr).of("log").len(),
        3
    );
    let ended = lab.run(&mut run(&lab, &["-v", "--log-format", "text"], ":"));
    assert_eq!(said(&lab, &ended.expect_code(0)).len(), 3);
}

fn restart() {
    let lab = Lab::new();
    let script = "echo run; test ! -e again || exec sleep 600; touch again";
    let running = lab.spawn(&mut run(&lab, &["-q", "--restart", "always"], script));
    wait_until(PATIENCE, "it has run twice", || {
        running.stdout() == "run\nrun\n"
    });
    running.send(Signal::SIGTERM);
    assert_eq!(running.wait(PATIENCE).signal(), Some(15));
    // The command's own end is no loss.
    lab.run(&mut run(&lab, &["-q", "--restart", "on-lost"], "exit 3"))
        .expect_code(3);
}
