//! Faults that befall everybody: those of the server, of its data and of its clock.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::Outcome;
use crate::campaign::{Campaign, Undo};
use crate::contender::lease_name;
use crate::faults::nanos;
use crate::judge::Run;
use crate::lapse::Lapse;
use crate::processes::raw_now;
use crate::schedule::{Fault, Injection};
use crate::server::Server;

/// For how many times to live the store says nothing of who is alive, once its records were taken away.
const BLIND: u32 = 3;

impl Campaign {
    /// Whether it hit.
    pub(crate) fn upheave(&mut self, injection: &Injection) -> Outcome<bool> {
        let fault = injection.fault;
        // A clock that is behind and a loss of all tokens are two faults: together they turn the tokens back.
        if matches!(fault, Fault::ServerEmpty | Fault::FlushAll) && self.clock_is_behind()? {
            return Ok(false);
        }
        println!("{}: {fault:?} {:?}", raw_now(), injection.lasts);
        match fault {
            Fault::ServerRestart | Fault::ServerEmpty | Fault::ServerStop => {
                self.hit_server(injection)?;
                Ok(true)
            }
            Fault::FlushAll => self.flush(injection),
            _ => self.set_clock(injection),
        }
    }

    pub(crate) fn clock_is_behind(&self) -> Outcome<bool> {
        self.server.as_ref().map_or(Ok(false), Server::is_behind)
    }

    fn hit_server(&mut self, injection: &Injection) -> Outcome<()> {
        self.server_down = true;
        let until = Instant::now() + injection.lasts;
        let Some(server) = &mut self.server else {
            return Err("no server".into());
        };
        if injection.fault == Fault::ServerStop {
            server.send(Signal::SIGSTOP);
            self.undos.push((until, Undo::ServerGoesOn));
            return Ok(());
        }
        server.down();
        if injection.fault == Fault::ServerEmpty {
            server.lose_its_data()?;
            self.go_blind(injection.lasts);
        }
        self.undos.push((until, Undo::ServerUp));
        Ok(())
    }

    fn go_blind(&self, lasts: Duration) {
        let until = raw_now() + nanos(self.options.ttl * BLIND + lasts);
        (0..self.options.leases).for_each(|lease| self.blind.until(lease, until));
    }

    /// Every key is deleted while the server runs. Whoever is connected is known nevertheless.
    fn flush(&mut self, injection: &Injection) -> Outcome<bool> {
        let Some(mut link) = self.link() else {
            return Ok(false);
        };
        let held = self.held(&mut link)?;
        let from = raw_now();
        self.go_blind(Duration::ZERO);
        redis::cmd("FLUSHALL").query::<()>(&mut link)?;
        for (lease, token) in (0..).zip(held) {
            self.note_holder(lease, injection);
            if let Some((slot, _)) = self.holder(lease) {
                self.excuse_a_double_loss(lease, slot, true);
            } else if let Some(contender) = self.at_work(lease).map(|run| run.contender) {
                // Its leasectl is dead, and so its connection: what it leaves has its grace.
                self.judge.history().excuse(contender);
            }
            // Granted, and not started yet: in the first moments of a grant its holder is not known by its
            // connection (README, Redis).
            if self.at_work(lease).is_none_or(|run| run.token != token) {
                self.lapses(lease, token, from, false);
            }
        }
        Ok(true)
    }

    /// Back, which nobody has to suffer from, or forward: then whatever was held may be over at once, and whoever
    /// held it learns of it with the next renewal.
    fn set_clock(&mut self, injection: &Injection) -> Outcome<bool> {
        let Some(mut link) = self.link() else {
            return Ok(false);
        };
        let forward = injection.fault == Fault::ClockForward;
        let before = self.held(&mut link)?;
        if !forward {
            self.note_forgotten_tokens(&mut link)?;
        }
        let from = raw_now();
        let by = i64::try_from(injection.lasts.as_micros())?;
        if let Some(server) = &mut self.server {
            server.set_clock(if forward { by } else { -by }, &mut link)?;
        }
        let after = self.held(&mut link)?;
        for (lease, (before, after)) in (0..).zip(before.into_iter().zip(after)) {
            self.note_holder(lease, injection);
            if forward {
                let seen = self.at_work(lease).map(|run| run.token);
                for token in [before, after].into_iter().chain(seen) {
                    self.lapses(lease, token, from, true);
                }
            }
        }
        Ok(true)
    }

    pub(crate) fn link(&self) -> Option<redis::Connection> {
        let link = self.server.as_ref()?.connection().ok()?;
        // A fault that nobody heard the end of would be judged wrongly: a busy server is waited for.
        link.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
        Some(link)
    }

    /// The token of each lease that is held, as the store says; 0 where it is not.
    fn held(&self, link: &mut redis::Connection) -> Outcome<Vec<u64>> {
        const HELD: &str =
            "redis.call('HGET', l, '1.s') == 'held' and redis.call('HGET', l, '1.t')";
        self.of_each(HELD, link)
    }

    /// Whose last token the server does not know when its clock is set back: the next may be lower.
    fn note_forgotten_tokens(&self, link: &mut redis::Connection) -> Outcome<()> {
        let last = self.of_each("redis.call('HGET', l, 'token')", link)?;
        let forgotten = (0..).zip(last).filter(|(_, token)| *token == 0);
        let forgotten = forgotten.map(|(lease, _)| lease);
        self.judge.history().forgotten.extend(forgotten);
        Ok(())
    }

    /// What stands in the record of each lease, 0 where there is nothing.
    fn of_each(&self, what: &str, link: &mut redis::Connection) -> Outcome<Vec<u64>> {
        let script = format!(
            "local found = {{}} \
             for n, name in ipairs(ARGV) do \
               local l = redis.call('KEYS', '*:l:' .. name)[1] \
               found[n] = l and redis.call('TYPE', l).ok == 'hash' and {what} or '0' \
             end \
             return found"
        );
        let mut command = redis::cmd("EVAL");
        command.arg(script).arg(0);
        for lease in 0..self.options.leases {
            command.arg(lease_name(lease));
        }
        Ok(command.query::<Vec<u64>>(link)?)
    }

    /// Who has just been seen at work.
    fn at_work(&self, lease: u64) -> Option<Run> {
        self.judge.history().current(lease)
    }

    fn lapses(&self, lease: u64, token: u64, from: u64, stepped: bool) {
        // A holder counts from before it asked, so that what it had then is over by then.
        let until = from + nanos(self.options.ttl);
        let lapse = Lapse {
            lease,
            token,
            from,
            until,
            stepped,
        };
        self.judge.history().has_lapsed(lapse);
    }

    fn note_holder(&self, lease: u64, injection: &Injection) {
        let mut history = self.judge.history();
        if let Some(run) = history.current(lease) {
            let what = format!("{:?} {:?}", injection.fault, injection.lasts);
            history.note(run.contender, &what);
        }
    }
}
