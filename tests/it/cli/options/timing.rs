//! The times of the lease. Where an effect is a duration, only its lower bound is exact: a busy
//! machine is late.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;

use super::super::the_line;
use super::{Shown, held, record, run};
use crate::support::lab::{Lab, PATIENCE};
use crate::support::processes::wait_until;

pub(super) const SHOWN: &[Shown] = &[
    ("--ttl", "it is in the record", ttl_is_recorded),
    (
        "--ttl",
        "without a renewal the command is stopped",
        ttl_ends,
    ),
    ("--renew-every", "the first renewal is then", renew_every),
    ("--expiry-grace", "after it comes SIGKILL", expiry_grace),
    ("--max-drift", "it is in the arithmetic", max_drift),
];

fn ttl_is_recorded() {
    let lab = Lab::new();
    lab.run(&mut run(&lab, &["--ttl", "1m30s"], ":"))
        .expect_code(0);
    assert_eq!(record(&lab)["ttl_s"], json!(90.0));
    lab.run(&mut run(&lab, &[], ":")).expect_code(0);
    assert_eq!(record(&lab)["ttl_s"], json!(30.0));
}

fn ttl_ends() {
    let lab = Lab::new();
    let options = ["-q", "--store", "memory:?answers=1", "--ttl", "4s"];
    let ended = lab
        .run(&mut run(&lab, &options, "exec sleep 600"))
        .expect_code(121);
    // The stop signal is sent 2.67 s after the grant; by default it would be 20 s.
    let expected = Duration::from_millis(2600)..Duration::from_secs(20);
    assert!(expected.contains(&ended.took), "{ended}");
}

fn renew_every() {
    let lab = Lab::new();
    let store = "memory:?lost-after=0";
    let options = [
        "-q",
        "--store",
        store,
        "--ttl",
        "4s",
        "--renew-every",
        "1500ms",
    ];
    let ended = lab
        .run(&mut run(&lab, &options, "exec sleep 600"))
        .expect_code(121);
    // By default it would be found lost after 0.8 s.
    assert!(ended.took >= Duration::from_millis(1500), "{ended}");
}

fn expiry_grace() {
    let lab = Lab::new();
    let script = "trap 'touch told' TERM; touch held; while :; do sleep 0.05; done";
    let holder = lab.spawn(&mut run(
        &lab,
        &["--ttl", "10m", "--expiry-grace", "1s"],
        script,
    ));
    wait_until(PATIENCE, "it runs", || lab.path("held").exists());
    let started = Instant::now();
    holder.send(Signal::SIGKILL);
    wait_until(PATIENCE, "the stop signal comes", || {
        lab.path("told").exists()
    });
    wait_until(PATIENCE, "all have ended", || lab.processes().is_empty());
    // The default of this ttl would be 100 s.
    assert!(started.elapsed() >= Duration::from_millis(950));
}

fn max_drift() {
    let lab = Lab::new();
    let times = ["--ttl", "10s", "--expiry-grace", "4s"];
    let ended = lab.run(&mut run(&lab, &times, ":")).expect_code(125);
    assert!(the_line(&lab, &ended).contains("half of what is left after drift is 4s 500ms"));
    let options = [&times[..], &["--max-drift", "0"]].concat();
    lab.run(&mut run(&lab, &options, ":")).expect_code(0);
    let options = [&times[..], &["--max-drift", "0.5"]].concat();
    let ended = lab.run(&mut run(&lab, &options, ":")).expect_code(125);
    assert!(the_line(&lab, &ended).contains("half of what is left after drift is 2s 500ms"));
    drop(held(&lab, &["--max-drift", "0.2"]));
}
