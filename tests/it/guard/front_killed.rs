//! SIGKILL of the front: the guardian stops the whole tree (P2).

use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::scene::{
    FAMILY, LEASE, STUBBORN, Scene, assert_lease_is_free, assert_nothing_is_left, guardian_of,
    median, report,
};
use crate::support::alone::alone;
use crate::support::containment::Level;
use crate::support::lab::{Lab, PATIENCE};
use crate::support::needs::needs;
use crate::support::processes::{alive, boot_now, wait_until};
use crate::support::puppet::Puppets;

pub(crate) fn trials() -> Vec<Trial> {
    let mut all = trials_at_each_level![
        the_stop_signal_reaches_the_whole_tree_at_once,
        what_ignores_the_stop_signal_is_killed_after_the_expiry_grace,
        the_stop_signal_is_the_one_that_was_chosen,
    ];
    all.extend(trials![
        timeout_with_sigkill_leaves_nothing,
        a_nested_leasectl_goes_with_the_outer_one,
        a_front_killed_while_it_waits_leaves_nothing,
    ]);
    all
}

fn the_stop_signal_reaches_the_whole_tree_at_once(level: Level) {
    let _alone = alone();
    let mut reached = Vec::new();
    let mut emptied = Vec::new();
    for _ in 0..20 {
        let scene = Scene::start(level, &[], &FAMILY);
        let killed = boot_now();
        scene.front.send(Signal::SIGKILL);
        let gone = scene.wait_all_gone(PATIENCE);
        let told = scene.puppets.of_kind("TERM");
        assert_eq!(told.len(), FAMILY.len(), "each once: {told:?}");
        let last = told.iter().map(|one| one.at).max().unwrap();
        reached.push(last.saturating_sub(killed));
        emptied.push(gone - killed);
        assert_nothing_is_left(&scene.lab);
        assert_lease_is_free(&scene.lab);
    }
    let middle = median(&reached);
    report(
        &format!("SIGKILL of the front to the last stop signal, {level}"),
        reached,
    );
    report(
        &format!("SIGKILL of the front to an empty tree, {level}"),
        emptied,
    );
    assert!(middle < Duration::from_millis(250), "{middle:?}");
}

fn what_ignores_the_stop_signal_is_killed_after_the_expiry_grace(level: Level) {
    let _alone = alone();
    let grace = Duration::from_millis(300);
    let mut overs = Vec::new();
    for _ in 0..5 {
        let scene = Scene::start(level, &["--expiry-grace", "300ms"], &STUBBORN);
        let killed = boot_now();
        scene.front.send(Signal::SIGKILL);
        // On a machine that is drowning even dying takes its time.
        wait_until(PATIENCE, "the front is dead", || !alive(scene.front.id()));
        let dead = boot_now();
        wait_until(PATIENCE, "all have noted TERM", || {
            scene.puppets.of_kind("TERM").len() == STUBBORN.len()
        });
        let gone = scene.wait_all_gone(PATIENCE);
        assert!(gone - killed >= grace, "killed after {:?}", gone - killed);
        let over = gone.saturating_sub(dead + grace);
        assert!(over < Duration::from_secs(2), "{over:?} after the grace");
        overs.push(over);
        assert_nothing_is_left(&scene.lab);
        assert_lease_is_free(&scene.lab);
    }
    report(
        &format!("end of the expiry grace to an empty tree, {level}"),
        overs,
    );
}

fn the_stop_signal_is_the_one_that_was_chosen(level: Level) {
    let scene = Scene::start(
        level,
        &["--stop-signal", "USR2", "--expiry-grace", "100ms"],
        &FAMILY,
    );
    scene.front.send(Signal::SIGKILL);
    scene.wait_all_gone(PATIENCE);
    assert_eq!(scene.puppets.of_kind("USR2").len(), FAMILY.len());
    assert_eq!(scene.puppets.of_kind("TERM").len(), 0);
}

fn timeout_with_sigkill_leaves_nothing() {
    needs("timeout");
    let lab = Lab::new();
    let puppets = Puppets::new(&lab, "log", &FAMILY);
    let mut command = lab.command("timeout");
    command.args(["-s", "KILL", "1", "leasectl", "run", "--lease", LEASE, "--"]);
    let running = lab.spawn(command.args(puppets.command()));
    puppets.wait_ready();
    let ended = running.wait(PATIENCE);
    // timeout(1) kills itself too, with its group.
    assert!(
        ended.signal() == Some(9) || ended.code() == Some(137),
        "{ended}"
    );
    puppets.wait_gone(PATIENCE);
    assert_eq!(puppets.of_kind("TERM").len(), FAMILY.len());
    assert_nothing_is_left(&lab);
    assert_lease_is_free(&lab);
}

fn a_nested_leasectl_goes_with_the_outer_one() {
    needs("setsid");
    let lab = Lab::new();
    let puppets = Puppets::new(&lab, "log", &FAMILY);
    let mut command = lab.leasectl(["run", "--lease", "outer", "--expiry-grace", "500ms", "--"]);
    command.args([
        "setsid", "--wait", "leasectl", "run", "--lease", LEASE, "--",
    ]);
    let outer = lab.spawn(command.args(puppets.command()));
    puppets.wait_ready();
    let guardian = guardian_of(outer.id());
    outer.send(Signal::SIGKILL);
    wait_until(PATIENCE, "the guardian ends", || !alive(guardian));
    assert!(puppets.alive().is_empty(), "{:?}", puppets.alive());
    assert_nothing_is_left(&lab);
    assert_lease_is_free(&lab);
}

fn a_front_killed_while_it_waits_leaves_nothing() {
    let scene = Scene::start(Level::Tree, &[], &["main"]);
    let mut second = scene
        .lab
        .leasectl(["run", "--lease", LEASE, "--wait", "forever"]);
    let second = scene.lab.spawn(second.args(["--", "touch", "overlap"]));
    wait_until(PATIENCE, "the second waits", || {
        second.stderr().contains("; waiting")
    });
    let guardian = guardian_of(second.id());
    second.send(Signal::SIGKILL);
    wait_until(PATIENCE, "its guardian ends", || !alive(guardian));
    scene.front.send(Signal::SIGTERM);
    scene.front.wait(PATIENCE).expect_code(0);
    assert_nothing_is_left(&scene.lab);
    assert!(!scene.lab.path("overlap").exists());
    assert_lease_is_free(&scene.lab);
}
