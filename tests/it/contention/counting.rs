//! Eight at once count to 1,600, each through 200 runs of leasectl.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use super::course::{Course, Round, assert_in_order};
use crate::support::lab::LEASECTL;

const CONTENDERS: usize = 8;
const ROUNDS: usize = 200;
/// Far above what is needed: a lease that is stuck must not hang the tests.
const LIMIT: Duration = Duration::from_secs(300);

/// Repeats `"$@"`, and prints every exit code that is not 0.
const REPEAT: &str = r#"n=$1; shift
while [ "$n" -gt 0 ]; do "$@" || echo "$?"; n=$((n-1)); done"#;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        no_update_is_lost_under_the_lease,
        updates_are_lost_without_it,
        the_witness_reports_rounds_without_it,
    ]
}

/// `CONTENDERS` shells, each of which runs `words` so often. Returns what they printed.
#[track_caller]
fn compete<A: AsRef<std::ffi::OsStr>>(course: &Course, rounds: usize, words: &[A]) -> Vec<String> {
    let start = |_| {
        let mut shell = course.lab.command("sh");
        shell.args(["-c", REPEAT, "sh", &rounds.to_string()]);
        course.lab.spawn(shell.args(words))
    };
    let running: Vec<_> = (0..CONTENDERS).map(start).collect();
    let all = running
        .into_iter()
        .map(|one| one.wait(LIMIT).expect_code(0));
    all.map(|ended| ended.stdout + &ended.stderr).collect()
}

fn no_update_is_lost_under_the_lease() {
    let course = Course::new();
    let mut words: Vec<std::ffi::OsString> = [
        LEASECTL, "run", "--lease", "counter", "--wait", "forever", "-q", "--",
    ]
    .map(Into::into)
    .to_vec();
    words.extend(course.round(Round::default()));
    let started = Instant::now();
    let printed = compete(&course, ROUNDS, &words);
    let took = started.elapsed();
    assert!(printed.iter().all(String::is_empty), "{printed:?}");
    assert_eq!(course.witness.overlaps(), [""; 0]);
    let all = CONTENDERS * ROUNDS;
    assert_eq!(course.counted(), u64::try_from(all).unwrap());
    let log = course.log();
    assert_eq!(log.len(), 2 * all);
    assert_in_order(&log);
    eprintln!("{all} rounds of {CONTENDERS} contenders in {took:.1?}");
    assert_eq!(course.lab.processes(), [0; 0]);
}

/// Proof that the counting above can fail.
fn updates_are_lost_without_it() {
    let course = Course::new();
    let words = course.unwitnessed(Round {
        pause: Duration::from_millis(1),
        ..Round::default()
    });
    compete(&course, 20, &words);
    let all = u64::try_from(CONTENDERS * 20).unwrap();
    assert!(course.counted() < all, "no update of {all} was lost");
}

fn the_witness_reports_rounds_without_it() {
    let course = Course::new();
    let words = course.round(Round {
        pause: Duration::from_millis(1),
        ..Round::default()
    });
    let printed = compete(&course, 20, &words);
    let overlaps = course.witness.overlaps().len();
    assert!(overlaps > 0);
    // Whoever was reported has not counted.
    let all = CONTENDERS * 20;
    assert_eq!(course.counted(), u64::try_from(all - overlaps).unwrap());
    let codes: Vec<_> = printed.iter().flat_map(|text| text.lines()).collect();
    let refused = codes.iter().filter(|line| **line == "99").count();
    assert_eq!(refused, overlaps);
}
