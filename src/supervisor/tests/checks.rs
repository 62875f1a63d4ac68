//! What has to be true of every single step, whatever came before.

use std::time::Duration;

use super::coverage::Branch;
use super::ledger::{Asked, Stopped, Tree};
use super::world::World;
use super::{endings, orders};
use crate::clock::Instant;
use crate::lease::{Effect, Tenure};
use crate::supervisor::{Action, CommandEnd, Event, Guards, Note, Outcome, Phase, StopWhy, Wait};

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
    note_store_event(world, event);
    note_tree_event(world, event);
    // SIGKILL may be overdue when the signal comes; the order in which both are seen is the machine's.
    let killed = world.ledger.killed.is_some() || actions.contains(&Action::Kill);
    if let (true, Event::Signal { number, .. }) = (killed, event) {
        world.ledger.insisted += u32::from(number != libc::SIGUSR1);
    }
    for (index, &action) in actions.iter().enumerate() {
        orders::check(world, event, action, before);
        endings::check(world, event, action, &actions[..index]);
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
    if was_guarded {
        what_is_unsafe_ends(world, event, actions, before);
    }
    deadlines_are_kept(world);
    phases_go_forward(world, event, before);
    world.ledger.phase = world.supervisor.phase();
}

/// P9, and nothing runs unguarded.
fn what_is_unsafe_ends(world: &World<'_>, event: Event, actions: &[Action], before: Phase) {
    let guards = world.settings.guards;
    let ends = |action: &Action| match guards {
        Guards::Command => *action == Action::Kill,
        Guards::Process => matches!(action, Action::Kill | Action::Stop { .. }),
    };
    match event {
        Event::RenewalLost(_) if guards == Guards::Command => {
            a_known_loss_kills(world, actions, before);
        }
        Event::RenewalLost(_) => a_known_loss_asks_or_was_asked(world, actions),
        Event::GuardianLost => assert!(actions.iter().any(ends), "nothing runs unguarded"),
        _ => {}
    }
}

fn nothing_follows_the_end(world: &mut World<'_>, event: Event, actions: &[Action]) {
    if matches!(event, Event::Granted { .. }) && !world.ledger.has_begun() {
        world.coverage.mark(Branch::GrantAfterEnd);
        assert!(matches!(actions, [Action::Release(_)]));
    } else {
        assert_eq!(actions, []);
    }
}

/// What the event itself makes true of the store and its answers.
fn note_store_event(world: &mut World<'_>, event: Event) {
    let ledger = &mut world.ledger;
    ledger.asked_before = ledger.asked;
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
        Event::Renewed { asked_at, rate } if !ledger.lost => {
            if ledger.renewing.is_some_and(|ordered| asked_at >= ordered) {
                ledger.renewing = None;
            }
            // While it is given back the old end will do: a release that comes too late frees nothing.
            let counts = ledger.phase != Phase::Releasing;
            if counts && ledger.asked.is_none_or(|asked| asked.at <= asked_at) {
                let at = asked_at;
                ledger.asked = Some(Asked { at, rate });
            }
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
        _ => {}
    }
}

/// What the event itself makes true of the tree and its guardian.
fn note_tree_event(world: &mut World<'_>, event: Event) {
    let now = world.now;
    let timing = world.settings.timing;
    let ledger = &mut world.ledger;
    match event {
        Event::Prepared(CommandEnd::Exited(0)) if ledger.stop.is_none() => {
            ledger.tree = Tree::Prepared;
        }
        Event::Prepared(_) => ledger.tree = Tree::Ended,
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
                began: now.min(ledger.after_asking(&timing).stop),
                grace: timing.expiry_grace(),
                why: Some(StopWhy::NotRenewed),
                after_end: false,
            });
        }
        Event::GuardianLost => ledger.guardian_lost = true,
        Event::MachineStays => ledger.stays = true,
        _ => {}
    }
}

/// P8. And what is heard of the machine lengthens no lease and starts nothing.
fn doubt_changes_nothing(
    world: &World<'_>,
    event: Event,
    actions: &[Action],
    tenure: Option<Tenure>,
) {
    if matches!(
        event,
        Event::AttemptUnanswered { .. }
            | Event::RenewalUnanswered
            | Event::Tick
            | Event::MachineGoes { .. }
            | Event::MachineStays
    ) {
        let moved =
            |action: &Action| matches!(action, Action::Arm(_) | Action::Prepare | Action::Start);
        assert!(
            !actions.iter().any(moved),
            "P8: no answer is no yes, nor is a notice"
        );
        assert_eq!(world.supervisor.tenure(), tenure);
    }
}

/// P4, in both directions: started in time, and not when there is none left.
fn granted_starts_in_time_only(world: &World<'_>, event: Event, actions: &[Action], was: Phase) {
    if let (Event::Granted { asked_at, ttl }, Phase::Seeking) = (event, was) {
        let timing = world.settings.timing;
        let in_time = world.now + timing.attempt() <= asked_at + timing.stop_after();
        if in_time || ttl.is_none() {
            let first = match world.settings.prepare {
                true => Action::Prepare,
                false => Action::Start,
            };
            assert!(matches!(actions, [Action::Arm(_), second, ..] if *second == first));
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

/// A process that was there before has the time for it that it has at the lease's end.
fn a_known_loss_asks_or_was_asked(world: &World<'_>, actions: &[Action]) {
    let grace = world.settings.timing.expiry_grace();
    let asked = actions.iter().any(|action| {
        matches!(action, Action::Stop { why: StopWhy::Lost(_), grace: given } if *given <= grace)
    });
    let before = world.ledger.killed.is_some() || world.ledger.finished.is_some();
    assert!(asked || before || actions.is_empty(), "{actions:?}");
    assert!(world.ledger.stop.is_some(), "goes on after a loss");
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
        // An answer that comes in after the stop instant does not move it any more (P10).
        assert!(now < ledger.before_event(&timing).stop, "P10: regained");
        let mut stop = ledger.after_asking(&timing).stop;
        if let (Some(start), Some(longest)) = (ledger.started_at, settings.run_timeout) {
            stop = stop.min(start + longest);
        }
        assert!(now < stop && wake_at <= stop, "the stop instant has passed");
        let armed = ledger.armed.expect("P4: runs unarmed");
        let latest = ledger.after_asking(&timing).stop;
        assert_eq!(armed.stop, latest, "the guardian has an old deadline");
    }
    if ledger.killed.is_none() {
        let grace_ends = ledger
            .stop
            .map_or(Instant::NEVER, |stop| stop.at + stop.grace);
        let kill = ledger.after_asking(&timing).kill.min(grace_ends);
        assert!(now < kill && wake_at <= kill, "the kill instant has passed");
    } else if let Some(killed) = ledger.killed {
        // Killed too late, it has to be heard first whether the guardian did it in time.
        let last_look = killed + Duration::from_millis(250);
        let dead = ledger.after_asking(&timing).dead.max(last_look);
        assert!(now < dead && wake_at <= dead, "outlived the lease");
    }
    if ledger.renewing.is_none() && !ledger.lost {
        let attempt = ledger
            .last_renewal
            .map_or(now, |last| last + ledger.at_its_rate(timing.attempt()));
        let renew = ledger.after_asking(&timing).renew.max(attempt);
        assert!(wake_at <= renew, "sleeps through a renewal");
    }
}

/// P10, and the ways out of doubt.
fn phases_go_forward(world: &mut World<'_>, event: Event, before: Phase) {
    let after = world.supervisor.phase();
    let rank = |phase| match phase {
        Phase::Seeking => 0,
        Phase::Preparing => 1,
        Phase::Holding | Phase::Doubting => 2,
        Phase::Settling => 3,
        Phase::Stopping => 4,
        Phase::Releasing => 5,
        Phase::Done => 6,
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
