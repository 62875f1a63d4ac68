//! The oracles that hear every process of every command: overlaps, the fenced register, tokens, and life after
//! the end.
//!
//! Three see an overlap independently: the kernel's lock (no clock), the history on the raw clock, and the
//! register, which refuses tokens lower than the highest it has seen.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::Outcome;
use crate::lapse::Lapse;
use crate::message::{Message, What};
use crate::processes::raw_now;

/// How long a run that is over is remembered.
pub(crate) const REMEMBERED: u64 = 60_000_000_000;
/// So many failures are told in words.
const TOLD: usize = 20;

/// One command, from its first word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) contender: u64,
    pub(crate) token: u64,
    /// The command's main process.
    pub(crate) pid: u32,
    pub(crate) began: u64,
    /// When something of it was last alive.
    pub(crate) last: u64,
    /// The main process ended by itself.
    pub(crate) ended: bool,
    /// When nothing of it may be alive any more.
    pub(crate) dead_by: Option<u64>,
    /// Nobody was there to stop it: overlaps are expected, and only the token protects.
    pub(crate) excused: bool,
    /// A failure of it was counted.
    orphan: bool,
    overlap: bool,
    /// An overlap was, that what befell the server explains.
    pub(crate) explained: bool,
    /// The register took a write of it.
    written: bool,
}

/// One lease's history.
#[derive(Debug, Default)]
pub(crate) struct Lease {
    pub(crate) runs: Vec<Run>,
    /// The highest token that the register has seen.
    highest: u64,
}

/// What was counted. The first five are failures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) overlaps: u64,
    pub(crate) stale_accepted: u64,
    pub(crate) tokens_not_rising: u64,
    pub(crate) orphans: u64,
    pub(crate) free_while_alive: u64,
    /// Of runs that nobody could stop.
    pub(crate) excused_overlaps: u64,
    /// Of runs whose lease the server's clock ended early.
    pub(crate) stepped_overlaps: u64,
    /// Tokens that did not rise, because the last was forgotten and the clock then set back.
    pub(crate) tokens_turned_back: u64,
    pub(crate) stale_refused: u64,
    pub(crate) writes: u64,
    pub(crate) acquisitions: u64,
    pub(crate) longest_gap: u64,
    /// Who came after whom.
    pub(crate) successions: Vec<(u64, u64)>,
    /// In words, the first of them.
    pub(crate) told: Vec<String>,
}

#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) leases: BTreeMap<u64, Lease>,
    pub(crate) counts: Counts,
    /// Peers have no tokens.
    pub(crate) fenced: bool,
    /// Contenders whose overlaps are excused, and by when everything of a contender has to be dead: known
    /// before its command says anything, perhaps.
    pub(crate) excused: Vec<u64>,
    /// What each contender has been through, for messages.
    pub(crate) diary: BTreeMap<u64, String>,
    pub(crate) dead_by: BTreeMap<u64, u64>,
    /// Holds that the server has lost, while their holders could not know.
    pub(crate) lapses: Vec<Lapse>,
    /// Leases whose last token the server had forgotten when its clock was set back.
    pub(crate) forgotten: BTreeSet<u64>,
    /// Whose guardian was killed, when, and when anything of it was last alive.
    pub(crate) killed_guardians: BTreeMap<u64, (u64, u64)>,
}

/// The judge's ear.
#[derive(Clone, Debug)]
pub(crate) struct Judge(Arc<Mutex<History>>);

impl Judge {
    /// Listens in `place`. Until the process ends.
    pub(crate) fn new(place: &str, fenced: bool) -> Outcome<Self> {
        let socket = UnixDatagram::bind(format!("{place}/judge"))?;
        let judge = Self(Arc::new(Mutex::new(History {
            fenced,
            ..History::default()
        })));
        let heard = judge.clone();
        thread::spawn(move || {
            let mut bytes = [0; 256];
            while let Ok(length) = socket.recv(&mut bytes) {
                if let Some(message) = bytes.get(..length).and_then(Message::read) {
                    heard.history().hear(message);
                }
            }
        });
        Ok(judge)
    }

    pub(crate) fn history(&self) -> MutexGuard<'_, History> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl History {
    fn fail(&mut self, why: String) {
        if self.counts.told.len() < TOLD {
            self.counts.told.push(why);
        }
    }

    pub(crate) fn hear(&mut self, message: Message) {
        match message.what {
            What::Begin | What::Overlap => self.begin(message),
            What::Write => self.alive(message),
            What::End => {
                self.alive(message);
                if let Some(run) = self.run(message.lease, message.contender) {
                    run.ended = true;
                }
            }
        }
    }

    pub(crate) fn run(&mut self, lease: u64, contender: u64) -> Option<&mut Run> {
        let runs = &mut self.leases.get_mut(&lease)?.runs;
        runs.iter_mut().find(|run| run.contender == contender)
    }

    fn begin(&mut self, message: Message) {
        let lease = self.leases.entry(message.lease).or_default();
        let before = lease.runs.iter().max_by_key(|run| run.began).copied();
        let beside = lease.runs.iter().filter(|run| run.last > message.at);
        let mut beside: Vec<u64> = beside.map(|run| run.contender).collect();
        if message.what == What::Overlap {
            beside.push(message.other);
        }
        lease.runs.retain(|run| run.last + REMEMBERED > message.at);
        lease.runs.push(Run {
            contender: message.contender,
            token: message.token,
            pid: message.pid,
            began: message.at,
            last: message.at,
            ended: false,
            dead_by: self.dead_by.get(&message.contender).copied(),
            excused: self.excused.contains(&message.contender),
            orphan: false,
            overlap: false,
            explained: false,
            written: false,
        });
        self.counts.acquisitions += 1;
        let forgotten = self.forgotten.remove(&message.lease);
        if let Some(before) = before {
            self.counts
                .successions
                .push((before.contender, message.contender));
            let gap = message.at.saturating_sub(before.last);
            self.counts.longest_gap = self.counts.longest_gap.max(gap);
            if self.fenced && message.token <= before.token && forgotten {
                self.counts.tokens_turned_back += 1;
            } else if self.fenced && message.token <= before.token {
                self.counts.tokens_not_rising += 1;
                self.fail(format!("token not rising: {before:?}, then {message:?}"));
            }
        }
        for contender in beside {
            self.overlap(message.lease, contender, &message);
        }
        self.register(message);
    }

    fn alive(&mut self, message: Message) {
        self.register(message);
        let Some(lease) = self.leases.get_mut(&message.lease) else {
            return;
        };
        let own = message.contender;
        let Some(run) = lease.runs.iter_mut().find(|run| run.contender == own) else {
            return;
        };
        run.last = run.last.max(message.at);
        let run = *run;
        if let Some((_, last)) = self.killed_guardians.get_mut(&own) {
            *last = message.at.max(*last);
        }
        if self.began_after(message.lease, run.began, message.at) {
            self.overlap(message.lease, own, &message);
        }
        if run.dead_by.is_some_and(|by| by < message.at) && !run.orphan {
            self.counts.orphans += 1;
            let diary = self.diary.get(&own).cloned().unwrap_or_default();
            self.fail(format!(
                "alive after its end: {message:?} of {run:?}:{diary}"
            ));
            if let Some(run) = self.run(message.lease, own) {
                run.orphan = true;
            }
        }
    }

    /// Whether another run began after `began` and before `at`.
    fn began_after(&self, lease: u64, began: u64, at: u64) -> bool {
        let runs = self.leases.get(&lease).map(|lease| &lease.runs);
        let mut runs = runs.into_iter().flatten();
        runs.any(|run| run.began > began && run.began < at)
    }

    /// A run lived on into another one. Counted once for each that did.
    fn overlap(&mut self, lease: u64, contender: u64, seen: &Message) {
        let Some(run) = self.run(lease, contender) else {
            self.counts.overlaps += 1;
            return self.fail(format!("overlap with {contender}: {seen:?}"));
        };
        if run.overlap {
            return;
        }
        let (token, explained) = (run.token, run.explained);
        if let Some(lapse) = self.lapse(lease, token, seen.at) {
            // Told apart once; what lives on beyond the lapse is an overlap like any other.
            if !explained && lapse.stepped {
                self.counts.stepped_overlaps += 1;
            } else if !explained {
                self.counts.excused_overlaps += 1;
            }
            return self.explain(lease, contender);
        }
        let Some(run) = self.run(lease, contender) else {
            return;
        };
        run.overlap = true;
        let run = *run;
        if run.excused {
            self.counts.excused_overlaps += 1;
        } else {
            self.counts.overlaps += 1;
            let diary = self.diary.get(&contender).cloned().unwrap_or_default();
            self.fail(format!("overlap: {run:?} seen by {seen:?}:{diary}"));
        }
    }

    /// The fenced register: whoever comes with a lower token than it has seen is refused.
    fn register(&mut self, message: Message) {
        if !self.fenced {
            return;
        }
        let Some(lease) = self.leases.get_mut(&message.lease) else {
            return;
        };
        if message.token < lease.highest {
            self.counts.stale_refused += 1;
            return;
        }
        lease.highest = message.token;
        self.counts.writes += 1;
        let own = lease
            .runs
            .iter()
            .find(|run| run.contender == message.contender);
        let began = own.map_or(0, |run| run.began);
        let later = lease
            .runs
            .iter()
            .any(|run| run.began > began && run.written);
        if let Some(run) = self.run(message.lease, message.contender) {
            run.written = true;
        }
        if later {
            self.counts.stale_accepted += 1;
            self.fail(format!("the register took a stale write: {message:?}"));
        }
    }

    /// Nothing of this contender may be alive after `by`.
    pub(crate) fn dead_by(&mut self, contender: u64, by: u64) {
        let earlier = self.dead_by.get(&contender).is_none_or(|one| by < *one);
        if earlier {
            self.dead_by.insert(contender, by);
        }
        let runs = self.leases.values_mut().flat_map(|lease| &mut lease.runs);
        for run in runs.filter(|run| run.contender == contender) {
            run.dead_by = Some(run.dead_by.map_or(by, |one| one.min(by)));
        }
    }

    /// Notes what happened to a contender.
    pub(crate) fn note(&mut self, contender: u64, what: &str) {
        let diary = self.diary.entry(contender).or_default();
        diary.push_str(&format!(" {} {what};", raw_now()));
    }

    /// Nobody is there to stop this contender's command for a while.
    pub(crate) fn excuse(&mut self, contender: u64) {
        self.excused.push(contender);
        let runs = self.leases.values_mut().flat_map(|lease| &mut lease.runs);
        for run in runs.filter(|run| run.contender == contender) {
            run.excused = true;
        }
    }

    /// The command that runs under a lease, as far as it is known and was alive a moment ago.
    pub(crate) fn current(&self, lease: u64) -> Option<Run> {
        let fresh = raw_now()
            .saturating_sub(u64::try_from(Duration::from_millis(300).as_nanos()).unwrap_or(0));
        let runs = &self.leases.get(&lease)?.runs;
        let last = runs.iter().max_by_key(|run| run.began)?;
        (last.last > fresh && !last.ended).then_some(*last)
    }

    /// The store said between `before` and `after` that nobody holds the lease.
    pub(crate) fn seen_free(&mut self, lease: u64, before: u64, after: u64) {
        let runs = self.leases.get(&lease).map(|lease| &lease.runs);
        let mut runs = runs.into_iter().flatten();
        let living = runs.find(|run| {
            let lives = run.began < before && run.last > after;
            lives && !run.excused && self.lapse(lease, run.token, before).is_none()
        });
        if let Some(run) = living.copied() {
            self.counts.free_while_alive += 1;
            let diary = self.diary.get(&run.contender).cloned().unwrap_or_default();
            let line = format!("free at {before}, while this was alive: {run:?}:{diary}");
            self.fail(line);
        }
    }
}
