//! What a lease costs: each request is billed, so that the documentation counts them and this holds it to that.
//! Also by which name the account's logs know them, and over which connections they go.

use std::fs;
use std::time::{Duration, Instant};

use leasectl::lease::{Ask, Asker, Attempt, Claim, RefusedWhy, Renewal};
use libtest_mimic::Trial;

use super::scene::{OPTIONS, Scene, TTL};
use super::{granted, run, store};
use crate::conformance::stores::{claim, completed};
use crate::support::azurite::Azurite;
use crate::support::lab::{Lab, PATIENCE};
use crate::support::processes::wait_until;
use crate::support::spoiler::Spoiler;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        each_step_costs_what_is_documented,
        an_hour_of_holding_and_of_waiting_costs_what_is_documented,
        requests_carry_the_run_of_the_events,
        a_connection_that_was_idle_is_not_used_again,
    ]
}

/// The method, and what it is asked of.
fn kind(request: &str) -> String {
    let request = request.to_lowercase();
    let action = request.split("x-ms-lease-action: ").nth(1);
    let action = action.and_then(|rest| rest.lines().next());
    let first = request.lines().next().unwrap_or_default();
    let (method, rest) = first.split_once(' ').unwrap_or_default();
    let ask = if rest.contains(".ask") { "ask" } else { "" };
    format!("{method}{}{ask}", action.unwrap_or_default())
}

fn each_step_costs_what_is_documented() {
    let server = Azurite::in_memory();
    let spoiler = Spoiler::to(server.port());
    let way = store(&server.url_by(spoiler.port(), OPTIONS));
    let other = store(&server.url(OPTIONS));
    let cost = || {
        let kinds: Vec<String> = spoiler.requests().iter().map(|one| kind(one)).collect();
        spoiler.forget();
        kinds.join(" ")
    };
    let asker = Asker {
        by: "test".to_owned(),
        reason: None,
    };
    run(async {
        let hold = granted(&way, &claim("a")).await;
        let _released = way.release(&hold, &completed()).await.unwrap();
        let first = spoiler.requests().len();
        assert!((12..=24).contains(&first), "{first}: {}", cost());
        spoiler.forget();

        let hold = granted(&way, &claim("a")).await;
        assert_eq!(cost(), "head headask putacquire headask put");
        let _renewed = way.renew(&hold).await.unwrap();
        assert_eq!(cost(), "putrenew headask");
        let _seen = way.observe(&hold.name).await.unwrap();
        assert_eq!(cost(), "head headask");
        let _listed = way.list("").await.unwrap();
        assert_eq!(cost(), "get");
        let waiting = claim("a");
        assert!(matches!(
            way.try_acquire(&waiting).await.unwrap(),
            Attempt::Refused(_)
        ));
        assert_eq!(cost(), "head");
        let _released = way.release(&hold, &completed()).await.unwrap();
        assert_eq!(cost(), "put putrelease");

        let lasts = None;
        let _asked = other.ask(&hold.name, Ask::Pause { lasts }, &asker).await;
        for looked in ["head headask", "headask", "headask"] {
            assert_eq!(refused(&way, &waiting).await, RefusedWhy::Paused);
            assert_eq!(cost(), looked);
        }
        let _asked = other.ask(&hold.name, Ask::Resume, &asker).await.unwrap();
        let hold = granted(&way, &waiting).await;
        assert_eq!(cost(), "headask head headask putacquire headask put");
        let _released = way.release(&hold, &completed()).await.unwrap();
    });
}

async fn refused(way: &super::Store, claim: &Claim) -> RefusedWhy {
    match way.try_acquire(claim).await.unwrap() {
        Attempt::Refused(refusal) => refusal.why,
        Attempt::Granted(hold) => panic!("granted: {hold:?}"),
    }
}

/// At the shortest time to live, which costs most: 1,200 renewals with as many looks, and 2,400 looks.
fn an_hour_of_holding_and_of_waiting_costs_what_is_documented() {
    let server = Azurite::in_memory();
    let (holding, waiting) = (Spoiler::to(server.port()), Spoiler::to(server.port()));
    let url = server.url_by(holding.port(), "restart-guard=off");
    let of_the_waiter = server.url_by(waiting.port(), "restart-guard=off");
    let scene = Scene::at(server, &url);
    let lab = Lab::new();
    let mut other = lab.leasectl([
        "run", "--lease", "a", "--ttl", "15s", "--wait", "1h", "--", "true",
    ]);
    let other = lab.spawn(other.env("LEASECTL_STORE", of_the_waiter));
    wait_until(PATIENCE, "it waits", || !waiting.requests().is_empty());
    let (began, before) = (
        Instant::now(),
        [&holding, &waiting].map(|one| one.requests().len()),
    );
    wait_until(PATIENCE, "a time to live to pass", || began.elapsed() > TTL);
    let an_hour = |before: usize, proxy: &Spoiler| {
        let seen = u32::try_from(proxy.requests().len() - before).unwrap();
        f64::from(seen) * 3600.0 / began.elapsed().as_secs_f64()
    };
    let (holds, waits) = (an_hour(before[0], &holding), an_hour(before[1], &waiting));
    assert!((1200.0..=2900.0).contains(&holds), "{holds} an hour");
    assert!((1200.0..=2900.0).contains(&waits), "{waits} an hour");
    scene.ends_well();
    other.wait(PATIENCE).expect_code(0);
}

fn requests_carry_the_run_of_the_events() {
    let server = Azurite::in_memory();
    let spoiler = Spoiler::to(server.port());
    let lab = Lab::new();
    let mut run = lab.leasectl(["run", "--lease", "a", "--events", "events", "--", "true"]);
    let url = server.url_by(spoiler.port(), OPTIONS);
    lab.run(run.env("LEASECTL_STORE", url)).expect_code(0);
    let events = fs::read_to_string(lab.path("events")).unwrap();
    let event: serde_json::Value = serde_json::from_str(events.lines().next().unwrap()).unwrap();
    let id = format!(
        "x-ms-client-request-id: {}\r\n",
        event["run"].as_str().unwrap()
    );
    for request in spoiler.requests() {
        assert!(request.to_lowercase().contains(&id), "{id}: {request}");
    }
}

/// Azurite closes after five seconds of silence, and whoever renews every six would meet a dead connection.
fn a_connection_that_was_idle_is_not_used_again() {
    let server = Azurite::in_memory();
    let spoiler = Spoiler::to(server.port());
    let way = store(&server.url_by(spoiler.port(), OPTIONS));
    run(async {
        let hold = granted(&way, &claim("a")).await;
        let _renewed = way.renew(&hold).await.unwrap();
        let before = spoiler.connections();
        for (idle, more) in [(500, 0), (4_500, 1), (6_000, 2)] {
            tokio::time::sleep(Duration::from_millis(idle)).await;
            let renewed = way.renew(&hold).await.unwrap();
            assert_eq!(renewed.untimed(), Renewal::EXTENDED);
            assert_eq!(spoiler.connections(), before + more, "after {idle} ms");
        }
    });
}
