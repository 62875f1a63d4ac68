//! A campaign of random SIGKILLs against contenders, and everything that must not come of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::time::{Duration, Instant};

use super::contender::{Contender, Kind, Wound, census};
use super::course::{Course, Entry, Round, What};
use crate::support::processes::{alive, name, send};
use crate::support::random::Random;
use nix::sys::signal::Signal;

/// So many want the lease at any time.
const CONTENDERS: usize = 6;
/// Longest pause of a round between reading and writing.
const PAUSE: Duration = Duration::from_millis(25);
/// Within this long somebody must have the lease, whatever was killed. Far above what is needed.
const STUCK: Duration = Duration::from_secs(60);
/// While the machine is drowning in other work (a fork storm of another test), bounds are so many
/// times as long; how often that was needed is counted, and limited.
const SLACK: u32 = 16;
/// How long after its last sign a flood still counts.
const EBB: Duration = Duration::from_secs(3);

/// What was seen, to be printed and to tell a campaign from a walk in the park.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// SIGKILLs that hit a living target.
    pub(super) kills: BTreeMap<Kind, u64>,
    pub(super) stubborn_trees_hit: u64,
    pub(super) acquisitions: u64,
    /// Acquisitions right after a holder that was hit.
    pub(super) after_a_kill: u64,
    /// From the kill until nothing of the contender was seen: the longest.
    pub(super) longest_life: BTreeMap<Kind, Duration>,
    /// Alive beyond the bound, on a machine that was drowning.
    pub(super) excused: BTreeSet<u64>,
    /// Between two acquisitions: the longest.
    pub(super) longest_gap: Duration,
}

#[derive(Debug)]
pub(super) struct Campaign {
    pub(super) course: Course,
    pub(super) tally: Tally,
    random: Random,
    /// Whether cgroups can be hidden from some of the contenders.
    can_hide: bool,
    contenders: Vec<Contender>,
    started: u64,
    /// The fronts that were started, for what may be left under their numbers.
    pub(super) fronts: Vec<u32>,
    /// Contenders that were hit and of which something may still live.
    dying: BTreeMap<u64, Wound>,
    /// All that were hit while they had the lease.
    holders_hit: BTreeSet<u64>,
    /// All whose round was seen to begin.
    begun: BTreeSet<u64>,
    log: Option<File>,
    partial: String,
    last: Option<Entry>,
    last_begin: Instant,
    last_watch: Instant,
    /// The machine is drowning in other work, or was until just now.
    flood_until: Option<Instant>,
}

impl Campaign {
    pub(super) fn new(random: Random, can_hide: bool) -> Self {
        Self {
            course: Course::new(),
            tally: Tally::default(),
            random,
            can_hide,
            contenders: Vec::new(),
            started: 0,
            fronts: Vec::new(),
            dying: BTreeMap::new(),
            holders_hit: BTreeSet::new(),
            begun: BTreeSet::new(),
            log: None,
            partial: String::new(),
            last: None,
            last_begin: Instant::now(),
            last_watch: Instant::now(),
            flood_until: None,
        }
    }

    /// Kills until `goal` SIGKILLs have hit, in equal parts on average.
    pub(super) fn fight(&mut self, goal: u64) -> Result<(), String> {
        (self.last_begin, self.last_watch) = (Instant::now(), Instant::now());
        while self.tally.kills.values().sum::<u64>() < goal {
            self.recruit();
            self.watch()?;
            let kind = match self.random.below(4) {
                0 => Kind::Front,
                1 => Kind::Guardian,
                2 => Kind::Command,
                _ if self.random.once_in(3) => Kind::AnyGuardian,
                _ => Kind::AnyFront,
            };
            let mut delay = self.random.span(PAUSE);
            // Some right away, while processes are being started and leases handed over.
            if self.random.once_in(4) {
                delay /= 16;
            }
            self.wait_for_chance(kind)?;
            std::thread::sleep(delay);
            self.strike(kind)?;
        }
        Ok(())
    }

    /// Keeps the number of contenders.
    fn recruit(&mut self) {
        while self.contenders.len() < CONTENDERS {
            self.started += 1;
            let round = Round {
                pause: self.random.span(PAUSE),
                stubborn: self.random.once_in(5),
            };
            let hidden = self.can_hide && self.started.is_multiple_of(2);
            let new = Contender::start(&self.course, self.started, round, hidden);
            self.fronts.push(new.front());
            self.contenders.push(new);
        }
    }

    /// Waits for a round to begin whose contender is unhurt, where that is to be hit.
    fn wait_for_chance(&mut self, kind: Kind) -> Result<(), String> {
        while !matches!(kind, Kind::AnyFront | Kind::AnyGuardian) && self.holder().is_none() {
            std::thread::sleep(Duration::from_millis(1));
            self.watch()?;
            self.recruit();
        }
        Ok(())
    }

    /// The unhurt contender whose round is under way, and the process that runs it.
    fn holder(&self) -> Option<(usize, u32)> {
        let begun = self.last.filter(|last| last.what == What::Begin)?;
        let whose = |one: &Contender| one.number == begun.contender && one.wound.is_none();
        Some((self.contenders.iter().position(whose)?, begun.pid))
    }

    /// Sends one SIGKILL, if there is a target by now. Nobody is hit twice, so that front and
    /// guardian are never killed together.
    fn strike(&mut self, kind: Kind) -> Result<(), String> {
        let _ = self.read_log()?;
        let found = match kind {
            Kind::AnyFront | Kind::AnyGuardian => {
                let unhurt = |at: &usize| self.contenders[*at].wound.is_none();
                let unhurt: Vec<usize> = (0..self.contenders.len()).filter(unhurt).collect();
                self.random.one(&unhurt).and_then(|at| {
                    Some((at, self.contenders[at].target(kind == Kind::AnyGuardian)?))
                })
            }
            Kind::Command => self.holder().filter(|(_, pid)| alive(*pid)),
            Kind::Front | Kind::Guardian => self.holder().and_then(|(at, _)| {
                Some((at, self.contenders[at].target(kind == Kind::Guardian)?))
            }),
        };
        let Some((at, pid)) = found else {
            return Ok(());
        };
        send(pid, Signal::SIGKILL);
        let wound = Wound {
            kind,
            at: Instant::now(),
        };
        let hit = &mut self.contenders[at];
        hit.wound = Some(wound);
        self.dying.insert(hit.number, wound);
        *self.tally.kills.entry(kind).or_default() += 1;
        if kind < Kind::AnyFront {
            self.holders_hit.insert(hit.number);
            self.tally.stubborn_trees_hit += u64::from(hit.stubborn);
        }
        Ok(())
    }

    /// Looks at everything once.
    pub(super) fn watch(&mut self) -> Result<(), String> {
        let late = self.last_watch.elapsed() > Duration::from_millis(400);
        self.last_watch = Instant::now();
        if late || is_drowning() {
            self.flood_until = Some(self.last_watch + EBB);
        }
        let began = self.read_log()?;
        if !began && self.last_begin.elapsed() > STUCK {
            return Err(format!(
                "nobody got the lease for {STUCK:?}; {:?}",
                census()
            ));
        }
        self.bury()?;
        for at in (0..self.contenders.len()).rev() {
            let begun = self.begun.contains(&self.contenders[at].number);
            if let Some(ended) = self.contenders[at].ended(begun) {
                self.contenders.swap_remove(at);
                ended?;
            }
        }
        match self.course.witness.overlaps() {
            overlaps if overlaps.is_empty() => Ok(()),
            overlaps => Err(format!("{overlaps:?}")),
        }
    }

    /// Reads what is new in the log; tells whether a round began.
    fn read_log(&mut self) -> Result<bool, String> {
        let mut began = false;
        for entry in self.new_entries() {
            if let Some(last) = self.last {
                entry.after(&last)?;
            }
            if entry.what == What::Begin {
                began = true;
                self.begun.insert(entry.contender);
                self.tally.acquisitions += 1;
                let before = self.last.map(|last| last.contender);
                let hit = before.is_some_and(|before| self.holders_hit.contains(&before));
                self.tally.after_a_kill += u64::from(hit);
                let gap = self.last_begin.elapsed();
                self.tally.longest_gap = self.tally.longest_gap.max(gap);
                self.last_begin = Instant::now();
            }
            self.last = Some(entry);
        }
        Ok(began)
    }

    fn new_entries(&mut self) -> Vec<Entry> {
        if self.log.is_none() {
            self.log = File::open(self.course.lab.path("log")).ok();
        }
        if let Some(log) = &mut self.log {
            log.read_to_string(&mut self.partial).unwrap();
        }
        let whole = self.partial.rfind('\n').map_or(0, |at| at + 1);
        let rest = self.partial.split_off(whole);
        let text = std::mem::replace(&mut self.partial, rest);
        text.lines().map(Entry::read).collect()
    }

    /// Nothing that came of a contender that was hit may live beyond its bound.
    fn bury(&mut self) -> Result<(), String> {
        if self.dying.is_empty() {
            return Ok(());
        }
        let looked = Instant::now();
        let living = census();
        let flood = self.flood_until.is_some_and(|until| looked < until);
        for (number, wound) in self.dying.clone() {
            let age = looked.duration_since(wound.at);
            match living.get(&number) {
                None => {
                    self.dying.remove(&number);
                    let longest = self.tally.longest_life.entry(wound.kind).or_default();
                    *longest = age.max(*longest);
                }
                Some(_) if age <= wound.kind.bound() => {}
                Some(_) if flood && age <= wound.kind.bound() * SLACK => {
                    self.tally.excused.insert(number);
                }
                Some(pids) => {
                    let names: Vec<_> = pids.iter().map(|&pid| (pid, name(pid))).collect();
                    return Err(format!(
                        "alive {age:?} after a kill of {:?} of contender {number}: {names:?}",
                        wound.kind
                    ));
                }
            }
        }
        Ok(())
    }

    /// Waits until everybody has had a turn and is gone, and all that was hit is dead.
    pub(super) fn finish(&mut self) -> Result<(), String> {
        while !self.contenders.is_empty() || !self.dying.is_empty() {
            self.watch()?;
            std::thread::sleep(Duration::from_millis(2));
        }
        let left = census();
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!("left behind: {left:?}"))
        }
    }
}

/// Whether many more want to run than there are processors; the contenders alone are a few.
fn is_drowning() -> bool {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let running = load.split([' ', '/']).nth(3);
    running
        .and_then(|text| text.parse::<usize>().ok())
        .is_some_and(|running| running > 8 * cores)
}
