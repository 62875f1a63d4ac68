//! Between the fields of a lease's hash and what the rest of leasectl calls a record. Pure.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::WallTime;
use crate::lease::{
    Asker, Claim, EndedRun, Ending, FencingToken, LeaseName, LeaseRecord, LeaseState, Observation,
    OutcomeWord, Pause, StopRequest,
};

/// How a run ended, as it stands in the hash.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Past {
    outcome: OutcomeWord,
    exit_code: Option<i32>,
    signal: Option<String>,
    ran_s: Option<f64>,
    renewals: Option<u64>,
    by: Option<String>,
    reason: Option<String>,
}

/// What the holder tells people, as it stands in the hash: a record whose token and instants are only
/// known to the server, and stand in fields of their own.
pub(super) fn labels(claim: &Claim) -> String {
    let unknown = WallTime::from_unix_millis(0);
    // An empty text reads as "no record".
    FencingToken::new(1).map_or_else(
        |_| String::new(),
        |token| LeaseRecord::of_grant(claim, token, unknown, None).to_json(),
    )
}

impl Past {
    pub(super) fn of(ending: &Ending) -> Self {
        Self {
            outcome: ending.outcome,
            exit_code: ending.exit_code,
            signal: ending.signal.clone(),
            ran_s: ending.ran.map(|ran| ran.as_secs_f64()),
            renewals: Some(ending.renewals),
            by: ending.by.clone(),
            reason: ending.reason.clone(),
        }
    }

    /// An operator took it away, and counted no renewals.
    pub(super) fn of_operator(asker: &Asker) -> Self {
        Self {
            renewals: None,
            by: Some(asker.by.clone()),
            reason: asker.reason.clone(),
            ..Self::of(&Ending {
                outcome: OutcomeWord::Operator,
                ..Ending::withdrawn()
            })
        }
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The fields of one lease's hash at one instant of the server.
#[derive(Debug)]
pub(super) struct Fields {
    now_ms: u64,
    by_name: HashMap<String, Vec<u8>>,
}

impl Fields {
    pub(super) fn new(now_us: u64, by_name: HashMap<String, Vec<u8>>) -> Self {
        Self {
            now_ms: now_us / 1_000,
            by_name,
        }
    }

    fn bytes(&self, field: &str) -> &[u8] {
        self.by_name.get(field).map_or(&[], Vec::as_slice)
    }

    fn json<T: for<'a> Deserialize<'a>>(&self, field: &str) -> Option<T> {
        serde_json::from_slice(self.bytes(field)).ok()
    }

    fn number(&self, field: &str) -> Option<u64> {
        let text = str::from_utf8(self.bytes(field)).ok()?;
        text.parse().ok().filter(|number| *number > 0)
    }

    fn wall(&self, field: &str) -> Option<WallTime> {
        self.number(field).map(WallTime::from_unix_millis)
    }

    /// The instant in `field`, if it lies ahead.
    fn ahead(&self, field: &str) -> Option<u64> {
        self.number(field).filter(|at| *at > self.now_ms)
    }

    /// What an onlooker sees.
    pub(super) fn observation(&self, name: &LeaseName) -> Observation {
        let held = (self.bytes("1.s") == b"held")
            .then(|| self.ahead("1.e"))
            .flatten();
        let cooldown = self.ahead("1.nb");
        let paused = self.pause();
        let state = match (held, &paused, cooldown) {
            (Some(_), _, _) => LeaseState::Held,
            (None, Some(_), _) => LeaseState::Paused,
            (None, None, Some(_)) => LeaseState::Cooldown,
            (None, None, None) => LeaseState::Free,
        };
        let stop = held.and_then(|_| self.stop_request());
        Observation {
            state,
            record: self.record(name),
            expires_in: held.map(|end| Duration::from_millis(end - self.now_ms)),
            cooldown_until: cooldown.map(WallTime::from_unix_millis),
            paused,
            stop_request: stop,
            ..Observation::untouched(name.clone())
        }
    }

    fn pause(&self) -> Option<Pause> {
        let asker = self.json("drain")?;
        let until = self.number("drain.until");
        if until.is_some_and(|until| until <= self.now_ms) {
            return None;
        }
        Some(Pause {
            asker,
            at: self.wall("drain.at")?,
            until_at: until.map(WallTime::from_unix_millis),
        })
    }

    fn stop_request(&self) -> Option<StopRequest> {
        stop_request(self.bytes("1.stop"), self.number("1.stopat")?)
    }

    fn record(&self, name: &LeaseName) -> Option<LeaseRecord> {
        let mut record = LeaseRecord::from_json(self.bytes("1.l"))?;
        if record.lease != *name {
            return None;
        }
        record.token = FencingToken::new(self.number("1.t")?).ok()?;
        record.acquired_at = self.wall("1.since")?;
        record.renewals = self.number("1.ren").unwrap_or(0);
        record.renewed_at = self.wall("1.at").filter(|_| record.renewals > 0);
        record.not_before_at = self.wall("1.nb");
        record.last_success_at = self.wall("ok");
        record.ended = self
            .json::<Past>("1.end")
            .and_then(|past| self.ended("1", past));
        record.last_run = self.last_run();
        Some(record)
    }

    /// The run before the present one; one whose end nobody wrote vanished.
    fn last_run(&self) -> Option<EndedRun> {
        let past = self.json("p.end").unwrap_or(Past {
            renewals: None,
            ..Past::of(&Ending {
                outcome: OutcomeWord::Vanished,
                ..Ending::withdrawn()
            })
        });
        self.ended("p", past)
    }

    fn ended(&self, whose: &str, past: Past) -> Option<EndedRun> {
        let field = |field: &str| format!("{whose}.{field}");
        let record = LeaseRecord::from_json(self.bytes(&field("l")))?;
        Some(EndedRun {
            token: FencingToken::new(self.number(&field("t"))?).ok()?,
            host: record.holder.host,
            started_at: self.wall(&field("since"))?,
            ended_at: self.wall(&field("ended")),
            ran_s: past.ran_s,
            outcome: past.outcome,
            exit_code: past.exit_code,
            signal: past.signal,
            renewals: past
                .renewals
                .unwrap_or_else(|| self.number(&field("ren")).unwrap_or(0)),
            by: past.by,
            reason: past.reason,
        })
    }
}

/// A stop request from its text and the server's milliseconds.
pub(super) fn stop_request(asker: &[u8], at_ms: u64) -> Option<StopRequest> {
    Some(StopRequest {
        asker: serde_json::from_slice(asker).ok()?,
        at: WallTime::from_unix_millis(at_ms),
    })
}

/// A lease that is kept for a waiter which was told that it is its turn.
pub(super) fn reserved(name: &LeaseName, rest: Duration) -> Observation {
    Observation {
        state: LeaseState::Held,
        expires_in: Some(rest),
        ..Observation::untouched(name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        let owned =
            |(field, value): &(&str, &str)| ((*field).to_owned(), value.as_bytes().to_vec());
        Fields::new(10_000_000, pairs.iter().map(owned).collect())
    }

    fn name() -> LeaseName {
        LeaseName::new("a").unwrap()
    }

    #[test]
    fn what_is_over_is_seen_as_over() {
        let state = |pairs: &[(&str, &str)]| fields(pairs).observation(&name()).state;
        assert_eq!(state(&[]), LeaseState::Free);
        assert_eq!(
            state(&[("1.s", "held"), ("1.e", "10001")]),
            LeaseState::Held
        );
        assert_eq!(
            state(&[("1.s", "held"), ("1.e", "10000")]),
            LeaseState::Free
        );
        assert_eq!(
            state(&[("1.s", "next"), ("1.e", "10001")]),
            LeaseState::Free
        );
        assert_eq!(
            state(&[("1.s", "free"), ("1.nb", "10001")]),
            LeaseState::Cooldown
        );
        let pause = r#"{"by":"alice","reason":null}"#;
        let until = |until| {
            [
                ("drain", pause),
                ("drain.at", "9000"),
                ("drain.until", until),
            ]
        };
        assert_eq!(state(&until("0")), LeaseState::Paused);
        assert_eq!(state(&until("10001")), LeaseState::Paused);
        assert_eq!(state(&until("10000")), LeaseState::Free);
    }

    #[test]
    fn a_record_that_cannot_be_read_is_absent() {
        let odd = [
            ("1.s", "held"),
            ("1.e", "99999"),
            ("1.t", "7"),
            ("1.since", "1"),
        ];
        for labels in ["", "{", "[]", "\u{ff}", r#"{"schema":"leasectl.record/1"}"#] {
            let mut pairs = odd.to_vec();
            pairs.push(("1.l", labels));
            let seen = fields(&pairs).observation(&name());
            assert_eq!((seen.state, seen.record), (LeaseState::Held, None));
        }
    }
}
