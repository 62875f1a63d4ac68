//! The server's clock is set while a command runs under its lease.

use std::time::Instant;

use libtest_mimic::Trial;

use super::nodes::{self, done, hold};
use super::scene::Scene;
use crate::support::events::Events;
use crate::support::lab::{Lab, PATIENCE};
use crate::support::processes::wait_until;
use crate::support::redis::RedisServer;

const SECOND: u64 = 1_000_000;
/// What the clock shows at first, in microseconds.
const BEGIN: u64 = 1_700_000_000 * SECOND;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_clock_that_is_set_forward_is_told_and_no_loss,
        a_clock_that_is_set_back_is_told_and_no_loss,
        a_clock_that_runs_fast_is_told_once,
        a_clock_that_is_set_past_the_end_is_why_the_lease_is_lost,
    ]
}

/// A command under a lease whose server's clock stands still, which is itself a clock set back: told once the
/// second renewal is answered.
#[track_caller]
fn scene() -> Scene {
    let scene = Scene::on(RedisServer::with_clock(&[], BEGIN), "restart-guard=off");
    until_told(&scene, "was set back", 1);
    scene
}

#[track_caller]
fn until_told(scene: &Scene, words: &str, times: usize) {
    let said = || scene.said().matches(words).count();
    wait_until(PATIENCE, words, || said() >= times);
}

fn a_clock_that_is_set_forward_is_told_and_no_loss() {
    let scene = scene();
    scene.server.set_clock(BEGIN + 4 * SECOND);
    until_told(&scene, "the store's clock was set forward by ", 1);
    until_told(&scene, "was set back", 2);
    let ended = scene.survives();
    assert!(
        ended
            .stderr
            .contains("times as fast; let it be slewed (chrony, NTP), not set"),
        "{ended}"
    );
}

fn a_clock_that_is_set_back_is_told_and_no_loss() {
    let scene = scene();
    scene.server.set_clock(BEGIN - 3_600 * SECOND);
    until_told(&scene, "was set back by 1h", 1);
    scene.survives();
}

/// It goes half as fast again as ours, and then stands still.
fn a_clock_that_runs_fast_is_told_once() {
    let server = RedisServer::with_clock(&[], BEGIN);
    let lab = Lab::new();
    let url = server.url("restart-guard=off");
    let run = hold(&lab, &url, &["--ttl", "10s", "--events", "events"]);
    let began = Instant::now();
    wait_until(PATIENCE, "renewals", || {
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap();
        server.set_clock(BEGIN + micros * 3 / 2);
        nodes::renewals(&server) >= 7
    });
    let told = |words: &str| run.stderr().matches(words).count();
    // Set back at first, and then too slow.
    wait_until(PATIENCE, "all of it to be told", || {
        told("the store's clock runs slower than ours") == 1
    });
    for words in ["was set forward by ", "runs about ", "was set back by "] {
        assert_eq!(told(words), 1, "{words}: {}", run.stderr());
    }
    done(&lab);
    let ended = run.wait(PATIENCE).expect_code(0);
    assert_eq!(ended.stderr.matches("clock").count(), 4, "{ended}");
    assert_eq!(Events::read(&lab.path("events")).of("clock_jump").len(), 4);
}

fn a_clock_that_is_set_past_the_end_is_why_the_lease_is_lost() {
    let mut scene = scene();
    scene.server.set_clock(BEGIN + 60 * SECOND);
    scene.is_stopped("ran out at the store, whose clock was set forward");
    let events = Events::read(&scene.lab.path("events"));
    events.check(&scene.lab);
    assert!(events.of("clock_jump")[0]["by_s"].as_f64() < Some(0.0));
    assert_eq!(events.only("lost")["reason"], "clock_jump");
}
