//! What a lease remembers beyond the hold (`leasectl.record/1`).
//!
//! Written by the holder only, at most [`LARGEST_RECORD`] bytes. Readers take a record that they
//! cannot read as absent: it never stops an acquisition, and nothing but a minimum hold is decided
//! by it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Claim, FencingToken, Holder, LeaseName, OutcomeWord};
use crate::clock::WallTime;

/// The most bytes a record may have.
pub const LARGEST_RECORD: usize = 4096;
const SCHEMA: &str = "leasectl.record/1";

/// A run that is over (`ended` and `last_run`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndedRun {
    /// Its fencing token.
    pub token: FencingToken,
    /// The host it ran on.
    pub host: String,
    /// When it started.
    pub started_at: WallTime,
    /// When it ended; `null` when nobody saw it.
    pub ended_at: Option<WallTime>,
    /// How long it ran, in seconds.
    pub ran_s: Option<f64>,
    /// How it ended.
    pub outcome: OutcomeWord,
    /// The command's exit code.
    pub exit_code: Option<i32>,
    /// The name of the signal that killed the command.
    pub signal: Option<String>,
    /// Renewals that were answered.
    pub renewals: u64,
    /// Who asked for the end.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// The record of one lease.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeaseRecord {
    schema: String,
    /// The lease.
    pub lease: LeaseName,
    /// The token of the present or last hold.
    pub token: FencingToken,
    /// Who has or had it.
    pub holder: Holder,
    /// `argv[0]`.
    pub program: Option<String>,
    /// The other arguments.
    pub args: Option<Vec<String>>,
    /// `--note`.
    pub note: Option<String>,
    /// `--meta`.
    #[serde(default)]
    pub meta: BTreeMap<String, String>,
    /// Time to live, in seconds.
    pub ttl_s: f64,
    /// When it was acquired.
    pub acquired_at: WallTime,
    /// When it was last renewed; `null` where a renewal writes nothing.
    pub renewed_at: Option<WallTime>,
    /// Renewals that were answered.
    pub renewals: u64,
    /// The end of the minimum hold.
    pub not_before_at: Option<WallTime>,
    /// How the run of `token` ended; `null` while it is on.
    pub ended: Option<EndedRun>,
    /// The run before it.
    pub last_run: Option<EndedRun>,
    /// When a command last completed with exit code 0.
    pub last_success_at: Option<WallTime>,
}

impl LeaseRecord {
    /// The record of a new hold, after `before`, the record of the hold before it.
    ///
    /// A hold whose end nobody wrote becomes a run that `vanished`. A record too long for
    /// [`LARGEST_RECORD`] loses its arguments, then its note and meta, then its program: what is
    /// said for people must never stop an acquisition.
    #[must_use]
    pub fn of_grant(
        claim: &Claim,
        token: FencingToken,
        at: WallTime,
        before: Option<&Self>,
    ) -> Self {
        let mut record = Self {
            schema: SCHEMA.to_owned(),
            lease: claim.name.clone(),
            token,
            holder: claim.holder.clone(),
            program: claim.purpose.program.clone(),
            args: claim.purpose.args.clone(),
            note: claim.purpose.note.clone(),
            meta: claim.purpose.meta.clone(),
            ttl_s: claim.ttl.as_secs_f64(),
            acquired_at: at,
            renewed_at: None,
            renewals: 0,
            not_before_at: claim.min_hold.map(|span| at.plus(span)),
            ended: None,
            last_run: before.map(Self::as_last_run),
            last_success_at: before.and_then(|record| record.last_success_at),
        };
        record.fit();
        record
    }

    /// The last run that is over, for one who sees whether the run of `token` is still on. A run that is
    /// not, and whose end nobody wrote, vanished.
    #[must_use]
    pub fn last_run_if(&self, held: bool) -> Option<EndedRun> {
        match &self.ended {
            None if held => self.last_run.clone(),
            _ => Some(self.as_last_run()),
        }
    }

    fn as_last_run(&self) -> EndedRun {
        self.ended.clone().unwrap_or_else(|| EndedRun {
            token: self.token,
            host: self.holder.host.clone(),
            started_at: self.acquired_at,
            ended_at: None,
            ran_s: None,
            outcome: OutcomeWord::Vanished,
            exit_code: None,
            signal: None,
            renewals: self.renewals,
            by: None,
            reason: None,
        })
    }

    fn fit(&mut self) {
        let shorten: [fn(&mut Self); 3] = [
            |record| record.args = None,
            |record| {
                record.note = None;
                record.meta = BTreeMap::new();
            },
            |record| record.program = None,
        ];
        for step in shorten {
            // The end of the run is added later and needs room of its own.
            if self.to_json().len() <= LARGEST_RECORD - 512 {
                return;
            }
            step(self);
        }
    }

    /// Adds how the run ended. A hand-over clears the minimum hold.
    pub fn end(&mut self, ending: &Ending, at: WallTime) {
        if ending.outcome == OutcomeWord::Completed && ending.exit_code == Some(0) {
            self.last_success_at = Some(at);
        }
        if ending.clears_min_hold() {
            self.not_before_at = None;
        }
        self.renewals = ending.renewals;
        self.ended = Some(EndedRun {
            token: self.token,
            host: self.holder.host.clone(),
            started_at: self.acquired_at,
            ended_at: Some(at),
            ran_s: ending.ran.map(|ran| ran.as_secs_f64()),
            outcome: ending.outcome,
            exit_code: ending.exit_code,
            signal: ending.signal.clone(),
            renewals: ending.renewals,
            by: ending.by.clone(),
            reason: ending.reason.clone(),
        });
    }

    /// One line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Serialising plain data to a string cannot fail; an empty text reads as "no record".
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a record; `None` for anything that is not one: another schema, too long, half written. The
    /// caller looks whether it is of the right lease.
    #[must_use]
    pub fn from_json(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > LARGEST_RECORD {
            return None;
        }
        let record: Self = serde_json::from_slice(bytes).ok()?;
        (record.schema == SCHEMA).then_some(record)
    }
}

/// How a run ended, handed to the store with the release.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// In words.
    pub outcome: OutcomeWord,
    /// The command's exit code, when it exited.
    pub exit_code: Option<i32>,
    /// The name of the signal that killed it, when one did.
    pub signal: Option<String>,
    /// How long the command ran, when it ran.
    pub ran: Option<Duration>,
    /// Renewals that were answered.
    pub renewals: u64,
    /// Who asked for the end.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

impl Ending {
    /// The end of a grant that was given back before anything was run under it.
    #[must_use]
    pub const fn withdrawn() -> Self {
        Self {
            outcome: OutcomeWord::NotStarted,
            exit_code: None,
            signal: None,
            ran: None,
            renewals: 0,
            by: None,
            reason: None,
        }
    }

    /// Whether the minimum hold ends with the run: a hand-over is meant to let the next one in, and what was
    /// granted too late to start under it has run nothing.
    #[must_use]
    pub const fn clears_min_hold(&self) -> bool {
        matches!(
            self.outcome,
            OutcomeWord::Operator | OutcomeWord::ScheduledEvent | OutcomeWord::Unreachable
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::{OwnerId, Purpose};

    fn claim() -> Claim {
        Claim {
            name: LeaseName::new("nightly").unwrap(),
            owner: OwnerId::fresh().unwrap(),
            ttl: Duration::from_secs(30),
            min_hold: Some(Duration::from_secs(60)),
            holder: Holder {
                label: "web3".to_owned(),
                host: "web3".to_owned(),
                machine: "6f1d".to_owned(),
                boot: "c2a9".to_owned(),
                pid: 4711,
                start_ticks: 812_345,
                user: "app".to_owned(),
                version: "0.1.0".to_owned(),
            },
            purpose: Purpose {
                program: Some("./job.sh".to_owned()),
                ..Purpose::default()
            },
            unanswered: false,
        }
    }

    fn completed(exit_code: i32) -> Ending {
        Ending {
            outcome: OutcomeWord::Completed,
            exit_code: Some(exit_code),
            signal: None,
            ran: Some(Duration::from_millis(1500)),
            renewals: 3,
            by: None,
            reason: None,
        }
    }

    fn token(number: u64) -> FencingToken {
        FencingToken::new(number).unwrap()
    }

    #[test]
    fn a_record_survives_its_own_json() {
        let mut record =
            LeaseRecord::of_grant(&claim(), token(7), WallTime::from_unix_millis(1_000), None);
        record.end(&completed(0), WallTime::from_unix_millis(2_500));
        let json = record.to_json();
        assert!(json.starts_with(r#"{"schema":"leasectl.record/1","lease":"nightly","token":7,"#));
        assert_eq!(LeaseRecord::from_json(json.as_bytes()), Some(record));
    }

    #[test]
    fn the_next_holder_moves_the_end_to_last_run() {
        let at = WallTime::from_unix_millis;
        let mut first = LeaseRecord::of_grant(&claim(), token(7), at(1_000), None);
        first.end(&completed(0), at(2_500));
        let mut second = LeaseRecord::of_grant(&claim(), token(8), at(9_000), Some(&first));
        assert_eq!(second.last_run, first.ended);
        assert_eq!(second.last_success_at, Some(at(2_500)));
        second.end(&completed(1), at(9_500));
        assert_eq!(
            second.last_success_at,
            Some(at(2_500)),
            "a failure is no success"
        );
    }

    #[test]
    fn what_has_run_nothing_keeps_nobody_out() {
        let at = WallTime::from_unix_millis;
        let late = Ending {
            outcome: OutcomeWord::Unreachable,
            ..Ending::withdrawn()
        };
        for (ending, kept) in [(completed(1), true), (late, false)] {
            let mut record = LeaseRecord::of_grant(&claim(), token(7), at(1_000), None);
            assert!(record.not_before_at.is_some());
            record.end(&ending, at(2_500));
            assert_eq!(record.not_before_at.is_some(), kept, "{ending:?}");
        }
    }

    #[test]
    fn a_run_whose_end_nobody_wrote_vanished() {
        let at = WallTime::from_unix_millis;
        let first = LeaseRecord::of_grant(&claim(), token(7), at(1_000), None);
        let second = LeaseRecord::of_grant(&claim(), token(8), at(9_000), Some(&first));
        assert_eq!(second.last_run_if(true), second.last_run);
        assert_eq!(second.last_run_if(false).unwrap().token, second.token);
        assert_eq!(second.last_run.unwrap().outcome, OutcomeWord::Vanished);
    }

    #[test]
    fn what_cannot_be_read_is_absent() {
        let record = LeaseRecord::of_grant(&claim(), token(7), WallTime::from_unix_millis(1), None);
        let json = record.to_json();
        assert_eq!(LeaseRecord::from_json(&json.as_bytes()[..50]), None);
        assert_eq!(LeaseRecord::from_json(&[b' '; 10_000]), None);
        let newer = json.replace("record/1", "record/2");
        assert_eq!(LeaseRecord::from_json(newer.as_bytes()), None);
        let more = json.replacen('{', r#"{"added_later":1,"#, 1);
        assert!(
            LeaseRecord::from_json(more.as_bytes()).is_some(),
            "keys are only added"
        );
    }

    #[test]
    fn a_record_is_shortened_rather_than_refused() {
        let mut long = claim();
        long.purpose.args = Some(vec!["x".repeat(5_000)]);
        long.purpose.note = Some("n".repeat(100));
        let record = LeaseRecord::of_grant(&long, token(1), WallTime::from_unix_millis(1), None);
        assert!(record.to_json().len() <= LARGEST_RECORD);
        assert_eq!(record.args, None);
        assert_eq!(record.note.map(|note| note.len()), Some(100));
    }

    #[test]
    fn a_hand_over_clears_the_minimum_hold() {
        let mut record =
            LeaseRecord::of_grant(&claim(), token(1), WallTime::from_unix_millis(1), None);
        assert!(record.not_before_at.is_some());
        let ending = Ending {
            outcome: OutcomeWord::Operator,
            ..completed(0)
        };
        record.end(&ending, WallTime::from_unix_millis(2));
        assert_eq!(record.not_before_at, None);
    }
}
