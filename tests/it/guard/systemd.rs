//! The example unit, and what leasectl tells, under a real systemd.

use std::fs;
use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use crate::support::lab::{LEASECTL, Lab, PATIENCE};
use crate::support::needs::needs;
use crate::support::pattern::line_matches;
use crate::support::processes::{alive, boot_now, name, send, wait_until};
use crate::support::source::root;
use crate::support::systemd::Systemd;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        the_example_units_are_understood,
        a_unit_that_is_bound_to_a_hold_starts_and_stops_with_it,
        a_standby_is_active_and_takes_over,
        a_frozen_leasectl_is_killed_and_started_again,
        a_grace_may_be_longer_than_the_stop_timeout,
    ]
}

const STANDBY: &str = "examples/leasectl-standby.service";
const HOLD: &str = "examples/leasectl-hold.service";
const EVENTS: &str = "examples/leasectl-scheduled-events.service";

/// The example, with `edits` made: each has to be needed.
fn example(name: &str, edits: &[(&str, &str)]) -> String {
    let mut text = fs::read_to_string(root().join(name)).unwrap();
    for (from, to) in edits {
        assert!(text.contains(from), "{from} is not in {name}");
        text = text.replace(from, to);
    }
    text
}

/// What cannot be as it is in a test: the user, the paths, and a private `/tmp`, in which the lab would
/// not be seen.
fn adapted(more: &[(&str, &str)]) -> String {
    let command = format!(
        "{LEASECTL} run --lease app --wait forever -- /bin/sh -c 'trap \"exit 0\" TERM; while :; do \
         sleep 0.02; done'"
    );
    let mut edits = vec![
        ("User=app\n", ""),
        (
            "/usr/local/bin/leasectl run --lease app --wait forever -- /opt/app/serve",
            command.as_str(),
        ),
        ("ProtectHome=yes\n", ""),
        ("PrivateTmp=yes\n", ""),
    ];
    edits.extend(more);
    example(STANDBY, &edits)
}

fn write_unit(lab: &Lab, unit: &str, text: &str) {
    fs::create_dir_all(lab.path("units")).unwrap();
    fs::write(lab.path("units").join(unit), text).unwrap();
}

fn the_example_units_are_understood() {
    needs("systemd-analyze");
    let lab = Lab::new();
    let check = |text: &str| {
        write_unit(&lab, "example.service", text);
        let mut analyze = lab.command("systemd-analyze");
        analyze.args(["verify", "--man=no", "units/example.service"]);
        lab.run(&mut analyze)
    };
    for (name, known) in [
        (STANDBY, "WatchdogSec"),
        (HOLD, "WatchdogSec"),
        (EVENTS, "RestartSec"),
    ] {
        let text = example(name, &[("/usr/local/bin/leasectl", LEASECTL)]);
        let ended = check(&text).expect_code(0);
        assert_eq!(ended.stderr, "", "{ended}");
        // What it does not know it says, and what it says is seen.
        let ended = check(&text.replace(known, "WatchdoogSec"));
        assert!(ended.stderr.contains("WatchdoogSec"), "{ended}");
    }
}

fn a_unit_that_is_bound_to_a_hold_starts_and_stops_with_it() {
    let lab = Lab::new();
    let hold = example(
        HOLD,
        &[
            ("/usr/local/bin/leasectl", LEASECTL),
            ("ProtectHome=yes\n", ""),
            ("PrivateTmp=yes\n", ""),
            ("Restart=always\n", ""),
        ],
    );
    write_unit(&lab, "first.service", &hold);
    write_unit(&lab, "leasectl-hold.service", &hold);
    let bound = "[Unit]\nBindsTo=leasectl-hold.service\nAfter=leasectl-hold.service\n[Service]\n\
                 ExecStart=/bin/sleep 600\n";
    write_unit(&lab, "bound.service", bound);
    let systemd = Systemd::start(&lab);
    systemd.systemctl(&lab, &["start", "first"]).expect_code(0);
    let start = ["start", "--no-block", "bound"];
    systemd.systemctl(&lab, &start).expect_code(0);
    systemd.wait_for(
        &lab,
        "leasectl-hold",
        "StatusText",
        "waiting for app: held by ",
    );
    assert_eq!(
        systemd.show(&lab, "leasectl-hold", "ActiveState"),
        "activating"
    );
    assert_eq!(systemd.show(&lab, "bound", "ActiveState"), "inactive");
    systemd.systemctl(&lab, &["stop", "first"]).expect_code(0);
    systemd.wait_for(&lab, "bound", "ActiveState", "active");
    systemd.wait_for(&lab, "leasectl-hold", "StatusText", "holding app since 20");
    systemd
        .systemctl(&lab, &["stop", "leasectl-hold"])
        .expect_code(0);
    systemd.wait_for(&lab, "bound", "ActiveState", "inactive");
}

fn a_standby_is_active_and_takes_over() {
    let lab = Lab::new();
    let text = adapted(&[]);
    write_unit(&lab, "first.service", &text);
    write_unit(&lab, "second.service", &text);
    let systemd = Systemd::start(&lab);
    systemd.systemctl(&lab, &["start", "first"]).expect_code(0);
    wait_until(PATIENCE, "the status names the command", || {
        let status = systemd.show(&lab, "first", "StatusText");
        line_matches(
            "holding app since 20..., token ..., running /bin/sh",
            &status,
        )
    });
    wait_until(PATIENCE, "the command has a cgroup of its own", || {
        let all = systemd.processes(&lab, "first");
        let cgroup_of = |wanted: &str| {
            let mut named = all
                .iter()
                .filter(|(pid, _)| name(*pid).as_deref() == Some(wanted));
            named.next().map(|(_, cgroup)| cgroup)
        };
        let pair = cgroup_of("leasectl").zip(cgroup_of("sh"));
        pair.is_some_and(|(front, command)| command != front && command.starts_with(front))
    });
    let main = systemd.show(&lab, "first", "MainPID");
    // To have started is to be ready: systemctl waits for that.
    systemd.systemctl(&lab, &["start", "second"]).expect_code(0);
    assert_eq!(systemd.show(&lab, "second", "ActiveState"), "active");
    let status = systemd.show(&lab, "second", "StatusText");
    let expected =
        format!("waiting for app: held by ..., pid {main} of root, running /bin/sh, since 20...");
    assert!(line_matches(&expected, &status), "{status}");
    let before = systemd.processes(&lab, "first");
    assert!(before.len() >= 3, "{before:?}");
    systemd.systemctl(&lab, &["stop", "first"]).expect_code(0);
    assert!(!before.iter().any(|(pid, _)| alive(*pid)));
    assert_eq!(systemd.show(&lab, "first", "Result"), "success");
    systemd.wait_for(&lab, "second", "StatusText", "holding app since 20");
}

fn a_frozen_leasectl_is_killed_and_started_again() {
    let lab = Lab::new();
    let text = adapted(&[
        ("WatchdogSec=30s", "WatchdogSec=2s"),
        ("RestartSec=5s", "RestartSec=0"),
    ]);
    write_unit(&lab, "watched.service", &text);
    let systemd = Systemd::start(&lab);
    systemd
        .systemctl(&lab, &["start", "watched"])
        .expect_code(0);
    systemd.wait_for(&lab, "watched", "StatusText", "holding app since 20");
    wait_until(PATIENCE, "the command runs", || {
        let all = systemd.processes(&lab, "watched");
        all.iter()
            .any(|(pid, _)| name(*pid).as_deref() == Some("sh"))
    });
    let before = systemd.processes(&lab, "watched");
    let is_front = |pid: u32| name(pid).as_deref() == Some("leasectl");
    let (front, _) = *before.iter().find(|(pid, _)| is_front(*pid)).unwrap();
    // Fed, it lives longer than the watchdog waits.
    let began = boot_now();
    wait_until(PATIENCE, "twice the watchdog's time", || {
        boot_now() - began > Duration::from_secs(4)
    });
    assert_eq!(systemd.show(&lab, "watched", "NRestarts"), "0");
    send(front, Signal::SIGSTOP);
    systemd.wait_for(&lab, "watched", "NRestarts", "1");
    assert!(
        !before
            .iter()
            .any(|(pid, _)| alive(*pid) && name(*pid).as_deref() != Some("sleep"))
    );
    systemd.wait_for(&lab, "watched", "StatusText", "holding app since 20");
}

fn a_grace_may_be_longer_than_the_stop_timeout() {
    let lab = Lab::new();
    let done = lab.path("done");
    let unit = format!(
        "[Service]\nType=notify\nKillMode=mixed\nTimeoutStopSec=500ms\n\
         Environment=LEASECTL_STORE=file://{}\n\
         ExecStart={LEASECTL} run --lease app --run-timeout 500ms --grace 20s -- /bin/sh -c \
         'trap \"sleep 2; echo yes >{}; exit 0\" TERM; while :; do sleep 0.02; done'\n",
        lab.store().display(),
        done.display(),
    );
    write_unit(&lab, "slow.service", &unit);
    let systemd = Systemd::start(&lab);
    systemd.systemctl(&lab, &["start", "slow"]).expect_code(0);
    // The timeout is what leasectl says; the time was not.
    systemd.wait_for(&lab, "slow", "ExecMainStatus", "124");
    assert_eq!(systemd.show(&lab, "slow", "Result"), "exit-code");
    assert_eq!(lab.read("done"), "yes\n");
}
