//! What happens to what the command leaves behind.

use super::rig::{OK, Rig, armed, at, secs, sent, settings};
use crate::lease::LostWhy;
use crate::supervisor::{
    Action, Event, Leftovers, LossReason, Note, Outcome, Phase, Settings, StopWhy,
};

const COMPLETED: Outcome = Outcome::Completed(OK);

/// The command has ended after 5 s; something is left.
fn settling(leftovers: Leftovers) -> Rig {
    settling_with(Settings {
        leftovers,
        ..settings()
    })
}

fn settling_with(settings: Settings) -> Rig {
    let mut rig = Rig::holding(settings);
    assert_eq!(rig.step(5.0, Event::CommandExited(OK)), []);
    assert_eq!(rig.phase(), Phase::Settling);
    rig
}

fn stop(why: StopWhy, grace: f64) -> Action {
    let grace = secs(grace);
    Action::Stop { why, grace }
}

#[test]
fn a_tree_that_ends_by_itself_is_released_silently() {
    let mut rig = settling(Leftovers::Stop);
    assert_eq!(
        rig.step(5.5, Event::TreeEmpty),
        [Action::Release(COMPLETED)]
    );
    assert_eq!(
        rig.step(5.6, Event::Released { certain: true }),
        [Action::Finish(COMPLETED)]
    );
    assert_eq!(rig.0.command_end(), Some(OK));
}

#[test]
fn renewing_goes_on_while_leftovers_settle() {
    let mut rig = settling_with(Settings {
        leftovers_settle: secs(3.0),
        ..settings()
    });
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    let asked_at = at(6.0);
    assert_eq!(
        rig.step(
            6.5,
            Event::Renewed {
                asked_at,
                rate: 1.0
            }
        ),
        [armed(6.0)]
    );
}

#[test]
fn leftovers_are_named_then_stopped_and_the_outcome_is_kept() {
    let mut rig = settling(Leftovers::Stop);
    assert_eq!(rig.step(5.5, sent(libc::SIGTERM)), []);
    assert_eq!(
        rig.tick(6.0),
        [
            Action::NameLeftovers,
            stop(StopWhy::Leftovers, 10.0),
            Action::Renew
        ]
    );
    assert_eq!(
        rig.step(7.0, Event::TreeEmpty),
        [Action::Release(COMPLETED)]
    );
}

#[test]
fn leftovers_may_be_waited_for_until_a_signal() {
    let mut rig = settling(Leftovers::Wait);
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    let asked_at = at(6.0);
    assert_eq!(
        rig.step(
            6.5,
            Event::Renewed {
                asked_at,
                rate: 1.0
            }
        ),
        [armed(6.0)]
    );
    assert_eq!(rig.0.wake_at(), at(12.0));
    assert_eq!(
        rig.step(11.0, sent(libc::SIGINT)),
        [Action::NameLeftovers, stop(StopWhy::Leftovers, 10.0)]
    );
    assert_eq!(
        rig.step(11.1, Event::TreeEmpty),
        [Action::Release(COMPLETED)]
    );
}

#[test]
fn leftovers_may_be_waited_for_until_they_end() {
    let mut rig = settling(Leftovers::Wait);
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    assert_eq!(
        rig.step(9.0, Event::TreeEmpty),
        [Action::Release(COMPLETED)]
    );
}

#[test]
fn leftovers_may_be_let_go() {
    let mut rig = settling(Leftovers::Leave);
    assert_eq!(rig.tick(6.0), [Action::LetGo, Action::Release(COMPLETED)]);
    assert_eq!(rig.step(6.1, Event::GuardianLost), []);
}

#[test]
fn a_loss_while_settling_is_always_told() {
    let lost = LostWhy::Taken;
    let mut rig = settling(Leftovers::Wait);
    assert_eq!(
        rig.step(5.5, Event::RenewalLost(lost)),
        [Action::Kill, Action::Note(Note::Lost(lost))]
    );
    let why = LossReason::Store(lost);
    let end = [Action::Finish(Outcome::Lost { why })];
    assert_eq!(rig.step(5.6, Event::TreeEmpty), end);
    assert_eq!(rig.0.command_end(), Some(OK));

    let mut rig = settling(Leftovers::Wait);
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    assert_eq!(rig.tick(20.0), [stop(StopWhy::NotRenewed, 5.0)]);
    let why = LossReason::NotRenewed;
    let end = [Action::Release(Outcome::Lost { why })];
    assert_eq!(rig.step(20.5, Event::TreeEmpty), end);

    let mut rig = settling(Leftovers::Wait);
    let note = Action::Note(Note::StoppedByGuardian);
    assert_eq!(rig.step(5.5, Event::StopDue), [note]);
    assert_eq!(rig.step(5.6, Event::TreeEmpty), end);
}

#[test]
fn other_reasons_to_stop_leftovers_keep_the_outcome() {
    let mut rig = settling_with(Settings {
        run_timeout: Some(secs(5.5)),
        ..settings()
    });
    assert_eq!(rig.tick(5.7), [stop(StopWhy::RunTimeout, 10.0)]);
    assert_eq!(
        rig.step(5.8, Event::TreeEmpty),
        [Action::Release(COMPLETED)]
    );

    let mut rig = settling(Leftovers::Wait);
    let operator = Event::StopAsked;
    assert_eq!(rig.step(5.5, operator), [stop(StopWhy::Operator, 10.0)]);
    assert_eq!(
        rig.step(5.8, Event::TreeEmpty),
        [Action::Release(COMPLETED)]
    );

    let mut rig = settling(Leftovers::Wait);
    assert_eq!(rig.step(5.5, Event::GuardianLost), [Action::Kill]);
    assert_eq!(
        rig.step(5.8, Event::TreeEmpty),
        [Action::Release(COMPLETED)]
    );
}
