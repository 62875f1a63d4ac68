//! The machine is about to go away (DESIGN section 9).

use super::rig::{ACQUIRE, OK, Rig, at, secs, sent, settings};
use crate::lease::RefusedWhy;
use crate::supervisor::{
    Action, AskedBy, Deadline, Event, Guards, Leftovers, Outcome, Phase, Settings, StopWhy, Wait,
};

const LEFT: Outcome = Outcome::Asked(AskedBy::ScheduledEvent);

fn goes(kill_by: f64) -> Event {
    Event::MachineGoes {
        kill_by: at(kill_by),
    }
}

fn stop(grace: f64) -> Action {
    Action::Stop {
        why: StopWhy::ScheduledEvent,
        grace: secs(grace),
    }
}

fn careful() -> Settings {
    Settings {
        only_if_machine_stays: true,
        wait: Wait::For(secs(60.0)),
        ..settings()
    }
}

#[test]
fn the_command_gets_its_grace_and_the_lease_is_renewed_meanwhile() {
    let mut rig = Rig::holding(settings());
    assert_eq!(rig.step(1.0, goes(600.0)), [stop(10.0)]);
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    assert_eq!(rig.step(7.0, Event::TreeEmpty), [Action::Release(LEFT)]);
    let released = Event::Released { certain: true };
    assert_eq!(rig.step(7.1, released), [Action::Finish(LEFT)]);
}

#[test]
fn sigkill_comes_before_the_machine_goes_whatever_the_grace() {
    let grace = secs(300.0);
    for (kill_by, left) in [(15.0, 14.0), (3.0, 2.0), (1.0, 0.0), (0.5, 0.0)] {
        let mut rig = Rig::holding_without_end(Settings {
            grace,
            ..settings()
        });
        let mut actions = rig.step(1.0, goes(kill_by));
        assert_eq!(actions[0], stop(left));
        if left > 0.0 {
            actions = rig.step(kill_by, Event::Tick);
        }
        assert!(actions.contains(&Action::Kill), "{actions:?}");
        assert_eq!(rig.phase(), Phase::Stopping);
    }
}

#[test]
fn the_grace_is_never_longer_than_what_is_ours() {
    let mut rig = Rig::holding(Settings {
        grace: secs(300.0),
        ..settings()
    });
    assert_eq!(rig.step(1.0, goes(900.0)), [stop(300.0)]);
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    assert_eq!(rig.step(25.0, Event::Tick), [Action::Kill]);
}

#[test]
fn a_stop_under_way_is_cut_short_and_keeps_its_outcome() {
    let asked = Outcome::Asked(AskedBy::Operator);
    let mut rig = Rig::holding_without_end(Settings {
        grace: secs(300.0),
        ..settings()
    });
    assert_eq!(rig.step(1.0, Event::StopAsked).len(), 1);
    assert_eq!(rig.step(2.0, goes(600.0)), [], "later than the grace ends");
    assert_eq!(rig.step(3.0, goes(20.0)), [stop(17.0)]);
    assert_eq!(rig.step(4.0, goes(25.0)), [], "never later again");
    assert_eq!(rig.step(5.0, goes(9.0)), [stop(4.0)], "sooner after all");
    assert_eq!(rig.0.stop_why(), Some(StopWhy::Operator));
    assert_eq!(rig.step(9.0, Event::Tick)[0], Action::Kill);
    assert_eq!(rig.step(9.1, goes(5.0)), []);
    assert_eq!(rig.step(9.2, Event::TreeEmpty), [Action::Release(asked)]);
}

#[test]
fn nothing_lengthens_a_grace_that_was_cut_short() {
    let mut rig = Rig::holding(settings());
    assert_eq!(rig.step(1.0, goes(9.0)), [stop(8.0)]);
    assert_eq!(rig.tick(6.0), [Action::Renew]);
    let arm = Action::Arm(Deadline {
        stop: at(1.0),
        kill: at(9.0),
    });
    let renewed = Event::Renewed {
        asked_at: at(6.0),
        rate: 1.0,
    };
    assert_eq!(rig.step(6.1, renewed), [arm]);
    assert_eq!(rig.step(6.2, Event::MachineStays), [], "P10");
    assert_eq!(rig.tick(9.0), [Action::Kill]);
}

#[test]
fn what_the_command_left_behind_is_stopped_and_its_own_end_stands() {
    let mut rig = Rig::holding(Settings {
        leftovers: Leftovers::Wait,
        ..settings()
    });
    assert_eq!(rig.step(1.0, Event::CommandExited(OK)), []);
    assert_eq!(rig.step(1.5, goes(4.0)), [stop(2.5)]);
    let own = Outcome::Completed(OK);
    assert_eq!(rig.step(2.0, Event::TreeEmpty), [Action::Release(own)]);
    assert_eq!(rig.step(2.1, goes(2.0)), [], "being given back already");
}

#[test]
fn a_process_that_was_there_before_is_told_to_end() {
    let mut rig = Rig::holding(Settings {
        guards: Guards::Process,
        ..settings()
    });
    assert_eq!(rig.step(1.0, goes(6.0)), [stop(5.0)]);
    assert_eq!(rig.step(2.0, Event::CommandExited(OK)), []);
    assert_eq!(rig.step(2.0, Event::TreeEmpty), [Action::Release(LEFT)]);
}

#[test]
fn nothing_is_claimed_before_the_machine_is_known_to_stay() {
    let mut rig = Rig::new(careful());
    assert_eq!(rig.step(0.0, Event::Begin), []);
    assert_eq!(rig.step(0.5, Event::Tick), []);
    assert_eq!(rig.step(0.9, Event::MachineStays), [ACQUIRE]);
    assert_eq!(rig.step(0.9, Event::MachineStays), [], "once");

    let mut rig = Rig::new(careful());
    assert_eq!(rig.step(0.0, Event::Begin), []);
    assert_eq!(rig.step(0.2, goes(9.0)), [Action::Finish(LEFT)]);
    assert_eq!(rig.step(0.3, Event::MachineStays), []);

    let mut rig = Rig::new(careful());
    assert_eq!(rig.step(0.0, Event::Begin), []);
    let interrupted = Outcome::Interrupted(15);
    assert_eq!(rig.step(0.2, sent(15)), [Action::Finish(interrupted)]);
}

#[test]
fn the_pause_between_two_runs_follows_the_word_that_it_stays() {
    let mut rig = Rig::new(Settings {
        pause_first: secs(2.0),
        wait: Wait::Forever,
        ..careful()
    });
    assert_eq!(rig.step(0.0, Event::Begin), []);
    assert_eq!(rig.step(0.5, Event::MachineStays), []);
    assert_eq!(rig.tick(2.0), [ACQUIRE]);
}

#[test]
fn whoever_waits_leaves_the_queue() {
    let mut rig = Rig::new(careful());
    assert_eq!(rig.step(0.0, Event::Begin), []);
    assert_eq!(rig.step(0.1, Event::MachineStays), [ACQUIRE]);
    let held = Event::Refused {
        why: RefusedWhy::Held,
        look_again: None,
    };
    assert_eq!(rig.step(0.2, held).len(), 1);
    let gone = [Action::Withdraw, Action::Finish(LEFT)];
    assert_eq!(rig.step(7.0, goes(30.0)), gone);
}
