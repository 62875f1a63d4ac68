//! Every example is run, and its effect is looked at: a script that does nothing exits with 0 too.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use crate::support::lab::{Ended, LEASECTL, Lab, PATIENCE, Running};
use crate::support::needs::needs;
use crate::support::processes::{children, name, send, wait_until};
use crate::support::source::{files, root, shown};
use crate::support::witness::Witness;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        every_example_has_a_test,
        cron_runs_once_per_round,
        cron_passes_the_code_of_the_job,
        deployments_do_not_interleave,
        a_late_writer_is_refused_by_its_token,
        nested_leases_are_taken_in_one_order,
        one_name_twice_is_refused,
        a_migrating_script_respects_the_old_lock,
        a_migrating_script_respects_the_lease,
        containers_hand_over_when_they_are_stopped,
        a_container_without_a_lease_is_refused,
        two_instances_work_one_after_another_in_files,
    ]
}

/// What a coprocess is, only bash knows.
const FOR_BASH: &str = "examples/hold-coproc.sh";

/// The scripts that the tests below run; those with `hold` are run in `hold/scripts.rs`, those with
/// Redis in `redis/example.rs`, and those with Azure in `azblob/example.rs`.
const TESTED: [&str; 13] = [
    "examples/azure-vm.sh",
    "examples/azurite.sh",
    "examples/container-entrypoint.sh",
    "examples/cron-redis.sh",
    "examples/cron.sh",
    "examples/deploy-critical-section.sh",
    "examples/fencing-sqlite.sh",
    "examples/hold-background.sh",
    "examples/hold-coproc.sh",
    "examples/migrate-from-flock.sh",
    "examples/nested-leases.sh",
    "examples/standby-sentinel.sh",
    "examples/two-instances.sh",
];

fn every_example_has_a_test() {
    let found: Vec<String> = files("examples", "sh")
        .iter()
        .map(|file| shown(file))
        .collect();
    assert_eq!(found, TESTED);
    // Its tests are in `guard/systemd.rs`.
    let units = files("examples", "service");
    assert_eq!(units.len(), 3, "{units:?}");
    for script in TESTED {
        let text = fs::read_to_string(root().join(script)).unwrap();
        let first = match script {
            FOR_BASH => "#!/usr/bin/env bash\n",
            _ => "#!/bin/sh\n",
        };
        assert!(text.starts_with(first), "{script} is for any shell");
        assert!(
            text.contains("\nset -eu\n"),
            "{script} goes on after errors"
        );
    }
}

/// A lab, and one of the example scripts in it.
struct Example {
    lab: Lab,
    script: PathBuf,
}

impl Example {
    fn new(name: &str) -> Self {
        Self {
            lab: Lab::new(),
            script: root().join("examples").join(name),
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.lab.command(&self.script);
        command.args(args).env("LEASECTL", LEASECTL);
        command
    }

    fn run(&self, args: &[&str]) -> Ended {
        self.lab.run(&mut self.command(args))
    }
}

fn cron_runs_once_per_round() {
    let cron = Example::new("cron.sh");
    for _ in 0..3 {
        let args = ["report", "10m", "sh", "-c", "echo ran | tee -a log"];
        let ended = cron.run(&args).expect_code(0);
        assert_eq!(ended.stderr, "", "cron would send this as mail");
    }
    assert_eq!(cron.lab.read("log"), "ran\n");
}

fn cron_passes_the_code_of_the_job() {
    let cron = Example::new("cron.sh");
    let ended = cron
        .run(&["report", "1s", "sh", "-c", "echo broken >&2; exit 3"])
        .expect_code(3);
    assert_eq!(ended.stderr, "broken\n");
}

fn deployments_do_not_interleave() {
    let deploy = Example::new("deploy-critical-section.sh");
    let service = deploy.lab.path("srv").display().to_string();
    let releases = ["1", "2", "3", "4"];
    let running: Vec<_> = releases
        .map(|release| deploy.lab.spawn(&mut deploy.command(&[&service, release])))
        .into();
    for one in running {
        one.wait(PATIENCE).expect_code(0);
    }
    let history = deploy.lab.read("srv/history");
    let lines: Vec<&str> = history.lines().collect();
    assert_eq!(lines.len(), 2 * releases.len(), "{history}");
    let mut before = "none".to_owned();
    for pair in lines.chunks(2) {
        let release = pair[0].strip_prefix("begin ").unwrap();
        let expected = format!("end {release}, after {before}, token ");
        assert!(pair[1].starts_with(&expected), "{history}");
        before = format!("releases/{release}");
    }
    let current = fs::read_link(deploy.lab.path("srv/current")).unwrap();
    assert_eq!(current.to_str(), Some(before.as_str()));
    let version = fs::read_to_string(deploy.lab.path("srv/current/VERSION")).unwrap();
    assert_eq!(format!("releases/{}", version.trim_end()), before);
}

fn a_late_writer_is_refused_by_its_token() {
    needs("sqlite3");
    let fencing = Example::new("fencing-sqlite.sh");
    let token = |ended: &Ended| -> u64 {
        let (_, token) = ended.stdout.trim_end().rsplit_once(' ').unwrap();
        token.parse().unwrap()
    };
    let first = token(&fencing.run(&["db", "it's open"]).expect_code(0));
    let second = token(&fencing.run(&["db", "closed"]).expect_code(0));
    assert!(second > first, "{second} after {first}");
    // The first holder wakes up and finishes its write, long after its lease.
    let late = fencing.lab.run(
        fencing
            .command(&["db", "open"])
            .env("LEASECTL_LEASE", "example/mode")
            .env("LEASECTL_TOKEN", first.to_string()),
    );
    let late = late.expect_code(3);
    assert_eq!(
        late.stderr,
        format!("refused: token {first} is older than the row's\n")
    );
    let query = "SELECT value, token FROM settings";
    let row = fencing
        .lab
        .run(fencing.lab.command("sqlite3").args(["db", query]))
        .expect_code(0);
    assert_eq!(row.stdout, format!("closed|{second}\n"));
}

fn nested_leases_are_taken_in_one_order() {
    let nested = Example::new("nested-leases.sh");
    let witness = Witness::new(nested.lab.path("witness"));
    let job = "test \"$LEASECTL_LEASE\" = b && echo \"$FIRST_TOKEN $LEASECTL_TOKEN\" >>tokens
               sleep 0.05";
    let job = witness.over(["sh", "-c", job]);
    // Given in both orders at once: a script that took them as given would wait for ever.
    let mut running = Vec::new();
    for names in [["a", "b"], ["b", "a"], ["a", "b"], ["b", "a"]] {
        running.push(nested.lab.spawn(nested.command(&names).args(&job)));
    }
    for one in running {
        one.wait(PATIENCE).expect_code(0);
    }
    assert_eq!(witness.overlaps(), Vec::<String>::new());
    let tokens = nested.lab.read("tokens");
    assert_eq!(tokens.lines().count(), 4, "{tokens}");
    assert!(
        tokens
            .lines()
            .all(|line| line.split(' ').all(|t| t.parse::<u64>().is_ok())),
        "{tokens}"
    );
}

fn one_name_twice_is_refused() {
    let nested = Example::new("nested-leases.sh");
    nested.run(&["a", "a", "touch", "ran"]).expect_code(125);
    assert!(!nested.lab.path("ran").exists());
}

fn a_migrating_script_respects_the_old_lock() {
    needs("flock");
    let migrate = Example::new("migrate-from-flock.sh");
    let old = "mkfifo stop; exec flock old.lock sh -c 'echo in; read x <stop'";
    let old = migrate.lab.spawn(&mut migrate.lab.sh(old));
    wait_until(PATIENCE, "the old script holds its lock", || {
        old.stdout() == "in\n"
    });
    migrate
        .run(&["old.lock", "report", "touch", "ran"])
        .expect_code(120);
    assert!(!migrate.lab.path("ran").exists());
    migrate.lab.run(&mut migrate.lab.sh("echo go >stop"));
    old.wait(PATIENCE).expect_code(0);
    migrate
        .run(&["old.lock", "report", "touch", "ran"])
        .expect_code(0);
    assert!(migrate.lab.path("ran").exists());
}

fn a_migrating_script_respects_the_lease() {
    needs("flock");
    let migrate = Example::new("migrate-from-flock.sh");
    let holder = [
        "run",
        "--lease",
        "report",
        "--",
        "sh",
        "-c",
        "echo in; sleep 60; :",
    ];
    let holder = migrate.lab.spawn(&mut migrate.lab.leasectl(holder));
    wait_until(Duration::from_secs(10), "the lease is held", || {
        holder.stdout() == "in\n"
    });
    migrate
        .run(&["old.lock", "report", "touch", "ran"])
        .expect_code(120);
    assert!(!migrate.lab.path("ran").exists());
}

/// The entry point as PID 1, and the number that it has outside.
fn container(example: &Example, args: &[&str]) -> (Running, impl Fn(Signal)) {
    needs("pidns");
    let mut unshare = example.lab.command("unshare");
    unshare
        .args(["--fork", "--kill-child", "--pid", "--mount-proc"])
        .arg(&example.script)
        .args(args)
        .env("LEASECTL", LEASECTL)
        .env("LEASE", "app");
    let unshare = example.lab.spawn(&mut unshare);
    let id = unshare.id();
    let stop = move |signal| {
        let is_first = |pid: &u32| name(*pid).as_deref() == Some("leasectl");
        send(children(id).into_iter().find(is_first).unwrap(), signal);
    };
    (unshare, stop)
}

fn containers_hand_over_when_they_are_stopped() {
    let example = Example::new("container-entrypoint.sh");
    let witness = Witness::new(example.lab.path("witness"));
    let serve = "trap 'exit 7' TERM; echo in; while :; do sleep 0.02; done";
    let words = witness.over(["sh", "-c", serve]);
    let words: Vec<&str> = words.iter().map(|word| word.to_str().unwrap()).collect();
    let (first, stop_first) = container(&example, &words);
    wait_until(PATIENCE, "the first serves", || first.stdout() == "in\n");
    let (second, stop_second) = container(&example, &words);
    wait_until(PATIENCE, "the second waits", || {
        second.stderr().contains("; waiting")
    });
    stop_first(Signal::SIGTERM);
    first.wait(PATIENCE).expect_code(7);
    wait_until(PATIENCE, "the second serves", || second.stdout() == "in\n");
    let (third, stop_third) = container(&example, &words);
    wait_until(PATIENCE, "the third waits", || {
        third.stderr().contains("; waiting")
    });
    // It is stopped before it was its turn.
    stop_third(Signal::SIGTERM);
    third.wait(PATIENCE).expect_code(128 + 15);
    stop_second(Signal::SIGTERM);
    second.wait(PATIENCE).expect_code(7);
    assert_eq!(witness.overlaps(), Vec::<String>::new());
}

fn a_container_without_a_lease_is_refused() {
    let example = Example::new("container-entrypoint.sh");
    let ended = example.run(&["touch", "ran"]).expect_code(125);
    assert!(ended.stderr.starts_with("usage: "), "{ended}");
    assert!(!example.lab.path("ran").exists());
}

/// On a server in `redis/example.rs`.
fn two_instances_work_one_after_another_in_files() {
    let example = Example::new("two-instances.sh");
    two_instances_work_one_after_another(&mut example.command(&[]), &example.lab);
}

/// The demonstration, whatever store is in the environment of `command`.
pub(crate) fn two_instances_work_one_after_another(command: &mut Command, lab: &Lab) {
    let ended = lab
        .run(command.env("SECONDS_OF_WORK", "0.5"))
        .expect_code(0);
    let seen: Vec<&str> = ended
        .stdout
        .lines()
        .filter(|line| line.contains("work"))
        .collect();
    let who = [
        "one works",
        "one has",
        "two works",
        "one again works",
        "one again has",
    ];
    assert_eq!(seen.len(), who.len(), "{ended}");
    for (line, who) in seen.iter().zip(who) {
        assert!(line.starts_with(who), "{who}: {ended}");
    }
    assert!(
        ended
            .stdout
            .ends_with("one after another, with tokens that rise\n"),
        "{ended}"
    );
    assert_eq!(ended.stderr, "", "{ended}");
}
