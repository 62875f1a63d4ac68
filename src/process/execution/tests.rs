//! The guardian's knowledge, told what happens and asked what is due.

use super::*;

const fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

fn running(stop: u64, kill: u64) -> Execution {
    let mut execution = Execution::new(Duration::from_millis(300));
    execution.arm(at(stop), at(kill));
    assert!(execution.may_start(at(0)));
    execution.born(42, Part::Command);
    execution
}

#[test]
fn nothing_starts_before_it_is_armed_or_after_the_stop_instant() {
    let mut execution = Execution::new(Duration::ZERO);
    assert!(!execution.may_start(at(0)));
    execution.arm(at(100), at(200));
    assert!(execution.may_start(at(99)));
    assert!(!execution.may_start(at(100)));
    execution.born(42, Part::Command);
    assert!(!execution.may_start(at(0)), "one command at a time");
}

#[test]
fn a_lease_that_is_not_renewed_is_stopped_and_killed_on_time() {
    let mut execution = running(1_000, 1_300);
    assert_eq!(execution.due(at(999)), Ending::NotYet);
    assert_eq!(execution.wake_at(), at(1_000));
    assert_eq!(execution.due(at(1_000)), Ending::StopDue);
    assert_eq!(execution.due(at(1_001)), Ending::NotYet);
    assert_eq!(execution.wake_at(), at(1_300));
    assert_eq!(execution.due(at(1_300)), Ending::Kill { freeze: false });
    assert_eq!(execution.due(at(1_400)), Ending::Kill { freeze: true });
}

#[test]
fn stopping_is_never_undone_and_a_late_answer_stays_within_the_grace() {
    let mut execution = running(1_000, 1_300);
    assert_eq!(execution.due(at(1_100)), Ending::StopDue);
    execution.arm(at(9_000), at(9_300));
    assert_eq!(execution.due(at(1_399)), Ending::NotYet);
    assert_eq!(execution.due(at(1_400)), Ending::Kill { freeze: false });
}

#[test]
fn the_grace_never_reaches_past_the_kill_instant() {
    let mut execution = running(1_000, 1_300);
    assert!(execution.stop(at(500), Duration::from_secs(10)));
    assert!(
        !execution.stop(at(600), Duration::from_secs(10)),
        "one stop signal"
    );
    assert_eq!(execution.wake_at(), at(1_300));
    execution.arm(at(99_000), at(99_300));
    assert_eq!(execution.wake_at(), at(10_500));
}

#[test]
fn losing_the_front_stops_at_once_with_the_expiry_grace() {
    let mut execution = running(10_000, 13_000);
    assert!(execution.lose_front(at(500), Duration::from_millis(300)));
    assert!(!execution.is_over());
    assert_eq!(execution.due(at(800)), Ending::Kill { freeze: false });
    execution.main_ended(true);
    execution.emptied();
    assert!(execution.is_over());
}

#[test]
fn after_the_command_there_is_nothing_to_wait_for() {
    let mut execution = running(10_000, 13_000);
    execution.main_ended(true);
    assert!(!execution.is_over(), "leftovers may live");
    execution.emptied();
    assert!(execution.is_over());
    execution.arm(at(10_000), at(13_000));
    assert!(!execution.may_start(at(0)));
}

fn preparing() -> Execution {
    let mut execution = Execution::new(Duration::from_millis(300));
    execution.arm(at(1_000), at(1_300));
    execution.born(41, Part::Hook);
    execution
}

#[test]
fn a_command_follows_a_hook_that_ended_well_and_no_other() {
    let mut execution = preparing();
    assert!(!execution.may_start(at(0)), "the hook still runs");
    execution.main_ended(true);
    assert!(execution.awaits_command() && execution.may_start(at(999)));
    assert!(!execution.may_start(at(1_000)), "P4 holds after it, too");
    let mut execution = preparing();
    execution.main_ended(false);
    assert!(!execution.awaits_command() && !execution.may_start(at(0)));
    execution.emptied();
    assert!(execution.is_over() && !execution.may_start(at(0)));
}

#[test]
fn a_tree_that_waits_for_its_command_is_still_guarded() {
    let mut execution = preparing();
    execution.main_ended(true);
    assert_eq!(execution.due(at(1_000)), Ending::StopDue);
    assert!(!execution.awaits_command() && !execution.may_start(at(0)));
    assert_eq!(execution.due(at(1_300)), Ending::Kill { freeze: false });
    let mut execution = preparing();
    execution.main_ended(true);
    assert!(execution.lose_front(at(1), Duration::ZERO));
    assert!(!execution.is_over(), "what the hook left may live");
}

#[test]
fn a_hook_that_ends_well_after_it_was_stopped_is_followed_by_nothing() {
    let mut execution = preparing();
    assert!(execution.stop(at(5), Duration::from_secs(1)));
    execution.main_ended(true);
    assert!(!execution.may_start(at(6)));
}

#[test]
fn what_was_let_go_is_left_alone() {
    let mut execution = running(10_000, 13_000);
    execution.main_ended(true);
    execution.let_go();
    assert!(!execution.lose_front(at(1), Duration::ZERO));
    assert!(execution.is_over());
    assert_eq!(execution.due(at(20_000)), Ending::NotYet);
}

#[test]
fn a_known_loss_kills_at_once() {
    let mut execution = running(10_000, 13_000);
    execution.kill(at(5));
    assert_eq!(execution.due(at(5)), Ending::Kill { freeze: false });
    execution.killed(
        at(5),
        Pass {
            fresh: 2,
            running: 2,
        },
    );
    assert_eq!(
        execution.wake_at(),
        at(6),
        "a storm is killed without pause"
    );
    execution.killed(
        at(6),
        Pass {
            fresh: 0,
            running: 1,
        },
    );
    execution.killed(
        at(11),
        Pass {
            fresh: 0,
            running: 1,
        },
    );
    assert_eq!(
        execution.wake_at(),
        at(21),
        "what does not die is tried at a growing distance"
    );
}

#[test]
fn who_had_the_front_stopped_is_known() {
    let mut execution = running(10, 20);
    execution.changed(Change::Stopped(20));
    assert!(!execution.ran_out());
    // An order of the front's is no lease that ran out, and neither is the grace after it.
    let mut ordered = execution;
    ordered.stop(at(1), Duration::ZERO);
    assert!(matches!(ordered.due(at(1)), Ending::Kill { .. }));
    assert!(!ordered.ran_out());
    assert_eq!(execution.due(at(10)), Ending::StopDue);
    assert!(execution.ran_out());
    execution.emptied();
    assert!(!execution.ran_out());
}

#[test]
fn a_stop_is_undone_only_by_a_front_that_knew_of_it() {
    let mut execution = running(10, 20);
    assert!(!execution.is_paused() && !execution.pause() && !execution.may_resume());
    execution.changed(Change::Stopped(20));
    assert!(execution.is_paused() && !execution.may_resume());
    assert!(execution.pause() && execution.may_resume());
    // Continued by a shell, and stopped again before the front said that it was continued too.
    execution.changed(Change::Continued);
    execution.changed(Change::Stopped(20));
    assert!(execution.is_paused() && !execution.may_resume());
    // The same, and the kernel told only of the second.
    assert!(execution.pause());
    execution.changed(Change::Stopped(20));
    assert!(!execution.may_resume());
}
