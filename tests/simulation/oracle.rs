//! What has to be true whatever happens, judged by the true clock and by what was really sent.

use std::time::Duration;

use crate::machine::{Machine, SLOWEST_KILL};
use crate::pace::Pace;
use crate::random::nanos;
use crate::server::{Answer, Ask};
use crate::tally::Tally;

/// After a suspend a tree may run until the guardian has killed it: the fencing token protects.
const AFTER_A_SLEEP: u64 = SLOWEST_KILL.as_nanos() as u64;
const SECOND: u64 = 1_000_000_000;

#[derive(Debug)]
pub(crate) struct Oracle {
    last_token: u64,
    holder: Option<usize>,
    /// The latest end that an answered request gives each machine's hold, with the token.
    dead: Vec<(u64, u64)>,
    /// The highest token that the guarded resource has seen.
    register: u64,
    idle_since: u64,
    patience: u64,
    /// Whether the drift allowance is looked at; without it an overlap has to show.
    sees_drift: bool,
    /// Nanoseconds of these two that do not make a second yet.
    leased: u64,
    contended: u64,
}

impl Oracle {
    pub(crate) fn new(machines: usize, quiet_from: u64, patience: u64, sees_drift: bool) -> Self {
        Self {
            last_token: 0,
            holder: None,
            dead: vec![(0, 0); machines],
            register: 0,
            idle_since: quiet_from,
            patience,
            sees_drift,
            leased: 0,
            contended: 0,
        }
    }

    /// P7.
    pub(crate) fn granted(
        &mut self,
        now: u64,
        machine: usize,
        token: u64,
        expired: bool,
        tally: &mut Tally,
    ) -> Result<(), String> {
        tally.grants += 1;
        tally.expiries += u64::from(expired);
        tally.hand_overs += u64::from(self.holder.is_some_and(|before| before != machine));
        self.holder = Some(machine);
        self.idle_since = self.idle_since.max(now);
        if token <= self.last_token {
            return Err(format!("P7: token {token} after {}", self.last_token));
        }
        self.last_token = token;
        Ok(())
    }

    /// A request from before all went well may have made a lease of nobody's last longer.
    pub(crate) fn came_late(&mut self, now: u64) {
        self.idle_since = self.idle_since.max(now);
    }

    /// P3: counted from when the request was really sent.
    pub(crate) fn answered(
        &mut self,
        machine: usize,
        answer: Answer,
        ask: Ask,
        sent_at: u64,
        ttl: Duration,
        pace: &Pace,
    ) {
        let token = match (answer, ask) {
            (Answer::Granted(token), _) | (Answer::Extended, Ask::Renew(_, token)) => token,
            _ => return,
        };
        let dead = sent_at + pace.lasts(nanos(ttl)) / 10 * 9;
        let (known, until) = &mut self.dead[machine];
        // What was answered to an earlier hold, and comes late, says nothing of this one.
        if token < *known {
            return;
        }
        if *known != token {
            (*known, *until) = (token, 0);
        }
        *until = (*until).max(dead);
    }

    /// Time passes in which nothing happens.
    pub(crate) fn pass(&mut self, machines: &[Machine], span: u64, tally: &mut Tally) {
        let alive = machines.iter().any(|machine| machine.guardian.alive);
        let others = machines.iter().any(Machine::seeks);
        self.leased += span * u64::from(alive);
        self.contended += span * u64::from(alive && others);
        tally.lease_seconds += self.leased / SECOND;
        tally.contended_seconds += self.contended / SECOND;
        self.leased %= SECOND;
        self.contended %= SECOND;
    }

    pub(crate) fn look(
        &mut self,
        now: u64,
        machines: &[Machine],
        tally: &mut Tally,
    ) -> Result<(), String> {
        let mut running = None;
        for (index, machine) in machines.iter().enumerate() {
            let Some(hold) = machine.hold.as_ref().filter(|_| machine.executes(now)) else {
                continue;
            };
            self.idle_since = self.idle_since.max(now);
            let token = hold.token.get();
            let woke = machine.asleep_until > 0 && now <= machine.asleep_until + AFTER_A_SLEEP;
            if token < self.register {
                tally.stale_writes_refused += 1;
                if !woke {
                    return Err(format!(
                        "P1: {index} writes with {token} after {}",
                        self.register
                    ));
                }
                continue;
            }
            self.register = token;
            let (known, dead) = self.dead[index];
            if self.sees_drift && known == token && now > dead && !woke {
                return Err(format!(
                    "P3: {index} outlives its lease by {} ns",
                    now - dead
                ));
            }
            if now > machine.stopped_by && !woke {
                return Err(format!("P10: {index} goes on after its stop"));
            }
            if woke {
                continue;
            }
            if let Some(other) = running {
                return Err(format!("P1: {other} and {index} run at the same time"));
            }
            running = Some(index);
        }
        let idle = now.saturating_sub(self.idle_since);
        if idle > self.patience {
            return Err(format!("stuck: nobody has run for {idle} ns"));
        }
        Ok(())
    }
}
