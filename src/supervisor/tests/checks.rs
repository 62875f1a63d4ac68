//! What has to be true of every single step, whatever came before.

use super::coverage::Branch;
use super::ledger::{Stopped, Tree};
use super::world::{World, secs};
use crate::clock::Instant;
use crate::lease::{Effect, Tenure};
use crate::supervisor::{
    Action, Event, Leftovers, LossReason, Note, Outcome, Phase, StopWhy, Wait,
};

/// Takes the event and each action into the ledger, checking each against what stood there before.
pub(super) fn check(
    world: &mut World<'_>,
    event: Event,
    actions: &[Action],
    tenure: Option<Tenure>,
) {
    let before = world.ledger.phase;
    if world.ledger.finished.is_some() {
        nothing_follows_the_end(world, event, actions);
        return;
    }
    let was_guarded = world.ledger.guarded();
    note_event(world, event);
    for (index, &action) in actions.iter().enumerate() {
        check_order(world, event, action, before);
        check_end(world, event, action, &actions[..index]);
        world.perform(action);
    }
    if matches!(actions.last(), Some(Action::Finish(_))) {
        assert_eq!(world.supervisor.wake_at(), Instant::NEVER);
    } else {
        assert!(
            world.supervisor.wake_at() > world.now,
            "acts again and again"
        );
    }
    doubt_changes_nothing(world, event, actions, tenure);
    granted_starts_in_time_only(world, event, actions, before);
    if let (true, Event::RenewalLost(_)) = (was_guarded, event) {
        a_known_loss_kills(world, actions, before);
    }
    if was_guarded && event == Event::GuardianLost {
        assert!(actions.contains(&Action::Kill), "nothing runs unguarded");
    }
    deadlines_are_kept(world);
    phases_go_forward(world, event, before);
    world.ledger.phase = world.supervisor.phase();
}

fn nothing_follows_the_end(world: &mut World<'_>, event: Event, actions: &[Action]) {
    if matches!(event, Event::Granted { .. }) && world.ledger.starts == 0 {
        world.coverage.mark(Branch::GrantAfterEnd);
        assert!(matches!(actions, [Action::Release(_)]));
    } else {
        assert_eq!(actions, []);
    }
}

/// What the event itself makes true in the world.
fn note_event(world: &mut World<'_>, event: Event) {
    let now = world.now;
    let timing = world.settings.timing;
    let ledger = &mut world.ledger;
    ledger.asked_before = ledger.asked_at;
    match event {
        Event::AttemptUnanswered { effect, .. } => {
            ledger.known |= effect == Effect::Unknown;
            ledger.acquiring = None;
        }
        Event::Granted { .. } | Event::Refused { .. } | Event::AttemptFailed(_) => {
            ledger.acquiring = None;
            ledger.known |=
                matches!(event, Event::Refused { .. }) && world.settings.wait != Wait::No;
        }
        Event::LookAgain => ledger.waiting = false,
        Event::CommandStarted { .. } => {
            ledger.tree = Tree::Running;
            ledger.started_at = Some(now);
        }
        Event::CommandNotStarted { .. } => {
            world.coverage.mark(Branch::NotStarted);
            ledger.tree = Tree::Ended;
        }
        Event::CommandExited(end) => {
            ledger.tree = Tree::Ended;
            ledger.end = Some(end);
        }
        Event::TreeEmpty => ledger.tree = Tree::Gone,
        Event::StopDue if ledger.stop.is_none() && ledger.guarded() => {
            ledger.stop = Some(Stopped {
                at: now,
                began: now.min(ledger.after_asking(timing.stop_after())),
                grace: timing.expiry_grace(),
                why: Some(StopWhy::NotRenewed),
                after_end: false,
            });
        }
        Event::GuardianLost => ledger.guardian_lost = true,
        Event::Renewed { asked_at } if !ledger.lost => {
            if ledger.renewing.is_some_and(|ordered| asked_at >= ordered) {
                ledger.renewing = None;
            }
            ledger.asked_at = ledger.asked_at.max(Some(asked_at));
        }
        Event::RenewalUnanswered => ledger.given_up = ledger.renewing.take(),
        Event::RenewalLost(_) => {
            ledger.lost |= ledger.guarded();
            ledger.renewing = None;
        }
        Event::Released { certain } => {
            ledger.releasing = false;
            ledger.known |= !certain;
        }
        Event::Signal { number, .. } if number != libc::SIGUSR1 && ledger.killed.is_some() => {
            ledger.insisted += 1;
        }
        _ => {}
    }
}

/// Whether this action may be ordered now.
fn check_order(world: &mut World<'_>, event: Event, action: Action, before: Phase) {
    let now = world.now;
    let timing = world.settings.timing;
    let ledger = &mut world.ledger;
    match action {
        Action::Arm(deadline) => {
            if let Event::Granted { asked_at, ttl } = event {
                (ledger.asked_at, ledger.endless) = (Some(asked_at), ttl.is_none());
                if ttl.is_none() {
                    world.coverage.mark(Branch::EndlessHold);
                }
            }
            // P3, and with a loss known nothing may be armed at all.
            assert!(!ledger.lost && ledger.killed.is_none());
            assert!(
                deadline.stop <= ledger.after_asking(timing.stop_after()),
                "P3"
            );
            assert!(
                deadline.kill <= ledger.after_asking(timing.kill_after()),
                "P3"
            );
            if let Some(stop) = ledger.stop {
                world.coverage.mark(Branch::ArmedWhileStopping);
                assert!(
                    deadline.kill <= stop.at + stop.grace,
                    "P10: beyond the grace"
                );
            }
        }
        Action::Start => {
            assert!(ledger.armed.is_some(), "P4: not armed");
            assert_eq!(ledger.starts, 0, "started twice");
            assert!(
                ledger.stop.is_none() && ledger.killed.is_none(),
                "P10: regained"
            );
            world.coverage.mark(Branch::Started);
        }
        Action::Renew => {
            assert!(ledger.renewing.is_none(), "two renewals in flight");
            assert!(ledger.starts > 0 && !ledger.lost && ledger.releases == 0 && !ledger.endless);
            if let Some(last) = ledger.last_renewal {
                assert!(now.since(last) >= timing.attempt(), "renewed in a hurry");
            }
        }
        Action::Forward(number) => {
            world.coverage.mark(Branch::Forwarded);
            let from_terminal = false;
            assert_eq!(
                event,
                Event::Signal {
                    number,
                    from_terminal
                }
            );
            assert!(matches!(before, Phase::Holding | Phase::Doubting) && ledger.stop.is_none());
        }
        Action::Stop { why, grace } => stop_has_a_reason(world, event, why, grace),
        Action::Kill => kill_has_a_reason(world, event),
        Action::NameLeftovers => assert!(ledger.tree == Tree::Ended && ledger.stop.is_none()),
        Action::NameSurvivors => {
            world.coverage.mark(Branch::SurvivorsNamed);
            assert!(
                ledger
                    .killed
                    .is_some_and(|killed| now.since(killed) >= secs(2))
            );
        }
        Action::LetGo => {
            world.coverage.mark(Branch::LeftoversLetGo);
            assert_eq!(world.settings.leftovers, Leftovers::Leave);
            assert!(ledger.tree == Tree::Ended && ledger.stop.is_none());
        }
        _ => {}
    }
}

fn stop_has_a_reason(
    world: &mut World<'_>,
    event: Event,
    why: StopWhy,
    grace: std::time::Duration,
) {
    let (now, settings, ledger) = (world.now, &world.settings, &mut world.ledger);
    assert!(
        ledger.stop.is_none() && ledger.killed.is_none(),
        "stopped twice"
    );
    assert!(!ledger.lost, "P9: a grace after a loss");
    let expected = match why {
        StopWhy::NotRenewed => settings.timing.expiry_grace(),
        _ => settings.grace,
    };
    assert_eq!(grace, expected);
    let mut began = now;
    let (reason, branch) = match why {
        StopWhy::NotRenewed => {
            began = began.min(ledger.before_event(settings.timing.stop_after()));
            let passed = now >= ledger.before_event(settings.timing.stop_after());
            (passed, Branch::StoppedByDeadline)
        }
        StopWhy::RunTimeout => {
            let longest = settings.run_timeout.unwrap();
            let passed = ledger
                .started_at
                .is_some_and(|start| now >= start + longest);
            (passed, Branch::TimedOut)
        }
        StopWhy::Operator | StopWhy::ScheduledEvent => (
            matches!(event, Event::StopAsked(_)),
            Branch::AskedWhileRunning,
        ),
        StopWhy::Leftovers => (ledger.tree == Tree::Ended, Branch::LeftoversStopped),
        StopWhy::Lost(_) | StopWhy::Internal => panic!("P9: these are killed, not stopped"),
    };
    assert!(reason, "stopped for no reason: {why:?}");
    world.coverage.mark(branch);
    ledger.stop = Some(Stopped {
        at: now,
        began,
        grace,
        why: Some(why),
        after_end: ledger.tree == Tree::Ended,
    });
}

fn kill_has_a_reason(world: &mut World<'_>, event: Event) {
    let (now, timing, ledger) = (world.now, world.settings.timing, &mut world.ledger);
    if matches!(event, Event::RenewalLost(_)) && ledger.lost {
        world.coverage.mark(match ledger.phase {
            Phase::Stopping => Branch::LostWhileStopping,
            Phase::Settling => Branch::LostWhileSettling,
            _ => Branch::LostWhileRunning,
        });
    } else if event == Event::GuardianLost {
        world.coverage.mark(match ledger.phase {
            Phase::Stopping => Branch::GuardianLostWhileStopping,
            _ => Branch::GuardianLost,
        });
    } else {
        let stop = ledger.stop.expect("killed without a stop");
        let grace_over = now >= stop.began + stop.grace;
        let deadline = now >= ledger.before_event(timing.kill_after());
        assert!(grace_over || deadline, "P10: the grace was cut short");
        world.coverage.mark(match grace_over {
            true => Branch::KilledAfterGrace,
            false => Branch::KilledAtDeadline,
        });
    }
    let after_end = ledger.tree == Tree::Ended;
    ledger.stop.get_or_insert(Stopped {
        at: now,
        began: now,
        grace: secs(0),
        why: None,
        after_end,
    });
    ledger.killed.get_or_insert(now);
}

/// P5, P8: release only after death, and one end that fits what happened.
fn check_end(world: &mut World<'_>, event: Event, action: Action, earlier: &[Action]) {
    let (now, settings, ledger) = (world.now, &world.settings, &world.ledger);
    let timing = settings.timing;
    match action {
        Action::Release(_) => {
            assert!(!ledger.lost, "nothing to give back");
            assert!(!ledger.guarded(), "P5: released while something may run");
            assert!(
                ledger.releases < 3 || ledger.starts == 0,
                "too many releases"
            );
            if let (Some(last), true) = (ledger.last_release, ledger.starts > 0) {
                world.coverage.mark(Branch::ReleaseRetried);
                assert!(now.since(last) >= timing.attempt());
                assert!(now < ledger.after_asking(timing.dead_after()));
            }
        }
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
            assert_eq!(ledger.starts, 0);
        }
        Action::Finish(outcome) => {
            assert!(ledger.finished.is_none(), "two ends");
            if ledger.starts == 0 {
                let held = ledger.known || ledger.acquiring.is_some() || ledger.releasing;
                let withdrawn = earlier.contains(&Action::Withdraw);
                assert!(withdrawn || !held, "left something in the store");
                world.coverage.mark(match outcome {
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

fn giving_up_has_a_reason(world: &mut World<'_>) {
    let (now, ledger) = (world.now, &world.ledger);
    assert_eq!(ledger.releases, 0, "P5: given up after a release");
    let killed = ledger.killed.expect("P5: given up without a kill");
    let dead = ledger.before_event(world.settings.timing.dead_after());
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
        None => matches!(outcome, Outcome::NotStarted { .. }),
    };
    let fits = match why {
        Some(StopWhy::NotRenewed) => matches!(outcome, Outcome::Lost { .. }),
        _ if after_end => own,
        Some(StopWhy::RunTimeout) => outcome == Outcome::TimedOut,
        Some(StopWhy::Operator | StopWhy::ScheduledEvent) => matches!(outcome, Outcome::Asked(_)),
        _ => matches!(outcome, Outcome::Lost { .. }),
    };
    assert!(fits, "{outcome:?} after {:?}", ledger.stop);
}

/// P8.
fn doubt_changes_nothing(
    world: &World<'_>,
    event: Event,
    actions: &[Action],
    tenure: Option<Tenure>,
) {
    if matches!(
        event,
        Event::AttemptUnanswered { .. } | Event::RenewalUnanswered | Event::Tick
    ) {
        let moved = |action: &Action| matches!(action, Action::Arm(_) | Action::Start);
        assert!(!actions.iter().any(moved), "P8: no answer is no yes");
        assert_eq!(world.supervisor.tenure(), tenure);
    }
}

/// P4, in both directions: started in time, and not when there is none left.
fn granted_starts_in_time_only(world: &World<'_>, event: Event, actions: &[Action], was: Phase) {
    if let (Event::Granted { asked_at, ttl }, Phase::Seeking) = (event, was) {
        let timing = world.settings.timing;
        let in_time = world.now + timing.attempt() <= asked_at + timing.stop_after();
        if in_time || ttl.is_none() {
            assert!(matches!(actions, [Action::Arm(_), Action::Start, ..]));
        } else {
            let back = [
                Action::Note(Note::TooLate),
                Action::Release(Outcome::Unreachable),
            ];
            assert_eq!(actions, back);
        }
    }
}

/// P9.
fn a_known_loss_kills(world: &World<'_>, actions: &[Action], before: Phase) {
    assert!(world.ledger.killed.is_some(), "P9: not killed");
    let first = before != Phase::Stopping;
    assert!(
        !first || actions.first() == Some(&Action::Kill),
        "P9: not at once"
    );
    assert!(
        !actions
            .iter()
            .any(|action| matches!(action, Action::Stop { .. }))
    );
}

/// No instant passes a deadline without its order, and the next waking is not after the next one.
fn deadlines_are_kept(world: &World<'_>) {
    let (now, settings, ledger) = (world.now, &world.settings, &world.ledger);
    if !ledger.guarded() {
        return;
    }
    let timing = settings.timing;
    let wake_at = world.supervisor.wake_at();
    if ledger.stop.is_none() {
        let mut stop = ledger.after_asking(timing.stop_after());
        if let (Some(start), Some(longest)) = (ledger.started_at, settings.run_timeout) {
            stop = stop.min(start + longest);
        }
        assert!(now < stop && wake_at <= stop, "the stop instant has passed");
    }
    if ledger.killed.is_none() {
        let grace_ends = ledger
            .stop
            .map_or(Instant::NEVER, |stop| stop.at + stop.grace);
        let kill = ledger.after_asking(timing.kill_after()).min(grace_ends);
        assert!(now < kill && wake_at <= kill, "the kill instant has passed");
    } else if !ledger.lost {
        assert!(
            now < ledger.after_asking(timing.dead_after()),
            "outlived the lease"
        );
    }
    if ledger.renewing.is_none() && !ledger.lost {
        let attempt = ledger
            .last_renewal
            .map_or(now, |last| last + timing.attempt());
        let renew = ledger.after_asking(timing.renew_every()).max(attempt);
        assert!(wake_at <= renew, "sleeps through a renewal");
    }
}

/// P10, and the ways out of doubt.
fn phases_go_forward(world: &mut World<'_>, event: Event, before: Phase) {
    let after = world.supervisor.phase();
    let rank = |phase| match phase {
        Phase::Seeking => 0,
        Phase::Holding | Phase::Doubting => 1,
        Phase::Settling => 2,
        Phase::Stopping => 3,
        Phase::Releasing => 4,
        Phase::Done => 5,
    };
    assert!(
        rank(after) >= rank(before),
        "P10: back from {before:?} to {after:?}"
    );
    if after == Phase::Settling {
        world.coverage.mark(Branch::Settled);
    }
    if before == Phase::Doubting {
        let ended = matches!(
            event,
            Event::CommandExited(_) | Event::CommandNotStarted { .. }
        );
        let out = match after {
            Phase::Doubting => true,
            Phase::Holding => matches!(event, Event::Renewed { .. }),
            Phase::Stopping | Phase::Done => world.ledger.stop.is_some(),
            _ => ended,
        };
        assert!(out, "left doubt for {after:?} by {event:?}");
    }
}
