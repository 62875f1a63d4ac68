//! The other verbs, on a server: what is pushed comes at once, and not with the next renewal.

use std::time::Duration;

use libtest_mimic::Trial;

use super::scene::Scene;
use crate::support::lab::{Ended, Lab};
use crate::support::redis::RedisServer;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_holder_is_asked_for_its_lease_and_stops,
        a_lease_is_taken_away_from_its_holder,
        a_paused_lease_is_refused_until_it_is_resumed,
        status_shows_who_holds,
        a_doctor_finds_a_server_good_and_leaves_nothing,
        a_doctor_says_that_a_server_was_just_started,
    ]
}

/// Runs a verb on the server.
fn verb(lab: &Lab, url: &str, words: &[&str]) -> Ended {
    lab.run(lab.leasectl(words).env("LEASECTL_STORE", url))
}

fn a_holder_is_asked_for_its_lease_and_stops() {
    let scene = Scene::start(&[]);
    let url = scene.server.url("restart-guard=off");
    let words = ["release", "a", "--reason", "moving the disk"];
    verb(&scene.lab, &url, &words).expect_code(0);
    let ended = scene.ended().expect_code(119);
    assert!(ended.stderr.contains("moving the disk"), "{ended}");
}

fn a_lease_is_taken_away_from_its_holder() {
    let mut scene = Scene::start(&[]);
    let url = scene.server.url("restart-guard=off");
    let other = Lab::new();
    let seen = verb(&other, &url, &["status", "a", "--json"]).expect_code(0);
    let seen: serde_json::Value = serde_json::from_str(&seen.stdout).unwrap();
    let token = seen["leases"][0]["holders"][0]["token"].to_string();
    let wrong = verb(&other, &url, &["release", "a", "--force", "--token", "1"]);
    assert_ne!(wrong.code(), Some(0), "{wrong}");
    let words = ["release", "a", "--force", "--token", &token];
    verb(&other, &url, &words).expect_code(0);
    scene.is_stopped("a was lost");
}

fn a_paused_lease_is_refused_until_it_is_resumed() {
    let server = RedisServer::start(&[]);
    let (lab, url) = (Lab::new(), server.url("restart-guard=off"));
    let run = ["run", "--lease", "a", "--", "true"];
    verb(&lab, &url, &["pause", "a", "--reason", "the disk"]).expect_code(0);
    let refused = verb(&lab, &url, &run).expect_code(120);
    assert!(refused.stderr.contains("the disk"), "{refused}");
    verb(&lab, &url, &["resume", "a"]).expect_code(0);
    verb(&lab, &url, &run).expect_code(0);
}

fn status_shows_who_holds() {
    let scene = Scene::start(&[]);
    let url = scene.server.url("restart-guard=off");
    let seen = verb(&scene.lab, &url, &["status", "--json"]).expect_code(0);
    let seen: serde_json::Value = serde_json::from_str(&seen.stdout).unwrap();
    let lease = &seen["leases"][0];
    assert_eq!(
        (&lease["lease"], &lease["state"]),
        (&"a".into(), &"held".into())
    );
    let left = lease["holders"][0]["expires_in_s"].as_f64().unwrap();
    assert!(left > 0.0 && left <= 6.0, "{left}");
    verb(&scene.lab, &url, &["status", "a", "--check", "--here"]).expect_code(0);
    scene.survives();
}

fn a_doctor_finds_a_server_good_and_leaves_nothing() {
    let server = RedisServer::start(&[]);
    let lab = Lab::new();
    let found = verb(&lab, &server.url("restart-guard=off"), &["doctor"]).expect_code(0);
    assert!(found.stdout.contains("an onlooker finds it out"), "{found}");
    assert!(
        found
            .stdout
            .contains("waiters             are told by the store"),
        "{found}"
    );
    assert_eq!(server.cli(&["KEYS", "*"]), "");
}

fn a_doctor_says_that_a_server_was_just_started() {
    let server = RedisServer::start(&[]);
    let found = verb(&Lab::new(), &server.url(""), &["doctor"]).expect_code(123);
    assert!(found.stdout.contains("everyone is kept out for"), "{found}");
    assert!(found.took < Duration::from_secs(20), "{found}");
}
