//! Pictures that are made up, and the changes between them.

use serde_json::Value;

use super::*;
use crate::lease::{Asker, Claim, Ending, LeaseRecord, OwnerId, Purpose};
use crate::process::identity;

fn name() -> LeaseName {
    LeaseName::new("a").unwrap()
}

fn record(token: u64, before: Option<&LeaseRecord>) -> LeaseRecord {
    let claim = Claim {
        name: name(),
        owner: OwnerId::fresh().unwrap(),
        ttl: Duration::from_secs(30),
        min_hold: None,
        holder: identity::holder(Some(format!("holder {token}"))),
        purpose: Purpose::default(),
        unanswered: false,
    };
    let token = FencingToken::new(token).unwrap();
    LeaseRecord::of_grant(&claim, token, WallTime::from_unix_millis(1_000), before)
}

fn ended(mut record: LeaseRecord, outcome: OutcomeWord) -> LeaseRecord {
    let ending = Ending {
        outcome,
        ..Ending::withdrawn()
    };
    record.end(&ending, WallTime::from_unix_millis(2_000));
    record
}

fn with(state: LeaseState, record: Option<LeaseRecord>) -> Observation {
    Observation {
        state,
        record,
        ..Observation::untouched(name())
    }
}

/// Held under a token, after a run that completed.
pub(crate) fn held(token: u64) -> Observation {
    let before = ended(record(token - 1, None), OutcomeWord::Completed);
    with(LeaseState::Held, Some(record(token, Some(&before))))
}

/// Free after a run that completed.
pub(crate) fn free(token: u64) -> Observation {
    over(token, OutcomeWord::Completed)
}

fn over(token: u64, outcome: OutcomeWord) -> Observation {
    with(LeaseState::Free, Some(ended(record(token, None), outcome)))
}

/// Held by somebody who left no record.
pub(crate) fn unrecorded() -> Observation {
    with(LeaseState::Held, None)
}

fn paused(seen: Observation, until: Option<u64>) -> Observation {
    let asker = Asker {
        by: "alice".to_owned(),
        reason: None,
    };
    let pause = Pause {
        asker,
        at: WallTime::from_unix_millis(1),
        until_at: until.map(WallTime::from_unix_millis),
    };
    Observation {
        paused: Some(pause),
        ..seen
    }
}

/// `kind from>to (cause)` of each change, when these are the pictures, a tenth of a second apart.
fn told(pictures: &[&[Observation]]) -> Vec<String> {
    let mut follower = Follower::new(&[]);
    let mut told = Vec::new();
    for (at, picture) in pictures.iter().enumerate() {
        let now = Instant::from_nanos(at as u64 * 100_000_000);
        let lines = follower.lines(picture, now, WallTime::from_unix_millis(5_000));
        told.extend(lines.iter().map(|line| shown(line)));
    }
    told
}

fn shown(line: &str) -> String {
    let line: Value = serde_json::from_str(line).unwrap();
    let token = |key: &str| match &line[key] {
        Value::Null => "-".to_owned(),
        holder => holder["token"].to_string(),
    };
    let cause = line["cause"].as_str().unwrap_or("-");
    let kind = line["kind"].as_str().unwrap();
    format!("{kind} {}>{} {cause}", token("from"), token("to"))
}

#[test]
fn each_change_is_told_once() {
    let expected = [
        "appeared ->- -",
        "acquired ->7 -",
        "released 7>- completed",
        "acquired ->8 -",
        "changed 8>9 completed",
        "expired 9>- vanished",
        "acquired ->10 -",
        "lost 10>- lost",
    ];
    let vanished = with(LeaseState::Free, Some(record(9, None)));
    let pictures = [
        free(6),
        held(7),
        held(7),
        free(7),
        free(7),
        held(8),
        held(9),
        vanished.clone(),
        vanished,
        held(10),
        over(10, OutcomeWord::Lost),
    ];
    let pictures: Vec<_> = pictures.iter().map(std::slice::from_ref).collect();
    assert_eq!(told(&pictures), expected);
}

#[test]
fn what_is_over_between_two_pictures_is_told_from_its_record() {
    let told = |before, after| told(&[&[before], &[after]])[1..].to_vec();
    assert_eq!(
        told(free(6), free(7)),
        ["acquired ->7 -", "released 7>- completed"]
    );
    assert_eq!(
        told(held(6), over(7, OutcomeWord::Operator)),
        ["changed 6>7 -", "released 7>- operator"]
    );
}

#[test]
fn a_lease_that_is_new_or_gone_was_free() {
    assert_eq!(told(&[&[], &[held(7)]]), ["acquired ->7 -"]);
    assert_eq!(
        told(&[&[held(7)], &[], &[]]),
        ["appeared ->7 -", "expired 7>- vanished"]
    );
    // Named, and never there.
    let never = [Observation::untouched(name())];
    assert_eq!(told(&[&never, &never]), [""; 0]);
}

#[test]
fn who_left_no_record_is_given_time() {
    let one = |seen: Observation| [seen];
    // Between the lock and the record.
    let pictures: [&[Observation]; 3] = [&one(free(6)), &one(unrecorded()), &one(held(7))];
    assert_eq!(told(&pictures), ["appeared ->- -", "acquired ->7 -"]);
    // Between the death of the front and that of the tree.
    let dead = with(LeaseState::Free, Some(record(7, None)));
    let pictures: [&[Observation]; 3] = [&one(held(7)), &one(unrecorded()), &one(dead)];
    assert_eq!(told(&pictures), ["appeared ->7 -", "expired 7>- vanished"]);
    // One who never writes one.
    let mut pictures = vec![[free(6)]];
    pictures.extend(std::iter::repeat_n([unrecorded()], 15));
    pictures.push([free(6)]);
    let pictures: Vec<&[Observation]> = pictures.iter().map(|one| one.as_slice()).collect();
    assert_eq!(
        told(&pictures),
        ["appeared ->- -", "acquired ->null -", "expired null>- -"]
    );
    let mut follower = Follower::new(&[]);
    for (seen, again) in [(free(6), false), (unrecorded(), true), (held(7), false)] {
        let at = WallTime::from_unix_millis(1);
        let _lines = follower.lines(&[seen], Instant::from_nanos(0), at);
        assert_eq!(follower.look_again().is_some(), again);
    }
}

#[test]
fn a_record_that_is_torn_for_a_moment_is_no_news() {
    let torn = with(LeaseState::Free, None);
    let pictures: [&[Observation]; 3] = [&[free(6)], &[torn], &[free(6)]];
    assert_eq!(told(&pictures), ["appeared ->- -"]);
}

#[test]
fn what_may_be_wrong_is_no_news() {
    let unsure = Observation {
        unsure: true,
        ..with(LeaseState::Free, Some(record(7, None)))
    };
    let after = [held(7), unsure.clone(), held(8)];
    let pictures: Vec<_> = after.iter().map(std::slice::from_ref).collect();
    assert_eq!(told(&pictures), ["appeared ->7 -", "changed 7>8 completed"]);
    let gone = [
        held(7),
        unsure,
        with(LeaseState::Free, Some(record(7, None))),
    ];
    let pictures: Vec<_> = gone.iter().map(std::slice::from_ref).collect();
    assert_eq!(told(&pictures), ["appeared ->7 -", "expired 7>- vanished"]);
}

#[test]
fn pauses_begin_and_end_whoever_holds() {
    let pictures: [&[Observation]; 6] = [
        &[held(7)],
        &[paused(held(7), None)],
        &[held(7)],
        &[paused(held(7), Some(4_000))],
        &[paused(free(7), Some(4_000))],
        &[free(7)],
    ];
    assert_eq!(
        told(&pictures),
        [
            "appeared ->7 -",
            "paused 7>7 -",
            "resumed 7>7 operator",
            "paused 7>7 -",
            "released 7>- completed",
            "resumed ->- expired",
        ]
    );
}

#[test]
fn only_some_kinds_are_counted() {
    let mut follower = Follower::new(&[Kind::Released]);
    let mut lines = Vec::new();
    for seen in [free(6), held(7), free(7), held(8), free(8)] {
        let at = WallTime::from_unix_millis(1);
        lines.extend(follower.lines(&[seen], Instant::from_nanos(0), at));
    }
    let seqs: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].take())
        .collect();
    assert_eq!(seqs, [1, 2]);
    assert_eq!(follower.told(), 2);
}
