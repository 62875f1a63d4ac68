//! Giving the lease back: P5 and P8.

use super::rig::{OK, Rig, at, sent, settings};
use crate::supervisor::{Action, Event, Note, Outcome, Phase};

const COMPLETED: Outcome = Outcome::Completed(OK);
const UNKNOWN: Event = Event::Released { certain: false };

/// The tree is gone after 5 s under a lease asked for at 0 s.
fn releasing() -> Rig {
    let mut rig = Rig::holding(settings());
    assert_eq!(rig.step(5.0, Event::CommandExited(OK)), []);
    assert_eq!(
        rig.step(5.0, Event::TreeEmpty),
        [Action::Release(COMPLETED)]
    );
    assert_eq!(rig.phase(), Phase::Releasing);
    rig
}

fn given_up() -> [Action; 2] {
    [
        Action::Note(Note::ReleaseUncertain),
        Action::Finish(COMPLETED),
    ]
}

#[test]
fn an_unanswered_release_is_tried_three_times_and_changes_nothing() {
    let mut rig = releasing();
    assert_eq!(rig.step(5.1, UNKNOWN), []);
    assert_eq!(rig.tick(8.0), [Action::Release(COMPLETED)]);
    assert_eq!(rig.step(11.0, UNKNOWN), [Action::Release(COMPLETED)]);
    assert_eq!(rig.step(14.0, UNKNOWN), given_up());
    assert!(rig.0.is_done());
}

#[test]
fn a_release_is_not_tried_when_the_lease_has_run_out() {
    let mut rig = Rig::holding(settings());
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    assert_eq!(rig.step(19.5, Event::CommandExited(OK)), []);
    assert_eq!(
        rig.step(19.6, Event::TreeEmpty),
        [Action::Release(COMPLETED)]
    );
    assert_eq!(rig.step(24.5, UNKNOWN), [Action::Release(COMPLETED)]);
    assert_eq!(rig.step(24.6, UNKNOWN), given_up());

    // Slept through: the next attempt would have been in time, but we are not.
    let mut rig = releasing();
    assert_eq!(rig.step(5.1, UNKNOWN), []);
    assert_eq!(rig.step(27.0, Event::Tick), given_up());
}

#[test]
fn nothing_is_renewed_and_nothing_heard_while_releasing() {
    let mut rig = releasing();
    for event in [
        Event::Tick,
        Event::Renewed {
            asked_at: at(5.0),
            rate: 1.0,
        },
        Event::RenewalUnanswered,
        Event::StopDue,
        Event::GuardianLost,
        Event::TreeEmpty,
        sent(libc::SIGUSR1),
    ] {
        assert_eq!(rig.step(6.0, event), []);
    }
    assert_eq!(
        rig.step(7.0, Event::Released { certain: true }),
        [Action::Finish(COMPLETED)]
    );
}

#[test]
fn whoever_asks_for_the_end_need_not_wait_for_the_store() {
    assert_eq!(releasing().step(6.0, sent(libc::SIGTERM)), given_up());
}

#[test]
fn nothing_follows_the_end() {
    let mut rig = releasing();
    assert_eq!(rig.step(7.0, Event::Released { certain: true }).len(), 1);
    for event in [
        Event::Tick,
        Event::Released { certain: true },
        Event::TreeEmpty,
        Event::GuardianLost,
        Event::Granted {
            asked_at: at(7.0),
            ttl: None,
        },
        sent(libc::SIGTERM),
    ] {
        assert_eq!(rig.step(50.0, event), []);
    }
    assert_eq!(rig.phase(), Phase::Done);
}

#[test]
fn a_hold_without_an_end_is_released_with_the_same_patience() {
    let mut rig = Rig::holding_without_end(settings());
    assert_eq!(rig.step(5.0, Event::CommandExited(OK)), []);
    assert_eq!(
        rig.step(5.0, Event::TreeEmpty),
        [Action::Release(COMPLETED)]
    );
    assert_eq!(rig.step(5.1, UNKNOWN), []);
    assert_eq!(rig.tick(8.0), [Action::Release(COMPLETED)]);
}
