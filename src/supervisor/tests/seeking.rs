//! Seeking: P4, P8 and the last paragraph of DESIGN section 4.

use super::rig::{ACQUIRE, Rig, armed, at, secs, sent, settings, typed};
use crate::clock::Instant;
use crate::lease::{Effect, RefusedWhy};
use crate::supervisor::{
    Action, AskedBy, Event, Fatal, LossReason, Note, Outcome, Phase, Settings, Wait,
};

const HELD: Outcome = Outcome::Refused(RefusedWhy::Held);

fn waiting(wait: Wait) -> Settings {
    Settings { wait, ..settings() }
}

fn refused(look_again: Option<f64>) -> Event {
    Event::Refused {
        why: RefusedWhy::Held,
        look_again: look_again.map(secs),
    }
}

fn unanswered(effect: Effect) -> Event {
    Event::AttemptUnanswered {
        effect,
        spread: 1.0,
    }
}

fn granted(asked_at: f64) -> Event {
    Event::Granted {
        asked_at: at(asked_at),
        ttl: Some(secs(30.0)),
    }
}

fn wait(at_most: Option<f64>) -> Action {
    Action::Wait {
        at_most: at_most.map(secs),
    }
}

#[test]
fn beginning_asks_once() {
    let mut rig = Rig::seeking(settings());
    assert_eq!(rig.step(0.1, Event::Begin), []);
    assert_eq!(rig.0.wake_at(), Instant::NEVER);
}

#[test]
fn refused_without_wait_is_the_end() {
    let mut rig = Rig::seeking(settings());
    assert_eq!(rig.step(0.1, refused(None)), [Action::Finish(HELD)]);
    assert!(rig.0.is_done());
    assert_eq!(rig.0.outcome(), Some(HELD));
}

#[test]
fn a_wait_is_bounded_by_its_rest_and_by_the_store() {
    let mut rig = Rig::seeking(waiting(Wait::For(secs(60.0))));
    assert_eq!(rig.step(10.0, refused(Some(5.0))), [wait(Some(5.0))]);
    assert_eq!(rig.step(15.0, Event::LookAgain), [ACQUIRE]);
    assert_eq!(rig.step(15.0, Event::LookAgain), []);
    assert_eq!(rig.step(58.0, refused(Some(5.0))), [wait(Some(2.0))]);
    assert_eq!(rig.step(60.0, Event::LookAgain), [ACQUIRE]);
    assert_eq!(
        rig.step(60.1, refused(None)),
        [Action::Withdraw, Action::Finish(HELD)]
    );
}

#[test]
fn waiting_forever_is_bounded_by_the_store_alone() {
    let mut rig = Rig::seeking(waiting(Wait::Forever));
    assert_eq!(rig.step(1e6, refused(None)), [wait(None)]);
    assert_eq!(rig.step(2e6, Event::LookAgain), [ACQUIRE]);
    assert_eq!(rig.step(2e6, refused(Some(3.0))), [wait(Some(3.0))]);
}

#[test]
fn losing_a_race_never_backs_off() {
    let mut rig = Rig::seeking(waiting(Wait::Forever));
    for round in 0..20 {
        let now = f64::from(round);
        assert_eq!(rig.step(now, refused(None)), [wait(None)]);
        assert_eq!(rig.step(now, Event::LookAgain), [ACQUIRE]);
    }
}

#[test]
fn errors_back_off_up_to_five_seconds() {
    let mut rig = Rig::seeking(waiting(Wait::Forever));
    let mut now = 0.0;
    for (round, pause) in [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0].into_iter().enumerate() {
        let told = rig.step(now, unanswered(Effect::None));
        let note = Action::Note(Note::StoreSilent);
        assert_eq!(told, Vec::from_iter((round == 0).then_some(note)));
        now += pause;
        assert_eq!(rig.tick(now), [ACQUIRE]);
    }
    // An answer, even a refusal, shows that the store is well again.
    assert_eq!(rig.step(now, refused(None)), [wait(None)]);
    assert_eq!(rig.step(now, Event::LookAgain), [ACQUIRE]);
    assert_eq!(rig.step(now, unanswered(Effect::None)), []);
    assert_eq!(rig.tick(now + 0.25), [ACQUIRE]);
}

#[test]
fn the_spread_is_kept_within_a_fifth() {
    for (spread, pause) in [
        (0.8, 0.2),
        (1.2, 0.3),
        (9.0, 0.3),
        (-1.0, 0.2),
        (f64::NAN, 0.25),
    ] {
        let mut rig = Rig::seeking(settings());
        let event = Event::AttemptUnanswered {
            effect: Effect::None,
            spread,
        };
        assert_eq!(rig.step(0.0, event), [Action::Note(Note::StoreSilent)]);
        assert_eq!(rig.0.wake_at(), at(pause));
    }
}

#[test]
fn without_wait_an_unreachable_store_is_tried_for_ten_seconds() {
    let mut rig = Rig::seeking(settings());
    assert_eq!(rig.step(9.9, unanswered(Effect::None)).len(), 1);
    assert_eq!(rig.tick(10.0), [Action::Finish(Outcome::Unreachable)]);

    let mut rig = Rig::seeking(settings());
    let note = Action::Note(Note::StoreSilent);
    assert_eq!(
        rig.step(12.0, unanswered(Effect::Unknown)),
        [note, Action::Withdraw, Action::Finish(Outcome::Unreachable)]
    );
}

#[test]
fn with_wait_the_last_word_decides() {
    let mut rig = Rig::seeking(waiting(Wait::For(secs(60.0))));
    assert_eq!(rig.step(1.0, refused(None)), [wait(Some(59.0))]);
    assert_eq!(rig.step(50.0, Event::LookAgain), [ACQUIRE]);
    assert_eq!(rig.step(59.9, unanswered(Effect::None)).len(), 1);
    assert_eq!(rig.tick(60.0), [Action::Withdraw, Action::Finish(HELD)]);

    let mut rig = Rig::seeking(waiting(Wait::For(secs(60.0))));
    assert_eq!(rig.step(59.9, unanswered(Effect::None)).len(), 1);
    assert_eq!(rig.tick(60.0), [Action::Finish(Outcome::Unreachable)]);
}

#[test]
fn a_failure_that_asking_again_cannot_mend_is_the_end() {
    let failed = Outcome::Failed(Fatal::Denied);
    let mut rig = Rig::seeking(settings());
    assert_eq!(
        rig.step(0.1, Event::AttemptFailed(Fatal::Denied)),
        [Action::Finish(failed)]
    );
    let mut rig = Rig::seeking(settings());
    assert_eq!(rig.step(0.1, unanswered(Effect::Unknown)).len(), 1);
    assert_eq!(rig.tick(0.35), [ACQUIRE]);
    assert_eq!(
        rig.step(0.4, Event::AttemptFailed(Fatal::Denied)),
        [Action::Withdraw, Action::Finish(failed)]
    );
}

#[test]
fn any_signal_ends_seeking_and_a_grant_after_it_goes_back() {
    for number in [libc::SIGINT, libc::SIGTERM, libc::SIGUSR1, libc::SIGALRM] {
        for event in [sent(number), typed(number)] {
            let outcome = Outcome::Interrupted(number);
            let mut rig = Rig::seeking(settings());
            let end = [Action::Withdraw, Action::Finish(outcome)];
            assert_eq!(rig.step(0.1, event), end);
            assert_eq!(rig.step(0.2, granted(0.0)), [Action::Release(outcome)]);
            assert_eq!(rig.step(0.3, event), []);
        }
    }
}

#[test]
fn a_signal_in_a_pause_withdraws_only_what_the_store_may_know_of() {
    for (effect, known) in [(Effect::None, false), (Effect::Unknown, true)] {
        let mut rig = Rig::seeking(settings());
        assert_eq!(rig.step(0.1, unanswered(effect)).len(), 1);
        let actions = rig.step(0.2, sent(libc::SIGTERM));
        assert_eq!(actions.contains(&Action::Withdraw), known);
        assert_eq!(
            actions.last(),
            Some(&Action::Finish(Outcome::Interrupted(libc::SIGTERM)))
        );
    }
    let mut rig = Rig::new(settings());
    assert_eq!(
        rig.step(0.0, sent(1)),
        [Action::Finish(Outcome::Interrupted(1))]
    );
}

#[test]
fn a_scheduled_event_and_a_lost_guardian_end_seeking() {
    let asked = Outcome::Asked(AskedBy::ScheduledEvent);
    let mut rig = Rig::seeking(settings());
    assert_eq!(
        rig.step(0.1, Event::MachineGoes { kill_by: at(9.0) }),
        [Action::Withdraw, Action::Finish(asked)]
    );
    let why = LossReason::GuardianDied;
    let mut rig = Rig::seeking(settings());
    assert_eq!(
        rig.step(0.1, Event::GuardianLost),
        [Action::Withdraw, Action::Finish(Outcome::Lost { why })]
    );
}

#[test]
fn a_grant_arms_before_it_starts() {
    let mut rig = Rig::seeking(settings());
    assert_eq!(
        rig.step(17.0, granted(0.0)),
        [armed(0.0), Action::Start, Action::Renew]
    );
    assert_eq!(rig.phase(), Phase::Holding);
}

#[test]
fn a_grant_that_is_too_late_starts_nothing() {
    let mut rig = Rig::seeking(waiting(Wait::Forever));
    let back = Action::Release(Outcome::Unreachable);
    assert_eq!(
        rig.step(17.001, granted(0.0)),
        [Action::Note(Note::TooLate), back]
    );
    assert_eq!(rig.step(17.1, Event::Released { certain: true }), []);
    // By somebody else: the release may yet be carried out once more.
    assert_eq!(rig.tick(17.35), [Action::Acquire { anew: true }]);
    assert_eq!(
        rig.step(17.4, granted(17.35))[..2],
        [armed(17.35), Action::Start]
    );
}

#[test]
fn a_release_of_a_late_grant_that_goes_unanswered_is_withdrawn_in_the_end() {
    let mut rig = Rig::seeking(waiting(Wait::For(secs(20.0))));
    assert_eq!(rig.step(18.0, granted(0.0)).len(), 2);
    assert_eq!(rig.step(19.9, Event::Released { certain: false }), []);
    assert_eq!(
        rig.tick(20.0),
        [Action::Withdraw, Action::Finish(Outcome::Unreachable)]
    );
}

#[test]
fn an_asking_in_the_future_is_not_believed() {
    let mut rig = Rig::seeking(settings());
    assert_eq!(rig.step(1.0, granted(500.0)), [armed(1.0), Action::Start]);
}

#[test]
fn a_wait_limit_does_not_turn_a_grant_down() {
    let mut rig = Rig::seeking(waiting(Wait::For(secs(1.0))));
    assert_eq!(rig.step(2.0, granted(0.5)), [armed(0.5), Action::Start]);
}

fn guarded(rest: Option<f64>) -> Event {
    Event::Refused {
        why: RefusedWhy::Guard,
        look_again: rest.map(secs),
    }
}

#[test]
fn a_guard_is_waited_out_even_without_wait() {
    let mut rig = Rig::seeking(settings());
    assert_eq!(rig.step(0.1, guarded(Some(30.0))), [wait(Some(30.0))]);
    assert_eq!(rig.step(30.1, Event::LookAgain), [ACQUIRE]);
    let orders = rig.step(30.2, granted(30.1));
    assert!(
        matches!(orders.as_slice(), [Action::Arm(_), Action::Start]),
        "{orders:?}"
    );
}

#[test]
fn what_a_guard_hid_is_refused_without_wait() {
    let mut rig = Rig::seeking(settings());
    assert_eq!(rig.step(0.1, guarded(Some(30.0))), [wait(Some(30.0))]);
    assert_eq!(rig.step(30.1, Event::LookAgain), [ACQUIRE]);
    assert_eq!(
        rig.step(30.2, refused(Some(5.0))),
        [Action::Withdraw, Action::Finish(HELD)]
    );
}

#[test]
fn a_guard_without_end_is_given_up() {
    let kept_back = Outcome::Refused(RefusedWhy::Guard);
    let mut rig = Rig::seeking(settings());
    assert_eq!(rig.step(0.0, guarded(Some(1.0))), [wait(Some(1.0))]);
    let mut now = 1.0;
    // The first rest, one time to live, and the patience that every store is given.
    while now < 1.0 + 30.0 + 10.0 {
        assert_eq!(rig.step(now, Event::LookAgain), [ACQUIRE]);
        assert!(matches!(
            rig.step(now, guarded(Some(1.0))).as_slice(),
            [Action::Wait { .. }]
        ));
        now += 1.0;
    }
    assert_eq!(rig.step(now, Event::LookAgain), [ACQUIRE]);
    assert_eq!(
        rig.step(now, guarded(Some(1.0))),
        [Action::Withdraw, Action::Finish(kept_back)]
    );
    let mut rig = Rig::seeking(settings());
    assert_eq!(rig.step(0.1, guarded(None)), [Action::Finish(kept_back)]);
}

#[test]
fn errors_behind_a_guard_are_waited_out_with_it() {
    let mut rig = Rig::seeking(settings());
    assert_eq!(rig.step(0.1, guarded(Some(30.0))), [wait(Some(30.0))]);
    assert_eq!(
        rig.step(20.0, unanswered(Effect::None)),
        [Action::Note(Note::StoreSilent)]
    );
    assert_eq!(rig.step(20.25, Event::Tick), [ACQUIRE]);
}
