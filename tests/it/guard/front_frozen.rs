//! The front stands still, or the store falls silent: the guardian kills by the deadline (P3).

use std::fs;
use std::thread;
use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::scene::{STUBBORN, Scene, median, report};
use crate::support::alone::alone;
use crate::support::containment::Level;
use crate::support::lab::{Lab, PATIENCE};
use crate::support::processes::{boot_now, stopped, wait_until};

/// Of `--ttl 2s` (DESIGN section 4): a lease asked for at `t` ends at `t + DEAD`, and SIGKILL begins at
/// `t + KILL`.
const DEAD: Duration = Duration::from_millis(1_800);
const KILL: Duration = Duration::from_millis(1_550);
const STOP: Duration = Duration::from_micros(1_216_667);

pub(crate) fn trials() -> Vec<Trial> {
    let mut all = trials_at_each_level![
        a_frozen_front_loses_the_command_by_the_deadline,
        a_frozen_guardian_does_not_move_the_deadline,
        a_silent_store_loses_the_command_by_the_deadline,
    ];
    all.extend(trials![
        the_deadline_is_kept_on_a_machine_with_too_much_to_do
    ]);
    all
}

fn a_frozen_front_loses_the_command_by_the_deadline(level: Level) {
    let options = ["--store", "memory:", "--ttl", "2s", "-v"];
    let scene = Scene::start(level, &options, &STUBBORN);
    // The deadline has moved: what counts is not the acquisition but the last renewal.
    wait_until(PATIENCE, "two renewals", || {
        scene.front.stderr().matches("renewed").count() >= 2
    });
    let before = boot_now();
    scene.front.send(Signal::SIGSTOP);
    wait_until(PATIENCE, "the front stands still", || {
        stopped(scene.front.id())
    });
    let frozen = boot_now();
    let gone = scene.puppets.wait_gone(PATIENCE);
    assert!(
        gone < frozen + DEAD,
        "dead {:?} after the front froze",
        gone - frozen
    );
    // The last renewal was sent at most one interval (and an attempt) before.
    assert!(
        gone > before + STOP - Duration::from_millis(600),
        "{:?}",
        gone - before
    );
    assert_eq!(scene.puppets.of_kind("TERM").len(), STUBBORN.len());
    report(
        &format!("front frozen to an empty tree, {level} (dead by 1.8s)"),
        vec![gone - frozen],
    );
    scene.front.send(Signal::SIGCONT);
    let ended = scene.finish().expect_code(121);
    assert!(
        ended.stderr.contains("could not be renewed in time"),
        "{ended}"
    );
}

fn a_frozen_guardian_does_not_move_the_deadline(level: Level) {
    let options = ["--store", "memory:?answers=1", "--ttl", "2s"];
    let scene = Scene::start(level, &options, &STUBBORN);
    let ready = ready_at(&scene);
    scene.send_to_guardian(Signal::SIGSTOP);
    let gone = scene.puppets.wait_gone(PATIENCE);
    assert!(
        gone < ready + DEAD,
        "dead {:?} after the start",
        gone - ready
    );
    report(
        &format!("guardian frozen, start to an empty tree, {level}"),
        vec![gone - ready],
    );
    scene.finish().expect_code(121);
}

fn a_silent_store_loses_the_command_by_the_deadline(level: Level) {
    let options = ["--store", "memory:?answers=3", "--ttl", "2s"];
    let scene = Scene::start(level, &options, &STUBBORN);
    let ready = ready_at(&scene);
    let gone = scene.puppets.wait_gone(PATIENCE) - ready;
    // Two renewals were answered, each asked for an interval of 0.4 s after the one before.
    let renewed = Duration::from_millis(800);
    let slack = Duration::from_millis(200);
    assert!(
        gone > renewed + STOP - slack,
        "dead {gone:?} after the start"
    );
    assert!(
        gone < renewed + DEAD + slack,
        "dead {gone:?} after the start"
    );
    let ended = scene.finish().expect_code(121);
    assert!(ended.stderr.contains("no answer within 200ms"), "{ended}");
}

/// When the main puppet was ready: after the request was sent that the lease is counted from.
fn ready_at(scene: &Scene) -> Duration {
    let mut ready = scene.puppets.of_kind("ready");
    ready.retain(|one| one.name == "main");
    ready[0].at
}

/// When the guardian will send the stop signal unless a renewal is answered before: what its own timer
/// says, which the kernel shows to everybody.
fn armed_stop(guardian: u32) -> Option<Duration> {
    for entry in fs::read_dir(format!("/proc/{guardian}/fdinfo")).ok()? {
        let file = entry.ok()?.path();
        let before = boot_now();
        let Ok(text) = fs::read_to_string(&file) else {
            continue;
        };
        let after = boot_now();
        let Some(left) = text
            .lines()
            .find_map(|line| line.strip_prefix("it_value: ("))
        else {
            continue;
        };
        let (seconds, nanos) = left.strip_suffix(")")?.split_once(", ")?;
        let left = Duration::new(seconds.parse().ok()?, nanos.parse().ok()?);
        // A look that was interrupted tells nothing.
        let short = after - before < Duration::from_millis(1);
        return (short && !left.is_zero()).then_some(before + left);
    }
    None
}

/// One run under a store that answers only the acquisition: how long after the instant of SIGKILL the
/// tree was gone, and how long after that instant the last of it still ran.
fn overshoot() -> (Duration, Duration) {
    let roles = [
        "main:stubborn+beat",
        "session:setsid+stubborn+beat",
        "daemon:daemon+stubborn+beat",
    ];
    let asked_after = boot_now();
    let options = ["--store", "memory:?answers=1", "--ttl", "2s"];
    let scene = Scene::start(Level::Tree, &options, &roles);
    let asked_before = ready_at(&scene);
    let stop = (0..100).find_map(|_| armed_stop(scene.guardian)).unwrap();
    assert!(
        stop > asked_after + STOP && stop < asked_before + STOP,
        "{stop:?}"
    );
    let gone = scene.puppets.wait_gone(PATIENCE);
    let dead = stop + (DEAD - STOP);
    let beats = ["main", "session", "daemon"].map(|name| scene.puppets.last_beat(name));
    let ran = beats.into_iter().max().unwrap();
    // By their own last sign of life: the look from here comes as late as this test is scheduled.
    assert!(ran < dead, "ran for {:?} after the deadline", ran - dead);
    scene.finish().expect_code(121);
    let kill = stop + (KILL - STOP);
    assert!(gone > kill, "killed before its time");
    (gone - kill, ran.saturating_sub(kill))
}

fn the_deadline_is_kept_on_a_machine_with_too_much_to_do() {
    const WAVES: usize = 10;
    const AT_ONCE: u32 = 3;
    let _alone = alone();
    // The level is settled here: `needs` works on the test's own thread only.
    drop(Level::Tree.leasectl(&Lab::new(), &["--version"]));
    let lab = Lab::new();
    let loops: Vec<_> = (0..8)
        .map(|_| lab.spawn(&mut lab.sh("while :; do :; done")))
        .collect();
    let mut gone = Vec::new();
    let mut ran = Vec::new();
    for _ in 0..WAVES {
        // One after the other, so that no two are killed at the same time.
        let runs: Vec<_> = (0..AT_ONCE)
            .map(|at| {
                thread::spawn(move || {
                    thread::sleep(Duration::from_millis(550) * at);
                    overshoot()
                })
            })
            .collect();
        for run in runs {
            let (gone_after, ran_after) = run.join().unwrap();
            gone.push(gone_after);
            ran.push(ran_after);
        }
    }
    drop(loops);
    gone.sort();
    let (p50, p99) = (median(&gone), gone[gone.len() - 1]);
    eprintln!(
        "measured: 8 busy loops, SIGKILL instant to an empty tree: p50 {p50:.1?}, p99 {p99:.1?}"
    );
    report(
        "8 busy loops, SIGKILL instant to the last sign of life",
        ran,
    );
}
