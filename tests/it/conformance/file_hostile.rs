//! The file store among hostile files, in full and in shared directories.

use std::fs::{self};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use leasectl::clock::BootClock;
use leasectl::lease::{
    Attempt, Claim, FencingToken, Hold, LeaseState, LeaseStore, LostWhy, Release, Renewal,
};
use leasectl::store::file::{Config, FileStore, Origin};
use libtest_mimic::Trial;

use super::hostile_things::{chmod, clear, hostile};
use super::stores::{claim, claim_held_for, completed};
use crate::support::needs::needs;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_hostile_lock_or_counter_is_refused_by_name,
        a_hostile_record_stops_nothing_and_is_never_followed,
        a_damaged_counter_is_refused_and_a_removed_one_goes_on_above,
        a_record_keeps_tokens_up_when_the_counter_is_lost_and_the_clock_was_set_back,
        a_lock_file_replaced_under_a_hold_is_a_loss,
        a_lock_file_that_keeps_changing_ends,
        a_release_frees_the_lock_that_a_child_still_carries,
        a_child_that_carries_the_lock_keeps_it_when_the_holder_is_gone,
        a_shared_directory_has_shared_files,
        private_files_have_private_modes,
        a_full_disk_grants_nothing_and_breaks_nothing,
    ]
}

fn open(directory: &Path, origin: Origin) -> FileStore {
    let directory = directory.to_owned();
    FileStore::open(&Config { directory, origin }, Arc::new(BootClock)).unwrap()
}

pub(super) fn now<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.unwrap().block_on(future)
}

pub(super) fn attempt(store: &FileStore, claim: &Claim) -> Result<Attempt, String> {
    now(store.try_acquire(claim)).map_err(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error}: {}", cause.unwrap_or_default())
    })
}

/// The same directory, as another process opens it.
pub(super) fn open_again(path: &Path) -> FileStore {
    open(path, Origin::Named)
}

/// Acquires, or fails the test.
pub(super) fn granted(store: &FileStore, claim: &Claim) -> Hold {
    match attempt(store, claim).unwrap() {
        Attempt::Granted(hold) => hold,
        Attempt::Refused(refusal) => panic!("{refusal:?}"),
    }
}

/// Acquires and releases.
fn token(store: &FileStore) -> FencingToken {
    let hold = granted(store, &claim("a"));
    let released = now(store.release(&hold, &completed())).unwrap();
    assert_eq!(released, Release::Released);
    hold.token
}

pub(super) fn fresh() -> (tempfile::TempDir, PathBuf, FileStore) {
    let around = tempfile::tempdir().unwrap();
    let path = around.path().join("leases");
    let store = open(&path, Origin::Named);
    (around, path, store)
}

fn a_hostile_lock_or_counter_is_refused_by_name() {
    for file in ["a.lock", "a.token"] {
        let (_around, path, store) = fresh();
        for (what, put) in hostile(&path, file) {
            put();
            let started = Instant::now();
            let error = attempt(&store, &claim("a")).unwrap_err();
            assert!(
                started.elapsed() < Duration::from_secs(5),
                "waited for {what}"
            );
            let named = path.join(file).display().to_string();
            assert!(
                error.contains(what) && error.contains(&named),
                "{what}: {error}"
            );
            clear(&path);
            token(&store);
            clear(&path);
        }
    }
}

fn a_hostile_record_stops_nothing_and_is_never_followed() {
    let (_around, path, store) = fresh();
    let mut last = token(&store);
    let mut next = |what: &str| {
        let token = token(&store);
        assert!(token > last, "{what}");
        last = token;
        now(store.observe(&claim("a").name)).unwrap()
    };
    let record = path.join("a.record");
    for (what, put) in hostile(&path, "a.record") {
        fs::remove_file(&record).unwrap();
        put();
        let seen = next(what);
        assert_eq!(seen.record.is_some(), what != "directory", "{what}");
        let aside = path.join("aside");
        assert!(
            fs::read(&aside).unwrap_or_default().is_empty(),
            "{what} was followed"
        );
        fs::remove_dir(&record).unwrap_or_default();
        fs::remove_file(&aside).unwrap_or_default();
        next(what);
    }
    let half = fs::read(&record).unwrap()[..100].to_vec();
    for bytes in [vec![b' '; 10 << 20], vec![0xff; 4096], half, Vec::new()] {
        fs::write(&record, bytes).unwrap();
        assert!(next("bytes").record.is_some(), "replaced by a good one");
    }
    assert_eq!(fs::metadata(&record).unwrap().len(), 4096);
}

fn a_damaged_counter_is_refused_and_a_removed_one_goes_on_above() {
    let (_around, path, store) = fresh();
    let first = token(&store);
    let counter = path.join("a.token");
    for bytes in [vec![0; 8704], b"7".to_vec(), vec![0xff; 100_000]] {
        fs::write(&counter, bytes).unwrap();
        let error = attempt(&store, &claim("a")).unwrap_err();
        assert!(
            error.contains("is damaged") && error.contains("remove"),
            "{error}"
        );
    }
    fs::write(&counter, "").unwrap();
    let second = token(&store);
    assert!(second > first, "an empty one is a missing one");
    clear(&path);
    assert!(token(&store) > second, "even when everything is gone");
}

fn a_record_keeps_tokens_up_when_the_counter_is_lost_and_the_clock_was_set_back() {
    let around = tempfile::tempdir().unwrap();
    let config = Config {
        directory: around.path().join("leases"),
        origin: Origin::Named,
    };
    let early = Arc::new(leasectl::clock::ManualClock::at(5_000_000_000));
    let before = token(&open(&config.directory, Origin::Named));
    fs::remove_file(config.directory.join("a.token")).unwrap();
    let store = FileStore::open(&config, early).unwrap();
    assert!(token(&store) > before);
}

fn a_lock_file_replaced_under_a_hold_is_a_loss() {
    let (_around, path, store) = fresh();
    let Attempt::Granted(hold) = attempt(&store, &claim("a")).unwrap() else {
        panic!("refused");
    };
    assert_eq!(now(store.renew(&hold)).unwrap(), Renewal::EXTENDED);
    fs::remove_file(path.join("a.lock")).unwrap();
    let lost = Renewal::lost(LostWhy::Vanished);
    assert_eq!(now(store.renew(&hold)).unwrap(), lost);
    token(&open(&path, Origin::Named));
    assert_eq!(now(store.renew(&hold)).unwrap(), lost);
}

/// Somebody replaces the lock file without pause, between opening and locking too: it ends in a
/// grant of the file that has the name, or in an error that says so, and not in a loop.
fn a_lock_file_that_keeps_changing_ends() {
    let (_around, path, store) = fresh();
    let over = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&over);
    let (lock, spare) = (path.join("a.lock"), path.join("spare"));
    let replacing = std::thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            fs::write(&spare, "").unwrap();
            chmod(&spare, 0o600);
            fs::rename(&spare, &lock).unwrap();
        }
    });
    let mut last = 0;
    for _ in 0..2_000 {
        match attempt(&store, &claim("a")) {
            Ok(Attempt::Granted(hold)) => {
                assert!(hold.token.get() > last);
                last = hold.token.get();
                assert_eq!(
                    now(store.release(&hold, &completed())).unwrap(),
                    Release::Released
                );
            }
            Ok(Attempt::Refused(refusal)) => panic!("{refusal:?}"),
            Err(error) => assert!(error.contains("keeps changing"), "{error}"),
        }
    }
    over.store(true, Ordering::Relaxed);
    replacing.join().unwrap();
    assert!(last > 0);
}

fn a_release_frees_the_lock_that_a_child_still_carries() {
    let (_around, path, store) = fresh();
    let asked = claim("a");
    let Attempt::Granted(hold) = attempt(&store, &asked).unwrap() else {
        panic!("refused");
    };
    let fd = hold.lock.as_ref().unwrap().as_raw_fd();
    // The shell opens the descriptor again by number: a copy without close-on-exec.
    let mut child = Command::new("sleep")
        .arg("60")
        .stdin(hold.lock.as_ref().unwrap().try_clone().unwrap())
        .spawn()
        .unwrap();
    assert!(fd > 2);
    let other = open(&path, Origin::Named);
    assert!(matches!(
        attempt(&other, &claim("a")),
        Ok(Attempt::Refused(_))
    ));
    assert_eq!(
        now(store.release(&hold, &completed())).unwrap(),
        Release::Released
    );
    token(&other);
    let Attempt::Granted(_kept) = attempt(&store, &asked).unwrap() else {
        panic!("refused");
    };
    child.kill().unwrap();
    child.wait().unwrap();
}

fn a_child_that_carries_the_lock_keeps_it_when_the_holder_is_gone() {
    let (_around, path, store) = fresh();
    let Attempt::Granted(hold) = attempt(&store, &claim_held_for("a", 1)).unwrap() else {
        panic!("refused");
    };
    let carried = hold.lock.as_ref().unwrap().try_clone().unwrap();
    let mut child = Command::new("sleep")
        .arg("60")
        .stdin(carried)
        .spawn()
        .unwrap();
    drop(hold);
    drop(store);
    let other = open(&path, Origin::Named);
    assert_eq!(
        now(other.observe(&claim("a").name)).unwrap().state,
        LeaseState::Held
    );
    assert!(matches!(
        attempt(&other, &claim("a")),
        Ok(Attempt::Refused(_))
    ));
    child.kill().unwrap();
    child.wait().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    token(&other);
}

fn a_shared_directory_has_shared_files() {
    let around = tempfile::tempdir().unwrap();
    let path = around.path().join("shared");
    fs::create_dir(&path).unwrap();
    chmod(&path, 0o2770);
    let store = open(&path, Origin::Shared);
    token(&store);
    for file in ["a.lock", "a.token", "a.record"] {
        let mode = fs::metadata(path.join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o660, "{file}");
    }
    assert_eq!(path.read_dir().unwrap().count(), 3, "no left-overs");
    chmod(&path.join("a.lock"), 0o600);
    let error = attempt(&store, &claim("a")).unwrap_err();
    assert!(error.contains("chmod 660"), "{error}");
}

fn private_files_have_private_modes() {
    let (_around, path, store) = fresh();
    token(&store);
    for (file, wanted) in [("a.lock", 0o600), ("a.token", 0o600), ("a.record", 0o644)] {
        let mode = fs::metadata(path.join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, wanted, "{file}");
    }
}

/// A full disk: an error, nothing granted, the lock free, the old state intact.
fn a_full_disk_grants_nothing_and_breaks_nothing() {
    needs("root");
    let around = tempfile::tempdir().unwrap();
    let mount = |arguments: &[&str]| {
        let done = Command::new("mount")
            .args(arguments)
            .arg(around.path())
            .status();
        assert!(done.unwrap().success(), "mount {arguments:?}");
    };
    mount(&["-t", "tmpfs", "-o", "size=64k,mode=755", "none"]);
    let result = std::panic::catch_unwind(|| full_disk(around.path()));
    let done = Command::new("umount").arg("-l").arg(around.path()).status();
    assert!(done.unwrap().success());
    result.unwrap();
}

fn full_disk(path: &Path) {
    let store = open(path, Origin::Named);
    let fill = path.join("fill");
    // From no room at all upwards, a page at a time: every file in turn is the one that fails.
    for free in 0..16_usize {
        fs::write(&fill, vec![b'x'; 65_536 - 4_096 * free]).unwrap();
        match attempt(&store, &claim("a")) {
            Ok(Attempt::Granted(hold)) => {
                assert_eq!(
                    now(store.release(&hold, &completed())).unwrap(),
                    Release::Released
                );
            }
            Ok(Attempt::Refused(refusal)) => panic!("{refusal:?}"),
            Err(error) => assert!(error.contains("No space left"), "{error}"),
        }
        let spares = path.read_dir().unwrap().map(Result::unwrap);
        let spares = spares.filter(|entry| entry.file_name().to_string_lossy().contains('~'));
        assert_eq!(spares.count(), 0);
        fs::remove_file(&fill).unwrap();
        let before = token(&store);
        fs::write(&fill, vec![b'x'; 65_536]).unwrap_err();
        assert!(
            token(&store) > before,
            "what exists can be written in a full file system"
        );
        clear(path);
    }
}
