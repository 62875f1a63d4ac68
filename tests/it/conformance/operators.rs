//! The promises to operators, each as a function of a fresh store.

use std::time::{Duration, Instant};

use leasectl::lease::{
    Ask, Asked, Asker, Attempt, FencingToken, Hold, HoldEvent, LeaseState, LostWhy, OutcomeWord,
    Refusal, RefusedWhy, Release, Renewal, Revoked,
};

use super::stores::{
    Bench, claim, claim_held_for, completed, ending, granted, refused, wait_it_out,
};

const MINUTE: Duration = Duration::from_secs(60);
/// "At once", on a machine that is drowning in other work.
const SOON: Duration = Duration::from_secs(20);

fn asker() -> Asker {
    Asker {
        by: "alice@desk".to_owned(),
        reason: Some("moving \u{1b}[31mthe disk".to_owned()),
    }
}

/// Asks through the second connection.
async fn ask(bench: &Bench, what: Ask) -> Asked {
    let name = claim("a").name;
    bench.two.ask(&name, what, &asker()).await.unwrap()
}

const fn pause(lasts: Option<Duration>) -> Ask {
    Ask::Pause { lasts }
}

async fn give_back(bench: &Bench, hold: &Hold) {
    let released = bench.one.release(hold, &completed()).await.unwrap();
    assert_eq!(released, Release::Released);
}

async fn is_refused(bench: &Bench, why: RefusedWhy) -> Refusal {
    let refusal = refused(&bench.one, &claim("a")).await;
    assert_eq!(refusal.why, why);
    refusal
}

pub(super) async fn every_lease_is_listed_once_by_name(bench: Bench) {
    let long = "l".repeat(512);
    for name in ["b/2", "b/1", "Ä \u{1f600}", &long, "c"] {
        granted(&bench.one, &claim(name)).await;
    }
    let ended = granted(&bench.one, &claim("ended")).await;
    give_back(&bench, &ended).await;
    let shut = claim("shut").name;
    let paused = bench.two.ask(&shut, pause(None), &asker()).await.unwrap();
    assert_eq!(paused, Asked::Done);
    let untouched = claim("untouched").name;
    assert_eq!(
        bench.two.observe(&untouched).await.unwrap().state,
        LeaseState::Free
    );
    let listed = async |prefix| {
        let seen = bench.two.list(prefix).await.unwrap();
        let seen = seen.into_iter();
        seen.map(|seen| (seen.name.as_str().to_owned(), seen.state))
            .collect::<Vec<_>>()
    };
    let of = |name: &str, state| (name.to_owned(), state);
    let all = [
        of("b/1", LeaseState::Held),
        of("b/2", LeaseState::Held),
        of("c", LeaseState::Held),
        of("ended", LeaseState::Free),
        of(&long, LeaseState::Held),
        of("shut", LeaseState::Paused),
        of("Ä \u{1f600}", LeaseState::Held),
    ];
    assert_eq!(listed("").await, all);
    assert_eq!(listed("b/").await, all[..2]);
    assert_eq!(listed("nothing").await, []);
}

pub(super) async fn a_pause_keeps_everyone_out_and_leaves_the_holder_alone(bench: Bench) {
    let hold = granted(&bench.one, &claim("a")).await;
    assert_eq!(ask(&bench, pause(None)).await, Asked::Done);
    let seen = bench.one.observe(&hold.name).await.unwrap();
    assert_eq!(seen.state, LeaseState::Held);
    let paused = seen.paused.unwrap();
    assert_eq!((paused.asker, paused.until_at), (asker(), None));
    let renewed = bench.one.renew(&hold).await.unwrap();
    assert_eq!(renewed.untimed(), Renewal::EXTENDED);
    give_back(&bench, &hold).await;
    let seen = bench.one.observe(&hold.name).await.unwrap();
    assert_eq!(seen.state, LeaseState::Paused);
    let refusal = is_refused(&bench, RefusedWhy::Paused).await;
    assert_eq!(
        refusal.look_again.filter(|rest| *rest < 10_000 * MINUTE),
        None
    );
    assert_eq!(refusal.by.paused.unwrap().asker, asker());
    bench.pass(10_000 * MINUTE);
    is_refused(&bench, RefusedWhy::Paused).await;
    assert_eq!(ask(&bench, Ask::Resume).await, Asked::Done);
    granted(&bench.one, &claim("a")).await;
}

pub(super) async fn a_pause_ends_by_itself_and_is_replaced_by_the_next(bench: Bench) {
    assert_eq!(ask(&bench, pause(None)).await, Asked::Done);
    assert_eq!(ask(&bench, pause(Some(MINUTE))).await, Asked::Done);
    let refusal = is_refused(&bench, RefusedWhy::Paused).await;
    let rest = refusal.look_again.unwrap();
    assert!(rest.abs_diff(MINUTE) < bench.moment, "{rest:?}");
    assert!(refusal.by.paused.unwrap().until_at.is_some());
    bench.pass(MINUTE - bench.moment);
    is_refused(&bench, RefusedWhy::Paused).await;
    bench.pass(bench.moment);
    let name = claim("a").name;
    let seen = bench.two.observe(&name).await.unwrap();
    assert_eq!((seen.state, seen.paused), (LeaseState::Free, None));
    granted(&bench.one, &claim("a")).await;
}

pub(super) async fn a_waiter_is_told_of_the_end_of_a_pause(bench: Bench) {
    assert_eq!(ask(&bench, pause(None)).await, Asked::Done);
    let asked = claim("a");
    let started = Instant::now();
    let waiter = async {
        loop {
            match bench.one.try_acquire(&asked).await.unwrap() {
                Attempt::Granted(_) => return,
                Attempt::Refused(refusal) if refusal.why.is_bounded() => wait_it_out(&refusal),
                Attempt::Refused(mut refusal) => {
                    let turn = bench.one.wait_for_turn(&asked, &mut refusal.place, MINUTE);
                    turn.await.unwrap();
                }
            }
        }
    };
    let resume = async {
        // Now it sleeps, or soon; whichever it is must make no difference.
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(ask(&bench, Ask::Resume).await, Asked::Done);
    };
    tokio::join!(waiter, resume);
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
}

pub(super) async fn an_operator_ends_a_minimum_hold_and_only_that_one(bench: Bench) {
    let hold = granted(&bench.one, &claim_held_for("a", 60)).await;
    give_back(&bench, &hold).await;
    is_refused(&bench, RefusedWhy::Cooldown).await;
    assert_eq!(ask(&bench, Ask::Resume).await, Asked::Done);
    let seen = bench.two.observe(&hold.name).await.unwrap();
    assert_eq!((seen.state, seen.cooldown_until), (LeaseState::Free, None));
    assert_eq!(ask(&bench, Ask::Resume).await, Asked::AlreadySo);
    let next = granted(&bench.one, &claim_held_for("a", 60)).await;
    give_back(&bench, &next).await;
    is_refused(&bench, RefusedWhy::Cooldown).await;
}

pub(super) async fn a_minimum_hold_ended_under_its_holder_stays_ended(bench: Bench) {
    let hold = granted(&bench.one, &claim_held_for("a", 60)).await;
    assert_eq!(ask(&bench, Ask::Resume).await, Asked::Done);
    refused(&bench.two, &claim("a")).await;
    give_back(&bench, &hold).await;
    granted(&bench.one, &claim("a")).await;
}

pub(super) async fn a_request_reaches_the_holder_unasked_and_with_its_renewal(bench: Bench) {
    let hold = granted(&bench.one, &claim("a")).await;
    let started = Instant::now();
    let request = async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        ask(&bench, Ask::Stop).await
    };
    let (event, asked) = tokio::join!(bench.one.hold_event(&hold), request);
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    assert_eq!(asked, Asked::Told(hold.token));
    let HoldEvent::StopAsked(request) = event.unwrap() else {
        panic!("not asked")
    };
    assert_eq!(request.asker, asker());
    // It is told again to whoever asks again.
    let again = bench.one.hold_event(&hold).await.unwrap();
    assert_eq!(again, HoldEvent::StopAsked(request.clone()));
    let renewed = bench.one.renew(&hold).await.unwrap();
    let asked = Some(request.clone());
    let server_time = None;
    assert_eq!(renewed.untimed(), Renewal::Extended { server_time, asked });
    let seen = bench.two.observe(&hold.name).await.unwrap();
    assert_eq!(seen.stop_request, Some(request));
    refused(&bench.two, &claim("a")).await;
}

pub(super) async fn a_request_is_for_the_hold_of_its_moment(bench: Bench) {
    assert_eq!(ask(&bench, Ask::Stop).await, Asked::AlreadySo);
    let hold = granted(&bench.one, &claim("a")).await;
    assert_eq!(ask(&bench, Ask::Stop).await, Asked::Told(hold.token));
    let mut handed_over = ending(OutcomeWord::Operator);
    (handed_over.by, handed_over.reason) = (Some(asker().by), asker().reason);
    let released = bench.one.release(&hold, &handed_over).await.unwrap();
    assert_eq!(released, Release::Released);
    let seen = bench.two.observe(&hold.name).await.unwrap();
    let ended = seen.record.unwrap().ended.unwrap();
    assert_eq!((ended.by, ended.reason), (Some(asker().by), asker().reason));
    let next = granted(&bench.one, &claim("a")).await;
    let renewed = bench.one.renew(&next).await.unwrap();
    assert_eq!(renewed.untimed(), Renewal::EXTENDED);
    let event = bench.one.hold_event(&next);
    let event = tokio::time::timeout(Duration::from_millis(20), event).await;
    assert!(event.is_err(), "{event:?}");
    let seen = bench.two.observe(&hold.name).await.unwrap();
    assert_eq!(seen.stop_request, None);
}

pub(super) async fn nothing_is_taken_from_a_hold_with_another_token(bench: Bench) {
    let revoke = async |token| {
        let name = claim("a").name;
        bench.two.revoke(&name, token, &asker()).await.unwrap()
    };
    let of = |number| FencingToken::new(number).unwrap();
    assert_eq!(revoke(of(1)).await, Revoked::NotHeld);
    let first = granted(&bench.one, &claim("a")).await;
    give_back(&bench, &first).await;
    let hold = granted(&bench.one, &claim("a")).await;
    for other in [first.token, of(hold.token.get() + 1)] {
        assert_eq!(revoke(other).await, Revoked::NotHeld);
    }
    let renewed = bench.one.renew(&hold).await.unwrap();
    assert_eq!(renewed.untimed(), Renewal::EXTENDED);
}

pub(super) async fn a_lease_that_is_taken_away_is_lost_and_the_record_tells(bench: Bench) {
    let hold = granted(&bench.one, &claim_held_for("a", 60)).await;
    let revoke = async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        bench.two.revoke(&hold.name, hold.token, &asker()).await
    };
    let (event, revoked) = tokio::join!(bench.one.hold_event(&hold), revoke);
    assert!(
        matches!(revoked, Ok(Revoked::Revoked { .. })),
        "{revoked:?}"
    );
    assert_eq!(event.unwrap(), HoldEvent::Lost(LostWhy::Broken));
    let renewed = bench.one.renew(&hold).await.unwrap();
    assert_eq!(renewed.untimed(), Renewal::lost(LostWhy::Broken));
    let released = bench.one.release(&hold, &completed()).await.unwrap();
    assert_eq!(released, Release::AlreadyOver);
    let seen = bench.two.observe(&hold.name).await.unwrap();
    let ended = seen.record.unwrap().ended.unwrap();
    assert_eq!(ended.outcome, OutcomeWord::Operator);
    assert_eq!((ended.by, ended.reason), (Some(asker().by), asker().reason));
    let next = granted(&bench.two, &claim("a")).await;
    assert!(next.token > hold.token);
    let renewed = bench.one.renew(&hold).await.unwrap();
    assert_eq!(renewed.untimed(), Renewal::lost(LostWhy::Broken));
}
