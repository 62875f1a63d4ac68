//! Keeps the contenders going, carries out the schedule, and looks at how everybody ends.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::Outcome;
use crate::contender::{Contender, Ended, Place};
use crate::judge::Judge;
use crate::lateness::Bereaved;
use crate::onlooker::{self, Blind};
use crate::options::{Options, Store, Subject};
use crate::processes::{census, raw_now, send};
use crate::proxy::{Lane, lanes};
use crate::schedule::{Fault, Schedule};
use crate::server::Server;
use crate::verdict::failures;

const POLL: Duration = Duration::from_millis(8);
const CENSUS: Duration = Duration::from_secs(4);
/// What a kill may take on a busy machine.
pub(crate) const SLACK: Duration = Duration::from_secs(2);

/// What was done and seen, beside the judge's counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Faults that hit.
    pub(crate) hits: BTreeMap<Fault, u64>,
    pub(crate) missed: u64,
    pub(crate) codes: BTreeMap<i32, u64>,
    pub(crate) events: BTreeMap<String, u64>,
    /// Contenders that were seen to give the lease back.
    pub(crate) released: Vec<u64>,
    pub(crate) answers_lost: u64,
    pub(crate) leftovers: u64,
    /// Leases that nobody had got for long at the end.
    pub(crate) stuck: u64,
    pub(crate) secrets: u64,
    pub(crate) odd_ends: u64,
    pub(crate) told: Vec<String>,
}

impl Tally {
    pub(crate) fn injections(&self) -> u64 {
        self.hits.values().sum()
    }
}

/// What ends a fault.
#[derive(Debug)]
pub(crate) enum Undo {
    Continue(u32),
    /// The same for those whose command nobody could stop meanwhile, and which they stop now: a contender.
    ContinueKiller(u32, u64),
    Heal(usize),
    ServerUp,
    ServerGoesOn,
}

#[derive(Debug)]
pub(crate) struct Campaign {
    pub(crate) options: Options,
    pub(crate) place: Place,
    pub(crate) judge: Judge,
    pub(crate) blind: Blind,
    pub(crate) server: Option<Server>,
    pub(crate) server_down: bool,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) busy: Vec<bool>,
    /// Leases that were deleted on the server under which contender, and until when that may matter.
    pub(crate) deleted: BTreeMap<u64, (u64, Instant)>,
    pub(crate) slots: Vec<Option<Contender>>,
    pub(crate) undos: Vec<(Instant, Undo)>,
    pub(crate) bereaved: Vec<Bereaved>,
    pub(crate) helpers: Vec<Child>,
    pub(crate) tally: Tally,
    started: u64,
    pub(crate) began: u64,
    /// Leases that nobody gets and whose records were told.
    pub(crate) forsaken: Vec<u64>,
    /// When each contender that has ended did, in raw time, and with which code.
    gone: BTreeMap<u64, (u64, i32)>,
    looked: Instant,
    leftover: Vec<u32>,
}

impl Campaign {
    pub(crate) fn new(options: &Options, place: Place) -> Outcome<Self> {
        let slots = options.leases * options.contenders;
        fs::create_dir(place.path("store"))?;
        fs::set_permissions(place.path("store"), fs::Permissions::from_mode(0o700))?;
        let etcd = options.store == Store::Etcd;
        let server = match options.store {
            Store::File => None,
            _ => Some(Server::start(place.path("server"), &place.canary, etcd)?),
        };
        let port = server.as_ref().map(|server| server.port);
        let lanes = port.map_or(Ok(Vec::new()), |port| lanes(slots, port))?;
        let judge = Judge::new(&place.directory, options.subject.is_leasectl())?;
        let blind = match options.subject {
            Subject::Leasectl => onlooker::start(options, &place, port, &judge),
            _ => Blind::new(options.leases),
        };
        let slots = usize::try_from(slots)?;
        let campaign = Self {
            options: options.clone(),
            place,
            judge,
            blind,
            server,
            server_down: false,
            busy: vec![false; lanes.len()],
            deleted: BTreeMap::new(),
            lanes,
            slots: (0..slots).map(|_| None).collect(),
            undos: Vec::new(),
            bereaved: Vec::new(),
            helpers: Vec::new(),
            tally: Tally::default(),
            started: 0,
            began: raw_now(),
            forsaken: Vec::new(),
            gone: BTreeMap::new(),
            looked: Instant::now(),
            leftover: Vec::new(),
        };
        campaign.write_urls()?;
        Ok(campaign)
    }

    /// One for each place, and one for the operators, all with the password.
    fn write_urls(&self) -> Outcome<()> {
        let direct = self.server.as_ref().map(|server| server.port);
        let ports = self.lanes.iter().map(|lane| lane.port).enumerate();
        let ports = ports.map(|(slot, port)| (slot.to_string(), port));
        for (name, port) in ports.chain(direct.map(|port| ("direct".to_owned(), port))) {
            let path = self.place.path(&format!("url-{name}"));
            let canary = &self.place.canary;
            fs::write(&path, format!("redis://:{canary}@127.0.0.1:{port}/0\n"))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        }
        Ok(())
    }

    /// Until so many faults have hit as were asked for, or the time is up.
    pub(crate) fn fight(&mut self) -> Outcome<u64> {
        let mut schedule = Schedule::new(&self.options);
        let began = Instant::now();
        self.recruit()?;
        // Everybody is there before the first blow.
        let warm = Instant::now();
        while warm.elapsed() < Duration::from_secs(2) {
            self.turn()?;
        }
        let mut due = Instant::now();
        while self.tally.injections() < self.options.injections
            && began.elapsed() < self.options.limit
            && !self.is_caught()
        {
            let injection = schedule.next();
            due += injection.after;
            while Instant::now() < due {
                self.turn()?;
            }
            if self.inflict(&injection)? {
                if (self.tally.injections() + 1).is_multiple_of(1_000) {
                    let hits = self.tally.injections() + 1;
                    println!("{hits} injections, {:.0?}", began.elapsed());
                }
                *self.tally.hits.entry(injection.fault).or_default() += 1;
            } else {
                self.tally.missed += 1;
            }
            // A machine that is behind does not catch up with a storm.
            due = due.max(Instant::now() - Duration::from_millis(200));
        }
        Ok(schedule.digest())
    }

    /// A mistake made on purpose has been seen: how soon is all that is asked.
    fn is_caught(&self) -> bool {
        let counts = &self.judge.history().counts;
        let mut failures = failures(counts, &self.tally).into_iter();
        self.options.mutant.is_some() && failures.any(|(_, times)| times > 0)
    }

    /// One look at everything.
    pub(crate) fn turn(&mut self) -> Outcome<()> {
        sleep(POLL);
        self.undo(Instant::now())?;
        self.look_at_the_late();
        self.reap()?;
        self.recruit()?;
        self.helpers
            .retain_mut(|child| !matches!(child.try_wait(), Ok(Some(_))));
        if self.looked.elapsed() > CENSUS {
            self.looked = Instant::now();
            self.take_census();
            self.tell_of_the_forsaken()?;
        }
        Ok(())
    }

    fn recruit(&mut self) -> Outcome<()> {
        for slot in 0..self.slots.len() {
            if matches!(self.slots.get(slot), Some(None)) {
                self.started += 1;
                let port = self.lanes.get(slot).map(|lane| lane.port);
                let (place, number) = (&self.place, self.started);
                let new = Contender::start(place, &self.options, slot, number, port)?;
                if let Some(one) = self.slots.get_mut(slot) {
                    *one = Some(new);
                }
            }
        }
        Ok(())
    }

    /// Ends the faults whose time has come.
    fn undo(&mut self, now: Instant) -> Outcome<()> {
        let due: Vec<Undo> = self
            .undos
            .extract_if(.., |(at, _)| *at <= now)
            .map(|(_, undo)| undo)
            .collect();
        for undo in due {
            match undo {
                Undo::Continue(pid) => drop(send(pid, Signal::SIGCONT)),
                Undo::ContinueKiller(pid, number) => {
                    send(pid, Signal::SIGCONT);
                    let slack = u64::try_from(SLACK.as_nanos())?;
                    self.judge.history().dead_by(number, raw_now() + slack);
                }
                Undo::Heal(slot) => {
                    if let (Some(lane), Some(busy)) =
                        (self.lanes.get(slot), self.busy.get_mut(slot))
                    {
                        lane.heal();
                        *busy = false;
                    }
                }
                Undo::ServerUp => {
                    self.server.as_mut().map_or(Ok(()), Server::up)?;
                    self.server_down = false;
                }
                Undo::ServerGoesOn => {
                    if let Some(server) = &self.server {
                        server.send(Signal::SIGCONT);
                    }
                    self.server_down = false;
                }
            }
        }
        Ok(())
    }

    fn reap(&mut self) -> Outcome<()> {
        for slot in &mut self.slots {
            let Some(contender) = slot else { continue };
            let Some(ended) = contender.ended(&self.place)? else {
                continue;
            };
            let now = raw_now();
            let code = ended.code();
            if let Some(by) = last_breath(contender, code, now) {
                self.judge.history().dead_by(contender.number, by);
            }
            let end = format!("ended with {code}");
            self.judge.history().note(contender.number, &end);
            self.gone.insert(contender.number, (now, code));
            if ended.events.contains_key("released") {
                self.tally.released.push(contender.number);
            }
            note_end(&mut self.tally, contender, &ended, &self.place.canary);
            *slot = None;
        }
        Ok(())
    }

    /// Looks for those that outlived their contender, and for the secret.
    fn take_census(&mut self) {
        let now = raw_now();
        let bound = u64::try_from((self.options.ttl + SLACK).as_nanos()).unwrap_or(u64::MAX);
        for (pid, number, text) in census(&self.place.run) {
            let gone = self.gone.get(&number);
            let left = gone.is_some_and(|(at, code)| at + bound < now && *code != 122);
            if left && !self.leftover.contains(&pid) {
                self.leftover.push(pid);
                self.tally.leftovers += 1;
                self.tally
                    .told
                    .push(format!("left behind by {number}, {gone:?}: {pid}"));
            }
            let secret = self.place.canary.as_bytes();
            // A peer has it in its environment.
            let shown = text.windows(secret.len()).any(|window| window == secret);
            if shown && self.options.subject.is_leasectl() {
                self.tally.secrets += 1;
            }
        }
    }

    /// Waits until all is quiet, and looks once more. Every fault lasts as long as it was to: what has to be dead
    /// by when was told to the judge when it began.
    pub(crate) fn finish(&mut self) -> Outcome<()> {
        while !self.undos.is_empty() {
            self.turn()?;
        }
        self.look_for_the_stuck();
        for contender in self.slots.iter().flatten() {
            send(contender.front(), Signal::SIGTERM);
        }
        let began = Instant::now();
        while self.slots.iter().any(Option::is_some) && began.elapsed() < Duration::from_secs(40) {
            sleep(POLL);
            self.reap()?;
        }
        sleep(self.options.ttl + SLACK * 2);
        self.take_census();
        self.tally.answers_lost = self.lanes.iter().map(Lane::lost).sum();
        for (pid, ..) in census(&self.place.run) {
            send(pid, Signal::SIGKILL);
        }
        for mut child in self.helpers.drain(..) {
            child.kill().ok();
            child.wait()?;
        }
        Ok(())
    }
}

/// When nothing of a contender that has ended may live any more.
fn last_breath(contender: &Contender, code: i32, now: u64) -> Option<u64> {
    let slack = u64::try_from(SLACK.as_nanos()).unwrap_or(u64::MAX);
    match code {
        // It says itself that something lives on.
        122 => None,
        // The guardian has the grace, and what the machine needs: the fault said so.
        137 if contender.faults.contains(&Fault::KillFront) => None,
        // The judge may not have heard yet what was written before.
        _ if contender.wound.is_some() => Some(now + slack),
        _ => Some(now),
    }
}

/// Counts how one ended; what nobody can explain is a failure.
fn note_end(tally: &mut Tally, contender: &Contender, ended: &Ended, canary: &str) {
    let code = ended.code();
    *tally.codes.entry(code).or_default() += 1;
    for (kind, times) in &ended.events {
        *tally.events.entry(kind.clone()).or_default() += times;
    }
    if ended.said.contains(canary) {
        tally.secrets += 1;
        tally
            .told
            .push(format!("a secret was said by {}", contender.number));
    }
    let panicked = ended.said.contains("panicked");
    if panicked || (code == 125 && contender.faults.is_empty()) {
        tally.odd_ends += 1;
        let said = &ended.said;
        let line = format!("{} ended with {code}: {said}", contender.number);
        tally.told.push(line);
    }
}
