//! Whether what ends a run fits what happened in it.

use super::coverage::Branch;
use super::world::{World, secs};
use crate::supervisor::{
    Action, AskedBy, Event, Leftovers, LossReason, Note, Outcome, StopWhy, Unprepared,
};

/// P5, P8: release only after death, and one end that fits what happened.
pub(super) fn check(world: &mut World<'_>, event: Event, action: Action, earlier: &[Action]) {
    let ledger = &world.ledger;
    match action {
        Action::Release(_) => release_comes_after_death(world, event),
        Action::Note(note) => world.coverage.mark(match note {
            Note::StoreSilent => Branch::SilentStore,
            Note::TooLate => Branch::TooLate,
            Note::Doubt { .. } => Branch::Doubted,
            Note::DoubtEnded => Branch::DoubtEnded,
            Note::StoppedByGuardian => Branch::StoppedByGuardian,
            Note::ReleaseUncertain => Branch::ReleaseUncertain,
            _ => return,
        }),
        Action::Withdraw => {
            world.coverage.mark(Branch::Withdrawn);
            assert!(!ledger.has_begun());
        }
        Action::Finish(outcome) => {
            assert!(ledger.finished.is_none(), "two ends");
            if !ledger.has_begun() {
                let held = ledger.known || ledger.acquiring.is_some() || ledger.releasing;
                let withdrawn = earlier.contains(&Action::Withdraw);
                assert!(withdrawn || !held, "left something in the store");
                world.coverage.mark(match outcome {
                    Outcome::Asked(AskedBy::ScheduledEvent) if withdrawn => {
                        Branch::LeftWhileSeeking
                    }
                    Outcome::Asked(AskedBy::ScheduledEvent) => Branch::LeftBeforeTheClaim,
                    Outcome::Refused(_) => Branch::RefusedAtLimit,
                    Outcome::Unreachable => Branch::Unreachable,
                    _ => Branch::Interrupted,
                });
            } else if outcome == Outcome::NotShownDead {
                giving_up_has_a_reason(world);
            } else {
                assert!(!ledger.guarded(), "P2: over while something may run");
                outcome_fits(world, event, outcome);
            }
        }
        _ => {}
    }
}

/// P5, and the patience with a store that does not answer.
fn release_comes_after_death(world: &mut World<'_>, event: Event) {
    if matches!(event, Event::Renewed { .. }) {
        // It was due before the answer was heard, and by the end that was known then.
        world.ledger.asked = world.ledger.asked_before;
    }
    let (now, timing, ledger) = (world.now, world.settings.timing, &world.ledger);
    assert!(!ledger.lost, "nothing to give back");
    assert!(!ledger.guarded(), "P5: released while something may run");
    assert!(
        ledger.releases < 3 || !ledger.has_begun(),
        "too many releases"
    );
    if let (Some(last), true) = (ledger.last_release, ledger.has_begun()) {
        world.coverage.mark(Branch::ReleaseRetried);
        assert!(now.since(last) >= timing.attempt());
        assert!(now < ledger.after_asking(&timing).dead);
    }
}

fn giving_up_has_a_reason(world: &mut World<'_>) {
    let (now, ledger) = (world.now, &world.ledger);
    assert_eq!(ledger.releases, 0, "P5: given up after a release");
    let killed = ledger.killed.expect("P5: given up without a kill");
    let dead = ledger.due(&world.settings.timing).dead;
    let branch = if now >= dead {
        Branch::GivenUpAtDead
    } else if ledger.insisted >= 2 {
        Branch::GivenUpBySignal
    } else {
        assert!(now.since(killed) >= secs(600), "P5: given up too early");
        Branch::GivenUpByPatience
    };
    world.coverage.mark(branch);
}

fn outcome_fits(world: &mut World<'_>, event: Event, outcome: Outcome) {
    let ledger = &world.ledger;
    if event == (Event::Released { certain: true }) && ledger.releases == 1 {
        world.coverage.mark(Branch::ReleasedAtOnce);
    }
    if ledger.stop.is_none() && world.settings.leftovers == Leftovers::Wait {
        world.coverage.mark(Branch::LeftoversWaitedFor);
    }
    if ledger.lost {
        let told = matches!(
            outcome,
            Outcome::Lost {
                why: LossReason::Store(_)
            }
        );
        assert!(told, "a loss that is not told");
        return;
    }
    let why = ledger.stop.and_then(|stop| stop.why);
    let after_end = ledger.stop.is_none_or(|stop| stop.after_end);
    let own = match ledger.end {
        Some(end) => outcome == Outcome::Completed(end),
        None if ledger.starts == 0 => matches!(outcome, Outcome::NotPrepared(_)),
        None => matches!(outcome, Outcome::NotStarted { .. }),
    };
    if matches!(outcome, Outcome::NotPrepared(why) if why != Unprepared::TooSlow) {
        world.coverage.mark(Branch::HookFailed);
    }
    let fits = match why {
        _ if ledger.hook_too_slow => outcome == Outcome::NotPrepared(Unprepared::TooSlow),
        Some(StopWhy::Interrupted) => matches!(outcome, Outcome::Interrupted(_)),
        Some(StopWhy::NotRenewed) => matches!(outcome, Outcome::Lost { .. }),
        _ if after_end => own,
        Some(StopWhy::RunTimeout) => outcome == Outcome::TimedOut,
        Some(StopWhy::Operator) => outcome == Outcome::Asked(AskedBy::Operator),
        Some(StopWhy::ScheduledEvent) => outcome == Outcome::Asked(AskedBy::ScheduledEvent),
        _ => matches!(outcome, Outcome::Lost { .. }),
    };
    assert!(fits, "{outcome:?} after {:?}", ledger.stop);
}
