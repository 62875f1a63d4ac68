//! The promises of stores on the leases of a service: it ends them by its own clock, tells nothing unasked, and
//! renews what nobody else took.

use std::time::Duration;

use leasectl::lease::{
    Ask, Asked, Asker, HoldEvent, LeaseState, LostWhy, OutcomeWord, Release, Renewal, Revoked,
};

use super::stores::{Bench, claim, claim_held_for, completed, granted, refused};

const SECOND: Duration = Duration::from_secs(1);

fn asker() -> Asker {
    Asker {
        by: "alice@desk".to_owned(),
        reason: Some("moving \u{1b}[31mthe disk".to_owned()),
    }
}

pub(super) async fn a_repeated_claim_restarts_the_expiry_and_keeps_its_token(bench: Bench) {
    let asked = claim("a");
    let first = granted(&bench.one, &asked).await;
    bench.pass(20 * SECOND);
    assert_eq!(granted(&bench.one, &asked).await.token, first.token);
    bench.pass(20 * SECOND);
    refused(&bench.two, &claim("a")).await;
    bench.pass(10 * SECOND);
    // Nobody was in between, and the service proves it.
    assert_eq!(granted(&bench.one, &asked).await.token, first.token);
    bench.pass(30 * SECOND);
    let next = granted(&bench.two, &claim("a")).await;
    assert!(next.token > first.token);
}

pub(super) async fn an_expired_hold_is_renewed_only_if_nobody_took_it(bench: Bench) {
    let hold = granted(&bench.one, &claim("a")).await;
    bench.pass(30 * SECOND);
    let extended = Renewal::EXTENDED;
    assert_eq!(bench.one.renew(&hold).await.unwrap(), extended);
    refused(&bench.two, &claim("a")).await;
    bench.pass(30 * SECOND);
    let next = granted(&bench.two, &claim("a")).await;
    let lost = Renewal::lost(LostWhy::Taken);
    assert_eq!(bench.one.renew(&hold).await.unwrap(), lost);
    // The service may renew the lease of somebody else for whoever asks, once it has expired: that is a loss too.
    bench.pass(30 * SECOND);
    assert_eq!(bench.one.renew(&hold).await.unwrap(), lost);
    assert_eq!(
        bench.one.release(&hold, &completed()).await.unwrap(),
        Release::AlreadyOver
    );
    assert_eq!(bench.two.renew(&next).await.unwrap(), extended);
}

pub(super) async fn a_request_reaches_the_holder_with_its_renewal(bench: Bench) {
    let hold = granted(&bench.one, &claim("a")).await;
    let extended = Renewal::EXTENDED;
    assert_eq!(bench.one.renew(&hold).await.unwrap(), extended);
    let asked = bench
        .two
        .ask(&hold.name, Ask::Stop, &asker())
        .await
        .unwrap();
    assert_eq!(asked, Asked::Told(hold.token));
    // It is told again to whoever asks again.
    for _ in 0..2 {
        let Renewal::Extended {
            asked: Some(request),
            ..
        } = bench.one.renew(&hold).await.unwrap()
        else {
            panic!("not asked");
        };
        assert_eq!(request.asker, asker());
        let seen = bench.two.observe(&hold.name).await.unwrap();
        assert_eq!(seen.stop_request, Some(request));
    }
    refused(&bench.two, &claim("a")).await;
}

pub(super) async fn a_request_made_before_is_told_at_once(bench: Bench) {
    let hold = granted(&bench.one, &claim("a")).await;
    let asked = bench
        .two
        .ask(&hold.name, Ask::Stop, &asker())
        .await
        .unwrap();
    assert_eq!(asked, Asked::Told(hold.token));
    let HoldEvent::StopAsked(request) = bench.one.hold_event(&hold).await.unwrap() else {
        panic!("not asked");
    };
    assert_eq!(request.asker, asker());
}

pub(super) async fn a_lease_that_is_taken_away_is_lost_with_the_next_renewal(bench: Bench) {
    let hold = granted(&bench.one, &claim_held_for("a", 60)).await;
    let revoked = bench
        .two
        .revoke(&hold.name, hold.token, &asker())
        .await
        .unwrap();
    assert!(matches!(revoked, Revoked::Revoked { .. }), "{revoked:?}");
    let renewed = bench.one.renew(&hold).await.unwrap();
    assert_eq!(renewed.untimed(), Renewal::lost(LostWhy::Broken));
    let released = bench.one.release(&hold, &completed()).await.unwrap();
    assert_eq!(released, Release::AlreadyOver);
    let seen = bench.two.observe(&hold.name).await.unwrap();
    assert_eq!(seen.state, LeaseState::Free);
    let ended = seen.record.unwrap().ended.unwrap();
    assert_eq!(ended.outcome, OutcomeWord::Operator);
    assert_eq!((ended.by, ended.reason), (Some(asker().by), asker().reason));
    let next = granted(&bench.two, &claim("a")).await;
    assert!(next.token > hold.token);
    let record = bench.one.observe(&hold.name).await.unwrap().record.unwrap();
    assert_eq!(record.last_run.unwrap().outcome, OutcomeWord::Operator);
    let renewed = bench.one.renew(&hold).await.unwrap();
    assert_eq!(renewed.untimed(), Renewal::lost(LostWhy::Taken));
}
