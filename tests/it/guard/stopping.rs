//! leasectl stops the command of its own accord: time-out, loss, and what cannot be killed.

use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Command;
use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::scene::{FAMILY, LEASE, STUBBORN, Scene, assert_lease_is_free};
use crate::support::containment::Level;
use crate::support::lab::{LEASECTL, Lab, PATIENCE, Running};
use crate::support::needs::{needs, program_on_path};
use crate::support::processes::{alive, boot_now, children, name, send, wait_until};

pub(crate) fn trials() -> Vec<Trial> {
    let mut all = trials_at_each_level![
        a_command_that_ignores_the_stop_signal_is_killed_after_the_grace,
        a_command_that_obeys_the_stop_signal_is_not_killed,
        a_known_loss_kills_at_once_without_grace,
    ];
    all.extend(trials![
        a_process_of_another_user_that_cannot_be_killed_is_named_and_not_shown_dead,
        a_hook_of_another_user_that_cannot_be_killed_is_not_waited_for,
    ]);
    all
}

fn a_command_that_ignores_the_stop_signal_is_killed_after_the_grace(level: Level) {
    let options = ["--run-timeout", "200ms", "--grace", "300ms"];
    let scene = Scene::start(level, &options, &STUBBORN);
    wait_until(PATIENCE, "all have noted TERM", || {
        scene.puppets.of_kind("TERM").len() == STUBBORN.len()
    });
    let told = scene
        .puppets
        .of_kind("TERM")
        .iter()
        .map(|one| one.at)
        .max()
        .unwrap();
    let took = scene.puppets.wait_gone(PATIENCE).saturating_sub(told);
    assert!(took < Duration::from_secs(3), "{took:?}");
    // The last to be told may have been told late, but nobody was killed before the grace was over.
    assert!(took > Duration::from_millis(150), "{took:?}");
    let lab = &scene.lab;
    let ended = scene.front.wait(PATIENCE).expect_code(124);
    assert!(
        ended.stderr.contains("--run-timeout was reached"),
        "{ended}"
    );
    assert_lease_is_free(lab);
}

fn a_command_that_obeys_the_stop_signal_is_not_killed(level: Level) {
    let options = ["--run-timeout", "200ms", "--grace", "1h"];
    let scene = Scene::start(level, &options, &FAMILY);
    let started = boot_now();
    scene.puppets.wait_gone(PATIENCE);
    let told = scene.puppets.of_kind("TERM").len();
    assert_eq!(told, FAMILY.len(), "each is told once");
    scene.finish().expect_code(124);
    assert!(boot_now() - started < Duration::from_secs(30));
}

fn a_known_loss_kills_at_once_without_grace(level: Level) {
    let options = ["--store", "memory:?lost-after=0", "--ttl", "2s"];
    let scene = Scene::start(level, &options, &FAMILY);
    scene.puppets.wait_gone(PATIENCE);
    // Another may already run (P9): nobody was asked.
    assert_eq!(scene.puppets.of_kind("TERM").len(), 0);
    let ended = scene.finish().expect_code(121);
    assert!(
        ended.stderr.contains("now belongs to somebody else"),
        "{ended}"
    );
}

const NOBODY: u32 = 65_534;

/// A lab that belongs to nobody, with leasectl and a setuid-root setpriv in it.
fn lab_of_nobody() -> Lab {
    needs("root");
    needs("setpriv");
    needs("setuid");
    let lab = Lab::new();
    std::fs::copy(LEASECTL, lab.path("leasectl")).unwrap();
    let setpriv = program_on_path("setpriv").unwrap();
    std::fs::copy(setpriv, lab.path("become")).unwrap();
    let mode = PermissionsExt::from_mode(0o4755);
    std::fs::set_permissions(lab.path("become"), mode).unwrap();
    for name in ["", "store", "home"] {
        chown(lab.path(name), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    lab
}

/// leasectl as nobody.
fn as_nobody(lab: &Lab, words: &[&str]) -> Command {
    let mut command = lab.command("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command
        .arg(lab.path("leasectl"))
        .args(["run", "--lease", LEASE])
        .args(words);
    command
}

/// Waits for the one process below the guardian that has this name.
#[track_caller]
fn command_named(front: &Running, program: &str) -> u32 {
    let mut found = None;
    wait_until(PATIENCE, "the command is what it is to be", || {
        let below = children(front.id()).into_iter().flat_map(children);
        found = below
            .into_iter()
            .find(|&pid| name(pid).as_deref() == Some(program));
        found.is_some()
    });
    found.unwrap()
}

fn a_process_of_another_user_that_cannot_be_killed_is_named_and_not_shown_dead() {
    let lab = lab_of_nobody();
    let words = ["--run-timeout", "500ms", "--grace", "100ms", "--"];
    let mut command = as_nobody(&lab, &words);
    command.arg(lab.path("become"));
    let front =
        lab.spawn(command.args(["--reuid=0", "--regid=0", "--clear-groups", "sleep", "1000"]));
    let pid = command_named(&front, "sleep");
    let named = format!("{pid} (sleep, of another user: it cannot be killed)");
    wait_until(PATIENCE, "what is left is named", || {
        front
            .stderr()
            .contains(&format!("killed and still there: {named}"))
    });
    let second = || lab.run(&mut as_nobody(&lab, &["--", "touch", "overlap"]));
    second().expect_code(120);
    front.send(Signal::SIGTERM);
    wait_until(PATIENCE, "it says that another signal gives up", || {
        front.stderr().contains("another signal gives up")
    });
    assert!(alive(front.id()), "one signal is not enough");
    front.send(Signal::SIGTERM);
    let ended = front.wait(PATIENCE).expect_code(122);
    let last = ended.stderr.lines().last().unwrap();
    assert!(last.contains("could not be shown dead"), "{ended}");
    // It carries the lock, so that it goes on to exclude; and the guardian goes on trying.
    assert!(alive(pid));
    second().expect_code(120);
    send(pid, Signal::SIGKILL);
    wait_until(PATIENCE, "it ends, and so does the guardian", || {
        lab.processes().is_empty()
    });
    second().expect_code(0);
}

/// SIGKILL is all that leasectl has, and what it does not end must not keep leasectl from its own end.
fn a_hook_of_another_user_that_cannot_be_killed_is_not_waited_for() {
    let lab = lab_of_nobody();
    let hook = "exec ./become --reuid=0 --regid=0 --clear-groups sleep 1000";
    let mut command = as_nobody(&lab, &["--on-released", hook, "--", "true"]);
    let front = lab.spawn(&mut command);
    let hook = || {
        let hooks = children(front.id()).into_iter();
        hooks
            .filter(|&pid| name(pid).as_deref() == Some("sleep"))
            .collect::<Vec<_>>()
    };
    wait_until(PATIENCE, "the hook is root's", || !hook().is_empty());
    let pid = hook()[0];
    front.send(Signal::SIGTERM);
    let ended = front.wait(PATIENCE).expect_code(0);
    assert!(ended.took < Duration::from_secs(9), "{ended}");
    assert!(alive(pid), "or it was not what is tested here");
    let told = "the released hook was killed and is still there; it is not waited for";
    assert!(ended.stderr.contains(told), "{ended}");
    send(pid, Signal::SIGKILL);
}
