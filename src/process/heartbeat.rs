//! Whether the guardian still answers.
//!
//! It is asked once a second while a command runs. Silence for a second is not yet a verdict: both of
//! us may just have been thawed or resumed, so it gets a last short chance; and when *we* come late,
//! the count begins anew. Time here is monotonic, which stands still in a suspend.

use std::time::Duration;

use tokio::time::Instant;

const EVERY: Duration = Duration::from_secs(1);
const LAST_CHANCE: Duration = Duration::from_millis(250);
/// Coming later than this we cannot blame the guardian.
const LATE: Duration = Duration::from_millis(200);

/// Escalation is a type: each step names what the next silence means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Off,
    /// It answered; it is asked again at this instant.
    Quiet(Instant),
    /// It was asked and has until this instant.
    Asked(Instant),
    /// It was silent for a second and has until this instant.
    LastChance(Instant),
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    Wait,
    /// Ask the guardian.
    Ask,
    /// It did not answer.
    Silent,
}

/// The state of the questioning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heartbeat(Step);

impl Default for Heartbeat {
    fn default() -> Self {
        Self(Step::Off)
    }
}

impl Heartbeat {
    pub(super) fn start(&mut self) {
        self.0 = Step::Quiet(Instant::now() + EVERY);
    }

    pub(super) const fn stop(&mut self) {
        self.0 = Step::Off;
    }

    pub(super) const fn is_on(&self) -> bool {
        !matches!(self.0, Step::Off)
    }

    /// Silence from now on until `limit` is a verdict.
    pub(super) fn last_chance(&mut self, limit: Duration) {
        self.0 = Step::LastChance(Instant::now() + limit);
    }

    /// Anything it says is an answer.
    pub(super) fn heard(&mut self) {
        if matches!(self.0, Step::Asked(_) | Step::LastChance(_)) {
            self.start();
        }
    }

    /// When to check next.
    pub(super) fn due(&self) -> Instant {
        match self.0 {
            Step::Off => Instant::now() + EVERY,
            Step::Quiet(at) | Step::Asked(at) | Step::LastChance(at) => at,
        }
    }

    pub(super) fn check(&mut self, now: Instant) -> Verdict {
        let (next, verdict) = match self.0 {
            Step::Quiet(at) if now >= at => (Step::Asked(now + EVERY), Verdict::Ask),
            Step::Asked(at) | Step::LastChance(at) if now >= at + LATE => {
                (Step::Asked(now + EVERY), Verdict::Ask)
            }
            Step::Asked(at) if now >= at => (Step::LastChance(now + LAST_CHANCE), Verdict::Ask),
            Step::LastChance(at) if now >= at => (Step::Off, Verdict::Silent),
            same => (same, Verdict::Wait),
        };
        self.0 = next;
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started() -> (Heartbeat, Instant) {
        let mut heartbeat = Heartbeat::default();
        heartbeat.start();
        let Step::Quiet(at) = heartbeat.0 else {
            panic!("not started")
        };
        (heartbeat, at)
    }

    #[test]
    fn silence_is_a_verdict_only_after_a_last_chance() {
        let (mut heartbeat, at) = started();
        assert_eq!(heartbeat.check(at - LATE), Verdict::Wait);
        assert_eq!(heartbeat.check(at), Verdict::Ask);
        assert_eq!(heartbeat.check(at + EVERY), Verdict::Ask);
        assert_eq!(heartbeat.check(at + EVERY + LAST_CHANCE), Verdict::Silent);
        assert!(!heartbeat.is_on());
    }

    #[test]
    fn an_answer_begins_anew() {
        let (mut heartbeat, at) = started();
        assert_eq!(heartbeat.check(at), Verdict::Ask);
        heartbeat.heard();
        assert!(matches!(heartbeat.0, Step::Quiet(_)));
    }

    #[test]
    fn when_we_come_late_the_guardian_is_not_blamed() {
        let (mut heartbeat, at) = started();
        assert_eq!(heartbeat.check(at), Verdict::Ask);
        let late = at + EVERY + LATE;
        assert_eq!(heartbeat.check(late), Verdict::Ask);
        assert!(
            matches!(heartbeat.0, Step::Asked(_)),
            "not the last chance yet"
        );
        let late = late + EVERY + LAST_CHANCE + LATE;
        assert_eq!(heartbeat.check(late), Verdict::Ask);
        assert!(matches!(heartbeat.0, Step::Asked(_)));
    }
}
