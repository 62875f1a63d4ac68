//! The guardian is killed, or stands still: the front kills the tree (P2).

use std::fs;
use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::scene::{FAMILY, STUBBORN, Scene, assert_lease_is_free, assert_nothing_is_left, report};
use crate::support::alone::alone;
use crate::support::containment::Level;
use crate::support::lab::{Ended, PATIENCE};
use crate::support::needs::needs;
use crate::support::processes::{alive, boot_now, send, wait_until};

pub(crate) fn trials() -> Vec<Trial> {
    let mut all = trials_at_each_level![
        a_killed_guardian_takes_the_whole_tree_along,
        a_guardian_that_stands_still_is_found_out_and_killed,
        a_guardian_killed_while_it_stops_the_tree_is_replaced_by_the_front,
        a_disk_that_takes_its_time_over_a_line_does_not_hold_up_the_kill,
    ];
    all.extend(trials![
        a_guardian_killed_before_the_command_starts_starts_nothing,
        the_guardian_ignores_what_asks_it_to_end,
        the_guardian_does_not_go_by_the_name_of_leasectl,
        killing_leasectl_by_name_leaves_the_guardian_to_do_its_work,
    ]);
    all
}

/// Waits for the end after the guardian has been dealt with: 121, nothing left, the lease free.
#[track_caller]
fn expect_lost(scene: Scene) -> Ended {
    let Scene {
        front,
        puppets,
        lab,
        ..
    } = scene;
    let ended = front.wait(PATIENCE).expect_code(121);
    assert!(puppets.alive().is_empty(), "{:?}", puppets.alive());
    assert!(
        ended
            .stderr
            .contains("the guardian was killed or did not answer"),
        "{ended}"
    );
    assert_nothing_is_left(&lab);
    assert_lease_is_free(&lab);
    ended
}

fn a_killed_guardian_takes_the_whole_tree_along(level: Level) {
    let _alone = alone();
    let mut took = Vec::new();
    for _ in 0..10 {
        let scene = Scene::start(level, &[], &STUBBORN);
        let killed = boot_now();
        scene.send_to_guardian(Signal::SIGKILL);
        took.push(scene.puppets.wait_gone(PATIENCE) - killed);
        assert_eq!(
            scene.puppets.of_kind("TERM").len(),
            0,
            "there is no grace to spend"
        );
        expect_lost(scene);
    }
    report(
        &format!("SIGKILL of the guardian to an empty tree, {level}"),
        took,
    );
}

fn a_guardian_that_stands_still_is_found_out_and_killed(level: Level) {
    let scene = Scene::start(level, &[], &STUBBORN);
    let frozen = boot_now();
    scene.send_to_guardian(Signal::SIGSTOP);
    let took = scene.puppets.wait_gone(PATIENCE) - frozen;
    // It is asked every second, has a second to answer, and a last chance of a quarter.
    assert!(took < Duration::from_secs(10), "{took:?}");
    report(
        &format!("SIGSTOP of the guardian to an empty tree, {level}"),
        vec![took],
    );
    expect_lost(scene);
}

fn a_guardian_killed_while_it_stops_the_tree_is_replaced_by_the_front(level: Level) {
    let options = ["--run-timeout", "100ms", "--grace", "1h"];
    let scene = Scene::start(level, &options, &STUBBORN);
    wait_until(PATIENCE, "it is being stopped", || {
        scene.puppets.of_kind("TERM").len() == STUBBORN.len()
    });
    scene.send_to_guardian(Signal::SIGKILL);
    let ended = scene.front.wait(PATIENCE);
    // The time-out had been reached before.
    let ended = ended.expect_code(124);
    assert!(ended.stderr.contains("the guardian is gone"), "{ended}");
    assert!(scene.puppets.alive().is_empty());
    assert_nothing_is_left(&scene.lab);
    assert_lease_is_free(&scene.lab);
}

/// strace holds up every line that the front writes, to people and to programs, as a busy disk does.
fn a_disk_that_takes_its_time_over_a_line_does_not_hold_up_the_kill(level: Level) {
    const HELD_UP: Duration = Duration::from_secs(4);
    needs("strace");
    let scene = Scene::start(level, &["--events", "events"], &STUBBORN);
    let inject = format!("inject=write:delay_enter={}", HELD_UP.as_micros());
    let mut command = scene.lab.command("strace");
    command.args(["-qq", "-o", "/dev/null", "-e", "trace=write", "-e", &inject]);
    for written in ["events", "0.stderr"] {
        let path = scene.lab.path(written);
        assert!(path.exists(), "{written}");
        command.arg("-P").arg(path);
    }
    let strace = scene
        .lab
        .spawn(command.args(["-p", &scene.front.id().to_string()]));
    wait_until(PATIENCE, "strace has come", || {
        let status = fs::read_to_string(format!("/proc/{}/status", scene.front.id()));
        status
            .unwrap()
            .contains(&format!("TracerPid:\t{}\n", strace.id()))
    });
    let said = scene.front.stderr();
    let killed = boot_now();
    scene.send_to_guardian(Signal::SIGKILL);
    let took = scene.puppets.wait_gone(PATIENCE) - killed;
    assert!(took < HELD_UP / 2, "{took:?}");
    assert_eq!(scene.front.stderr(), said, "nothing was held up");
    expect_lost(scene);
    assert!(boot_now() - killed > HELD_UP, "nothing was held up");
}

fn a_guardian_killed_before_the_command_starts_starts_nothing() {
    let scene = Scene::start(Level::Tree, &[], &["main"]);
    let lab = &scene.lab;
    let mut second = lab.leasectl(["run", "--lease", super::scene::LEASE, "--wait", "forever"]);
    let second = lab.spawn(second.args(["--", "touch", "overlap"]));
    wait_until(PATIENCE, "the second waits", || {
        second.stderr().contains("; waiting")
    });
    send(super::scene::guardian_of(second.id()), Signal::SIGKILL);
    let ended = second.wait(PATIENCE).expect_code(125);
    assert!(ended.stderr.contains("nothing was run"), "{ended}");
    scene.front.send(Signal::SIGTERM);
    scene.front.wait(PATIENCE).expect_code(0);
    assert!(!scene.lab.path("overlap").exists());
    assert_lease_is_free(&scene.lab);
}

fn the_guardian_ignores_what_asks_it_to_end() {
    let scene = Scene::start(Level::Tree, &[], &FAMILY);
    for signal in [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGTERM,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGALRM,
        Signal::SIGPIPE,
        Signal::SIGTSTP,
        Signal::SIGTTIN,
        Signal::SIGTTOU,
    ] {
        scene.send_to_guardian(signal);
    }
    scene.front.send(Signal::SIGUSR2);
    wait_until(PATIENCE, "it still passes signals on", || {
        scene.puppets.of_kind("USR2").len() == 1
    });
    assert!(alive(scene.guardian));
    assert_eq!(scene.puppets.alive().len(), FAMILY.len());
    for one in scene.puppets.alive() {
        send(one.pid, Signal::SIGTERM);
    }
    scene.finish().expect_code(0);
}

fn the_guardian_does_not_go_by_the_name_of_leasectl() {
    let scene = Scene::start(Level::Tree, &[], &["main"]);
    for file in ["comm", "cmdline", "stat"] {
        let shown = fs::read(format!("/proc/{}/{file}", scene.guardian)).unwrap();
        let shown = String::from_utf8_lossy(&shown).into_owned();
        assert!(shown.contains("lease-guard"), "{file}: {shown:?}");
        assert!(!shown.contains("leasectl"), "{file}: {shown:?}");
    }
}

/// In a PID namespace of its own, so that nobody else's leasectl is hit.
fn killing_leasectl_by_name_leaves_the_guardian_to_do_its_work() {
    needs("pidns");
    for killer in ["pkill", "killall"] {
        needs(killer);
        let lab = crate::support::lab::Lab::new();
        let puppets = crate::support::puppet::Puppets::new(&lab, "log", &FAMILY);
        let script = format!(
            "test $$ = 1 || exit 95\n\
             leasectl run --lease nightly -- \"$@\" & front=$!\n\
             waited() {{ i=0; until test \"$(grep -c \"$1\" log)\" = {all}; do \
                i=$((i + 1)); test $i -lt 600 || exit 94; sleep 0.1; done; }}\n\
             touch log; waited ready\n\
             {killer} -9 leasectl || exit 93\n\
             wait $front; test $? = 137 || exit 92\n\
             waited TERM\n\
             leasectl run --lease nightly --wait 10s -- true || exit 91\n\
             exit 7\n",
            all = FAMILY.len()
        );
        let mut command = lab.command("unshare");
        command.args(["--fork", "--pid", "--mount-proc", "sh", "-c", &script, "sh"]);
        let ended = lab.run(command.args(puppets.command()));
        ended.expect_code(7);
    }
}
