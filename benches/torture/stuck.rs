//! Leases that nobody gets although somebody always waits for them.

use std::time::Duration;

use crate::Outcome;
use crate::campaign::Campaign;
use crate::contender::lease_name;
use crate::faults::nanos;
use crate::processes::raw_now;

/// A lease that nobody got for so long is stuck.
pub(crate) const STUCK: Duration = Duration::from_secs(60);
/// What the server knows of it is told when it may become that.
const FORSAKEN: Duration = Duration::from_secs(25);

impl Campaign {
    /// When a command was last alive under this lease.
    fn last_life(&self, lease: u64) -> u64 {
        let history = self.judge.history();
        let runs = history.leases.get(&lease).map(|lease| &lease.runs);
        let last = runs.into_iter().flatten().map(|run| run.last).max();
        last.unwrap_or(self.began)
    }

    /// Those whose command never was, or was last alive long ago.
    pub(crate) fn look_for_the_stuck(&mut self) {
        for lease in 0..self.options.leases {
            let last = self.last_life(lease);
            if last + nanos(STUCK) < raw_now() {
                self.tally.stuck += 1;
                let line = format!("nobody has got lease {lease} since {last}");
                self.tally.told.push(line);
            }
        }
    }

    /// Prints the record of a lease that nobody has got for long, once.
    pub(crate) fn tell_of_the_forsaken(&mut self) -> Outcome<()> {
        const RECORD: &str = "local l = redis.call('KEYS', '*:l:' .. ARGV[1])[1] \
            local q = redis.call('KEYS', '*:q:' .. ARGV[1])[1] \
            local h = redis.call('PUBSUB', 'CHANNELS', '*:h:' .. ARGV[1]) \
            local told = {redis.call('TIME'), l and redis.call('HGETALL', l) or 'no record', \
              q and redis.call('ZRANGE', q, 0, -1, 'WITHSCORES') or 'no line', h} \
            return cjson.encode(told)";
        for lease in 0..self.options.leases {
            let last = self.last_life(lease);
            if last + nanos(FORSAKEN) > raw_now() {
                self.forsaken.retain(|told| *told != lease);
                continue;
            }
            let Some(mut link) = self.link().filter(|_| !self.forsaken.contains(&lease)) else {
                continue;
            };
            self.forsaken.push(lease);
            let mut command = redis::cmd("EVAL");
            command.arg(RECORD).arg(0).arg(lease_name(lease));
            let record = command.query::<String>(&mut link)?;
            println!(
                "{}: nobody has got lease {lease} since {last}: {record}",
                raw_now()
            );
            for contender in self.slots.iter().flatten() {
                if contender.lease == lease {
                    let (number, front) = (contender.number, contender.front());
                    let diary = self.judge.history().diary.get(&number).cloned();
                    println!("  contender {number}, process {front}: {diary:?}");
                }
            }
        }
        Ok(())
    }
}
