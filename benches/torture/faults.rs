//! Carries out one fault: finds somebody whom it can hit, from the lease on that the schedule names.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::Outcome;
use crate::campaign::{Campaign, SLACK, Undo};
use crate::contender::{Contender, lease_name};
use crate::judge::Judge;
use crate::lateness::Bereaved;
use crate::options::Store;
use crate::processes::{alive, raw_now, send};
use crate::proxy::Weather;
use crate::schedule::{Fault, Injection};

fn note(judge: &Judge, contender: u64, injection: &Injection) {
    let what = format!("{:?} {:?}", injection.fault, injection.lasts);
    judge.history().note(contender, &what);
}

/// Which processes of a contender a fault is for, and by which signal.
fn aim(contender: &Contender, command: u32, fault: Fault) -> Option<(Vec<u32>, Signal)> {
    let front = contender.front();
    Some(match fault {
        Fault::KillFront => (vec![front], Signal::SIGKILL),
        Fault::KillGuardian => (vec![contender.guardian()?], Signal::SIGKILL),
        Fault::KillCommand => (vec![command], Signal::SIGKILL),
        Fault::TermFront => (vec![front], Signal::SIGTERM),
        Fault::StopFront => (vec![front], Signal::SIGSTOP),
        Fault::StopGuardian => (vec![contender.guardian()?], Signal::SIGSTOP),
        Fault::StopCommand => (vec![command], Signal::SIGSTOP),
        Fault::StopBoth => (vec![contender.guardian()?, front], Signal::SIGSTOP),
        _ => return None,
    })
}

/// A span on the raw clock.
pub(crate) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

impl Campaign {
    /// Whether it hit anybody.
    pub(crate) fn inflict(&mut self, injection: &Injection) -> Outcome<bool> {
        let fault = injection.fault;
        if self.server_down && (fault.is_of_the_server() || fault == Fault::DeleteKey) {
            return Ok(false);
        }
        if fault.is_of_the_server() {
            return self.upheave(injection);
        }
        let leases = self.options.leases;
        for step in 0..leases {
            let lease = (injection.lease + step) % leases;
            if self.hit_lease(lease, injection)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whose command runs under a lease, and the number of the command's main process.
    pub(crate) fn holder(&self, lease: u64) -> Option<(usize, u32)> {
        let run = self.judge.history().current(lease)?;
        let holds = |contender: &Contender| contender.number == run.contender;
        let slot = self
            .slots
            .iter()
            .position(|slot| slot.as_ref().is_some_and(holds))?;
        Some((slot, run.pid))
    }

    /// Somebody unhurt who waits for a lease.
    fn waiter(&self, lease: u64) -> Option<usize> {
        let holder = self.holder(lease).map(|(slot, _)| slot);
        self.slots.iter().enumerate().position(|(slot, contender)| {
            let waits = contender
                .as_ref()
                .is_some_and(|one| one.lease == lease && one.wound.is_none());
            waits && holder.is_some() && Some(slot) != holder
        })
    }

    fn hit_lease(&mut self, lease: u64, injection: &Injection) -> Outcome<bool> {
        let fault = injection.fault;
        if matches!(fault, Fault::KillWaiter | Fault::StopWaiter) {
            return Ok(self
                .waiter(lease)
                .is_some_and(|slot| self.hit_waiter(slot, injection)));
        }
        let Some((slot, command)) = self.holder(lease) else {
            return Ok(false);
        };
        if fault == Fault::Release {
            return self.release(lease);
        }
        if fault == Fault::DeleteKey {
            if self.clock_is_behind()? {
                return Ok(false);
            }
            if let Some(Some(contender)) = self.slots.get(slot) {
                note(&self.judge, contender.number, injection);
            }
            self.excuse_a_double_loss(lease, slot, true);
            return self.delete(lease);
        }
        self.excuse_a_double_loss(lease, slot, false);
        if fault.is_network() {
            return Ok(self.hit_lane(slot, injection));
        }
        Ok(self.hit_process(slot, command, injection))
    }

    /// A server that has forgotten a lease knows its holder by the holder's connection. Both lost within a time to
    /// live is on the list of what only the token protects from (README, Redis).
    pub(crate) fn excuse_a_double_loss(&mut self, lease: u64, slot: usize, deletes: bool) {
        let now = Instant::now();
        let Some(Some(contender)) = self.slots.get(slot) else {
            return;
        };
        if deletes {
            let forgotten = (contender.number, now + self.options.ttl);
            self.deleted.insert(lease, forgotten);
        }
        let is_cut = contender.wound.is_some() || self.busy.get(slot) == Some(&true);
        let deleted = self.deleted.get(&lease);
        let is_deleted =
            deleted.is_some_and(|(whose, until)| *whose == contender.number && now < *until);
        if is_deleted && (!deletes || is_cut) {
            self.judge.history().excuse(contender.number);
        }
    }

    fn hit_waiter(&mut self, slot: usize, injection: &Injection) -> bool {
        let Some(Some(contender)) = self.slots.get_mut(slot) else {
            return false;
        };
        contender.faults.push(injection.fault);
        note(&self.judge, contender.number, injection);
        let front = contender.front();
        if injection.fault == Fault::KillWaiter {
            contender.wound = Some(Fault::KillFront);
            contender.faults.push(Fault::KillFront);
            let by = raw_now() + nanos(self.options.ttl / 6 + SLACK);
            self.judge.history().dead_by(contender.number, by);
            return send(front, Signal::SIGKILL);
        }
        contender.wound = Some(Fault::StopFront);
        self.undos
            .push((Instant::now() + injection.lasts, Undo::Continue(front)));
        send(front, Signal::SIGSTOP)
    }

    fn hit_process(&mut self, slot: usize, command: u32, injection: &Injection) -> bool {
        let Some(Some(contender)) = self.slots.get_mut(slot) else {
            return false;
        };
        let fault = injection.fault;
        if !contender.may_be_hit_by(fault) {
            return false;
        }
        let Some((targets, signal)) = aim(contender, command, fault) else {
            return false;
        };
        if !targets.iter().all(|pid| alive(*pid)) {
            return false;
        }
        contender.faults.push(fault);
        note(&self.judge, contender.number, injection);
        if fault.is_local() {
            contender.wound = Some(fault);
        }
        let (number, front) = (contender.number, contender.front());
        if fault == Fault::StopBoth {
            self.judge.history().excuse(number);
        }
        for pid in targets {
            send(pid, signal);
            if fault == Fault::KillGuardian {
                let now = raw_now();
                self.judge.history().guardian_killed(number, now);
                self.bereaved.push(Bereaved::new(number, front, now));
            }
            if signal == Signal::SIGSTOP {
                let undo = match fault {
                    Fault::StopBoth => Undo::ContinueKiller(pid, number),
                    _ => Undo::Continue(pid),
                };
                self.undos.push((Instant::now() + injection.lasts, undo));
            }
        }
        if let Some(by) = self.end_of(injection) {
            self.judge.history().dead_by(number, raw_now() + nanos(by));
        }
        true
    }

    /// How long anything may live after this fault, where that is certain.
    fn end_of(&self, injection: &Injection) -> Option<Duration> {
        let ttl = self.options.ttl;
        let leases_end = self.options.store == Store::Redis;
        // A peer promises nothing, and is measured by the same.
        match injection.fault {
            Fault::KillFront => Some(ttl / 6 + SLACK),
            Fault::KillGuardian => Some(SLACK),
            Fault::StopFront | Fault::Cut | Fault::HoldRequests | Fault::HoldAnswers
                if leases_end && injection.lasts >= ttl =>
            {
                Some(ttl)
            }
            _ => None,
        }
    }

    fn hit_lane(&mut self, slot: usize, injection: &Injection) -> bool {
        let (Some(lane), Some(busy)) = (self.lanes.get(slot), self.busy.get_mut(slot)) else {
            return false;
        };
        if *busy {
            return false;
        }
        let lasts = injection.lasts;
        match injection.fault {
            Fault::LoseAnswer => lane.lose_the_next_answer(),
            fault => lane.set(|weather: &mut Weather| match fault {
                Fault::Cut => weather.cut = true,
                Fault::Delay => weather.delay = lasts,
                Fault::HoldRequests => weather.requests_held = true,
                Fault::HoldAnswers => weather.answers_held = true,
                _ => weather.epoch += 1,
            }),
        }
        *busy = true;
        let until = match injection.fault {
            Fault::Delay => self.options.ttl / 2,
            Fault::LoseAnswer | Fault::Reset => Duration::from_secs(1),
            _ => lasts,
        };
        self.undos.push((Instant::now() + until, Undo::Heal(slot)));
        let by = self.end_of(injection);
        if let Some(Some(contender)) = self.slots.get_mut(slot) {
            contender.faults.push(injection.fault);
            note(&self.judge, contender.number, injection);
            if let Some(by) = by {
                self.judge
                    .history()
                    .dead_by(contender.number, raw_now() + nanos(by));
            }
        }
        true
    }

    /// An operator asks, and does not wait for long.
    fn release(&mut self, lease: u64) -> Outcome<bool> {
        let mut command = self.place.command(&self.options.binary);
        command.args([
            "release",
            &lease_name(lease),
            "--wait",
            "1s",
            "--grace",
            "300ms",
        ]);
        match self.options.store {
            Store::File => {
                command.args(["--store", &format!("file://{}", self.place.path("store"))])
            }
            _ => command.args(["--store-file", &self.place.path("url-direct")]),
        };
        let said = std::process::Stdio::null;
        self.helpers
            .push(command.stdout(said()).stderr(said()).spawn()?);
        Ok(true)
    }

    fn delete(&mut self, lease: u64) -> Outcome<bool> {
        const DELETE: &str = "local l = redis.call('KEYS', '*:l:' .. ARGV[1])[1] \
            return l and redis.call('DEL', l) or redis.call('DEL', ARGV[1])";
        let blind = raw_now() + nanos(self.options.ttl * 3);
        let Some(mut link) = self.link() else {
            return Ok(false);
        };
        self.blind.until(lease, blind);
        let mut command = redis::cmd("EVAL");
        let deleted = command
            .arg(DELETE)
            .arg(0)
            .arg(lease_name(lease))
            .query::<i64>(&mut link)?;
        Ok(deleted == 1)
    }
}
