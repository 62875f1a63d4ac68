//! A minimum hold lets one run in, however many ask while it lasts.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use crate::support::lab::{Lab, PATIENCE};

const MIN_HOLD: Duration = Duration::from_secs(2);

pub(super) fn trials() -> Vec<Trial> {
    trials![
        eight_contenders_run_the_job_once_in_a_minimum_hold,
        a_waiter_sits_the_minimum_hold_out,
    ]
}

const JOB: [&str; 10] = [
    "run",
    "--lease",
    "job",
    "--min-hold",
    "2s",
    "-q",
    "--",
    "sh",
    "-c",
    "echo ran >>runs",
];

fn runs(lab: &Lab) -> usize {
    lab.read("runs").lines().count()
}

fn eight_contenders_run_the_job_once_in_a_minimum_hold() {
    let lab = Lab::new();
    for window in 1..=2 {
        let opened = Instant::now();
        let mut codes = Vec::new();
        // Some together, some when the job is long done.
        for _ in 0..4 {
            let pair = [lab.leasectl(JOB), lab.leasectl(JOB)].map(|mut one| lab.spawn(&mut one));
            codes.extend(pair.map(|one| one.wait(PATIENCE).code()));
            std::thread::sleep(Duration::from_millis(50));
        }
        let took = opened.elapsed();
        assert!(
            took < MIN_HOLD,
            "invalid, the machine is too slow: {took:?}"
        );
        codes.sort_unstable();
        let mut expected = vec![Some(120); 8];
        expected[0] = Some(0);
        assert_eq!(codes, expected);
        assert_eq!(runs(&lab), window);
        std::thread::sleep(MIN_HOLD.saturating_sub(opened.elapsed()) + Duration::from_millis(300));
    }
}

fn a_waiter_sits_the_minimum_hold_out() {
    let lab = Lab::new();
    let started = Instant::now();
    lab.run(&mut lab.leasectl(JOB)).expect_code(0);
    let first = started.elapsed();
    let waiting = ["--wait", "1m"].into_iter();
    let words = JOB[..3]
        .iter()
        .copied()
        .chain(waiting)
        .chain(JOB[3..].iter().copied());
    lab.run(&mut lab.leasectl(words)).expect_code(0);
    // The minimum hold began somewhere within the first run.
    assert!(
        started.elapsed() >= MIN_HOLD && first < MIN_HOLD,
        "{first:?}"
    );
    assert_eq!(runs(&lab), 2);
}
