//! The file store's ask file among hostile things and operators in a hurry.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use leasectl::lease::{
    Ask, Asked, Asker, Attempt, LeaseState, LeaseStore, RefusedWhy, Release, Revoked,
};
use leasectl::store::file::FileStore;
use libtest_mimic::Trial;

use super::file_hostile::{attempt, fresh, granted, now, open_again};
use super::stores::{claim, claim_held_for, completed};

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        an_ask_file_that_cannot_be_read_is_a_pause_that_resume_ends,
        a_pause_outlives_the_process_that_made_it,
        of_many_operators_none_undoes_what_another_did,
        an_operator_who_was_killed_stops_nobody,
        a_holder_without_a_record_cannot_be_told,
        to_take_a_lease_away_names_the_process,
    ]
}

fn asker() -> Asker {
    Asker {
        by: "alice@desk".to_owned(),
        reason: None,
    }
}

fn ask(store: &FileStore, what: Ask) -> Result<Asked, String> {
    now(store.ask(&claim("a").name, what, &asker())).map_err(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error}: {}", cause.unwrap_or_default())
    })
}

const PAUSE: Ask = Ask::Pause { lasts: None };

fn an_ask_file_that_cannot_be_read_is_a_pause_that_resume_ends() {
    let (_around, path, store) = fresh();
    let file = path.join("a.ask");
    let newer = r#"{"schema":"leasectl.ask/2","stop":null,"pause":null,"cleared":null}"#;
    let half = r#"{"schema":"leasectl.ask/1","stop":null,"pau"#;
    let large = " ".repeat(10 * 1024 * 1024) + newer;
    for text in ["", half, newer, "\u{1b}[31m", &large] {
        fs::write(&file, text).unwrap();
        let started = Instant::now();
        let refusal = match attempt(&store, &claim("a")).unwrap() {
            Attempt::Refused(refusal) => refusal,
            granted @ Attempt::Granted(_) => panic!("{granted:?}"),
        };
        assert!(started.elapsed() < Duration::from_secs(5));
        assert_eq!(refusal.why, RefusedWhy::Paused);
        let reason = refusal.by.paused.unwrap().asker.reason.unwrap();
        assert!(reason.contains(&file.display().to_string()), "{reason}");
        assert!(reason.contains("resume"), "{reason}");
        assert_eq!(ask(&store, Ask::Resume), Ok(Asked::Done));
        let hold = granted(&store, &claim("a"));
        let released = now(store.release(&hold, &completed())).unwrap();
        assert_eq!(released, Release::Released);
    }
    // What is no file cannot be replaced, and says so; meanwhile nobody is let in.
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let refused = attempt(&store, &claim("a")).unwrap();
    assert!(matches!(refused, Attempt::Refused(_)));
    let error = ask(&store, Ask::Resume).unwrap_err();
    assert!(error.contains("a.ask"), "{error}");
}

fn a_pause_outlives_the_process_that_made_it() {
    let (_around, path, store) = fresh();
    assert_eq!(ask(&store, PAUSE), Ok(Asked::Done));
    drop(store);
    let mode = fs::metadata(path.join("a.ask")).unwrap().permissions();
    assert_eq!(mode.mode() & 0o7777, 0o644);
    let store = open_again(&path);
    let seen = now(store.observe(&claim("a").name)).unwrap();
    assert_eq!(seen.state, LeaseState::Paused);
    assert_eq!(seen.paused.unwrap().asker, asker());
}

fn of_many_operators_none_undoes_what_another_did() {
    const ROUNDS: usize = 50;
    let (_around, path, store) = fresh();
    let (mut asked, mut busy) = (0, 0);
    for _ in 0..ROUNDS {
        let hold = granted(&store, &claim("a"));
        let start = Arc::new(Barrier::new(2));
        let other = {
            let (path, start) = (path.clone(), Arc::clone(&start));
            std::thread::spawn(move || {
                let store = open_again(&path);
                start.wait();
                ask(&store, Ask::Stop)
            })
        };
        start.wait();
        let paused = ask(&store, PAUSE);
        let stop = other.join().unwrap();
        let seen = now(store.observe(&claim("a").name)).unwrap();
        for (answer, shown) in [
            (paused, seen.paused.is_some()),
            (stop, seen.stop_request.is_some()),
        ] {
            match answer {
                // Whoever was told that it is so finds it so.
                Ok(_) => asked += usize::from(shown),
                Err(error) => {
                    assert!(error.contains("try again"), "{error}");
                    busy += 1;
                }
            }
        }
        let released = now(store.release(&hold, &completed())).unwrap();
        assert_eq!(released, Release::Released);
        ask(&store, Ask::Resume).ok();
    }
    assert_eq!(asked + busy, 2 * ROUNDS);
    assert!(asked >= ROUNDS, "{asked} of {}", 2 * ROUNDS);
}

fn an_operator_who_was_killed_stops_nobody() {
    let (_around, path, store) = fresh();
    // What one leaves who is killed before the rename: half a text, and no lock.
    fs::write(path.join("a.ask~"), r#"{"schema":"leasectl.ask/1","st"#).unwrap();
    granted(&store, &claim("b"));
    let hold = granted(&store, &claim("a"));
    assert_eq!(ask(&store, Ask::Stop), Ok(Asked::Told(hold.token)));
    assert!(!path.join("a.ask~").exists());
    let listed = now(store.list("")).unwrap();
    let names: Vec<_> = listed.iter().map(|seen| seen.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
}

fn a_holder_without_a_record_cannot_be_told() {
    let (_around, path, store) = fresh();
    let hold = granted(&store, &claim_held_for("a", 60));
    fs::remove_file(path.join("a.record")).unwrap();
    assert_eq!(ask(&store, Ask::Stop), Ok(Asked::NobodyToTell));
    let revoked = now(store.revoke(&claim("a").name, hold.token, &asker())).unwrap();
    let Revoked::CannotRevoke(why) = revoked else {
        panic!("{revoked:?}")
    };
    assert!(why.contains("no record"), "{why}");
}

fn to_take_a_lease_away_names_the_process() {
    let (_around, _path, store) = fresh();
    let hold = granted(&store, &claim("a"));
    let revoked = now(store.revoke(&claim("a").name, hold.token, &asker())).unwrap();
    let Revoked::CannotRevoke(why) = revoked else {
        panic!("{revoked:?}")
    };
    assert!(
        why.contains(&format!("kill {}", std::process::id())),
        "{why}"
    );
    let seen = now(store.observe(&claim("a").name)).unwrap();
    assert_eq!(seen.state, LeaseState::Held);
}
