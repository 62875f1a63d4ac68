//! The words for outcomes are an interface.

use crate::lease::{LostWhy, OutcomeWord, RefusedWhy};
use crate::supervisor::{AskedBy, CommandEnd, Fatal, LossReason, Outcome};

#[test]
fn every_outcome_has_its_word() {
    let why = LossReason::Store(LostWhy::Taken);
    for (outcome, word) in [
        (
            Outcome::Completed(CommandEnd::Killed(9)),
            OutcomeWord::Completed,
        ),
        (Outcome::Refused(RefusedWhy::Held), OutcomeWord::Refused),
        (Outcome::Lost { why }, OutcomeWord::Lost),
        (Outcome::TimedOut, OutcomeWord::TimedOut),
        (Outcome::Asked(AskedBy::Operator), OutcomeWord::Operator),
        (
            Outcome::Asked(AskedBy::ScheduledEvent),
            OutcomeWord::ScheduledEvent,
        ),
        (Outcome::NotShownDead, OutcomeWord::NotShownDead),
        (Outcome::Unreachable, OutcomeWord::Unreachable),
        (Outcome::NotStarted { errno: 2 }, OutcomeWord::NotStarted),
        (Outcome::Failed(Fatal::Denied), OutcomeWord::Invalid),
        (Outcome::Interrupted(2), OutcomeWord::Interrupted),
    ] {
        assert_eq!(outcome.word(), word);
    }
}
