//! Whether the orders that touch the tree and the hold may be given when they are given.

use std::time::Duration;

use super::coverage::Branch;
use super::ledger::{Asked, Stopped, Tree};
use super::world::{World, secs};
use crate::clock::Instant;
use crate::supervisor::{Action, Deadline, Event, Guards, Leftovers, Phase, StopWhy};

/// Whether this action may be ordered now.
pub(super) fn check(world: &mut World<'_>, event: Event, action: Action, before: Phase) {
    let now = world.now;
    let ledger = &mut world.ledger;
    match action {
        Action::Acquire { anew } => {
            assert_eq!(anew, ledger.given_back, "an owner is asked for once");
            let may = ledger.stays || !world.settings.only_if_machine_stays;
            assert!(may, "claimed before it was known that the machine stays");
        }
        Action::Arm(deadline) => arming_counts_from_asking(world, event, deadline),
        Action::Prepare | Action::Start => starting_is_allowed(world, action),
        Action::Renew => renewing_is_patient(world),
        Action::Forward(number) => {
            world.coverage.mark(Branch::Forwarded);
            let Event::Signal {
                number: heard,
                from_terminal,
            } = event
            else {
                panic!("forwarded what was not sent")
            };
            assert_eq!(heard, number);
            assert!(!from_terminal || ledger.started_at.is_none());
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
        Action::LetGo if world.settings.guards == Guards::Process => {
            world.coverage.mark(Branch::ProcessLetGo);
            assert_eq!(event, Event::NotNeeded);
            assert!(matches!(before, Phase::Holding | Phase::Doubting) && ledger.stop.is_none());
        }
        Action::LetGo => {
            world.coverage.mark(Branch::LeftoversLetGo);
            assert_eq!(world.settings.leftovers, Leftovers::Leave);
            assert!(ledger.starts > 0, "a failed hook leaves nothing");
            assert!(ledger.tree == Tree::Ended && ledger.stop.is_none());
        }
        _ => {}
    }
}

/// P4: armed, once, in time, and the command not before its hook.
fn starting_is_allowed(world: &mut World<'_>, action: Action) {
    let (now, timing, ledger) = (world.now, world.settings.timing, &world.ledger);
    assert!(ledger.armed.is_some(), "P4: not armed");
    assert_eq!(ledger.starts, 0, "started twice");
    assert!(
        ledger.stop.is_none() && ledger.killed.is_none(),
        "P10: regained"
    );
    let in_time = now + timing.attempt() <= ledger.after_asking(&timing).stop;
    assert!(in_time, "P4: started too late");
    if action == Action::Prepare {
        let first = world.settings.prepare && !ledger.has_begun();
        assert!(first, "prepared twice");
        world.coverage.mark(Branch::HookStarted);
    } else {
        assert_eq!(world.settings.prepare, ledger.tree == Tree::Prepared);
        world.coverage.mark(Branch::Started);
    }
}

/// P3, P10: every deadline is counted from the asking, and the grace is never lengthened.
fn arming_counts_from_asking(world: &mut World<'_>, event: Event, deadline: Deadline) {
    let (timing, ledger) = (world.settings.timing, &mut world.ledger);
    if let Event::Granted { asked_at, ttl } = event {
        let (at, rate) = (asked_at, 1.0);
        (ledger.asked, ledger.endless) = (Some(Asked { at, rate }), ttl.is_none());
        if ttl.is_none() {
            world.coverage.mark(Branch::EndlessHold);
        }
    }
    // P3, and with a loss known nothing may be armed at all.
    assert!(!ledger.lost && ledger.killed.is_none());
    let latest = ledger.after_asking(&timing);
    // Once stopping has begun its beginning is past, however fast the store's clock has run since.
    let begun = ledger.stop.is_some() && deadline.stop <= world.now;
    assert!(begun || deadline.stop <= latest.stop, "P3");
    assert!(deadline.kill <= latest.kill, "P3");
    if let Some(stop) = ledger.stop {
        world.coverage.mark(Branch::ArmedWhileStopping);
        assert!(
            deadline.kill <= stop.at + stop.grace,
            "P10: beyond the grace"
        );
    }
}

/// One at a time, not after a loss, and not once the lease is being given back.
fn renewing_is_patient(world: &World<'_>) {
    let ledger = &world.ledger;
    assert!(ledger.renewing.is_none(), "two renewals in flight");
    assert!(ledger.has_begun() && !ledger.lost && ledger.releases == 0);
    if let Some(last) = ledger.last_renewal {
        let pause = ledger.at_its_rate(world.settings.timing.attempt());
        assert!(world.now.since(last) >= pause, "renewed in a hurry");
    }
}

fn stop_has_a_reason(world: &mut World<'_>, event: Event, why: StopWhy, grace: Duration) {
    if matches!(why, StopWhy::Lost(_) | StopWhy::Internal) || event == Event::GuardianLost {
        return a_process_is_asked_again(world, event, why, grace);
    }
    if let (Event::MachineGoes { kill_by }, Some(stop)) = (event, world.ledger.stop) {
        return a_grace_is_cut_short(world, kill_by, stop, grace);
    }
    let (now, settings, ledger) = (world.now, &world.settings, &world.ledger);
    assert!(
        ledger.stop.is_none() && ledger.killed.is_none(),
        "stopped twice"
    );
    assert!(!ledger.lost, "P9: a grace after a loss");
    let expected = match (why, event) {
        (StopWhy::NotRenewed, _) => settings.timing.expiry_grace(),
        (StopWhy::ScheduledEvent, Event::MachineGoes { kill_by }) => {
            settings.grace.min(kill_by.since(now))
        }
        _ => settings.grace,
    };
    let capped = grace < settings.grace && why == StopWhy::ScheduledEvent;
    assert_eq!(grace, expected);
    let mut began = now;
    if why == StopWhy::NotRenewed {
        began = began.min(ledger.due(&settings.timing).stop);
    }
    let (reason, branch) = reason_of(world, event, why);
    assert!(reason, "stopped for no reason: {why:?}");
    world.coverage.mark(branch);
    if capped {
        world.coverage.mark(Branch::GraceCapped);
    }
    let after_end = world.ledger.tree == Tree::Ended;
    world.ledger.stop = Some(Stopped {
        at: now,
        began,
        grace,
        why: Some(why),
        after_end,
    });
}

/// The machine goes before the grace is over: SIGKILL comes sooner, and never later than it would have. Why
/// it was stopped, and so the outcome, stays.
fn a_grace_is_cut_short(world: &mut World<'_>, kill_by: Instant, stop: Stopped, grace: Duration) {
    let (now, ledger) = (world.now, &mut world.ledger);
    assert!(ledger.killed.is_none());
    assert!(
        now + grace <= kill_by.max(now),
        "the machine is gone by then"
    );
    let ends = (stop.began + stop.grace).max(now);
    assert!(now + grace <= ends, "P10: the grace was lengthened");
    world.coverage.mark(Branch::GraceCutShort);
    ledger.stop = Some(Stopped {
        at: now,
        began: now,
        grace,
        ..stop
    });
}

/// A process that was there before is asked to end where a command is killed: at once, even if it was asked
/// before, and never with more time than it had then.
fn a_process_is_asked_again(world: &mut World<'_>, event: Event, why: StopWhy, grace: Duration) {
    let (now, settings, ledger) = (world.now, &world.settings, &mut world.ledger);
    assert_eq!(settings.guards, Guards::Process, "a command is killed");
    assert!(ledger.killed.is_none());
    assert!(matches!(event, Event::RenewalLost(_) | Event::GuardianLost));
    assert!(grace <= settings.timing.expiry_grace());
    if let Some(stop) = ledger.stop {
        // An end that is overdue is still to be heard of.
        let ends = (stop.began + stop.grace).max(now);
        assert!(now + grace <= ends, "P10: the grace was lengthened");
    }
    world.coverage.mark(match event {
        Event::GuardianLost => Branch::ProcessUnguarded,
        _ => Branch::ProcessLost,
    });
    let after_end = ledger.tree == Tree::Ended;
    ledger.stop = Some(Stopped {
        at: now,
        began: now,
        grace,
        why: Some(why),
        after_end: ledger.stop.map_or(after_end, |stop| stop.after_end),
    });
}

/// Whether there is a reason to stop for this `why`, and which branch that is.
fn reason_of(world: &World<'_>, event: Event, why: StopWhy) -> (bool, Branch) {
    let (now, settings, ledger) = (world.now, &world.settings, &world.ledger);
    match why {
        StopWhy::NotRenewed => {
            let stop = ledger.due(&settings.timing).stop;
            // P4: after the hook there has to be room for an attempt.
            let too_late = ledger.tree == Tree::Prepared && now + settings.timing.attempt() > stop;
            (now >= stop || too_late, Branch::StoppedByDeadline)
        }
        StopWhy::RunTimeout => {
            let longest = settings.run_timeout.unwrap();
            let passed = ledger
                .started_at
                .is_some_and(|start| now >= start + longest);
            (passed, Branch::TimedOut)
        }
        StopWhy::Operator => (event == Event::StopAsked, Branch::AskedWhileRunning),
        StopWhy::ScheduledEvent => (
            matches!(event, Event::MachineGoes { .. }),
            Branch::LeftWhileRunning,
        ),
        StopWhy::Leftovers => (ledger.tree == Tree::Ended, Branch::LeftoversStopped),
        StopWhy::Interrupted => {
            let signal = matches!(event, Event::Signal { .. });
            let preparing = ledger.tree == Tree::Preparing;
            (signal && preparing, Branch::InterruptedInHook)
        }
        StopWhy::Lost(_) | StopWhy::Internal | StopWhy::Hook => {
            panic!("P9: these are killed, not stopped")
        }
    }
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
    } else if ledger.stop.is_none() && ledger.tree == Tree::Preparing {
        let began = ledger.prepared_at.expect("no hook");
        assert!(now >= began + secs(10), "the hook's time was cut short");
        world.coverage.mark(Branch::HookTooSlow);
        ledger.hook_too_slow = true;
    } else {
        let stop = ledger.stop.expect("killed without a stop");
        let grace_over = now >= stop.began + stop.grace;
        let deadline = now >= ledger.due(&timing).kill;
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
