//! `leasectl doctor`: what it finds on real stores, good and bad, and that nobody notices it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use libtest_mimic::Trial;

use crate::support::lab::{Ended, Lab, PATIENCE};
use crate::support::needs::needs;
use crate::support::processes::wait_until;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_good_store_is_lived_through_and_left_as_it_was,
        other_leases_are_not_touched,
        what_a_killed_doctor_left_is_forgotten,
        a_store_that_falls_silent_is_bad_at_any_point,
        a_store_that_loses_leases_is_bad,
        a_store_that_cannot_be_opened_says_what_is_missing,
        a_full_disk_is_named,
        where_no_cgroup_can_be_made_it_says_what_is_not_promised,
        without_inotify_it_is_weak_and_says_so,
        a_proc_of_another_namespace_is_bad,
        several_doctors_are_in_nobodys_way,
    ]
}

fn doctor(lab: &Lab, options: &[&str]) -> Ended {
    let mut command = lab.leasectl(["doctor"]);
    lab.run(command.args(options))
}

/// The lines that are rated so.
fn rated<'a>(ended: &'a Ended, rating: &str) -> Vec<&'a str> {
    let start = format!("  {rating:<4}  ");
    let lines = ended.stdout.lines();
    lines.filter_map(|line| line.strip_prefix(&start)).collect()
}

fn files(lab: &Lab) -> Vec<String> {
    let entries = fs::read_dir(lab.store()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

fn a_good_store_is_lived_through_and_left_as_it_was() {
    let lab = Lab::new();
    for store in ["file", "memory"] {
        let options = ["--store", "memory:"];
        let ended = doctor(&lab, if store == "file" { &[] } else { &options });
        let ended = ended.expect_code(0);
        let good = rated(&ended, "ok");
        for what in [
            "acquire ",
            "renew ",
            "exclude ",
            "ask ",
            "release ",
            "hand over ",
            "tokens ",
            "/proc ",
            "clocks ",
        ] {
            assert!(
                good.iter().any(|line| line.starts_with(what)),
                "{what}: {ended}"
            );
        }
        assert!(ended.stdout.contains("another user"), "P2: {ended}");
        assert!(ended.stdout.contains("killed"), "P2: {ended}");
        assert!(rated(&ended, "BAD").is_empty(), "{ended}");
        for promised in [
            "silent hold",
            "tokens",
            "waiters",
            "ttl",
            "does not exclude",
        ] {
            assert!(
                ended.stdout.contains(&format!("\n  {promised}  ")),
                "{promised}: {ended}"
            );
        }
        assert!(ended.stdout.contains("\nverdict: good"), "{ended}");
        assert_eq!(ended.stderr, "");
    }
    assert_eq!(files(&lab), [""; 0]);
}

fn other_leases_are_not_touched() {
    let lab = Lab::new();
    let script = "touch held; while [ ! -e go ]; do sleep 0.05; done";
    let mut command = lab.leasectl(["run", "--lease", "nightly", "--", "sh", "-c", script]);
    let running = lab.spawn(&mut command);
    wait_until(PATIENCE, "it is held", || lab.path("held").exists());
    let (before, record) = (files(&lab), lab.read("store/nightly.record"));
    doctor(&lab, &[]).expect_code(0);
    assert_eq!(files(&lab), before);
    assert_eq!(lab.read("store/nightly.record"), record);
    fs::write(lab.path("go"), "").unwrap();
    assert_eq!(running.wait(PATIENCE).expect_code(0).stderr, "");
}

fn what_a_killed_doctor_left_is_forgotten() {
    let lab = Lab::new();
    // What one leaves that is killed: a lease by such a name, whose holder is dead.
    for name in ["leasectl-doctor/left", "other/left"] {
        let mut left = lab.leasectl(["run", "--lease", name, "--", "true"]);
        lab.run(&mut left).expect_code(0);
    }
    doctor(&lab, &[]).expect_code(0);
    let left = files(&lab);
    assert!(
        left.iter().all(|name| name.starts_with("other")),
        "{left:?}"
    );
    assert_eq!(left.len(), 3);
}

fn a_store_that_falls_silent_is_bad_at_any_point() {
    let lab = Lab::new();
    for answers in [0, 1, 5, 22, 24, 26, 28, 35] {
        let store = format!("memory:?answers={answers}");
        let ended = doctor(&lab, &["--store", &store]).expect_code(123);
        assert!(ended.took < Duration::from_secs(30), "{ended}");
        let bad = rated(&ended, "BAD");
        assert_eq!(bad.len(), 1, "{ended}");
        assert!(bad[0].contains("no answer within 1s"), "{ended}");
        assert!(
            ended
                .stdout
                .contains("verdict: this store cannot be used so"),
            "{ended}"
        );
        assert!(ended.stderr.contains("no answer within 1s"), "{ended}");
    }
}

fn a_store_that_loses_leases_is_bad() {
    let lab = Lab::new();
    let ended = doctor(&lab, &["--store", "memory:?lost-after=3"]).expect_code(123);
    let bad = rated(&ended, "BAD");
    assert_eq!(
        bad,
        ["renew         the lease was lost (taken) under its holder"]
    );
}

fn a_store_that_cannot_be_opened_says_what_is_missing() {
    let lab = Lab::new();
    let open = lab.path("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let nowhere = lab.path("no/where");
    for (place, why) in [(&open, "has mode 0777"), (&nowhere, "does not exist")] {
        let store = format!("file://{}", place.display());
        let ended = doctor(&lab, &["--store", &store]).expect_code(125);
        let bad = rated(&ended, "BAD");
        assert!(
            bad.len() == 1 && bad[0].starts_with("open ") && bad[0].contains(why),
            "{ended}"
        );
        // Of the machine it tells all the same.
        assert!(
            rated(&ended, "ok")
                .iter()
                .any(|line| line.starts_with("/proc ")),
            "{ended}"
        );
        assert!(ended.stderr.contains(why), "{ended}");
    }
    let ended = doctor(&lab, &["--store", "no-such:"]).expect_code(125);
    assert!(ended.stderr.contains("unknown store"), "{ended}");
    let ended = doctor(&lab, &["--no-such"]).expect_code(125);
    assert!(ended.stderr.contains("leasectl doctor --help"), "{ended}");
}

fn a_full_disk_is_named() {
    needs("root");
    let lab = Lab::new();
    let script = "mkdir full && mount -t tmpfs -o size=8k,mode=700 none full && head -c 8192 /dev/zero >full/fill; \
                  leasectl doctor --store file://$PWD/full; code=$?; umount full; exit $code";
    let mut command = lab.command("unshare");
    let ended = lab.run(command.args(["--mount", "sh", "-c", script]));
    let bad = rated(&ended, "BAD");
    assert!(bad.len() == 1 && bad[0].contains("o space left"), "{ended}");
    assert!(matches!(ended.code(), Some(123 | 125)), "{ended}");
}

fn where_no_cgroup_can_be_made_it_says_what_is_not_promised() {
    needs("root");
    let lab = Lab::new();
    // Nothing of the hierarchy is to be seen.
    let script = "umount -R /sys/fs/cgroup; leasectl doctor";
    let mut command = lab.command("unshare");
    let ended = lab
        .run(command.args(["--mount", "sh", "-c", script]))
        .expect_code(0);
    let weak = rated(&ended, "weak");
    assert!(
        weak.len() == 1 && weak[0].starts_with("containment   by descent"),
        "{ended}"
    );
    assert!(weak[0].contains("not promised"), "{ended}");
    assert!(
        ended
            .stdout
            .contains("verdict: good, with the limits above"),
        "{ended}"
    );
}

fn without_inotify_it_is_weak_and_says_so() {
    needs("userns");
    let lab = Lab::new();
    let script = "echo 0 >/proc/sys/user/max_inotify_instances && exec leasectl doctor";
    let mut command = lab.command("unshare");
    let ended = lab.run(command.args(["--user", "--map-root-user", "sh", "-c", script]));
    let ended = ended.expect_code(0);
    let weak = rated(&ended, "weak");
    let says = |start: &str, text: &str| {
        weak.iter()
            .any(|line| line.starts_with(start) && line.contains(text))
    };
    assert!(says("inotify ", "fs.inotify.max_user_instances"), "{ended}");
    assert!(says("ask ", "with its next renewal only"), "{ended}");
}

fn a_proc_of_another_namespace_is_bad() {
    needs("pidns");
    let lab = Lab::new();
    let mut command = lab.command("unshare");
    let ended = lab.run(command.args(["--fork", "--pid", "leasectl", "doctor"]));
    let ended = ended.expect_code(125);
    let bad = rated(&ended, "BAD");
    assert!(bad.iter().any(|line| line.starts_with("/proc ")), "{ended}");
    assert!(
        bad.iter().any(|line| line.starts_with("containment ")),
        "{ended}"
    );
}

fn several_doctors_are_in_nobodys_way() {
    let lab = Lab::new();
    let all: Vec<_> = (0..4)
        .map(|_| lab.spawn(&mut lab.leasectl(["doctor"])))
        .collect();
    for one in all {
        one.wait(PATIENCE).expect_code(0);
    }
    assert_eq!(files(&lab), [""; 0]);
}
