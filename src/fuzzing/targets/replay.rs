//! The corpus and seeded mutations of it, on stable Rust: every input that was ever found stays found.
//!
//! `LEASECTL_MUTATIONS` says how many mutations of each input there are (40 without it), `LEASECTL_SEED` where
//! they begin. An input that breaks a promise is printed, and goes into the corpus under a name that says what
//! it is.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::mutation::{Dice, mutated};
use super::{TARGETS, Target};

/// No input is large, and none may take long: on a busy machine without optimisation this is a thousand times
/// what one takes.
const LONGEST: Duration = Duration::from_secs(10);

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The inputs, in the order of their names.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = home().join("corpus").join(target);
    let listed = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut inputs: Vec<_> = listed
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                fs::read(&path).unwrap(),
            )
        })
        .collect();
    inputs.sort();
    inputs
}

fn setting(name: &str, usual: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {text}")),
        Err(_) => usual,
    }
}

fn feed(target: &Target, origin: &str, bytes: &[u8]) {
    let begun = Instant::now();
    let fed = catch_unwind(AssertUnwindSafe(|| (target.feed)(bytes)));
    let took = begun.elapsed();
    if fed.is_ok() && took < LONGEST {
        return;
    }
    let kept =
        std::env::temp_dir().join(format!("leasectl-{}-{}", target.name, std::process::id()));
    let kept = fs::write(&kept, bytes).map(|()| kept);
    let shown = &bytes[..bytes.len().min(400)];
    panic!(
        "{} breaks on {origin} after {took:?}; {} bytes, kept as {kept:?}: b\"{}\"",
        target.name,
        bytes.len(),
        shown.escape_ascii()
    );
}

fn replay(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name);
    // A build without this store has nothing to replay.
    let Some(target) = target else { return };
    let (seed, mutations) = (
        setting("LEASECTL_SEED", 1),
        setting("LEASECTL_MUTATIONS", 40),
    );
    println!("{name}: LEASECTL_SEED={seed} LEASECTL_MUTATIONS={mutations}");
    let inputs = corpus(name);
    assert!(inputs.len() >= 3, "{name} has hardly any corpus");
    let mut dice = Dice::new(seed);
    let begun = Instant::now();
    for (origin, bytes) in &inputs {
        feed(target, origin, bytes);
        for number in 0..mutations {
            let (_, other) = &inputs[dice.below(inputs.len())];
            let mutation = mutated(bytes, other, target.words, &mut dice);
            feed(
                target,
                &format!("mutation {number} of {origin} (seed {seed})"),
                &mutation,
            );
        }
    }
    let fed = u64::try_from(inputs.len()).unwrap() * (mutations + 1);
    println!(
        "{name}: {} inputs, {fed} fed in {:?}",
        inputs.len(),
        begun.elapsed()
    );
}

macro_rules! replayed {
    ($($name:ident)*) => {
        /// Those below, so that none is forgotten.
        const REPLAYED: &[&str] = &[$(stringify!($name)),*];
        $(
            #[test]
            fn $name() {
                replay(stringify!($name));
            }
        )*
    };
}

replayed! {
    blob_answer
    blob_list
    command_line
    configuration
    file_store
    guardian_message
    lease_record
    metadata_answer
    redis_answer
    scheduled_events
    scheduled_events_cache
    store_url
}

#[test]
fn every_target_has_a_corpus_a_program_and_a_replay() {
    let replayed: BTreeSet<String> = REPLAYED.iter().map(|&name| name.to_owned()).collect();
    for target in TARGETS {
        assert!(
            replayed.contains(target.name),
            "{} is not replayed",
            target.name
        );
    }
    let names = |folder: &str| -> BTreeSet<String> {
        let listed = fs::read_dir(home().join(folder)).unwrap();
        let name = |path: PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
        listed.map(|entry| name(entry.unwrap().path())).collect()
    };
    assert_eq!(names("corpus"), replayed);
    assert_eq!(names("fuzz_targets"), replayed);
    let manifest = fs::read_to_string(home().join("Cargo.toml")).unwrap();
    for name in &replayed {
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "{name} is not in Cargo.toml"
        );
    }
}
