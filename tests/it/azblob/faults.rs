//! A server that is silent, dead, or back without its data.

use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::scene::{OPTIONS, Scene, TTL, verb};
use crate::support::azurite::Azurite;
use crate::support::lab::{Lab, PATIENCE};
use crate::support::processes::wait_until;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_silent_server_stops_the_command_in_time,
        a_dead_server_stops_the_command_in_time,
        a_short_silence_is_survived,
        a_server_that_lost_everything_ends_the_hold_and_keeps_others_out,
        tokens_rise_across_a_restart_from_files,
    ]
}

/// A server that no other test gets.
fn own() -> Azurite {
    Azurite::start(&["--inMemoryPersistence"])
}

fn a_silent_server_stops_the_command_in_time() {
    let mut scene = Scene::on(own());
    scene.server.send(Signal::SIGSTOP);
    scene.is_stopped(TTL, "a could not be renewed in time");
    scene.server.send(Signal::SIGCONT);
}

fn a_dead_server_stops_the_command_in_time() {
    let mut scene = Scene::on(own());
    scene.server.down();
    scene.is_stopped(TTL, "a could not be renewed in time");
}

fn a_short_silence_is_survived() {
    let scene = Scene::on(own());
    scene.server.send(Signal::SIGSTOP);
    wait_until(PATIENCE, "doubt", || {
        scene.said().contains("no answer within")
    });
    scene.server.send(Signal::SIGCONT);
    scene.survives();
}

fn a_server_that_lost_everything_ends_the_hold_and_keeps_others_out() {
    let mut scene = Scene::on(own());
    scene.server.down();
    scene.server.up();
    // The container is made anew by the next one who comes: nobody gets a lease in it for the time to live of
    // whoever may still run.
    let url = scene.server.url("restart-guard=15s");
    let other = Lab::new();
    let run = ["run", "--lease", "a", "--", "true"];
    let ran = verb(&other, &url, &run).expect_code(0);
    assert!(ran.took >= TTL, "{ran}");
    assert!(ran.stderr.contains("kept back"), "{ran}");
    let ended = scene.is_stopped(Duration::from_secs(1), "the command was ");
    // Lost, when the server was back in time to say so.
    let reasons = ["was lost", "could not be renewed in time"];
    assert!(
        reasons.iter().any(|why| ended.stderr.contains(why)),
        "{ended}"
    );
}

fn tokens_rise_across_a_restart_from_files() {
    let mut server = Azurite::start(&[]);
    let (lab, url) = (Lab::new(), server.url(OPTIONS));
    let token = |url: &str| {
        let words = [
            "run",
            "--lease",
            "a",
            "--",
            "sh",
            "-c",
            "echo $LEASECTL_TOKEN",
        ];
        let ran = verb(&lab, url, &words).expect_code(0);
        ran.stdout.trim().parse::<u64>().unwrap()
    };
    let first = token(&url);
    server.down();
    server.up();
    assert!(token(&server.url(OPTIONS)) > first);
}
