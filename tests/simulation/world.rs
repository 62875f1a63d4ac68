//! Machines, a network, a store and what goes wrong between them, on one true clock that nobody there sees.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::machine::{Machine, NEVER};
use crate::mutant::Mutant;
use crate::oracle::Oracle;
use crate::pace::Pace;
use crate::random::{Random, nanos};
use crate::scene::settings;
use crate::server::{Answer, Ask, Change, Server};
use crate::tally::Tally;

/// On its way.
#[derive(Clone, Copy, Debug)]
enum Parcel {
    Request(usize, u64, Ask, u64),
    Reply(usize, u64, Answer, Ask, u64),
}

pub(crate) struct World {
    now: u64,
    dice: Random,
    pub(crate) tally: Tally,
    mutant: Option<Mutant>,
    ttl: Duration,
    machines: Vec<Machine>,
    server: Server,
    server_pace: Pace,
    /// Requests before this are lost (restart), or wait (stop).
    server_away: (u64, bool),
    cut_until: Vec<u64>,
    parcels: BTreeMap<(u64, u64), Parcel>,
    sent: u64,
    last_arrival: u64,
    next_fault: u64,
    quiet_from: u64,
    ends: u64,
    oracle: Oracle,
}

impl World {
    pub(crate) fn new(seed: u64, mutant: Option<Mutant>) -> Self {
        let mut dice = Random::new(seed);
        let ttl = Duration::from_secs([2, 4, 10, 30][dice.below(4) as usize]);
        let count = 2 + dice.below(3) as usize;
        // Rates differ by 10 % at most, as the default drift allows for; the extremes come up often.
        let rate = |dice: &mut Random| [950_000, 950_000, 1_050_000, 950_000 + dice.below(100_000)];
        let mut machines = Vec::new();
        for _ in 0..count {
            let settings = settings(&mut dice, ttl, mutant);
            let rates = rate(&mut dice);
            let pace = Pace::new(dice.below(1 << 50), rates[dice.below(4) as usize]);
            let mut machine = Machine::new(settings, pace, mutant);
            machine.longest_run = ttl * [1, 2, 6][dice.below(3) as usize];
            machines.push(machine);
        }
        let rates = [
            1_000_000,
            1_050_000,
            1_050_000,
            1_000_000 + dice.below(50_000),
        ];
        let server_pace = Pace::new(0, rates[dice.below(4) as usize]);
        let quiet_from = nanos(ttl) * 5;
        let patience = nanos(ttl) * 3 / 2 + nanos(Duration::from_secs(9));
        Self {
            now: 0,
            tally: Tally::default(),
            mutant,
            ttl,
            server: Server::new(ttl, mutant),
            server_pace,
            server_away: (0, false),
            cut_until: vec![0; count],
            parcels: BTreeMap::new(),
            sent: 0,
            last_arrival: 0,
            next_fault: dice.span(ttl),
            quiet_from,
            ends: quiet_from + patience * 3 / 2,
            oracle: Oracle::new(count, quiet_from, patience, mutant != Some(Mutant::NoDrift)),
            machines,
            dice,
        }
    }

    /// Plays to the end, or to the first promise that is broken.
    pub(crate) fn play(&mut self) -> Result<(), String> {
        while self.now < self.ends {
            let machine = self
                .machines
                .iter()
                .map(Machine::next)
                .min()
                .unwrap_or(NEVER);
            let parcel = self
                .parcels
                .first_key_value()
                .map_or(NEVER, |((at, _), _)| *at);
            let next = machine.min(parcel).min(self.next_fault).min(self.ends);
            let next = next.max(self.now);
            self.oracle
                .pass(&self.machines, next - self.now, &mut self.tally);
            self.now = next;
            if self.now >= self.next_fault {
                self.go_wrong();
            }
            if let Some(entry) = self
                .parcels
                .first_entry()
                .filter(|entry| entry.key().0 <= next)
            {
                let parcel = entry.remove();
                self.deliver(parcel)?;
            }
            for index in 0..self.machines.len() {
                if self.machines[index].next() <= self.now {
                    self.machines[index].act(self.now, &mut self.dice, &mut self.tally);
                    self.post(index);
                }
            }
            self.oracle
                .look(self.now, &self.machines, &mut self.tally)?;
        }
        Ok(())
    }

    fn post(&mut self, index: usize) {
        let outbox = std::mem::take(&mut self.machines[index].link.mail.lock().unwrap().outbox);
        for (id, ask) in outbox {
            self.send(index, Parcel::Request(index, id, ask, self.now));
        }
    }

    /// Lost, delayed, doubled, and overtaken by what was sent later.
    fn send(&mut self, machine: usize, parcel: Parcel) {
        let is_request = matches!(parcel, Parcel::Request(..));
        let quiet = self.now >= self.quiet_from;
        let cut = self.now < self.cut_until[machine];
        if !quiet && (cut || self.dice.one_in(20)) {
            let lost = match is_request {
                true => &mut self.tally.lost_requests,
                false => &mut self.tally.lost_answers,
            };
            *lost += 1;
            return;
        }
        let copies = 1 + u64::from(!quiet && self.dice.one_in(16));
        self.tally.doubled += copies - 1;
        for _ in 0..copies {
            let longest = match self.dice.below(12) {
                _ if quiet => Duration::from_millis(5),
                0 => self.ttl * 2,
                1 | 2 => self.ttl / 5,
                _ => Duration::from_millis(20),
            };
            let at = self.now + self.dice.span(longest);
            self.sent += 1;
            self.tally.overtaken += u64::from(at < self.last_arrival);
            self.last_arrival = self.last_arrival.max(at);
            self.parcels.insert((at, self.sent), parcel);
        }
    }

    fn deliver(&mut self, parcel: Parcel) -> Result<(), String> {
        match parcel {
            Parcel::Request(..) if self.now < self.server_away.0 => {
                let (until, waits) = self.server_away;
                if waits {
                    self.sent += 1;
                    self.parcels.insert((until, self.sent), parcel);
                }
            }
            Parcel::Request(machine, id, ask, sent_at) => {
                let server_now = self.server_pace.at(self.now).as_nanos();
                let (answer, change) = self.server.handle(server_now, ask);
                if let Change::Granted { token, expired } = change {
                    self.oracle
                        .granted(self.now, machine, token, expired, &mut self.tally)?;
                } else if sent_at < self.quiet_from {
                    self.oracle.came_late(self.now);
                }
                self.send(machine, Parcel::Reply(machine, id, answer, ask, sent_at));
            }
            Parcel::Reply(machine, id, answer, ask, sent_at) => {
                let pace = self.machines[machine].pace;
                self.oracle
                    .answered(machine, answer, ask, sent_at, self.ttl, &pace);
                self.arrive(machine, id, answer, ask);
            }
        }
        Ok(())
    }

    /// An answer to a request that was given up comes in on a connection that is closed.
    fn arrive(&mut self, machine: usize, id: u64, answer: Answer, ask: Ask) {
        let machine = &mut self.machines[machine];
        let mut mail = machine.link.mail.lock().unwrap();
        let Some((current, kind)) = mail.current else {
            return;
        };
        let late = current != id;
        self.tally.late_answers += u64::from(late);
        let confused = self.mutant == Some(Mutant::AnswerOfAnother);
        let copied = mail.copies.contains(&id);
        if !late || copied || (confused && ask.is_renewal() && kind.is_renewal()) {
            mail.answers.entry(current).or_insert(answer);
        }
    }

    fn go_wrong(&mut self) {
        self.next_fault = self.now + self.dice.span(self.ttl);
        if self.next_fault >= self.quiet_from {
            self.next_fault = NEVER;
        }
        let longest = self.ttl * [1, 4, 8][self.dice.below(3) as usize] / 4;
        let until = (self.now + self.dice.span(longest)).min(self.quiet_from);
        let index = self.dice.below(self.machines.len() as u64) as usize;
        let machine = &mut self.machines[index];
        if self.now < machine.asleep_until {
            return;
        }
        let tally = &mut self.tally;
        match self.dice.below(12) {
            0 => {
                tally.front_kills += 1;
                machine.lose_front(self.now, until, &mut self.dice);
            }
            1 => {
                tally.crashes += 1;
                machine.crash(until);
            }
            2 | 3 => {
                tally.front_stops += 1;
                machine.frozen_until = until;
            }
            4 | 5 => {
                tally.sleeps += 1;
                machine.sleep(self.now, until);
            }
            6 => {
                tally.server_stops += 1;
                self.server_away = (until, true);
            }
            7 | 8 => {
                tally.server_restarts += 1;
                self.server.restart();
                self.server_away = (self.now + (until - self.now) / 4, false);
            }
            _ => {
                tally.cuts += 1;
                self.cut_until[index] = until;
            }
        }
    }
}
