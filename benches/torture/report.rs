//! What is printed at the end.

use std::time::Duration;

use crate::campaign::Tally;
use crate::judge::{Counts, History};
use crate::options::Options;
use crate::verdict::{Successions, Verdict, failures};

/// How long anything of a command lived after its guardian was killed.
pub(crate) fn print_lives_after_the_guardian(history: &History) {
    let lives = history.lives_after_the_guardian();
    let of = |thousandth: usize| {
        let at = (lives.len() * thousandth / 1_000).min(lives.len().saturating_sub(1));
        lives.get(at).copied().unwrap_or_default()
    };
    println!(
        "from {} kills of a guardian to the last write: p50 {:.1?}, p90 {:.1?}, p99 {:.1?}, longest {:.1?}",
        lives.len(),
        of(500),
        of(900),
        of(990),
        of(1_000)
    );
}

/// The figures, the faults, and one line for the table of subjects.
pub(crate) fn print(
    options: &Options,
    counts: &Counts,
    tally: &Tally,
    took: Duration,
    verdict: Verdict,
) {
    let successions = Successions::of(counts, tally);
    println!("faults that hit ({} found nobody):", tally.missed);
    for (fault, hits) in &tally.hits {
        println!("  {:<16} {hits:>7}", format!("{fault:?}"));
    }
    println!("leasectl's events:");
    for (event, times) in &tally.events {
        println!("  {event:<32} {times:>7}");
    }
    println!("exit codes: {:?}", tally.codes);
    println!(
        "acquisitions {}, hand-overs {}, take-overs {}, longest gap {:.1?}",
        counts.acquisitions,
        successions.handed_over,
        successions.taken_over,
        Duration::from_nanos(counts.longest_gap)
    );
    println!(
        "register: {} writes taken, {} stale writes refused; {} overlaps of commands nobody could stop, \
         {} after a step of the server's clock; {} tokens turned back",
        counts.writes,
        counts.stale_refused,
        counts.excused_overlaps,
        counts.stepped_overlaps,
        counts.tokens_turned_back
    );
    for (what, times) in failures(counts, tally) {
        println!("  {what:<40} {times:>7}");
    }
    print_row(options, counts, tally, took, verdict);
}

fn print_row(options: &Options, counts: &Counts, tally: &Tally, took: Duration, verdict: Verdict) {
    println!(
        "| subject | store | profile | seed | ttl | injections | acquisitions | overlaps | alive after the end | \
         stale accepted | minutes | verdict |"
    );
    println!(
        "| {:?} | {:?} | {:?} | {} | {:?} | {} | {} | {} | {} | {} | {:.1} | {verdict:?} |",
        options.subject,
        options.store,
        options.profile,
        options.seed,
        options.ttl,
        tally.injections(),
        counts.acquisitions,
        counts.overlaps,
        counts.orphans + tally.leftovers,
        counts.stale_accepted,
        took.as_secs_f64() / 60.0
    );
}
