//! What others put into the directory is not believed, hangs nobody, and is said once.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::stat::Mode;
use nix::unistd::{Uid, chown, mkfifo};
use serde_json::Value;

use super::{Machine, lines, role};
use crate::support::lab::PATIENCE;
use crate::support::metadata::Announced;
use crate::support::needs::needs;
use crate::support::processes::{comes_true, wait_until};

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_forged_cache_is_not_believed,
        a_cache_of_another_user_is_not_believed,
        a_seat_that_is_no_seat_hangs_nobody,
        a_link_made_by_another_hides_nothing,
    ]
}

/// A cache as the poller of this boot has written it a moment ago, about an event of ours.
fn genuine(machine: &Machine) -> Vec<u8> {
    let mut list = machine.sharing(&["list"]);
    machine.service.announce(Announced::begun("Preempt"));
    machine.lab.run(&mut list).expect_code(0);
    fs::read(machine.lab.path("events/events")).unwrap()
}

/// The same with another first line.
fn with(genuine: &[u8], change: impl Fn(&mut Value)) -> Vec<u8> {
    let end = genuine.iter().position(|byte| *byte == b'\n').unwrap();
    let mut header: Value = serde_json::from_slice(&genuine[..end]).unwrap();
    change(&mut header);
    [header.to_string().as_bytes(), &genuine[end..]].concat()
}

/// A watcher hears of nothing, whatever `plant` put there, and asks by itself what is true.
fn assert_not_believed(what: &str, plant: impl Fn(&Machine, &Path, &[u8])) {
    let machine = Machine::new();
    let forged = genuine(&machine);
    let id = "602D9444-D2CD-49C7-8624-000000000001";
    machine.service.vanish(id);
    let path = machine.lab.path("events/events");
    fs::remove_file(&path).unwrap();
    plant(&machine, &path, &forged);
    let watcher = machine.watcher();
    wait_until(PATIENCE, what, || role(&watcher) == "poller");
    let truth = machine.service.announce(Announced::begun("Reboot"));
    wait_until(PATIENCE, what, || lines(&watcher).len() >= 2);
    assert!(
        !watcher.stdout().contains(id),
        "{what}: {}",
        watcher.stdout()
    );
    assert!(watcher.stdout().contains(&truth));
}

fn a_forged_cache_is_not_believed() {
    assert_not_believed("a file that others may write", |_, path, forged| {
        fs::write(path, forged).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
    });
    assert_not_believed("a symbolic link", |machine, path, forged| {
        fs::write(machine.lab.path("elsewhere"), forged).unwrap();
        symlink(machine.lab.path("elsewhere"), path).unwrap();
    });
    assert_not_believed("a fifo", |_, path, _| mkfifo(path, Mode::S_IRWXU).unwrap());
    assert_not_believed("a torn file", |_, path, forged| {
        fs::write(path, &forged[..forged.len() - 3]).unwrap();
    });
    assert_not_believed("a stamp of the future", |_, path, forged| {
        let far = |header: &mut Value| header["good_ns"] = Value::from(u64::MAX / 2);
        fs::write(path, with(forged, far)).unwrap();
    });
    assert_not_believed("another boot", |_, path, forged| {
        let other = |header: &mut Value| header["boot"] = Value::from("another");
        fs::write(path, with(forged, other)).unwrap();
    });
    assert_not_believed("an old document", |_, path, forged| {
        let old = |header: &mut Value| header["good_ns"] = Value::from(1);
        fs::write(path, with(forged, old)).unwrap();
    });
}

fn a_cache_of_another_user_is_not_believed() {
    needs("root");
    assert_not_believed("a file of another user", |_, path, forged| {
        fs::write(path, forged).unwrap();
        chown(path, Some(Uid::from_raw(65_534)), None).unwrap();
    });
}

fn a_seat_that_is_no_seat_hangs_nobody() {
    let machine = Machine::new();
    let directory = machine.lab.path("events");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    mkfifo(&directory.join("seat.7"), Mode::S_IRWXU).unwrap();
    let watcher = machine.watcher();
    machine.service.announce(Announced::begun("Preempt"));
    wait_until(PATIENCE, "it asks by itself", || lines(&watcher).len() == 2);
    assert_eq!(role(&watcher), "direct");
    let warnings = |text: &str| watcher.stderr().matches(text).count();
    assert_eq!(warnings("seat.7"), 1, "{}", watcher.stderr());
    // And it is left alone.
    assert!(directory.join("seat.7").exists());
    comes_true(Duration::from_secs(2), || false);
    assert_eq!(warnings("seat.7"), 1, "{}", watcher.stderr());
}

fn a_link_made_by_another_hides_nothing() {
    let machine = Machine::new();
    let watchers = machine.watchers(2);
    let cache = machine.lab.path("events/events");
    let link = machine.lab.path("link");
    wait_until(PATIENCE, "the cache is linked", || {
        fs::hard_link(&cache, &link).is_ok()
    });
    let id = machine.service.announce(Announced::begun("Preempt"));
    for watcher in &watchers {
        wait_until(PATIENCE, "it is told", || watcher.stdout().contains(&id));
        assert!(
            !watcher.stderr().contains("not used"),
            "{}",
            watcher.stderr()
        );
    }
}
