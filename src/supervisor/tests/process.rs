//! A process that was there before (`hold`): told to end, never killed before its time, and left alone
//! when the lease is not needed any more.

use super::rig::{OK, Rig, at, secs, settings};
use crate::lease::{LostWhy, RefusedWhy};
use crate::supervisor::{
    Action, AskedBy, Deadline, Event, Guards, LossReason, Note, Outcome, Phase, Settings, StopWhy,
    Wait,
};

fn guarding() -> Settings {
    Settings {
        guards: Guards::Process,
        ..settings()
    }
}

fn stop(why: StopWhy, grace: f64) -> Action {
    let grace = secs(grace);
    Action::Stop { why, grace }
}

#[test]
fn what_is_not_needed_any_more_is_let_go_and_given_back() {
    let mut rig = Rig::holding(guarding());
    assert_eq!(rig.step(1.0, Event::NotNeeded), [Action::LetGo]);
    assert_eq!(rig.step(1.1, Event::CommandExited(OK)), []);
    let completed = Outcome::Completed(OK);
    assert_eq!(
        rig.step(1.1, Event::TreeEmpty),
        [Action::Release(completed)]
    );
    let released = Event::Released { certain: true };
    assert_eq!(rig.step(1.2, released), [Action::Finish(completed)]);
}

#[test]
fn a_known_loss_asks_at_once_and_kills_after_the_expiry_grace() {
    let mut rig = Rig::holding(guarding());
    let why = LostWhy::Taken;
    assert_eq!(
        rig.step(1.0, Event::RenewalLost(why)),
        [stop(StopWhy::Lost(why), 5.0), Action::Note(Note::Lost(why))]
    );
    assert_eq!(rig.tick(6.0), [Action::Kill]);
    let outcome = Outcome::Lost {
        why: LossReason::Store(why),
    };
    assert_eq!(rig.step(6.1, Event::TreeEmpty), [Action::Finish(outcome)]);
}

#[test]
fn a_loss_close_to_the_kill_instant_leaves_no_more_than_that() {
    let mut rig = Rig::holding(guarding());
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    assert_eq!(rig.step(9.0, Event::RenewalUnanswered).len(), 2);
    let why = LostWhy::Expired;
    for seconds in [12.0, 15.0, 18.0] {
        let _renewing = rig.step(seconds, Event::RenewalUnanswered);
    }
    assert_eq!(
        rig.step(19.9, Event::RenewalLost(why))[0],
        stop(StopWhy::Lost(why), 5.0)
    );
    assert_eq!(rig.tick(24.9), [Action::Kill]);
}

#[test]
fn silence_stops_and_kills_as_for_a_command() {
    let mut rig = Rig::holding(guarding());
    let actions = rig.step(20.0, Event::Tick);
    assert!(
        actions.contains(&stop(StopWhy::NotRenewed, 5.0)),
        "{actions:?}"
    );
    assert_eq!(rig.step(25.0, Event::Tick)[0], Action::Kill);
}

#[test]
fn an_operator_is_obeyed_with_the_grace_and_renewals_go_on() {
    let mut rig = Rig::holding(guarding());
    assert_eq!(
        rig.step(1.0, Event::StopAsked),
        [stop(StopWhy::Operator, 10.0)]
    );
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    let asked_at = at(6.0);
    let arm = Action::Arm(Deadline {
        stop: at(1.0),
        kill: at(11.0),
    });
    assert_eq!(
        rig.step(
            6.1,
            Event::Renewed {
                asked_at,
                rate: 1.0
            }
        ),
        [arm]
    );
    assert_eq!(rig.tick(11.0), [Action::Kill]);
    assert_eq!(
        rig.step(11.1, Event::TreeEmpty),
        [Action::Release(Outcome::Asked(AskedBy::Operator))]
    );
}

#[test]
fn a_loss_while_it_is_asked_to_end_shortens_what_it_has_left() {
    let mut rig = Rig::holding(guarding());
    let _asked = rig.step(1.0, Event::StopAsked);
    let why = LostWhy::Broken;
    assert_eq!(
        rig.step(2.0, Event::RenewalLost(why)),
        [stop(StopWhy::Lost(why), 5.0), Action::Note(Note::Lost(why))]
    );
    assert_eq!(rig.tick(7.0), [Action::Kill]);
}

#[test]
fn without_the_guardian_it_is_asked_by_the_driver() {
    let mut rig = Rig::holding(guarding());
    assert_eq!(
        rig.step(1.0, Event::GuardianLost),
        [stop(StopWhy::Internal, 5.0)]
    );
    assert_eq!(rig.phase(), Phase::Stopping);
    assert_eq!(rig.tick(6.0), [Action::Kill, Action::Renew]);
}

#[test]
fn what_has_begun_is_not_undone_by_not_being_needed() {
    let mut rig = Rig::holding(guarding());
    let _asked = rig.step(1.0, Event::StopAsked);
    assert_eq!(rig.step(1.1, Event::NotNeeded), []);
}

#[test]
fn what_is_not_needed_is_not_waited_for_and_never_counts_as_held() {
    let mut rig = Rig::seeking(guarding());
    assert_eq!(
        rig.step(0.1, Event::NotNeeded),
        [Action::Withdraw, Action::Finish(Outcome::Unreachable)]
    );
    let mut rig = Rig::seeking(Settings {
        wait: Wait::Forever,
        ..guarding()
    });
    let why = RefusedWhy::Held;
    let refused = Event::Refused {
        why,
        look_again: None,
    };
    assert_eq!(rig.step(0.1, refused), [Action::Wait { at_most: None }]);
    assert_eq!(
        rig.step(0.2, Event::NotNeeded),
        [Action::Withdraw, Action::Finish(Outcome::Refused(why))]
    );
}
