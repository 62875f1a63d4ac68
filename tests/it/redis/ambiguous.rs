//! Answers that do not arrive although the server has carried the request out, and requests that it carries out
//! twice or late: doubt, and never a second hold.

use std::sync::Arc;
use std::time::Duration;

use leasectl::clock::BootClock;
use leasectl::keeper::Keeper;
use leasectl::lease::{Attempt, Claim, LeaseStore, RefusedWhy, Release, Renewal};
use libtest_mimic::Trial;

use super::{claim_for, client, run};
use crate::conformance::doubt::{self, Pair, assert_unknown};
use crate::conformance::stores::{claim, completed, granted, refused};
use crate::support::proxy::Proxy;
use crate::support::redis::RedisServer;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        an_acquisition_whose_answer_is_lost_is_found_again,
        an_acquisition_whose_answer_is_lost_can_be_withdrawn,
        a_renewal_whose_answer_is_lost_has_extended,
        a_release_whose_answer_is_lost_has_released,
        a_late_answer_is_not_taken_for_that_to_the_next_request,
        a_late_answer_to_a_waiter_grants_nothing,
        an_acquisition_that_arrives_twice_is_one_hold,
        a_renewal_that_arrives_twice_extends,
        a_release_that_arrives_twice_releases,
        a_late_copy_of_an_acquisition_takes_nothing,
        a_late_copy_of_an_acquisition_keeps_a_free_lease_for_one_time_to_live,
        a_late_copy_of_a_renewal_revives_nothing,
        a_late_copy_of_a_release_spares_the_next_hold,
    ]
}

/// A server, a way to it that can fail, and one that cannot.
struct Ways {
    _server: RedisServer,
    proxy: Proxy,
    shaky: Arc<dyn LeaseStore>,
    sure: Arc<dyn LeaseStore>,
}

impl Ways {
    fn new() -> Self {
        let server = RedisServer::start(&[]);
        let proxy = Proxy::to(&server.socket());
        let shaky = format!(
            "redis+unix://{}?restart-guard=off",
            proxy.socket().display()
        );
        Self {
            shaky: client(&shaky),
            sure: client(&server.url("restart-guard=off")),
            proxy,
            _server: server,
        }
    }

    fn both(&self) -> Pair<'_> {
        (&self.shaky, &self.sure)
    }

    /// Makes the connection and the scripts known, so that the next answer is that to a script.
    async fn warm(&self) {
        let hold = granted(&self.shaky, &claim("warm")).await;
        assert!(matches!(
            self.shaky.renew(&hold).await,
            Ok(Renewal::Extended { .. })
        ));
        let released = self.shaky.release(&hold, &completed()).await.unwrap();
        assert_eq!(released, Release::Released);
        granted(&self.shaky, &claim("warm")).await;
    }

    /// Asks, and hears nothing although it is carried out.
    async fn unheard(&self, asked: &Claim) {
        self.proxy.cut_the_next_answer();
        assert_unknown(self.shaky.try_acquire(asked).await.map(drop));
        let by = refused(&self.sure, &claim("a")).await;
        assert_eq!(by.why, RefusedWhy::Held, "it was granted");
    }
}

fn an_acquisition_whose_answer_is_lost_is_found_again() {
    let ways = Ways::new();
    run(async {
        ways.warm().await;
        let mut asked = claim("a");
        ways.unheard(&asked).await;
        asked.unanswered = true;
        let hold = granted(&ways.shaky, &asked).await;
        let seen = ways.sure.observe(&hold.name).await.unwrap();
        assert_eq!(seen.record.unwrap().token, hold.token);
    });
}

fn an_acquisition_whose_answer_is_lost_can_be_withdrawn() {
    let ways = Ways::new();
    run(async {
        ways.warm().await;
        let asked = claim("a");
        ways.unheard(&asked).await;
        ways.shaky.withdraw(&asked).await.unwrap();
        granted(&ways.sure, &claim("a")).await;
    });
}

fn a_renewal_whose_answer_is_lost_has_extended() {
    let ways = Ways::new();
    run(async {
        ways.warm().await;
        let hold = granted(&ways.shaky, &claim("a")).await;
        ways.proxy.cut_the_next_answer();
        assert_unknown(ways.shaky.renew(&hold).await);
        let seen = ways.sure.observe(&hold.name).await.unwrap();
        assert_eq!(seen.record.unwrap().renewals, 1);
        let renewed = ways.shaky.renew(&hold).await.unwrap();
        assert_eq!(renewed.untimed(), Renewal::EXTENDED);
    });
}

fn a_release_whose_answer_is_lost_has_released() {
    let ways = Ways::new();
    run(async {
        ways.warm().await;
        let spoil = || ways.proxy.cut_the_next_answer();
        doubt::an_unheard_release_has_released(ways.both(), spoil).await;
    });
}

fn a_late_answer_is_not_taken_for_that_to_the_next_request() {
    let ways = Ways::new();
    run(async {
        ways.warm().await;
        let hold = granted(&ways.shaky, &claim("a")).await;
        let limit = Duration::from_millis(200);
        let keeper = Keeper::new(Arc::clone(&ways.shaky), Arc::new(BootClock), limit);
        ways.proxy.delay(Duration::from_millis(500));
        assert_unknown(keeper.renew(&hold).await);
        ways.proxy.delay(Duration::ZERO);
        // Over a new connection: it is lost, and "extended" is still on its way over the old one.
        let asker = leasectl::lease::Asker {
            by: "alice".to_owned(),
            reason: None,
        };
        let revoked = ways.sure.revoke(&hold.name, hold.token, &asker).await;
        assert!(matches!(
            revoked,
            Ok(leasectl::lease::Revoked::Revoked { .. })
        ));
        let renewed = ways.shaky.renew(&hold).await.unwrap();
        assert!(matches!(renewed, Renewal::Lost { .. }), "{renewed:?}");
    });
}

fn a_late_answer_to_a_waiter_grants_nothing() {
    let ways = Ways::new();
    run(async {
        ways.warm().await;
        let hold = granted(&ways.sure, &claim("a")).await;
        let asked = claim("a");
        let mut place = refused(&ways.shaky, &asked).await.place;
        let limit = Duration::from_millis(100);
        let wait = ways.shaky.wait_for_turn(&asked, &mut place, limit);
        wait.await.unwrap();
        ways.proxy.cut_the_next_answer();
        let released = ways.sure.release(&hold, &completed()).await.unwrap();
        assert_eq!(released, Release::Released);
        // Word that it is its turn was cut; the next look finds out.
        let wait = ways.shaky.wait_for_turn(&asked, &mut place, limit);
        wait.await.unwrap();
        let attempt = ways.shaky.try_acquire(&asked).await.unwrap();
        assert!(matches!(attempt, Attempt::Granted(_)), "{attempt:?}");
    });
}

fn an_acquisition_that_arrives_twice_is_one_hold() {
    let ways = Ways::new();
    run(async {
        ways.warm().await;
        ways.proxy.send_the_next_request_twice();
        let hold = granted(&ways.shaky, &claim("a")).await;
        let seen = ways.sure.observe(&hold.name).await.unwrap();
        assert_eq!(seen.record.unwrap().token, hold.token);
        let released = ways.shaky.release(&hold, &completed()).await.unwrap();
        assert_eq!(released, Release::Released);
        let next = granted(&ways.sure, &claim("a")).await;
        assert!(next.token > hold.token);
    });
}

fn a_renewal_that_arrives_twice_extends() {
    let ways = Ways::new();
    run(async {
        ways.warm().await;
        let hold = granted(&ways.shaky, &claim("a")).await;
        ways.proxy.send_the_next_request_twice();
        let renewed = ways.shaky.renew(&hold).await.unwrap();
        assert_eq!(renewed.untimed(), Renewal::EXTENDED);
        let seen = ways.sure.observe(&hold.name).await.unwrap();
        assert_eq!(seen.record.unwrap().renewals, 2, "it arrived twice");
        refused(&ways.sure, &claim("a")).await;
    });
}

fn a_release_that_arrives_twice_releases() {
    let ways = Ways::new();
    run(async {
        ways.warm().await;
        let hold = granted(&ways.shaky, &claim("a")).await;
        ways.proxy.send_the_next_request_twice();
        // The answer is that to the second, which had nothing left to do.
        let released = ways.shaky.release(&hold, &completed()).await.unwrap();
        assert_eq!(released, Release::AlreadyOver);
        let seen = ways.sure.observe(&hold.name).await.unwrap();
        let ended = seen.record.unwrap().ended.unwrap();
        assert_eq!((ended.token, ended.exit_code), (hold.token, Some(0)));
        granted(&ways.sure, &claim("a")).await;
    });
}

/// It comes when the hold that it brought is over, and somebody else has the lease.
fn a_late_copy_of_an_acquisition_takes_nothing() {
    let ways = Ways::new();
    run(async {
        ways.warm().await;
        ways.proxy.copy_the_next_request();
        let hold = granted(&ways.shaky, &claim("a")).await;
        let released = ways.shaky.release(&hold, &completed()).await.unwrap();
        assert_eq!(released, Release::Released);
        let next = granted(&ways.sure, &claim("a")).await;
        ways.proxy.deliver_the_copy();
        let seen = ways.sure.observe(&hold.name).await.unwrap();
        assert_eq!(seen.record.unwrap().token, next.token);
        let renewed = ways.sure.renew(&next).await.unwrap();
        assert_eq!(renewed.untimed(), Renewal::EXTENDED);
    });
}

/// Nobody runs under it, and nobody renews it: others come late, and never beside anybody.
fn a_late_copy_of_an_acquisition_keeps_a_free_lease_for_one_time_to_live() {
    let ways = Ways::new();
    run(async {
        ways.warm().await;
        ways.proxy.copy_the_next_request();
        let hold = granted(&ways.shaky, &claim_for(Duration::from_secs(2))).await;
        let released = ways.shaky.release(&hold, &completed()).await.unwrap();
        assert_eq!(released, Release::Released);
        ways.proxy.deliver_the_copy();
        let refusal = refused(&ways.sure, &claim("a")).await;
        let rest = refusal.look_again.unwrap();
        assert!(rest <= Duration::from_secs(2), "{rest:?}");
        tokio::time::sleep(rest).await;
        let next = granted(&ways.sure, &claim("a")).await;
        assert!(next.token > hold.token);
    });
}

fn a_late_copy_of_a_renewal_revives_nothing() {
    let ways = Ways::new();
    run(async {
        ways.warm().await;
        let hold = granted(&ways.shaky, &claim("a")).await;
        ways.proxy.copy_the_next_request();
        let renewed = ways.shaky.renew(&hold).await.unwrap();
        assert_eq!(renewed.untimed(), Renewal::EXTENDED);
        let released = ways.shaky.release(&hold, &completed()).await.unwrap();
        assert_eq!(released, Release::Released);
        ways.proxy.deliver_the_copy();
        let next = granted(&ways.sure, &claim("a")).await;
        assert!(next.token > hold.token);
    });
}

fn a_late_copy_of_a_release_spares_the_next_hold() {
    let ways = Ways::new();
    run(async {
        ways.warm().await;
        let spoil = || ways.proxy.copy_the_next_request();
        let comes = async { ways.proxy.deliver_the_copy() };
        doubt::a_late_copy_of_a_release_spares_the_next_hold(ways.both(), spoil, comes).await;
    });
}
