//! The judge is judged before each campaign: an oracle that sees nothing would pass everybody.
//!
//! Plain functions, because a bench with a `main` of its own has no test harness.

use crate::Outcome;
use crate::campaign::Tally;
use crate::judge::{Counts, History};
use crate::lapse::Lapse;
use crate::message::{Message, What};
use crate::options::Options;
use crate::schedule::{Fault, Schedule, faults_of};
use crate::verdict::{Verdict, judge};

/// All of them.
pub(crate) fn all() -> Outcome<()> {
    the_same_seed_schedules_the_same()?;
    a_message_is_read_as_it_was_written()?;
    a_clean_history_passes()?;
    each_oracle_sees_what_it_is_for()?;
    only_the_token_protects_from_what_nobody_can_stop()?;
    a_step_of_the_clock_explains_what_follows_from_it_and_no_more()?;
    a_lease_that_nobody_gets_is_a_failure()?;
    an_idle_campaign_is_invalid_and_a_busy_one_passes()?;
    a_failure_outweighs_what_did_not_happen()
}

fn expect(fine: bool, what: &str) -> Outcome<()> {
    if fine {
        Ok(())
    } else {
        Err(format!("the judge is not fit to judge: {what}").into())
    }
}

fn options(words: &[&str]) -> Outcome<Options> {
    let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    Options::parse(&words)
}

fn the_same_seed_schedules_the_same() -> Outcome<()> {
    let digest = |seed| -> Outcome<u64> {
        let mut schedule = Schedule::new(&options(&["--seed", seed])?);
        for _ in 0..1_000 {
            schedule.next();
        }
        Ok(schedule.digest())
    };
    expect(digest("7")? == digest("7")?, "one seed, two schedules")?;
    expect(digest("7")? != digest("8")?, "two seeds, one schedule")
}

fn message(what: What, contender: u64, token: u64, at: u64) -> Message {
    Message {
        what,
        lease: 0,
        contender,
        token,
        pid: 2,
        at,
        other: 1,
    }
}

fn a_message_is_read_as_it_was_written() -> Outcome<()> {
    let written = message(What::Overlap, 3, 4, 5);
    let read = Message::read(written.to_string().as_bytes());
    expect(read == Some(written), "a message changed on its way")
}

fn history() -> History {
    History {
        fenced: true,
        ..History::default()
    }
}

fn a_clean_history_passes() -> Outcome<()> {
    let mut history = history();
    history.hear(message(What::Begin, 1, 5, 10));
    history.hear(message(What::End, 1, 5, 20));
    history.hear(message(What::Begin, 2, 6, 30));
    history.hear(message(What::Write, 2, 6, 40));
    let counts = history.counts;
    expect(counts.told.is_empty(), "a clean history was blamed")?;
    let counted = (counts.acquisitions, counts.writes, counts.longest_gap);
    expect(counted == (2, 4, 10), "a clean history was miscounted")
}

fn each_oracle_sees_what_it_is_for() -> Outcome<()> {
    let mut history = history();
    history.hear(message(What::Begin, 1, 5, 10));
    history.hear(message(What::Begin, 2, 6, 30));
    history.hear(message(What::Write, 1, 5, 40));
    history.hear(message(What::Write, 1, 5, 50));
    expect(history.counts.overlaps == 1, "an overlap by the clock")?;
    expect(history.counts.stale_refused == 2, "a stale write")?;
    history.hear(message(What::Overlap, 3, 6, 60));
    expect(history.counts.tokens_not_rising == 1, "a token twice")?;
    history.hear(message(What::Write, 2, 6, 70));
    expect(history.counts.stale_accepted == 1, "a stale write taken")?;
    history.dead_by(3, 80);
    history.hear(message(What::Write, 3, 6, 90));
    expect(history.counts.orphans == 1, "life after the end")?;
    history.seen_free(0, 85, 86);
    expect(history.counts.free_while_alive == 1, "free while it lived")
}

fn only_the_token_protects_from_what_nobody_can_stop() -> Outcome<()> {
    let mut history = history();
    history.excuse(1);
    history.hear(message(What::Begin, 1, 5, 10));
    history.hear(message(What::Begin, 2, 6, 30));
    history.hear(message(What::Write, 1, 5, 40));
    let counts = history.counts;
    let seen = (
        counts.overlaps,
        counts.excused_overlaps,
        counts.stale_refused,
    );
    expect(seen == (0, 1, 1), "an overlap that is excused")
}

/// An overlap of token 5, seen at 40, with a clock that was set forward as given.
fn after_a_step(lease: u64, token: u64, from: u64, until: u64) -> (u64, u64, u64) {
    let mut history = history();
    history.has_lapsed(Lapse {
        lease,
        token,
        from,
        until,
        stepped: true,
    });
    history.hear(message(What::Begin, 1, 5, 10));
    history.hear(message(What::Begin, 2, 6, 30));
    history.hear(message(What::Write, 1, 5, 40));
    history.hear(message(What::Write, 1, 5, 41));
    let counts = history.counts;
    (
        counts.overlaps,
        counts.stepped_overlaps,
        counts.stale_refused,
    )
}

fn a_step_of_the_clock_explains_what_follows_from_it_and_no_more() -> Outcome<()> {
    expect(after_a_step(0, 5, 20, 60) == (0, 1, 2), "after a step")?;
    expect(after_a_step(0, 4, 20, 60) == (1, 0, 2), "another hold")?;
    expect(after_a_step(1, 5, 20, 60) == (1, 0, 2), "another lease")?;
    expect(after_a_step(0, 5, 50, 60) == (1, 0, 2), "before a step")?;
    let beyond = after_a_step(0, 5, 20, 41);
    expect(beyond == (1, 1, 2), "long after a step")
}

fn a_lease_that_nobody_gets_is_a_failure() -> Outcome<()> {
    let (options, mut counts, mut tally) = busy()?;
    counts.longest_gap = 61_000_000_000;
    let (gap, _) = judge(&options, &counts, &tally, true);
    expect(gap == Verdict::Fail, "a gap of a minute passed")?;
    (counts.longest_gap, tally.stuck) = (0, 1);
    let (stuck, _) = judge(&options, &counts, &tally, true);
    expect(stuck == Verdict::Fail, "a lease that is stuck passed")
}

fn busy() -> Outcome<(Options, Counts, Tally)> {
    let options = options(&["--injections", "100"])?;
    let hits = faults_of(&options)
        .into_iter()
        .map(|(fault, _)| (fault, 20));
    let tally = Tally {
        hits: hits.collect(),
        released: (0..50).collect(),
        ..Tally::default()
    };
    let counts = Counts {
        acquisitions: 200,
        successions: (0..100).map(|number| (number, number + 1)).collect(),
        ..Counts::default()
    };
    Ok((options, counts, tally))
}

fn an_idle_campaign_is_invalid_and_a_busy_one_passes() -> Outcome<()> {
    let (options, counts, mut tally) = busy()?;
    let (busy, _) = judge(&options, &counts, &tally, true);
    expect(busy == Verdict::Pass, "a busy campaign did not pass")?;
    let (asleep, _) = judge(&options, &counts, &tally, false);
    expect(asleep == Verdict::Invalid, "sleeping oracles passed")?;
    tally.hits.insert(Fault::KillGuardian, 0);
    let (idle, why) = judge(&options, &counts, &tally, true);
    expect(idle == Verdict::Invalid, "an idle campaign passed")?;
    expect(
        why.contains("KillGuardian: 0, at least 4"),
        "what was missing",
    )
}

fn a_failure_outweighs_what_did_not_happen() -> Outcome<()> {
    let (options, mut counts, tally) = busy()?;
    counts.overlaps = 1;
    let (verdict, _) = judge(&options, &counts, &tally, false);
    expect(verdict == Verdict::Fail, "an overlap that is no failure")
}
