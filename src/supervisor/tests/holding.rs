//! Holding and doubting: P3, P8, P9 and the reasons to stop.

use super::rig::{OK, Rig, armed, at, secs, sent, settings, typed};
use crate::clock::Instant;
use crate::lease::LostWhy;
use crate::supervisor::{
    Action, AskedBy, Event, LossReason, Note, Outcome, Phase, Settings, StopWhy,
};

fn renewed(asked_at: f64) -> Event {
    Event::Renewed {
        asked_at: at(asked_at),
        rate: 1.0,
    }
}

fn stop(why: StopWhy, grace: f64) -> Action {
    let grace = secs(grace);
    Action::Stop { why, grace }
}

#[test]
fn renewals_are_counted_from_the_last_answered_asking() {
    let mut rig = Rig::holding(settings());
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    assert_eq!(rig.step(8.0, renewed(6.1)), [armed(6.1)]);
    assert_eq!(rig.tick(12.1), [Action::Renew]);
}

#[test]
fn never_are_two_renewals_in_flight() {
    let mut rig = Rig::holding(settings());
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    assert_eq!(rig.0.wake_at(), at(20.0));
    assert_eq!(rig.step(19.0, Event::Tick), []);
}

#[test]
fn doubt_is_told_once_and_tries_every_attempt() {
    let mut rig = Rig::holding(settings());
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    // This one failed at once, the next by time-out: both are followed after the same time.
    let doubt = Action::Note(Note::Doubt { stop: at(20.0) });
    assert_eq!(rig.step(6.1, Event::RenewalUnanswered), [doubt]);
    assert_eq!(rig.phase(), Phase::Doubting);
    assert_eq!(rig.tick(9.0), [Action::Renew]);
    assert_eq!(rig.step(12.0, Event::RenewalUnanswered), [Action::Renew]);
    assert_eq!(rig.step(12.5, Event::RenewalUnanswered), []);
    assert_eq!(rig.tick(15.0), [Action::Renew]);
    let ended = Action::Note(Note::DoubtEnded);
    assert_eq!(rig.step(16.0, renewed(15.0)), [armed(15.0), ended]);
    assert_eq!(rig.phase(), Phase::Holding);
    assert_eq!(rig.tick(21.0), [Action::Renew]);
    assert_eq!(rig.step(22.0, Event::RenewalUnanswered).len(), 1);
}

#[test]
fn an_unknown_renewal_leaves_the_old_deadline() {
    let mut rig = Rig::holding(settings());
    let before = rig.0.tenure();
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    assert_eq!(rig.step(9.0, Event::RenewalUnanswered).len(), 2);
    assert_eq!(rig.0.tenure(), before);
}

#[test]
fn a_late_answer_counts_from_its_own_asking() {
    let mut rig = Rig::holding(settings());
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    assert_eq!(rig.step(9.0, Event::RenewalUnanswered).len(), 2);
    // The attempt of 9 s is in flight while the answer to the one of 6 s comes in.
    let ended = Action::Note(Note::DoubtEnded);
    assert_eq!(rig.step(10.0, renewed(6.0)), [armed(6.0), ended]);
    assert_eq!(rig.0.wake_at(), at(26.0));
    assert_eq!(rig.step(11.0, renewed(9.0)), [armed(9.0)]);
    assert_eq!(rig.step(11.5, renewed(6.0)), []);
    assert_eq!(rig.0.wake_at(), at(15.0));
}

#[test]
fn a_known_loss_kills_at_once_without_a_stop() {
    let mut rig = Rig::holding(settings());
    let lost = LostWhy::Taken;
    assert_eq!(
        rig.step(7.0, Event::RenewalLost(lost)),
        [Action::Renew, Action::Kill, Action::Note(Note::Lost(lost))][1..]
    );
    assert_eq!(rig.0.stop_why(), Some(StopWhy::Lost(lost)));
    let why = LossReason::Store(lost);
    assert_eq!(
        rig.step(7.1, Event::TreeEmpty),
        [Action::Finish(Outcome::Lost { why })]
    );
}

#[test]
fn a_known_loss_heard_after_the_stop_instant_gets_no_grace_either() {
    let mut rig = Rig::holding(settings());
    let actions = rig.step(21.0, Event::RenewalLost(LostWhy::Expired));
    assert_eq!(actions[0], Action::Kill);
    assert!(
        !actions
            .iter()
            .any(|action| matches!(action, Action::Stop { .. }))
    );
}

#[test]
fn at_the_stop_instant_the_command_gets_the_expiry_grace() {
    let mut rig = Rig::holding(settings());
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    assert_eq!(rig.tick(20.0), [stop(StopWhy::NotRenewed, 5.0)]);
    assert_eq!(rig.phase(), Phase::Stopping);
    assert_eq!(rig.tick(25.0), [Action::Kill]);
    let why = LossReason::NotRenewed;
    let lost = Outcome::Lost { why };
    assert_eq!(rig.step(25.1, Event::TreeEmpty), [Action::Release(lost)]);
}

#[test]
fn a_supervisor_that_sleeps_past_the_kill_instant_kills_as_it_wakes() {
    let mut rig = Rig::holding(settings());
    let actions = rig.step(26.0, Event::Tick);
    assert_eq!(
        actions,
        [stop(StopWhy::NotRenewed, 5.0), Action::Kill, Action::Renew]
    );
}

#[test]
fn a_good_answer_does_not_undo_a_stop_instant_that_has_passed() {
    let mut rig = Rig::holding(settings());
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    let actions = rig.step(20.5, renewed(19.0));
    assert_eq!(actions[0], stop(StopWhy::NotRenewed, 5.0));
    assert_eq!(rig.phase(), Phase::Stopping);
}

#[test]
fn the_guardian_may_be_the_first_to_stop() {
    let mut rig = Rig::holding(settings());
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    assert_eq!(
        rig.step(20.3, Event::StopDue),
        [Action::Note(Note::StoppedByGuardian)]
    );
    assert_eq!(rig.0.stop_why(), Some(StopWhy::NotRenewed));
    assert_eq!(rig.tick(25.0), [Action::Kill]);
}

#[test]
fn the_run_timeout_is_counted_from_the_start_of_the_command() {
    let run_timeout = Some(secs(5.0));
    let mut rig = Rig::holding(Settings {
        run_timeout,
        ..settings()
    });
    assert_eq!(rig.tick(5.2), [stop(StopWhy::RunTimeout, 10.0)]);
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    assert_eq!(rig.step(6.5, Event::CommandExited(OK)), []);
    let timed_out = Action::Release(Outcome::TimedOut);
    assert_eq!(rig.step(6.6, Event::TreeEmpty), [timed_out]);
    assert_eq!(rig.0.command_end(), Some(OK));
}

#[test]
fn a_command_that_ended_in_time_has_not_timed_out() {
    let mut rig = Rig::holding(Settings {
        run_timeout: Some(secs(5.0)),
        leftovers_settle: secs(1.0),
        ..settings()
    });
    // Both had happened when we were late to look.
    let actions = rig.step(5.5, Event::CommandExited(OK));
    assert_eq!(actions, [stop(StopWhy::RunTimeout, 10.0)]);
    assert_eq!(
        rig.step(5.6, Event::TreeEmpty),
        [Action::Release(Outcome::Completed(OK))]
    );
}

#[test]
fn whoever_asks_is_served_with_the_grace() {
    let event = Event::MachineGoes { kill_by: at(600.0) };
    for (event, by, why) in [
        (Event::StopAsked, AskedBy::Operator, StopWhy::Operator),
        (event, AskedBy::ScheduledEvent, StopWhy::ScheduledEvent),
    ] {
        let mut rig = Rig::holding(settings());
        assert_eq!(rig.step(1.0, event), [stop(why, 10.0)]);
        assert_eq!(rig.step(1.5, Event::CommandExited(OK)), []);
        let asked = Outcome::Asked(by);
        assert_eq!(rig.step(2.0, Event::TreeEmpty), [Action::Release(asked)]);
    }
}

#[test]
fn signals_are_passed_on_unless_the_terminal_sent_them() {
    let mut rig = Rig::holding(settings());
    for _ in 0..3 {
        let forward = Action::Forward(libc::SIGTERM);
        assert_eq!(rig.step(1.0, sent(libc::SIGTERM)), [forward]);
        assert_eq!(rig.step(1.0, typed(libc::SIGINT)), []);
    }
    assert_eq!(rig.phase(), Phase::Holding);
}

#[test]
fn a_lost_guardian_means_kill() {
    let mut rig = Rig::holding(settings());
    assert_eq!(rig.step(1.0, Event::GuardianLost), [Action::Kill]);
    assert_eq!(rig.0.stop_why(), Some(StopWhy::Internal));
    let why = LossReason::GuardianDied;
    assert_eq!(
        rig.step(1.1, Event::TreeEmpty),
        [Action::Release(Outcome::Lost { why })]
    );
}

#[test]
fn a_command_that_could_not_start_gives_the_lease_back() {
    let outcome = Outcome::NotStarted { errno: 2 };
    for empty_first in [false, true] {
        let mut rig = Rig::seeking(settings());
        let granted = Event::Granted {
            asked_at: at(0.0),
            ttl: Some(secs(30.0)),
        };
        assert_eq!(rig.step(0.1, granted).len(), 2);
        let events = [Event::CommandNotStarted { errno: 2 }, Event::TreeEmpty];
        let order = if empty_first { [1, 0] } else { [0, 1] };
        assert_eq!(rig.step(0.2, events[order[0]]), []);
        assert_eq!(rig.step(0.2, events[order[1]]), [Action::Release(outcome)]);
    }
}

#[test]
fn a_hold_without_an_end_is_looked_after_and_never_runs_out() {
    let mut rig = Rig::holding_without_end(settings());
    assert_eq!(rig.step(1e9, Event::Tick), [Action::Renew]);
    let doubt = Note::Doubt {
        stop: Instant::NEVER,
    };
    assert_eq!(
        rig.step(1e9, Event::RenewalUnanswered),
        [Action::Note(doubt)]
    );
    assert_eq!(rig.step(2e9, Event::Tick), [Action::Renew]);
    assert_eq!(rig.step(2e9, Event::CommandExited(OK)), []);
    assert_eq!(rig.phase(), Phase::Settling);
}

#[test]
fn a_clock_that_has_failed_stops_everything() {
    let mut rig = Rig::holding(settings());
    let actions = rig.0.step(Instant::NEVER, Event::Tick);
    assert_eq!(actions[0], stop(StopWhy::NotRenewed, 5.0));
    assert_eq!(actions[1], Action::Kill);
}
