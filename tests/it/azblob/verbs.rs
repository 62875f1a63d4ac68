//! The verbs, on an Azurite.

use libtest_mimic::Trial;

use super::scene::{OPTIONS, Scene, TTL, verb};
use crate::support::azurite::Azurite;
use crate::support::lab::Lab;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_command_is_renewed_and_gives_its_lease_back,
        a_holder_is_asked_for_its_lease_and_stops,
        a_lease_is_taken_away_from_its_holder,
        a_paused_lease_is_refused_until_it_is_resumed,
        a_minimum_hold_keeps_others_out,
        a_doctor_finds_a_server_good_and_leaves_nothing,
    ]
}

fn a_command_is_renewed_and_gives_its_lease_back() {
    let scene = Scene::start();
    let (other, url) = (Lab::new(), scene.server.url(OPTIONS));
    let run = ["run", "--lease", "a", "--", "true"];
    let refused = verb(&other, &url, &run).expect_code(120);
    assert!(refused.stderr.contains("held: by"), "{refused}");
    let seen = verb(&other, &url, &["status", "a", "--json"]).expect_code(0);
    let seen: serde_json::Value = serde_json::from_str(&seen.stdout).unwrap();
    let holder = &seen["leases"][0]["holders"][0];
    assert_eq!(seen["leases"][0]["state"], "held");
    assert_eq!(
        (&holder["program"], &holder["here"]),
        (&"sh".into(), &true.into())
    );
    assert!(
        holder["expires_in_s"].is_null() && holder["renewed_at"].is_null(),
        "{seen}"
    );
    scene.survives();
}

fn a_holder_is_asked_for_its_lease_and_stops() {
    let scene = Scene::start();
    let url = scene.server.url(OPTIONS);
    let words = ["release", "a", "--reason", "moving the disk"];
    verb(&Lab::new(), &url, &words).expect_code(0);
    let ended = scene.ended().expect_code(119);
    assert!(ended.stderr.contains("moving the disk"), "{ended}");
}

fn a_lease_is_taken_away_from_its_holder() {
    let mut scene = Scene::start();
    let (other, url) = (Lab::new(), scene.server.url(OPTIONS));
    let seen = verb(&other, &url, &["status", "a", "--json"]).expect_code(0);
    let seen: serde_json::Value = serde_json::from_str(&seen.stdout).unwrap();
    let token = seen["leases"][0]["holders"][0]["token"].to_string();
    let wrong = verb(&other, &url, &["release", "a", "--force", "--token", "1"]);
    assert_eq!(wrong.code(), Some(120), "{wrong}");
    let words = ["release", "a", "--force", "--token", &token];
    let taken = verb(&other, &url, &words).expect_code(0);
    // The service says how much was left of a lease of 15 s that is renewed every 3 s.
    let left = taken.stderr.split("may still be running, for ").nth(1);
    let left = left.and_then(|rest| rest.split("s at most").next()?.parse::<u64>().ok());
    assert!(left.is_some_and(|left| (8..=16).contains(&left)), "{taken}");
    scene.is_stopped(TTL / 2, "a was lost");
}

fn a_paused_lease_is_refused_until_it_is_resumed() {
    let server = Azurite::in_memory();
    let (lab, url) = (Lab::new(), server.url(OPTIONS));
    let run = ["run", "--lease", "a", "--", "true"];
    verb(&lab, &url, &["pause", "a", "--reason", "the disk"]).expect_code(0);
    let refused = verb(&lab, &url, &run).expect_code(120);
    assert!(refused.stderr.contains("the disk"), "{refused}");
    verb(&lab, &url, &["resume", "a"]).expect_code(0);
    verb(&lab, &url, &run).expect_code(0);
}

fn a_minimum_hold_keeps_others_out() {
    let server = Azurite::in_memory();
    let (lab, url) = (Lab::new(), server.url(OPTIONS));
    let run = ["run", "--lease", "a", "--min-hold", "10m", "--", "true"];
    verb(&lab, &url, &run).expect_code(0);
    let refused = verb(&lab, &url, &run).expect_code(120);
    assert!(refused.stderr.contains("minimum hold"), "{refused}");
    verb(&lab, &url, &["resume", "a"]).expect_code(0);
    verb(&lab, &url, &run).expect_code(0);
}

fn a_doctor_finds_a_server_good_and_leaves_nothing() {
    let server = Azurite::in_memory();
    let (lab, url) = (Lab::new(), server.url(OPTIONS));
    let found = verb(&lab, &url, &["doctor"]).expect_code(0);
    assert!(found.stdout.contains("with its next renewal"), "{found}");
    let seen = verb(&lab, &url, &["status", "--json"]).expect_code(0);
    assert!(seen.stdout.contains(r#""leases":[]"#), "{seen}");
}
