//! Which of the two ways the tree is kept together is said, and a cgroup is not left behind.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::scene::{FAMILY, LEASE, Scene, assert_lease_is_free};
use crate::support::containment::Level;
use crate::support::lab::{Lab, PATIENCE};
use crate::support::needs::{needs, own_cgroup};
use crate::support::processes::{
    Killed, alive, children, descendants, name, send, stopped, wait_until,
};
use crate::support::puppet::Puppets;

pub(crate) fn trials() -> Vec<Trial> {
    let mut all = trials_at_each_level![it_is_said_how_the_tree_is_kept_together];
    all.extend(trials![
        two_containers_in_one_cgroup_do_not_meet,
        the_cgroup_is_gone_after_a_normal_end,
        the_cgroup_is_gone_after_the_fronts_death,
        the_cgroup_is_gone_after_the_guardians_death,
        the_cgroup_of_a_pair_killed_at_once_is_swept_by_the_next,
        a_cgroup_that_was_taken_away_is_done_without,
        a_process_that_was_put_into_the_cgroup_goes_with_it,
    ]);
    all
}

fn it_is_said_how_the_tree_is_kept_together(level: Level) {
    let scene = Scene::start(level, &["-v"], &["main"]);
    let said = match level {
        Level::Tree => "kept together by descent",
        Level::Cgroup => "in a cgroup of its own",
    };
    let line = format!("started process {}, {said}", scene.puppets.pid("main"));
    wait_until(PATIENCE, "it is said", || {
        scene.front.stderr().contains(&line)
    });
    scene.front.send(Signal::SIGTERM);
    scene.finish().expect_code(0);
}

/// Puppets in a cgroup, and its directory.
fn contained(options: &[&str]) -> (Scene, PathBuf) {
    let scene = Scene::start(Level::Cgroup, options, &FAMILY);
    let directory = cgroup_of(scene.front.id());
    let inside = fs::read_to_string(directory.join("cgroup.procs")).unwrap();
    for puppet in scene.puppets.alive() {
        let here = inside.lines().any(|line| line == puppet.pid.to_string());
        assert!(here, "{} is not in {inside:?}", puppet.name);
    }
    assert!(!inside.contains(&scene.guardian.to_string()));
    (scene, directory)
}

fn cgroup_of(front: u32) -> PathBuf {
    needs("cgroup2");
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap();
    let namespace = namespace.display().to_string();
    let number = namespace.trim_start_matches("pid:[").trim_end_matches(']');
    own_cgroup()
        .unwrap()
        .join(format!("leasectl-{number}-{front}"))
}

fn the_cgroup_is_gone_after_a_normal_end() {
    let (scene, directory) = contained(&["--grace", "0s"]);
    scene.front.send(Signal::SIGTERM);
    scene.finish().expect_code(0);
    assert!(!directory.exists());
}

fn the_cgroup_is_gone_after_the_fronts_death() {
    let (scene, directory) = contained(&["--expiry-grace", "100ms"]);
    scene.front.send(Signal::SIGKILL);
    scene.wait_all_gone(PATIENCE);
    assert!(!directory.exists());
}

fn the_cgroup_is_gone_after_the_guardians_death() {
    let (scene, directory) = contained(&[]);
    scene.send_to_guardian(Signal::SIGKILL);
    scene.finish().expect_code(121);
    assert!(!directory.exists());
}

fn the_cgroup_of_a_pair_killed_at_once_is_swept_by_the_next() {
    let (scene, directory) = contained(&[]);
    let both = [scene.guardian, scene.front.id()];
    for pid in both {
        send(pid, Signal::SIGSTOP);
    }
    wait_until(PATIENCE, "both stand still", || {
        both.into_iter().all(stopped)
    });
    for pid in both {
        send(pid, Signal::SIGKILL);
    }
    wait_until(PATIENCE, "the direct child dies", || {
        !alive(scene.puppets.pid("main"))
    });
    assert!(directory.exists(), "nobody was left to remove it");
    for survivor in scene.puppets.alive() {
        send(survivor.pid, Signal::SIGKILL);
    }
    scene.puppets.wait_gone(PATIENCE);
    let Scene { front, lab, .. } = scene;
    drop(front);
    wait_until(PATIENCE, "the next has swept it", || {
        assert_lease_is_free(&lab);
        !directory.exists()
    });
}

/// Both are PID 1, each of its own PID namespace.
fn two_containers_in_one_cgroup_do_not_meet() {
    needs("cgroup2");
    needs("pidns");
    let lab = Lab::new();
    let start = |lease: &str| {
        let mut unshare = lab.command("unshare");
        unshare.args([
            "--fork",
            "--kill-child",
            "--pid",
            "--mount-proc",
            "leasectl",
            "run",
        ]);
        let running = lab.spawn(unshare.args(["--lease", lease, "-v", "--", "sleep", "1000"]));
        let said = "in a cgroup of its own";
        wait_until(PATIENCE, said, || {
            assert!(
                !running.stderr().contains("by descent"),
                "{}",
                running.stderr()
            );
            running.stderr().contains(said)
        });
        running
    };
    let all: Vec<_> = ["one", "two", "three"].into_iter().map(start).collect();
    for running in all {
        let front = children(running.id())[0];
        for pid in descendants(front) {
            if name(pid).as_deref() == Some("sleep") {
                send(pid, Signal::SIGTERM);
            }
        }
        running.wait(PATIENCE).expect_code(128 + 15);
    }
}

/// Whoever has the right to remove it can do so as long as it is empty.
fn a_cgroup_that_was_taken_away_is_done_without() {
    let scene = Scene::start(Level::Cgroup, &[], &["main"]);
    let lab = &scene.lab;
    let puppets = Puppets::new(lab, "second", &FAMILY);
    let options = [
        "run", "--lease", LEASE, "--wait", "forever", "--grace", "0s", "-v",
    ];
    let mut command = lab.leasectl(options);
    let second = lab.spawn(command.arg("--").args(puppets.command()));
    wait_until(PATIENCE, "the second waits", || {
        second.stderr().contains("; waiting")
    });
    fs::remove_dir(cgroup_of(second.id())).unwrap();
    scene.front.send(Signal::SIGTERM);
    scene.front.wait(PATIENCE).expect_code(0);
    puppets.wait_ready();
    assert!(
        second.stderr().contains("kept together by descent"),
        "{}",
        second.stderr()
    );
    second.send(Signal::SIGTERM);
    second.wait(PATIENCE).expect_code(0);
    assert!(puppets.alive().is_empty(), "{:?}", puppets.alive());
    assert_lease_is_free(lab);
}

fn a_process_that_was_put_into_the_cgroup_goes_with_it() {
    let (scene, directory) = contained(&["--grace", "200ms", "--leftovers-settle", "0s"]);
    let guest = Killed::spawn(Command::new("sleep").arg("1000")).unwrap();
    fs::write(directory.join("cgroup.procs"), guest.id().to_string()).unwrap();
    for puppet in scene.puppets.alive() {
        send(puppet.pid, Signal::SIGTERM);
    }
    scene.finish().expect_code(0);
    wait_until(PATIENCE, "the guest has ended", || !alive(guest.id()));
    assert!(!directory.exists());
}
