//! Histories: the real supervisor and the real keeper of several machines, with clocks that drift, on a network
//! that loses, delays, doubles and reorders, beside crashes, stopped processes, suspends and a store that
//! restarts. Time is virtual; everything follows from a seed.
//!
//! ```sh
//! cargo test --test simulation                                            20,000 histories
//! LEASECTL_HISTORIES=1000000 cargo test --release --test simulation       as many as you like
//! LEASECTL_FIRST=1000000 LEASECTL_HISTORIES=500000 ...                    others than those from seed 0
//! LEASECTL_SEED=4711 cargo test --test simulation -- one_seed             one again
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "all of this is tests, which clippy cannot see without `#[test]`"
)]

mod guardian;
mod link;
mod machine;
mod mutant;
mod oracle;
mod pace;
mod performing;
mod random;
mod scene;
mod server;
mod tally;
mod world;

use std::env;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use libtest_mimic::{Arguments, Trial};

use mutant::Mutant;
use tally::Tally;
use world::World;

const HISTORIES: u64 = 20_000;
/// Each mistake has to be found within so many.
const TO_FIND_A_MUTANT: u64 = 1_000;

/// Histories that have failed once, each with what it had found.
const FAILED_ONCE: &[(u64, &str)] = &[
    (402, "a_late_answer_misled_the_oracle"),
    (3089, "a_machine_that_woke_up_misled_the_oracle"),
    (6054, "a_late_acquisition_misled_the_oracle"),
    (1968, "a_late_release_freed_the_hold_of_the_same_owner"),
];

fn main() -> ExitCode {
    let mut trials = vec![
        Trial::test("simulation::the_promises_hold_in_every_history", || {
            the_promises_hold_in_every_history();
            Ok(())
        }),
        Trial::test("simulation::one_seed", || {
            one_seed();
            Ok(())
        }),
    ];
    for mutant in mutant::ALL {
        let name = format!("simulation::found::{mutant:?}");
        trials.push(Trial::test(name, move || {
            is_found(mutant);
            Ok(())
        }));
    }
    for (seed, found) in FAILED_ONCE {
        let name = format!("simulation::failed_once::{found}_{seed}");
        trials.push(Trial::test(name, || {
            play(*seed, None).unwrap_or_else(|broken| panic!("{broken}"));
            Ok(())
        }));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn play(seed: u64, mutant: Option<Mutant>) -> Result<Tally, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    // The keeper's timers are made in it and never ring: the limit is kept on the virtual clock.
    let _inside = runtime.enter();
    let mut world = World::new(seed, mutant);
    world.play()?;
    Ok(world.tally)
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|error| panic!("{variable}={text}: {error}")),
    )
}

fn the_promises_hold_in_every_history() {
    let histories = number("LEASECTL_HISTORIES").unwrap_or(HISTORIES);
    let first = number("LEASECTL_FIRST").unwrap_or(0);
    let started = Instant::now();
    let next = AtomicU64::new(first);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let tallies: Vec<Tally> = thread::scope(|scope| {
        let one = || {
            let mut sum = Tally::default();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed - first >= histories {
                    return sum;
                }
                match play(seed, None) {
                    Ok(tally) => sum.add(&tally),
                    Err(broken) => panic!("LEASECTL_SEED={seed}: {broken}"),
                }
            }
        };
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(one)).collect();
        let end = |worker: thread::ScopedJoinHandle<'_, Tally>| match worker.join() {
            Ok(tally) => tally,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        running.into_iter().map(end).collect()
    });
    let mut sum = Tally::default();
    tallies.iter().for_each(|tally| sum.add(tally));
    let seconds = started.elapsed().as_secs();
    println!(
        "{histories} histories from seed {first} in {seconds} s:\n{}",
        sum.lines()
    );
    let missing = sum.missing(histories);
    assert!(
        missing.is_empty(),
        "INVALID: hardly ever happened (name, times, least): {missing:?}"
    );
}

/// Plays the history of `LEASECTL_SEED`, by default the first, twice: it has to be the same.
fn one_seed() {
    let seed = number("LEASECTL_SEED").unwrap_or(0);
    let played = play(seed, None).map(|tally| tally.lines());
    assert_eq!(played, play(seed, None).map(|tally| tally.lines()));
    played.unwrap_or_else(|broken| panic!("LEASECTL_SEED={seed}: {broken}"));
}

fn is_found(mutant: Mutant) {
    let found =
        (0..TO_FIND_A_MUTANT).find_map(|seed| Some((seed, play(seed, Some(mutant)).err()?)));
    let (seed, broken) = found.expect("not found: the simulation cannot see this mistake");
    println!("{mutant:?}: seed {seed}: {broken}");
}
