//! The promises of stores that end a silent hold by their own clock.

use std::time::Duration;

use leasectl::lease::{LeaseState, LostWhy, Release, Renewal};

use super::stores::{Bench, claim, completed, granted, refused};

const SECOND: Duration = Duration::from_secs(1);

pub(super) async fn a_silent_hold_expires(bench: Bench) {
    let first = granted(&bench.one, &claim("a")).await;
    bench.pass(30 * SECOND - bench.moment);
    refused(&bench.two, &claim("a")).await;
    bench.pass(bench.moment);
    assert_eq!(
        bench.two.observe(&first.name).await.unwrap().state,
        LeaseState::Free
    );
    let second = granted(&bench.two, &claim("a")).await;
    assert!(second.token > first.token);
}

pub(super) async fn a_repeated_claim_restarts_the_expiry(bench: Bench) {
    let asked = claim("a");
    let first = granted(&bench.one, &asked).await;
    bench.pass(20 * SECOND);
    assert_eq!(granted(&bench.one, &asked).await.token, first.token);
    bench.pass(20 * SECOND);
    let refusal = refused(&bench.two, &claim("a")).await;
    let rest = refusal.look_again.unwrap();
    assert!(rest.abs_diff(10 * SECOND) < bench.moment, "{rest:?}");
    bench.pass(10 * SECOND);
    assert!(
        granted(&bench.one, &asked).await.token > first.token,
        "a new grant"
    );
}

pub(super) async fn an_expired_hold_cannot_be_renewed_or_released(bench: Bench) {
    let hold = granted(&bench.one, &claim("a")).await;
    bench.pass(30 * SECOND);
    assert_eq!(
        bench.one.renew(&hold).await.unwrap().untimed(),
        Renewal::lost(LostWhy::Expired)
    );
    let next = granted(&bench.two, &claim("a")).await;
    assert_eq!(
        bench.one.renew(&hold).await.unwrap().untimed(),
        Renewal::lost(LostWhy::Taken)
    );
    assert_eq!(
        bench.one.release(&hold, &completed()).await.unwrap(),
        Release::AlreadyOver
    );
    assert_eq!(
        bench.two.renew(&next).await.unwrap().untimed(),
        Renewal::EXTENDED
    );
}
