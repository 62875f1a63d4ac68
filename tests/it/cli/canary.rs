//! A secret that is planted where secrets may be never comes out where others can read it (P12).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use libtest_mimic::Trial;

use super::said;
use crate::support::lab::{Ended, LEASECTL, Lab, PATIENCE};
use crate::support::processes::wait_until;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        no_error_repeats_a_secret,
        a_run_shows_its_secret_to_nobody,
        a_canary_that_is_shown_would_be_found,
    ]
}

const CANARY: &str = "canary";

/// URLs with the secret in every place where one can stand, right and wrong.
const URLS: &[&str] = &[
    "redis://:canary@db1:port/0",
    "etcd://:canary@db1:6379/0",
    "redis://app:canary@db1:6379/0?timeout=1s",
    "rediss://app:%63anary@db1/name",
    "redis://app:ca/canary@db1/0",
    "redis://app:ca@canary@db1/name",
    "redis://app:canary%zz@db1/0",
    "redis://app:canary#@db1/0",
    "redis://app:canary\r\n@db1/0",
    "azblob://account/container?sig=canary&auth=cli",
    "azblob://account/container?key=canary&auth=cli",
    "azblob://app:canary@account/container",
    "azblob://account/container?sig=canary&sig=canary",
    "memory:?password=canary",
    "memory:?token=canary&answers=1",
    "memory://:canary@",
    "memory://:canary@/",
    "memory:?answers=canary",
    "memory:?lost-after=canary",
    "file:///srv?shared=canary",
    "file://app:canary@/srv",
    "file://:canary@/srv",
    "app:canary@db1",
    "://:canary@db1",
    "canary",
];

fn shows(ended: &Ended) -> bool {
    ended.stderr.contains(CANARY) || ended.stdout.contains(CANARY)
}

fn no_error_repeats_a_secret() {
    let lab = Lab::new();
    let path = lab.path("url");
    for url in URLS {
        fs::write(&path, url).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let mut by_file = lab.leasectl(["run", "--lease", "x", "--store-file", "url"]);
        let mut by_environment = lab.leasectl(["run", "--lease", "x"]);
        by_environment.env("LEASECTL_STORE", url);
        let mut by_flag = lab.leasectl(["run", "--lease", "x", "--store", url]);
        let mut misplaced = lab.leasectl(["run", "--lease", "x", url]);
        let mut elsewhere = lab.leasectl(["run", "--lease", "x", "--ttl", url]);
        for command in [
            &mut by_file,
            &mut by_environment,
            &mut by_flag,
            &mut misplaced,
            &mut elsewhere,
        ] {
            command.args(["--", "touch", "ran"]);
        }
        let mut without_dashes = lab.leasectl(["run", "--lease", "x", "touch", url]);
        let mut without_anything = lab.leasectl(["run", "touch", url]);
        let mut without_a_verb = lab.leasectl(["--lease", "x", "--store", url, "--", "touch"]);
        for command in [
            &mut by_file,
            &mut by_environment,
            &mut by_flag,
            &mut misplaced,
            &mut elsewhere,
            &mut without_dashes,
            &mut without_anything,
            &mut without_a_verb,
        ] {
            let ended = lab.run(command).expect_code(125);
            assert_eq!(said(&lab, &ended).len(), 1, "{ended}");
            // A word that is no URL is repeated where it was typed: it has no place for a password.
            let plain = !url.contains(':') && command.get_args().any(|word| word == *url);
            assert!(plain || !shows(&ended), "{url:?}: {ended}");
        }
    }
    assert!(!lab.path("ran").exists());
    assert!(holding(&lab.store()).is_empty());
}

/// The files below `directory` that contain the secret.
fn holding(directory: &Path) -> Vec<String> {
    let files = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let with = files.filter(|file| {
        let text = fs::read(file).unwrap();
        String::from_utf8_lossy(&text).contains(CANARY)
    });
    with.map(|file| file.display().to_string()).collect()
}

/// The arguments of every process of the lab, and the environment of those that are not leasectl.
fn seen_in_processes(lab: &Lab) -> String {
    let read = |pid: u32, what: &str| fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
    let mut seen = String::new();
    for pid in lab.processes() {
        seen += &String::from_utf8_lossy(&read(pid, "cmdline"));
        let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        if program != Path::new(LEASECTL) {
            seen += &String::from_utf8_lossy(&read(pid, "environ"));
        }
    }
    seen
}

/// The only place where a store of this build takes a URL with a password is beside another choice.
fn a_run_shows_its_secret_to_nobody() {
    let lab = Lab::new();
    let store = format!("file://{}", lab.store().display());
    let mut command = lab.leasectl([
        "run", "-v", "--record", "args", "--lease", "x", "--store", &store,
    ]);
    command.args([
        "--",
        "sh",
        "-c",
        "env; (sleep 600; :) & echo ready; sleep 600",
    ]);
    let running = lab.spawn(command.env("LEASECTL_STORE", "redis://app:canary@db1:6379/0"));
    wait_until(PATIENCE, "it runs", || running.stdout().contains("ready\n"));
    let seen = seen_in_processes(&lab);
    assert!(
        seen.contains("LEASECTL_STORE=redis://app@db1:6379/0"),
        "{seen}"
    );
    assert!(!seen.contains(CANARY), "{seen}");
    running.send(nix::sys::signal::Signal::SIGTERM);
    let ended = running.wait(PATIENCE);
    assert!(!shows(&ended), "{ended}");
    assert!(holding(&lab.store()).is_empty());
}

fn a_canary_that_is_shown_would_be_found() {
    let lab = Lab::new();
    let running = lab.spawn(&mut lab.sh("echo canary >&2; sleep 600; : canary"));
    wait_until(PATIENCE, "it runs", || !running.stderr().is_empty());
    assert!(seen_in_processes(&lab).contains(CANARY));
    fs::write(lab.store().join("x.record"), "a canary").unwrap();
    assert_eq!(holding(&lab.store()).len(), 1);
    running.send(nix::sys::signal::Signal::SIGKILL);
    assert!(shows(&running.wait(PATIENCE)));
}
