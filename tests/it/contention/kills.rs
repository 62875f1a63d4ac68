//! 1,000 random SIGKILLs, of which none lets two in, leaves anything behind, or blocks the lease.
//!
//! A campaign that did not hit enough proves nothing and fails as invalid.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use super::campaign::{Campaign, Tally};
use super::contender::{KINDS, Kind};
use super::course::{Round, What};
use crate::support::needs::is_here;
use crate::support::processes::{alive, wait_until};
use crate::support::random::Random;

pub(super) fn trials() -> Vec<Trial> {
    trials![random_kills_break_nothing, an_idle_campaign_is_invalid]
}

/// As many as issue 2 asks for where there is time for it, else a taste.
fn goal() -> u64 {
    let full = env::var("CI").is_ok_and(|value| value == "true")
        || env::var("LEASECTL_TEST_FULL").is_ok_and(|value| value == "1");
    if full { 1_000 } else { 200 }
}

fn random_kills_break_nothing() {
    let random = Random::new();
    let (again, goal) = (random.again(), goal());
    eprintln!("{goal} kills, {again}");
    // Without a cgroup of its own leasectl has to find the tree by itself: half of them do.
    let can_hide = is_here("root") && is_here("cgroup2") && is_here("unshare");
    let mut campaign = Campaign::new(random, can_hide);
    let started = Instant::now();
    let fought = campaign.fight(goal).and_then(|()| campaign.finish());
    let took = started.elapsed();
    let tally = &campaign.tally;
    eprintln!("{took:.1?}, half without cgroup: {can_hide}, {tally:#?}");
    if let Err(why) = fought {
        panic!("{why}\n(again: {again})");
    }
    if let Err(why) = is_valid(tally, goal) {
        panic!("invalid, which is not passed: {why}\n(again: {again})");
    }
    let log = campaign.course.log();
    let begun = log.iter().filter(|entry| entry.what == What::Begin).count();
    let counted = usize::try_from(campaign.course.counted()).unwrap();
    assert!((log.len() - begun..=begun).contains(&counted), "{counted}");
    nothing_is_left(&campaign);
    the_witness_was_awake(&campaign);
}

/// Whether enough happened.
fn is_valid(tally: &Tally, goal: u64) -> Result<(), String> {
    let mut least = Vec::new();
    for kind in KINDS {
        let part = if kind == Kind::AnyGuardian { 40 } else { 8 };
        let hits = tally.kills.get(&kind).copied().unwrap_or(0);
        least.push((format!("{kind:?} hit"), hits, goal / part));
    }
    least.extend([
        ("acquisitions".to_owned(), tally.acquisitions, goal * 3 / 4),
        (
            "hand-overs after a kill".to_owned(),
            tally.after_a_kill,
            goal / 3,
        ),
        (
            "stubborn trees hit".to_owned(),
            tally.stubborn_trees_hit,
            goal / 20,
        ),
    ]);
    let excused = u64::try_from(tally.excused.len()).unwrap_or(u64::MAX);
    if excused > goal / 10 {
        return Err(format!("the machine was too busy to tell {excused} times"));
    }
    match least.iter().find(|(_, seen, least)| seen < least) {
        Some((what, seen, least)) => Err(format!("{what}: {seen}, at least {least} are needed")),
        None => Ok(()),
    }
}

/// No process of the lab, and no cgroup of one of the fronts.
fn nothing_is_left(campaign: &Campaign) {
    assert_eq!(campaign.course.lab.processes(), [0; 0]);
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let own = fs::read_to_string("/proc/self/cgroup").unwrap();
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"));
    let mount = mounts
        .lines()
        .find(|line| line.split(' ').nth(2) == Some("cgroup2"));
    let Some((mount, own)) = mount.and_then(|line| line.split(' ').nth(1)).zip(own) else {
        return;
    };
    let cgroup = |front: &u32| {
        PathBuf::from(mount)
            .join(own)
            .join(format!("leasectl-{front}"))
    };
    // The number of a front may by now be that of somebody else's.
    let left = || {
        let fronts = campaign.fronts.iter().filter(|front| !alive(**front));
        fronts
            .map(cgroup)
            .filter(|path| path.exists())
            .collect::<Vec<_>>()
    };
    assert_eq!(left(), [""; 0].map(PathBuf::from));
}

/// One overlap made on purpose, with the campaign's own witness.
fn the_witness_was_awake(campaign: &Campaign) {
    let course = &campaign.course;
    let words = course.round(Round {
        pause: Duration::from_secs(60),
        stubborn: false,
    });
    let before = course.log().len();
    let _first = course
        .lab
        .spawn(course.lab.command(&words[0]).args(&words[1..]));
    wait_until(Duration::from_secs(60), "a round begins", || {
        course.log().len() > before
    });
    let second = course
        .lab
        .run(course.lab.command(&words[0]).args(&words[1..]));
    second.expect_code(99);
    assert_eq!(course.witness.overlaps().len(), 1);
}

fn an_idle_campaign_is_invalid() {
    let idle = Tally::default();
    assert!(is_valid(&idle, 200).is_err());
    let kills = KINDS.into_iter().map(|kind| (kind, 40)).collect();
    let mut busy = Tally {
        kills,
        acquisitions: 200,
        after_a_kill: 100,
        stubborn_trees_hit: 20,
        ..Tally::default()
    };
    assert_eq!(is_valid(&busy, 200), Ok(()));
    busy.kills.insert(Kind::Guardian, 3);
    let why = is_valid(&busy, 200).unwrap_err();
    assert_eq!(why, "Guardian hit: 3, at least 25 are needed");
}
