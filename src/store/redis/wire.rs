//! The requests: one script for each transition, and its arguments. Pure.

use std::sync::LazyLock;
use std::time::Duration;

use redis::{Cmd, Script};

use super::keys::{Keys, hex};
use super::record::{Past, labels};
use crate::lease::{Asker, Claim, Ending, FencingToken, Hold, LeaseName, OutcomeWord, OwnerId};

/// How long a lease is kept for a waiter that was woken, by the server's clock. Too short, and a waiter on
/// a busy machine loses its turn; too long, and one that died costs the next so much.
pub(super) const RESERVATION: Duration = Duration::from_secs(1);

/// What the server is asked to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Acquire,
    Renew,
    Release,
    Stop,
    Drain,
    Observe,
    Forget,
}

/// How an acquisition treats the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Asks once.
    Try,
    /// Asks, and stands in line if refused.
    Wait,
    /// Stands in line, and is told when it is its turn.
    Join,
}

/// The server process behind a connection: what tells a restart from an ordinary answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServerRun {
    /// Random, for each start.
    pub(super) id: String,
    /// When it started at the latest, in milliseconds of its own clock.
    pub(super) started_ms: u64,
}

/// One run of one script.
#[derive(Debug)]
pub(super) struct Request {
    verb: Verb,
    keys: [Vec<u8>; 3],
    arguments: Vec<Vec<u8>>,
}

/// A script's text, and the hash by which the server knows it.
struct Source {
    text: String,
    hash: Script,
}

impl Verb {
    fn source(self) -> &'static Source {
        static SOURCES: LazyLock<[Source; 7]> = LazyLock::new(|| {
            const BODIES: [&str; 7] = [
                include_str!("scripts/acquire.lua"),
                include_str!("scripts/renew.lua"),
                include_str!("scripts/release.lua"),
                include_str!("scripts/stop.lua"),
                include_str!("scripts/drain.lua"),
                include_str!("scripts/observe.lua"),
                include_str!("scripts/forget.lua"),
            ];
            const PRELUDE: &str = include_str!("scripts/prelude.lua");
            BODIES.map(|body| {
                let text = format!("{PRELUDE}{body}");
                let hash = Script::new(&text);
                Source { text, hash }
            })
        });
        &SOURCES[self as usize]
    }
}

impl Request {
    fn new(verb: Verb, keys: &Keys, name: &LeaseName) -> Self {
        let request = Self {
            verb,
            keys: [keys.lease.clone(), keys.queue.clone(), keys.index.clone()],
            arguments: Vec::new(),
        };
        request
            .with(name.as_str())
            .with(&keys.holders)
            .with(&keys.waiters)
            .with(if keys.sharded { "SPUBLISH" } else { "PUBLISH" })
    }

    fn with(mut self, argument: impl AsRef<[u8]>) -> Self {
        self.arguments.push(argument.as_ref().to_vec());
        self
    }

    fn with_millis(self, span: Duration) -> Self {
        self.with(millis(span).to_string())
    }

    /// Asks for the lease. `ticket` is the place in line of an earlier answer, or empty.
    pub(super) fn acquire(
        keys: &Keys,
        claim: &Claim,
        server: &ServerRun,
        (mode, ticket): (Mode, &str),
        guard: Duration,
    ) -> Self {
        Self::new(Verb::Acquire, keys, &claim.name)
            .with(&server.id)
            .with(server.started_ms.to_string())
            .with(hex(&claim.owner))
            .with_millis(claim.ttl)
            .with_millis(claim.min_hold.unwrap_or_default())
            .with("1")
            .with(ticket)
            .with(match mode {
                Mode::Try => "try",
                Mode::Wait => "wait",
                Mode::Join => "join",
            })
            .with(labels(claim))
            .with_millis(RESERVATION)
            .with_millis(guard)
    }

    pub(super) fn renew(keys: &Keys, hold: &Hold, server: &ServerRun) -> Self {
        Self::new(Verb::Renew, keys, &hold.name)
            .with(&server.id)
            .with(hex(&hold.owner))
            .with(hold.token.to_string())
            .with_millis(hold.ttl.unwrap_or_default())
    }

    pub(super) fn release(keys: &Keys, hold: &Hold, ending: &Ending, server: &ServerRun) -> Self {
        let well = ending.outcome == OutcomeWord::Completed && ending.exit_code == Some(0);
        Self::new(Verb::Release, keys, &hold.name)
            .with(&server.id)
            .with(hex(&hold.owner))
            .with(hold.token.to_string())
            .with(Past::of(ending).to_json())
            .with_millis(RESERVATION)
            .with(flag(well))
            .with(flag(ending.clears_min_hold()))
    }

    /// Gives back whatever `owner` has, place in line included, with its minimum hold.
    pub(super) fn withdraw(
        keys: &Keys,
        name: &LeaseName,
        owner: &OwnerId,
        server: &ServerRun,
    ) -> Self {
        Self::new(Verb::Release, keys, name)
            .with(&server.id)
            .with(hex(owner))
            .with("")
            .with(Past::of(&Ending::withdrawn()).to_json())
            .with_millis(RESERVATION)
            .with(flag(false))
            .with(flag(true))
    }

    pub(super) fn ask_to_stop(keys: &Keys, name: &LeaseName, asker: &Asker) -> Self {
        Self::new(Verb::Stop, keys, name)
            .with("*")
            .with(json(asker))
            .with("ask")
            .with_millis(RESERVATION)
    }

    pub(super) fn revoke(
        keys: &Keys,
        name: &LeaseName,
        token: FencingToken,
        asker: &Asker,
    ) -> Self {
        Self::new(Verb::Stop, keys, name)
            .with(token.to_string())
            .with(Past::of_operator(asker).to_json())
            .with("force")
            .with_millis(RESERVATION)
    }

    pub(super) fn pause(
        keys: &Keys,
        name: &LeaseName,
        asker: &Asker,
        lasts: Option<Duration>,
    ) -> Self {
        Self::new(Verb::Drain, keys, name)
            .with(json(asker))
            .with_millis(RESERVATION)
            .with(lasts.map_or_else(String::new, |lasts| millis(lasts).to_string()))
    }

    pub(super) fn resume(keys: &Keys, name: &LeaseName) -> Self {
        Self::new(Verb::Drain, keys, name)
            .with("")
            .with_millis(RESERVATION)
            .with("")
    }

    pub(super) fn observe(keys: &Keys, name: &LeaseName) -> Self {
        Self::new(Verb::Observe, keys, name)
    }

    pub(super) fn forget(keys: &Keys, name: &LeaseName) -> Self {
        Self::new(Verb::Forget, keys, name)
    }

    /// By the script's hash: what the server has seen before.
    pub(super) fn by_hash(&self) -> Cmd {
        self.command("EVALSHA", self.verb.source().hash.get_hash())
    }

    /// By the script's text, for a server that has not.
    pub(super) fn by_text(&self) -> Cmd {
        self.command("EVAL", &self.verb.source().text)
    }

    fn command(&self, how: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(how);
        command.arg(script).arg(self.keys.len());
        for part in self.keys.iter().chain(&self.arguments) {
            command.arg(part.as_slice());
        }
        command
    }
}

/// Whole milliseconds, rounded up: a lease may last longer than asked, never shorter.
pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

const fn flag(on: bool) -> &'static str {
    if on { "1" } else { "" }
}

fn json(asker: &Asker) -> String {
    // Two texts always have a form in JSON.
    serde_json::to_string(asker).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_live_is_never_cut() {
        assert_eq!(millis(Duration::from_nanos(1_000_001)), 2);
        assert_eq!(millis(Duration::from_secs(30)), 30_000);
    }

    #[test]
    fn every_script_is_the_one_of_its_verb() {
        for (verb, mark) in [
            (Verb::Acquire, "repeated claim"),
            (Verb::Renew, "'extended'"),
            (Verb::Release, "give_back"),
            (Verb::Stop, "'force'"),
            (Verb::Drain, "to resume"),
            (Verb::Observe, "'record'"),
            (Verb::Forget, "nothing is kept"),
        ] {
            let code = verb.source().text.to_lowercase();
            assert!(code.contains(mark), "{verb:?}");
            // Redis 6 knows no shebang.
            assert!(!code.starts_with("#!"));
        }
    }
}
