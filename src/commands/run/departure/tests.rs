//! Two clocks turned by hand, and what is announced.

use super::*;

fn wall(seconds: u64) -> WallTime {
    WallTime::from_unix_millis(1_772_330_400_000 + seconds * 1_000)
}

fn at(seconds: u64) -> Instant {
    Instant::from_nanos(1_000_000_000_000) + Duration::from_secs(seconds)
}

fn event(id: &str, event_type: &str, not_before: Option<u64>) -> Notice {
    Notice {
        id: id.to_owned(),
        event_type: event_type.to_owned(),
        status: "Scheduled".to_owned(),
        not_before: not_before.map(wall),
        duration_s: -1,
        resources: vec!["web_0".to_owned()],
        source: String::new(),
        description: String::new(),
        ours: true,
    }
}

fn update(change: Change, notice: Notice) -> Update {
    Update {
        change,
        notice,
        before: None,
        incarnation: Some(7),
    }
}

fn appeared(id: &str, not_before: Option<u64>) -> Update {
    update(Change::Appeared, event(id, "Preempt", not_before))
}

fn departure(types: Option<&[&str]>) -> Departure {
    let types = types.map(|types| types.iter().map(|one| (*one).to_owned()).collect());
    let mut departure = Departure::new(Some(Reasons {
        types,
        notice: Duration::from_secs(900),
        min_duration: Duration::ZERO,
    }));
    departure.begins(at(0));
    departure
}

/// One that has been told that the machine stays.
fn staying() -> Departure {
    let mut departure = departure(None);
    assert_eq!(departure.hear(Vec::new(), at(0)), []);
    let stays = Verdict::Stays { unheard: false };
    assert_eq!(look(&mut departure, 0), stays);
    departure
}

fn look(departure: &mut Departure, seconds: u64) -> Verdict {
    departure.look(at(seconds), wall(seconds), true)
}

const fn goes(kill_by: Instant) -> Verdict {
    Verdict::Goes { kill_by }
}

#[test]
fn without_the_option_nothing_is_ever_looked_at() {
    let mut departure = Departure::new(None);
    departure.begins(at(0));
    assert_eq!(departure.wake_at(), Instant::NEVER);
    assert_eq!(look(&mut departure, 5), Verdict::Nothing);
}

#[test]
fn a_first_answer_is_waited_for_a_second_long() {
    let mut departure = departure(None);
    assert_eq!(departure.wake_at(), at(0));
    assert_eq!(departure.look(at(0), wall(0), false), Verdict::Nothing);
    assert_eq!(departure.wake_at(), at(1));
    let unheard = Verdict::Stays { unheard: true };
    assert_eq!(departure.look(at(1), wall(1), false), unheard);
    assert_eq!(departure.wake_at(), Instant::NEVER, "nothing is known");
    // It goes on being asked.
    departure.hear(vec![appeared("a", Some(40))], at(9));
    assert_eq!(departure.wake_at(), at(9));
    assert_eq!(look(&mut departure, 9), goes(at(35)));
}

#[test]
fn what_is_announced_already_keeps_the_lease_from_being_claimed() {
    let mut departure = departure(None);
    departure.hear(vec![appeared("a", Some(30))], at(0));
    assert_eq!(look(&mut departure, 0), goes(at(25)));
    assert_eq!(departure.cause().unwrap().id, "a");
}

#[test]
fn an_event_is_acted_on_when_it_comes_within_notice_of_the_wall_clock() {
    let mut departure = staying();
    let updates = departure.hear(vec![appeared("a", Some(2_000))], at(1));
    assert_eq!(updates.len(), 1);
    assert!(departure.is_ahead(&updates[0].notice, wall(1)));
    assert_eq!(look(&mut departure, 1), Verdict::Nothing);
    assert_eq!(departure.wake_at(), at(2), "each second");
    assert_eq!(look(&mut departure, 1_099), Verdict::Nothing);
    assert_eq!(look(&mut departure, 1_100), goes(at(1_995)));
    // The wall clock is set forward, the boot clock is not.
    let mut departure = staying();
    departure.hear(vec![appeared("a", Some(2_000))], at(1));
    let verdict = departure.look(at(2), wall(1_500), true);
    assert_eq!(verdict, goes(at(2 + 495)));
}

#[test]
fn sigkill_comes_five_seconds_before_and_five_seconds_after_the_sight_of_what_has_no_date() {
    for (not_before, started, kill_by) in [
        (Some(130), false, at(225)),
        (Some(106), false, at(201)),
        (Some(104), false, at(200)),
        (Some(100), false, at(205)),
        (Some(50), false, at(205)),
        (None, false, at(205)),
        (Some(130), true, at(205)),
    ] {
        let mut notice = event("a", "Reboot", not_before);
        if started {
            notice.status = "started".to_owned();
        }
        assert_eq!(super::kill_by(&notice, wall(100), at(200)), kill_by);
    }
}

#[test]
fn only_what_brings_sigkill_forward_is_told_again() {
    let mut departure = staying();
    departure.hear(vec![appeared("a", None)], at(10));
    assert_eq!(look(&mut departure, 10), goes(at(15)));
    assert_eq!(look(&mut departure, 11), Verdict::Nothing, "not later");
    departure.hear(vec![appeared("b", Some(18))], at(12));
    assert_eq!(look(&mut departure, 12), goes(at(13)));
    assert_eq!(departure.cause().unwrap().id, "b");
    // Leaving is not undone.
    let gone = ["a", "b"].map(|id| update(Change::Gone, event(id, "Preempt", None)));
    departure.hear(gone.to_vec(), at(12));
    assert_eq!(look(&mut departure, 12), Verdict::Nothing);
}

#[test]
fn other_types_and_other_machines_are_no_reason() {
    let mut departure = departure(Some(&["reboot", "preempt"]));
    let theirs = Notice {
        ours: false,
        ..event("a", "Preempt", None)
    };
    let freeze = event("b", "Freeze", None);
    let both = [theirs, freeze].map(|one| update(Change::Appeared, one));
    let told = departure.hear(both.to_vec(), at(0));
    assert_eq!(told.len(), 2, "they are told all the same");
    assert!(!departure.is_ahead(&told[0].notice, wall(0)));
    let stays = Verdict::Stays { unheard: false };
    assert_eq!(look(&mut departure, 0), stays);
    departure.hear(
        vec![update(Change::Appeared, event("c", "REBOOT", None))],
        at(1),
    );
    assert_eq!(look(&mut departure, 1), goes(at(6)));
}

#[test]
fn a_standby_stands_aside_until_the_event_is_gone() {
    let mut departure = staying();
    departure.hear(vec![appeared("a", Some(30))], at(1));
    assert_eq!(look(&mut departure, 1), goes(at(25)));
    departure.begins(at(10));
    // The next run's source tells all that there is; people were told before.
    assert_eq!(departure.hear(vec![appeared("a", Some(30))], at(11)), []);
    for seconds in [11, 12, 3_600] {
        assert_eq!(look(&mut departure, seconds), Verdict::Nothing);
    }
    let gone = departure.hear(
        vec![update(Change::Gone, event("a", "Preempt", None))],
        at(3_601),
    );
    assert_eq!(gone.len(), 1);
    let stays = Verdict::Stays { unheard: false };
    assert_eq!(look(&mut departure, 3_601), stays);
    assert_eq!(departure.cause(), None);
}

#[test]
fn what_went_away_between_two_runs_is_told() {
    let mut departure = staying();
    departure.hear(vec![appeared("a", Some(30))], at(1));
    assert_eq!(look(&mut departure, 1), goes(at(25)));
    departure.begins(at(10));
    let told = departure.hear(Vec::new(), at(11));
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].change, Change::Gone);
    assert_eq!(look(&mut departure, 11), Verdict::Stays { unheard: false });
}

#[test]
fn without_answers_it_stands_aside_for_half_an_hour() {
    for not_before in [Some(30), None] {
        let mut departure = staying();
        departure.hear(vec![appeared("a", not_before)], at(1));
        assert_ne!(look(&mut departure, 1), Verdict::Nothing);
        departure.begins(at(10));
        for seconds in [10, 11, 1_800] {
            let verdict = departure.look(at(seconds), wall(seconds), false);
            assert_eq!(verdict, Verdict::Nothing, "{seconds}");
        }
        let verdict = departure.look(at(1_830), wall(1_830), false);
        assert_eq!(verdict, Verdict::Stays { unheard: true });
    }
}
