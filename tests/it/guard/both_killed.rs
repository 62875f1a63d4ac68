//! Front and guardian killed in one instant: the stated exception to P2.
//!
//! Nobody is left to kill. The direct child dies by PDEATHSIG; its descendants live on. The file store
//! still excludes while one of them has kept the lock's descriptor, and the fencing token protects
//! everywhere. A cgroup does not help: somebody would have to write to its `cgroup.kill`.

use std::fs;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::scene::{FAMILY, Scene, assert_lease_is_free, assert_lease_is_held};
use crate::support::containment::Level;
use crate::support::lab::PATIENCE;
use crate::support::processes::{alive, send, stopped, wait_until};

pub(crate) fn trials() -> Vec<Trial> {
    trials_at_each_level![
        the_direct_child_dies_and_the_file_store_excludes_while_a_survivor_has_the_lock,
        the_lease_is_free_at_once_when_no_survivor_has_the_lock,
    ]
}

/// Kills both so that neither can act on the other's death.
fn kill_both(scene: &Scene) {
    let both = [scene.front.id(), scene.guardian];
    // The two kills of one call lie microseconds apart, in which the other could just act. The guardian
    // comes first: the front's death would orphan its group, and the kernel continues a group that is
    // orphaned while it stands still.
    for pid in both {
        send(pid, Signal::SIGSTOP);
    }
    wait_until(PATIENCE, "both stand still", || {
        both.into_iter().all(stopped)
    });
    let kill = format!("kill -9 {} {}", scene.guardian, scene.front.id());
    scene.lab.run(&mut scene.lab.sh(&kill)).expect_code(0);
    wait_until(PATIENCE, "both end", || !both.into_iter().any(alive));
}

fn the_direct_child_dies_and_the_file_store_excludes_while_a_survivor_has_the_lock(level: Level) {
    let scene = Scene::start(level, &[], &FAMILY);
    kill_both(&scene);
    let main = scene.puppets.pid("main");
    wait_until(PATIENCE, "the direct child dies", || !alive(main));
    let mut left: Vec<String> = scene
        .puppets
        .alive()
        .into_iter()
        .map(|one| one.name)
        .collect();
    left.sort();
    assert_eq!(
        left,
        ["child", "daemon", "session"],
        "what nobody could kill"
    );
    assert!(scene.puppets.of_kind("TERM").is_empty(), "nobody was told");

    assert_lease_is_held(&scene.lab);
    for survivor in scene.puppets.alive() {
        assert_lease_is_held(&scene.lab);
        send(survivor.pid, Signal::SIGKILL);
        wait_until(PATIENCE, "the survivor ends", || !alive(survivor.pid));
    }
    assert_lease_is_free(&scene.lab);
}

fn the_lease_is_free_at_once_when_no_survivor_has_the_lock(level: Level) {
    let scene = Scene::start(level, &[], &["main"]);
    // The descriptor that the command carries is the lock file of the lab's store.
    let main = scene.puppets.pid("main");
    let carried = fs::read_dir(format!("/proc/{main}/fd"))
        .unwrap()
        .any(|entry| {
            fs::read_link(entry.unwrap().path()).is_ok_and(|to| to.starts_with(scene.lab.store()))
        });
    assert!(carried, "the command does not carry the lock");
    kill_both(&scene);
    wait_until(PATIENCE, "the direct child dies", || !alive(main));
    assert_lease_is_free(&scene.lab);
}
