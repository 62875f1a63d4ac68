//! What a front does that should have stopped everything and has not: why a process was late is asked while it is.

use std::fs;
use std::time::Duration;

use crate::campaign::Campaign;
use crate::judge::History;
use crate::processes::{name_and_state, raw_now};

/// From when on a front counts as slow, how often it is looked at, and for how long.
const SLOW: u64 = 500_000_000;
const EVERY: u64 = 250_000_000;
const PATIENCE: u64 = 10_000_000_000;

/// A front whose guardian was killed.
#[derive(Debug)]
pub(crate) struct Bereaved {
    pub(crate) contender: u64,
    pub(crate) front: u32,
    pub(crate) since: u64,
    looked: u64,
}

impl Bereaved {
    pub(crate) const fn new(contender: u64, front: u32, since: u64) -> Self {
        Self {
            contender,
            front,
            since,
            looked: since,
        }
    }

    fn is_to_be_looked_at(&self, now: u64) -> bool {
        now > self.since + SLOW && now > self.looked + EVERY
    }
}

impl Campaign {
    /// Notes what those are doing whose command still writes.
    pub(crate) fn look_at_the_late(&mut self) {
        let now = raw_now();
        self.bereaved.retain(|one| now < one.since + PATIENCE);
        for one in &mut self.bereaved {
            if !one.is_to_be_looked_at(now) {
                continue;
            }
            one.looked = now;
            let mut history = self.judge.history();
            if history.was_alive_at(one.contender, now - EVERY) {
                history.note(one.contender, &doing(one.front));
            }
        }
    }
}

impl History {
    /// The guardian of this contender was killed.
    pub(crate) fn guardian_killed(&mut self, contender: u64, at: u64) {
        self.killed_guardians.insert(contender, (at, at));
    }

    /// How long something of each command was alive after its guardian was killed, in order.
    pub(crate) fn lives_after_the_guardian(&self) -> Vec<Duration> {
        let lives = self.killed_guardians.values();
        let mut lives: Vec<Duration> = lives
            .map(|(at, last)| Duration::from_nanos(last - at))
            .collect();
        lives.sort();
        lives
    }

    /// Whether anything of a contender's command has written since then.
    pub(crate) fn was_alive_at(&self, contender: u64, at: u64) -> bool {
        let runs = self.leases.values().flat_map(|lease| &lease.runs);
        let mut own = runs.filter(|run| run.contender == contender);
        own.any(|run| run.last >= at)
    }
}

/// In the kernel's words: the state, where it waits, and how long it has run and has waited for a processor.
fn doing(process: u32) -> String {
    let read = |what: &str| fs::read_to_string(format!("/proc/{process}/{what}"));
    let state = name_and_state(process).map_or('-', |(_, state)| state);
    let stack = read("stack").unwrap_or_default();
    let functions = stack.lines().filter_map(|line| line.split(' ').nth(1));
    let functions: Vec<&str> = functions.take(6).collect();
    let times = read("schedstat").unwrap_or_default();
    format!("front {state} in {functions:?}, schedstat {}", times.trim())
}
