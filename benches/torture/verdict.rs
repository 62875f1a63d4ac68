//! Whether it passed, failed, or was no test at all.
//!
//! A campaign in which too little happened is INVALID and never PASS: its exit code is another one.

use std::time::Duration;

use crate::campaign::Tally;
use crate::judge::Counts;
use crate::options::{Options, Profile, Store};
use crate::schedule::faults_of;
use crate::stuck::STUCK;

/// What came of a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    Fail,
    Invalid,
}

impl Verdict {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Fail => 1,
            Self::Invalid => 3,
        }
    }
}

/// How the lease went from one to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Successions {
    /// It was given back.
    pub(crate) handed_over: u64,
    /// It ran out, or the kernel freed it.
    pub(crate) taken_over: u64,
}

impl Successions {
    pub(crate) fn of(counts: &Counts, tally: &Tally) -> Self {
        let released: std::collections::BTreeSet<u64> = tally.released.iter().copied().collect();
        let all = u64::try_from(counts.successions.len()).unwrap_or(u64::MAX);
        let handed = counts
            .successions
            .iter()
            .filter(|(before, _)| released.contains(before));
        let handed_over = u64::try_from(handed.count()).unwrap_or(u64::MAX);
        Self {
            handed_over,
            taken_over: all - handed_over,
        }
    }
}

/// Everything that must not have happened, with how often it did.
pub(crate) fn failures(counts: &Counts, tally: &Tally) -> Vec<(&'static str, u64)> {
    vec![
        ("overlaps", counts.overlaps),
        ("stale writes accepted", counts.stale_accepted),
        ("tokens not rising", counts.tokens_not_rising),
        (
            "processes alive after their end",
            counts.orphans + tally.leftovers,
        ),
        (
            "leases free while their command lived",
            counts.free_while_alive,
        ),
        (
            "leases that nobody got for a minute",
            tally.stuck + u64::from(Duration::from_nanos(counts.longest_gap) > STUCK),
        ),
        ("secrets shown", tally.secrets),
        ("ends that nobody can explain", tally.odd_ends),
    ]
}

/// Everything that must have happened, how often it did, and how often is enough.
pub(crate) fn guards(
    options: &Options,
    counts: &Counts,
    tally: &Tally,
    awake: bool,
) -> Vec<(String, u64, u64)> {
    let wanted = options.injections;
    let successions = Successions::of(counts, tally);
    let mut guards = vec![
        ("injections".to_owned(), tally.injections(), wanted),
        ("acquisitions".to_owned(), counts.acquisitions, wanted / 4),
        ("the deliberate overlap".to_owned(), u64::from(awake), 1),
    ];
    let faults = faults_of(options);
    let total: u64 = faults.iter().map(|(_, weight)| weight).sum();
    for (fault, weight) in faults {
        let hits = tally.hits.get(&fault).copied().unwrap_or(0);
        guards.push((format!("{fault:?}"), hits, wanted * weight / total / 4));
    }
    if !options.subject.is_leasectl() || options.profile == Profile::Guardian {
        return guards;
    }
    guards.push(("take-overs".to_owned(), successions.taken_over, wanted / 20));
    if options.profile == Profile::Pauses {
        if options.store == Store::Redis {
            guards.push((
                "stale writes refused".to_owned(),
                counts.stale_refused,
                wanted / 20,
            ));
        }
        return guards;
    }
    guards.push((
        "hand-overs".to_owned(),
        successions.handed_over,
        wanted / 10,
    ));
    if options.store == Store::Redis {
        guards.extend(of_a_server(wanted, tally));
    }
    guards
}

/// The same where leases end by a clock and answers go astray.
fn of_a_server(wanted: u64, tally: &Tally) -> Vec<(String, u64, u64)> {
    let event = |name: &str| tally.events.get(name).copied().unwrap_or(0);
    let unknown = event("renew_failed") + event("released in doubt");
    let late = event("lost not_renewed") + event("lost expired");
    vec![
        ("ambiguous answers".to_owned(), unknown, wanted / 20),
        (
            "answers lost after the deed".to_owned(),
            tally.answers_lost,
            wanted / 50,
        ),
        ("deadline kills".to_owned(), late, wanted / 50),
        // A step forward ends most holds, and what is over tells nothing.
        (
            "clock jumps told".to_owned(),
            event("clock_jump"),
            wanted / 1_000,
        ),
    ]
}

/// Judges, and writes down why.
pub(crate) fn judge(
    options: &Options,
    counts: &Counts,
    tally: &Tally,
    awake: bool,
) -> (Verdict, String) {
    let mut why = String::new();
    for told in counts.told.iter().chain(&tally.told).take(20) {
        why.push_str(&format!(
            "  {told}
"
        ));
    }
    if failures(counts, tally).iter().any(|(_, times)| *times > 0) {
        return (Verdict::Fail, why);
    }
    let mut verdict = Verdict::Pass;
    for (what, seen, enough) in guards(options, counts, tally, awake) {
        if seen < enough {
            verdict = Verdict::Invalid;
            why.push_str(&format!(
                "  {what}: {seen}, at least {enough} are needed
"
            ));
        }
    }
    (verdict, why)
}
