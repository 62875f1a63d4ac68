//! `--on-acquired`: under the lease, before the command, and a part of its tree.

use libtest_mimic::Trial;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::{SILENT, run};
use crate::cli::{said, the_line};
use crate::support::events::Events;
use crate::support::lab::{Lab, PATIENCE};
use crate::support::needs::needs;
use crate::support::processes::{alive, group, send, wait_until};
use crate::support::witness::Witness;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        it_is_told_everything_and_comes_first,
        its_output_goes_to_standard_error,
        it_runs_under_the_lease,
        when_it_fails_nothing_is_run,
        a_shell_that_cannot_be_executed_is_a_failure,
        what_it_leaves_running_is_guarded_with_the_command,
        what_a_failed_one_leaves_is_stopped_whatever_is_said_of_leftovers,
        one_that_hangs_is_killed_with_all_that_it_started,
        the_lease_is_renewed_while_it_runs,
        a_lease_that_ends_meanwhile_ends_it_and_starts_nothing,
        when_leasectl_is_killed_meanwhile_nothing_is_left,
        when_the_guardian_is_killed_meanwhile_nothing_is_run,
        the_command_starts_with_its_own_group_and_input,
        it_comes_once_for_each_run,
    ]
}

fn it_is_told_everything_and_comes_first() {
    let lab = Lab::new();
    let hook = "env >environment; cat >input; echo hook >>order";
    let mut command = run(
        &lab,
        &["--on-acquired", hook],
        "echo $LEASECTL_TOKEN; echo command >>order",
    );
    let ended = lab.run(&mut command).expect_code(0);
    assert_eq!(lab.read("order"), "hook\ncommand\n");
    let events = Events::read(&lab.path("events"));
    events.check(&lab);
    assert_eq!(
        events.kinds(),
        ["acquired", "hook", "started", "exited", "released", "ended"]
    );
    let input: Value = serde_json::from_str(&lab.read("input")).unwrap();
    assert_eq!(&input, events.only("acquired"));
    let environment = lab.read("environment");
    let token = ended.stdout.trim();
    for expected in [
        "LEASECTL_EVENT=acquired",
        "LEASECTL_LEASE=x",
        &format!("LEASECTL_TOKEN={token}"),
    ] {
        assert!(
            environment.lines().any(|line| line == expected),
            "{environment}"
        );
    }
}

fn its_output_goes_to_standard_error() {
    let lab = Lab::new();
    let mut command = run(
        &lab,
        &["--on-acquired", "echo from the hook"],
        "echo from the command",
    );
    let ended = lab.run(&mut command).expect_code(0);
    assert_eq!(ended.stdout, "from the command\n");
    assert_eq!(ended.stderr, "from the hook\n");
}

fn it_runs_under_the_lease() {
    let lab = Lab::new();
    let other =
        "leasectl run --store file:///$PWD/store --lease y -- leasectl run --lease x -- true";
    let hook = format!("{other}; echo $? >code");
    lab.run(&mut run(&lab, &["--on-acquired", &hook], ":"))
        .expect_code(0);
    assert_eq!(lab.read("code"), "120\n");
}

fn when_it_fails_nothing_is_run() {
    let lab = Lab::new();
    for (hook, why) in [
        ("exit 3", "failed with exit code 3"),
        ("kill -TERM $$", "was killed by TERM"),
        (
            "nowhere-to-be-found 2>/dev/null",
            "failed with exit code 127",
        ),
    ] {
        let ended = lab.run(&mut run(&lab, &["--on-acquired", hook], "touch ran"));
        let line = the_line(&lab, &ended.expect_code(125));
        assert_eq!(
            line,
            format!("--on-acquired {why}; the command was not started")
        );
    }
    assert!(!lab.path("ran").exists());
    // The lease is free again.
    lab.run(&mut run(&lab, &[], ":")).expect_code(0);
}

fn a_shell_that_cannot_be_executed_is_a_failure() {
    needs("root");
    needs("unshare");
    let lab = Lab::new();
    // The shell that types this is running already.
    let script = "mount --bind /dev/null $(readlink -f /bin/sh) || exit 9
        leasectl run --lease x --events events --on-acquired : --on-released : -- touch ran";
    let mut command = lab.command("unshare");
    let ended = lab.run(command.args(["--mount", "sh", "-c", script]));
    let lines = said(&lab, &ended.expect_code(125));
    let why = "could not be started: permission denied";
    assert_eq!(
        lines,
        [
            format!("the released hook {why}"),
            format!("--on-acquired {why}; the command was not started")
        ]
    );
    let events = Events::read(&lab.path("events"));
    events.check(&lab);
    assert!(!lab.path("ran").exists() && events.of("hook").len() == 2);
}

fn what_it_leaves_running_is_guarded_with_the_command() {
    let lab = Lab::new();
    let hook = "setsid sleep 600 & echo $! >daemon";
    let script = "touch up; exec sleep 600";
    let running = lab.spawn(&mut run(&lab, &["--on-acquired", hook], script));
    wait_until(PATIENCE, "it runs", || lab.path("up").exists());
    let daemon: u32 = lab.read("daemon").trim().parse().unwrap();
    assert!(alive(daemon));
    running.send(Signal::SIGKILL);
    wait_until(PATIENCE, "all of it ends with leasectl", || {
        lab.processes().is_empty()
    });
    assert!(!alive(daemon));
}

fn what_a_failed_one_leaves_is_stopped_whatever_is_said_of_leftovers() {
    let lab = Lab::new();
    for policy in ["stop", "wait", "leave"] {
        let options = [
            "--leftovers",
            policy,
            "--leftovers-settle",
            "50ms",
            "--on-acquired",
            "setsid sleep 600 & exit 1",
        ];
        let ended = lab.run(&mut run(&lab, &options, "touch ran"));
        let ended = ended.expect_code(125);
        assert!(lab.processes().is_empty(), "{policy}");
        // No command has ended, and the option that is named for one changes nothing.
        let told = " behind; stopping them\n";
        assert!(ended.stderr.contains(told), "{ended}");
    }
    assert!(!lab.path("ran").exists());
}

fn one_that_hangs_is_killed_with_all_that_it_started() {
    let lab = Lab::new();
    let hook = "trap '' TERM; setsid sleep 600 & sleep 600";
    let ended = lab.run(&mut run(&lab, &["--on-acquired", hook], "touch ran"));
    let line = the_line(&lab, &ended.expect_code(125));
    let expected =
        "--on-acquired did not end within 10s and was killed; the command was not started";
    assert_eq!(line, expected);
    assert!(lab.processes().is_empty() && !lab.path("ran").exists());
    let events = Events::read(&lab.path("events"));
    events.check(&lab);
    let took = events.only("hook")["took_s"].as_f64().unwrap();
    assert!(took >= 10.0, "{took}");
    assert_eq!(events.only("stopping")["signal"], "KILL");
    lab.run(&mut run(&lab, &[], ":")).expect_code(0);
}

fn the_lease_is_renewed_while_it_runs() {
    let lab = Lab::new();
    let options = [
        "--store",
        "memory:",
        "--ttl",
        "6s",
        "-q",
        "--on-acquired",
        "sleep 8",
    ];
    lab.run(&mut run(&lab, &options, ":")).expect_code(0);
    let events = Events::read(&lab.path("events"));
    let kinds = events.kinds();
    let hook = kinds.iter().position(|kind| *kind == "hook").unwrap();
    let renewals = kinds[..hook]
        .iter()
        .filter(|kind| **kind == "renewed")
        .count();
    assert!(renewals >= 4, "{kinds:?}");
}

fn a_lease_that_ends_meanwhile_ends_it_and_starts_nothing() {
    let lab = Lab::new();
    let mut options = SILENT.to_vec();
    options.extend(["--on-acquired", "trap '' TERM; while :; do sleep 0.1; done"]);
    lab.run(&mut run(&lab, &options, "touch ran"))
        .expect_code(121);
    assert!(!lab.path("ran").exists() && lab.processes().is_empty());
    let events = Events::read(&lab.path("events"));
    assert_eq!(events.only("stopping")["why"], "not_renewed");
}

fn when_leasectl_is_killed_meanwhile_nothing_is_left() {
    let lab = Lab::new();
    let running = lab.spawn(&mut run(
        &lab,
        &["--on-acquired", "touch up; sleep 600"],
        "touch ran",
    ));
    wait_until(PATIENCE, "the hook runs", || lab.path("up").exists());
    running.send(Signal::SIGKILL);
    wait_until(PATIENCE, "nothing is left", || lab.processes().is_empty());
    assert!(!lab.path("ran").exists());
}

fn when_the_guardian_is_killed_meanwhile_nothing_is_run() {
    let lab = Lab::new();
    let hook = "echo $PPID >guardian; sleep 600";
    let running = lab.spawn(&mut run(&lab, &["-q", "--on-acquired", hook], "touch ran"));
    let guardian = || {
        let text = std::fs::read_to_string(lab.path("guardian")).unwrap_or_default();
        text.trim().parse::<u32>().ok()
    };
    wait_until(PATIENCE, "the hook runs", || guardian().is_some());
    send(guardian().unwrap(), Signal::SIGKILL);
    running.wait(PATIENCE).expect_code(125);
    assert!(lab.processes().is_empty() && !lab.path("ran").exists());
}

fn the_command_starts_with_its_own_group_and_input() {
    let lab = Lab::new();
    let hook = "echo $$ >hook; cat >/dev/null";
    let script = "echo $$ >command; cat; exec sleep 600";
    std::fs::write(lab.path("input"), "for the command\n").unwrap();
    let mut command = lab.command("setsid");
    command.args(["leasectl", "run", "--lease", "x", "--on-acquired", hook]);
    command.args(["--", "sh", "-c", script]);
    command.stdin(std::fs::File::open(lab.path("input")).unwrap());
    let running = lab.spawn(&mut command);
    wait_until(PATIENCE, "it has read", || {
        running.stdout() == "for the command\n"
    });
    let command: u32 = lab.read("command").trim().parse().unwrap();
    let hook: u32 = lab.read("hook").trim().parse().unwrap();
    assert_eq!(
        group(command),
        Some(command),
        "no terminal: it leads a group"
    );
    assert_ne!(hook, command);
}

fn it_comes_once_for_each_run() {
    let lab = Lab::new();
    let witness = Witness::new(lab.path("witness"));
    let mut command = lab.leasectl(["run", "-q", "--lease", "x", "--events", "events"]);
    command.args([
        "--restart",
        "always",
        "--on-acquired",
        "echo hook >>order",
        "--",
    ]);
    let script = "echo command >>order; test $(wc -l <order) -lt 4 || exec sleep 600";
    let running = lab.spawn(command.args(witness.over(["sh", "-c", script])));
    wait_until(PATIENCE, "it has run twice", || {
        std::fs::read_to_string(lab.path("order")).is_ok_and(|text| text.lines().count() == 4)
    });
    assert_eq!(lab.read("order"), "hook\ncommand\nhook\ncommand\n");
    running.send(Signal::SIGTERM);
    assert_eq!(running.wait(PATIENCE).signal(), Some(15));
    let events = Events::read(&lab.path("events"));
    events.check(&lab);
    assert_eq!(events.of("hook").len(), 2);
    assert_eq!(events.only("restarting")["delay_s"], json!(1.0));
    assert!(witness.overlaps().is_empty());
}
