//! Requests that are answered late, not at all, carried out twice or long after their client gave up, between
//! leasectl's store and an Azurite: doubt, and never a second hold.

use std::time::Duration;

use leasectl::lease::{Attempt, LostWhy, RefusedWhy, Release, Renewal};
use libtest_mimic::Trial;

use super::{Store, granted, run, store};
use crate::conformance::doubt::{self, Pair, assert_unknown};
use crate::conformance::stores::{claim, completed};
use crate::support::azurite::Azurite;
use crate::support::spoiler::{Fault, Spoiler};

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        an_unheard_take_is_found_again,
        an_unheard_grant_is_found_again,
        an_unheard_grant_can_be_withdrawn,
        a_grant_that_arrives_twice_is_one_hold,
        a_late_copy_of_a_take_takes_nothing,
        an_unheard_renewal_has_extended,
        a_renewal_that_arrives_twice_extends,
        a_late_copy_of_a_renewal_revives_nothing,
        an_unheard_release_has_released,
        a_release_that_arrives_twice_releases,
        a_late_copy_of_a_release_spares_the_next_hold,
        a_renewal_that_is_held_back_is_doubt,
    ]
}

/// By these words a request is known.
const TAKE: [&str; 1] = ["x-ms-lease-action: acquire"];
const WRITE: [&str; 2] = ["comp=metadata", "x-ms-lease-id"];
const RENEW: [&str; 1] = ["x-ms-lease-action: renew"];
const RELEASE: [&str; 1] = ["x-ms-lease-action: release"];
const OPTIONS: &str = "restart-guard=off&poll=200ms";

/// A server, a way to it that can fail, and one that cannot.
struct Ways {
    _server: Azurite,
    spoiler: Spoiler,
    shaky: Store,
    sure: Store,
}

impl Ways {
    /// With a blob that has a token already, so that no new name is in the way.
    async fn new() -> Self {
        let server = Azurite::in_memory();
        let spoiler = Spoiler::to(server.port());
        let ways = Self {
            shaky: store(&server.url_by(spoiler.port(), OPTIONS)),
            sure: store(&server.url(OPTIONS)),
            spoiler,
            _server: server,
        };
        let hold = granted(&ways.shaky, &claim("a")).await;
        let _released = ways.shaky.release(&hold, &completed()).await.unwrap();
        ways
    }

    fn both(&self) -> Pair<'_> {
        (&self.shaky, &self.sure)
    }

    async fn is_held(&self) -> bool {
        match self.sure.try_acquire(&claim("a")).await.unwrap() {
            Attempt::Refused(refusal) => refusal.why == RefusedWhy::Held,
            Attempt::Granted(hold) => {
                let _released = self.sure.release(&hold, &completed()).await.unwrap();
                false
            }
        }
    }
}

async fn found_again(words: &[&'static str]) {
    let ways = Ways::new().await;
    let mut asked = claim("a");
    ways.spoiler.spoil(words, Fault::Unheard);
    assert_unknown(ways.shaky.try_acquire(&asked).await);
    assert!(ways.is_held().await, "it was granted");
    asked.unanswered = true;
    let hold = granted(&ways.shaky, &asked).await;
    let seen = ways.sure.observe(&hold.name).await.unwrap();
    assert_eq!(seen.record.unwrap().token, hold.token);
    ways.spoiler.heal();
}

fn an_unheard_take_is_found_again() {
    run(found_again(&TAKE));
}

fn an_unheard_grant_is_found_again() {
    run(found_again(&WRITE));
}

fn an_unheard_grant_can_be_withdrawn() {
    run(async {
        let ways = Ways::new().await;
        let asked = claim("a");
        ways.spoiler.spoil(&WRITE, Fault::Unheard);
        assert_unknown(ways.shaky.try_acquire(&asked).await);
        ways.shaky.withdraw(&asked).await.unwrap();
        assert!(!ways.is_held().await);
    });
}

fn a_grant_that_arrives_twice_is_one_hold() {
    run(async {
        let ways = Ways::new().await;
        ways.spoiler.spoil(&TAKE, Fault::Twice(Duration::ZERO));
        ways.spoiler.spoil(&WRITE, Fault::Twice(Duration::ZERO));
        let hold = granted(&ways.shaky, &claim("a")).await;
        ways.spoiler.heal();
        assert!(ways.is_held().await);
        let seen = ways.sure.observe(&hold.name).await.unwrap();
        assert_eq!(seen.record.unwrap().token, hold.token);
        let released = ways.shaky.release(&hold, &completed()).await.unwrap();
        assert_eq!(released, Release::Released);
        assert!(!ways.is_held().await);
    });
}

/// How late a copy comes. Both looks at what it did are after that.
const LATER: Duration = Duration::from_millis(500);

async fn the_copy_has_come() {
    tokio::time::sleep(LATER * 3).await;
}

fn a_late_copy_of_a_take_takes_nothing() {
    run(async {
        let ways = Ways::new().await;
        ways.spoiler.spoil(&TAKE, Fault::Twice(LATER));
        let hold = granted(&ways.shaky, &claim("a")).await;
        let _released = ways.shaky.release(&hold, &completed()).await.unwrap();
        the_copy_has_come().await;
        assert!(!ways.is_held().await);
    });
}

fn an_unheard_renewal_has_extended() {
    run(async {
        let ways = Ways::new().await;
        let hold = granted(&ways.shaky, &claim("a")).await;
        ways.spoiler.spoil(&RENEW, Fault::Unheard);
        assert_unknown(ways.shaky.renew(&hold).await);
        let renewed = ways.shaky.renew(&hold).await.unwrap();
        assert_eq!(renewed.untimed(), Renewal::EXTENDED);
    });
}

fn a_renewal_that_arrives_twice_extends() {
    run(async {
        let ways = Ways::new().await;
        let hold = granted(&ways.shaky, &claim("a")).await;
        ways.spoiler.spoil(&RENEW, Fault::Twice(Duration::ZERO));
        let renewed = ways.shaky.renew(&hold).await.unwrap();
        assert_eq!(renewed.untimed(), Renewal::EXTENDED);
        ways.spoiler.heal();
    });
}

fn a_late_copy_of_a_renewal_revives_nothing() {
    run(async {
        let ways = Ways::new().await;
        let hold = granted(&ways.shaky, &claim("a")).await;
        ways.spoiler.spoil(&RENEW, Fault::Twice(LATER));
        assert!(ways.shaky.renew(&hold).await.is_ok());
        let _released = ways.shaky.release(&hold, &completed()).await.unwrap();
        let next = granted(&ways.sure, &claim("a")).await;
        the_copy_has_come().await;
        let lost = ways.shaky.renew(&hold).await.unwrap();
        assert_eq!(lost, Renewal::lost(LostWhy::Taken));
        let renewed = ways.sure.renew(&next).await.unwrap();
        assert_eq!(renewed.untimed(), Renewal::EXTENDED);
    });
}

fn an_unheard_release_has_released() {
    run(async {
        let ways = Ways::new().await;
        let spoil = || ways.spoiler.spoil(&RELEASE, Fault::Unheard);
        doubt::an_unheard_release_has_released(ways.both(), spoil).await;
    });
}

fn a_release_that_arrives_twice_releases() {
    run(async {
        let ways = Ways::new().await;
        let hold = granted(&ways.shaky, &claim("a")).await;
        ways.spoiler.spoil(&WRITE, Fault::Twice(Duration::ZERO));
        ways.spoiler.spoil(&RELEASE, Fault::Twice(Duration::ZERO));
        let released = ways.shaky.release(&hold, &completed()).await.unwrap();
        assert_eq!(released, Release::Released);
        ways.spoiler.heal();
        assert!(!ways.is_held().await);
    });
}

fn a_late_copy_of_a_release_spares_the_next_hold() {
    run(async {
        let ways = Ways::new().await;
        let spoil = || {
            ways.spoiler.spoil(&WRITE, Fault::Twice(LATER));
            ways.spoiler.spoil(&RELEASE, Fault::Twice(LATER));
        };
        let comes = the_copy_has_come();
        doubt::a_late_copy_of_a_release_spares_the_next_hold(ways.both(), spoil, comes).await;
    });
}

/// Whoever renews gives up long before it arrives, and it does nothing to the next one.
fn a_renewal_that_is_held_back_is_doubt() {
    run(async {
        let ways = Ways::new().await;
        let hold = granted(&ways.shaky, &claim("a")).await;
        ways.spoiler.spoil(&RENEW, Fault::HeldBack(LATER));
        let limited = tokio::time::timeout(LATER / 2, ways.shaky.renew(&hold)).await;
        assert!(limited.is_err(), "{limited:?}");
        let renewed = ways.shaky.renew(&hold).await.unwrap();
        assert_eq!(renewed.untimed(), Renewal::EXTENDED);
        the_copy_has_come().await;
        let released = ways.shaky.release(&hold, &completed()).await.unwrap();
        assert_eq!(released, Release::Released);
        assert!(!ways.is_held().await);
    });
}
