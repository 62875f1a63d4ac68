//! Stopping: P5, P9, P10.

use super::rig::{OK, Rig, at, secs, sent, settings, typed};
use crate::lease::LostWhy;
use crate::supervisor::{
    Action, AskedBy, CommandEnd, Deadline, Event, LossReason, Note, Outcome, Phase, Settings,
    StopWhy,
};

const ASKED: Outcome = Outcome::Asked(AskedBy::Operator);

/// An operator asked after 5 s; grace as given.
fn stopping(grace: f64) -> Rig {
    let grace = secs(grace);
    let mut rig = Rig::holding(Settings {
        grace,
        ..settings()
    });
    let why = StopWhy::Operator;
    assert_eq!(
        rig.step(5.0, Event::StopAsked),
        [Action::Stop { why, grace }]
    );
    rig
}

fn given_up() -> [Action; 2] {
    [
        Action::Note(Note::GaveUp),
        Action::Finish(Outcome::NotShownDead),
    ]
}

fn renewed(asked_at: f64) -> Event {
    Event::Renewed {
        asked_at: at(asked_at),
        rate: 1.0,
    }
}

#[test]
fn the_kill_comes_after_the_grace() {
    let mut rig = stopping(10.0);
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    assert_eq!(rig.tick(15.0), [Action::Kill]);
}

#[test]
fn the_kill_comes_no_later_than_the_lease_allows() {
    let mut rig = stopping(300.0);
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    assert_eq!(rig.tick(25.0), [Action::Kill]);
}

#[test]
fn a_late_answer_moves_the_kill_within_the_grace_and_does_nothing_else() {
    let mut rig = stopping(25.0);
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    let arm = |kill: f64| {
        Action::Arm(Deadline {
            stop: at(5.0),
            kill: at(kill),
        })
    };
    assert_eq!(rig.step(7.0, Event::RenewalUnanswered), []);
    assert_eq!(rig.tick(9.0), [Action::Renew]);
    // An attempt asked for at 4 s would allow 29 s; one asked for at 9 s would allow 34 s, past the grace.
    assert_eq!(rig.step(9.5, renewed(4.0)), [arm(29.0)]);
    assert_eq!(rig.step(9.9, renewed(9.0)), [arm(30.0)]);
    assert_eq!(rig.phase(), Phase::Stopping);
    assert_eq!(rig.tick(15.0), [Action::Renew]);
    assert_eq!(rig.tick(30.0), [Action::Kill]);
    // After SIGKILL there is nothing left to move, only something to keep.
    assert_eq!(rig.step(30.5, renewed(15.0)), [Action::Renew]);
}

#[test]
fn a_loss_while_stopping_kills_now_and_is_told() {
    let mut rig = stopping(10.0);
    let lost = LostWhy::Vanished;
    assert_eq!(
        rig.step(6.0, Event::RenewalLost(lost)),
        [Action::Kill, Action::Note(Note::Lost(lost))]
    );
    assert_eq!(rig.step(6.1, Event::RenewalLost(lost)), []);
    assert_eq!(rig.step(6.2, renewed(6.0)), []);
    let why = LossReason::Store(lost);
    assert_eq!(
        rig.step(7.0, Event::TreeEmpty),
        [Action::Finish(Outcome::Lost { why })]
    );
}

#[test]
fn a_good_answer_after_a_known_loss_is_not_believed() {
    let mut rig = stopping(10.0);
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    assert_eq!(rig.step(7.0, Event::RenewalLost(LostWhy::Taken)).len(), 2);
    let before = rig.0.tenure();
    assert_eq!(rig.step(7.5, renewed(6.0)), []);
    assert_eq!(rig.0.tenure(), before);
}

#[test]
fn one_graceful_stop_is_enough() {
    let mut rig = stopping(10.0);
    assert_eq!(rig.step(5.1, sent(libc::SIGTERM)), []);
    assert_eq!(rig.step(5.2, Event::StopAsked), []);
    assert_eq!(rig.step(5.3, Event::StopDue), []);
    assert_eq!(rig.0.stop_why(), Some(StopWhy::Operator));
}

#[test]
fn the_command_may_end_before_its_tree() {
    let mut rig = stopping(10.0);
    assert_eq!(rig.step(5.5, Event::CommandExited(OK)), []);
    assert_eq!(rig.0.command_end(), Some(OK));
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    assert_eq!(rig.tick(15.0), [Action::Kill]);
    assert_eq!(rig.step(15.1, Event::TreeEmpty), [Action::Release(ASKED)]);
}

#[test]
fn a_guardian_lost_while_stopping_means_kill_by_the_driver() {
    let mut rig = stopping(10.0);
    assert_eq!(rig.step(5.5, Event::GuardianLost), [Action::Kill]);
    assert_eq!(rig.step(5.6, Event::TreeEmpty), [Action::Release(ASKED)]);

    let mut rig = stopping(0.5);
    assert_eq!(rig.tick(5.5), [Action::Kill]);
    assert_eq!(rig.step(5.6, Event::GuardianLost), [Action::Kill]);
}

/// Answers each renewal at once until `end`, and returns what else was ordered, and when.
fn renew_until(rig: &mut Rig, end: f64) -> Vec<(f64, Action)> {
    let mut others = Vec::new();
    while !rig.0.is_done() && rig.0.wake_at() <= at(end) {
        let now = rig.0.wake_at();
        for action in rig.0.step(now, Event::Tick) {
            if action == Action::Renew {
                assert_eq!(
                    rig.0.step(
                        now,
                        Event::Renewed {
                            asked_at: now,
                            rate: 1.0
                        }
                    ),
                    []
                );
            } else {
                others.push((now.since(at(0.0)).as_secs_f64(), action));
            }
        }
    }
    others
}

#[test]
fn survivors_are_named_and_given_up_after_ten_minutes() {
    let mut rig = stopping(0.5);
    let mut expected = vec![(5.5, Action::Kill)];
    let naming = (0..10).map(|minute| (7.5 + 60.0 * f64::from(minute), Action::NameSurvivors));
    expected.extend(naming);
    expected.extend(given_up().map(|action| (605.5, action)));
    assert_eq!(renew_until(&mut rig, 1e5), expected);
    assert_eq!(rig.0.outcome(), Some(Outcome::NotShownDead));
}

#[test]
fn a_second_signal_after_the_naming_gives_up() {
    let mut rig = stopping(0.5);
    assert_eq!(rig.step(5.1, sent(libc::SIGTERM)), []);
    assert_eq!(rig.tick(5.5), [Action::Kill]);
    // What was killed is about to go: however often somebody sends TERM, it is not given up.
    for _ in 0..10 {
        assert_eq!(rig.step(5.6, sent(libc::SIGTERM)), []);
    }
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    assert_eq!(rig.step(6.1, renewed(6.0)), []);
    assert_eq!(rig.tick(7.5), [Action::NameSurvivors]);
    assert_eq!(rig.step(7.6, sent(libc::SIGUSR1)), []);
    let hint = Action::Note(Note::SecondSignalGivesUp);
    assert_eq!(rig.step(7.7, typed(libc::SIGINT)), [hint]);
    assert_eq!(rig.step(7.8, typed(libc::SIGINT)), given_up());
    assert!(rig.0.is_done());
}

#[test]
fn a_lease_that_ran_out_is_given_up_when_all_must_be_dead() {
    let mut rig = Rig::holding(settings());
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    assert_eq!(rig.tick(20.0).len(), 1);
    assert_eq!(rig.tick(25.0), [Action::Kill]);
    assert_eq!(rig.step(25.1, sent(libc::SIGTERM)), []);
    assert_eq!(rig.step(25.2, sent(libc::SIGTERM)), []);
    assert_eq!(rig.tick(27.0), given_up());
}

#[test]
fn a_supervisor_that_sleeps_past_the_end_hears_first_what_the_guardian_did() {
    let mut rig = Rig::holding(settings());
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    let late = [Action::Note(Note::StoppedByGuardian), Action::Kill];
    assert_eq!(rig.step(99.0, Event::StopDue), late);
    let killed = CommandEnd::Killed(libc::SIGKILL);
    assert_eq!(rig.step(99.0, Event::CommandExited(killed)), []);
    let why = LossReason::NotRenewed;
    let lost = Outcome::Lost { why };
    assert_eq!(rig.step(99.1, Event::TreeEmpty), [Action::Release(lost)]);
    // Nothing was heard: what is left has outlived the lease.
    let mut rig = Rig::holding(settings());
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    assert_eq!(rig.step(99.0, Event::StopDue), late);
    assert_eq!(rig.tick(99.25), given_up());
}

#[test]
fn a_known_loss_is_given_up_when_all_must_be_dead() {
    let mut rig = Rig::holding(settings());
    assert_eq!(rig.step(1.0, Event::RenewalLost(LostWhy::Taken)).len(), 2);
    assert_eq!(rig.tick(3.0), [Action::NameSurvivors]);
    assert_eq!(rig.tick(27.0), given_up());
}

#[test]
fn a_normal_end_on_a_silent_store_is_given_up_when_all_must_be_dead() {
    let mut rig = stopping(300.0);
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    assert_eq!(rig.tick(25.0), [Action::Kill]);
    assert_eq!(rig.tick(27.0), given_up());
}

#[test]
fn a_lease_that_is_answered_again_after_the_stop_waits_with_patience() {
    let mut rig = Rig::holding(settings());
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    assert_eq!(rig.tick(20.0).len(), 1);
    assert_eq!(rig.step(21.0, renewed(6.0)).len(), 2);
    assert_eq!(rig.step(21.5, renewed(21.0)).len(), 1);
    let ordered = renew_until(&mut rig, 1e5);
    let end = given_up().map(|action| (625.0, action));
    assert_eq!(ordered[ordered.len() - 2..], end);
}

#[test]
fn a_lost_hold_without_an_end_is_given_up_after_ten_minutes() {
    let mut rig = Rig::holding_without_end(settings());
    assert_eq!(
        rig.step(5.5, Event::RenewalLost(LostWhy::Vanished)).len(),
        2
    );
    let ordered = renew_until(&mut rig, 1e5);
    assert_eq!(
        ordered[ordered.len() - 2..],
        given_up().map(|action| (605.5, action))
    );
}

#[test]
fn a_tree_seen_gone_too_late_is_still_gone() {
    let mut rig = Rig::holding(settings());
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    assert_eq!(rig.tick(20.0).len(), 1);
    let why = LossReason::NotRenewed;
    assert_eq!(
        rig.step(28.0, Event::TreeEmpty),
        [Action::Release(Outcome::Lost { why })]
    );
}
