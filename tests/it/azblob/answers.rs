//! Every answer that the service documents and an Azurite does not give, by a fake that gives it in between: what
//! each means for whoever asks for a lease, renews one, gives it back, looks at it, or asks its holder to stop.

use std::fs;
use std::time::Duration;

use leasectl::lease::{
    Ask, Asker, Attempt, Effect, LostWhy, RefusedWhy, Release, Renewal, StoreError,
};
use libtest_mimic::Trial;

use super::scene::{OPTIONS, Scene, TTL, verb};
use super::{Store, granted, run, store};
use crate::conformance::stores::{claim, completed};
use crate::support::azurite::Azurite;
use crate::support::lab::{Lab, PATIENCE};
use crate::support::processes::wait_until;
use crate::support::spoiler::{Fault, Spoiler};

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        every_row_of_the_table,
        a_missing_role_is_named,
        a_refusal_while_holding_is_doubt_and_no_loss,
        a_busy_service_is_asked_again,
        a_container_that_is_being_deleted_ends_the_hold,
    ]
}

/// Status and code, and the words for: acquire, record, renew, release, look, ask.
type Row = (u16, &'static str, [&'static str; 6]);

const NO: &str = "misconfigured";
const TABLE: [Row; 25] = [
    (
        400,
        "InvalidHeaderValue",
        [NO, NO, "doubt", "doubt", NO, NO],
    ),
    (400, "MetadataTooLarge", [NO, NO, "doubt", "doubt", NO, NO]),
    (401, "InvalidAuthenticationInfo", ["denied"; 6]),
    (403, "AuthenticationFailed", ["denied"; 6]),
    (403, "AuthorizationPermissionMismatch", ["denied"; 6]),
    (403, "AuthorizationFailure", ["denied"; 6]),
    (403, "InsufficientAccountPermissions", ["denied"; 6]),
    (403, "KeyBasedAuthenticationNotPermitted", ["denied"; 6]),
    (403, "AccountIsDisabled", ["denied"; 6]),
    (404, "", [NO, NO, "doubt", "doubt", NO, NO]),
    (307, "", [NO, NO, "doubt", "doubt", NO, NO]),
    (408, "", ["doubt"; 6]),
    (429, "TooManyRequests", ["doubt"; 6]),
    (500, "InternalError", ["doubt"; 6]),
    (500, "OperationTimedOut", ["doubt"; 6]),
    (503, "ServerBusy", ["doubt"; 6]),
    (
        409,
        "ContainerBeingDeleted",
        ["doubt", "doubt", "vanished", "over", "doubt", "doubt"],
    ),
    (409, "ContainerDisabled", ["doubt"; 6]),
    (
        409,
        "BlobImmutableDueToPolicy",
        [NO, NO, "doubt", "doubt", NO, NO],
    ),
    (409, "BlobArchived", [NO, NO, "doubt", "doubt", NO, NO]),
    (409, "LeaseAlreadyPresent", ["held", "", "", "", "", ""]),
    (
        409,
        "LeaseIdMismatchWithLeaseOperation",
        ["held", "held", "taken", "over", "", ""],
    ),
    (
        409,
        "LeaseIsBrokenAndCannotBeRenewed",
        ["held", "held", "broken", "over", "", ""],
    ),
    (
        412,
        "LeaseNotPresentWithBlobOperation",
        ["held", "held", "expired", "over", "", NO],
    ),
    (
        412,
        "LeaseIdMissing",
        ["held", "held", "taken", "over", "", NO],
    ),
];

/// By these words the requests of each column are known.
const ACQUIRE: [&str; 1] = ["x-ms-lease-action: acquire"];
const RECORD: [&str; 2] = ["comp=metadata", "x-ms-lease-id"];
const RENEW: [&str; 1] = ["x-ms-lease-action: renew"];
const RELEASE: [&str; 1] = ["x-ms-lease-action: release"];
const LOOK: [&str; 1] = ["head /devstoreaccount1/"];
const ASK: [&str; 2] = ["put /devstoreaccount1/", ".ask"];

fn error(error: &StoreError) -> &'static str {
    match error {
        StoreError::Unreachable {
            effect: Effect::Unknown,
            ..
        } => "doubt",
        StoreError::Unreachable { .. } => "nothing",
        StoreError::Denied { .. } => "denied",
        StoreError::Misconfigured { .. } => "misconfigured",
        StoreError::Garbled { .. } => "garbled",
    }
}

async fn taken(store: &Store) -> &'static str {
    match store.try_acquire(&claim("a")).await {
        Ok(Attempt::Granted(_)) => "granted",
        Ok(Attempt::Refused(refusal)) if refusal.why == RefusedWhy::Held => "held",
        Ok(Attempt::Refused(_)) => "refused",
        Err(why) => error(&why),
    }
}

fn renewed(answer: Result<Renewal, StoreError>) -> &'static str {
    match answer {
        Ok(Renewal::Extended { .. }) => "extended",
        Ok(Renewal::Lost { why, .. }) => match why {
            LostWhy::Vanished => "vanished",
            LostWhy::Taken => "taken",
            LostWhy::Broken => "broken",
            LostWhy::Expired => "expired",
            _ => "another",
        },
        Err(why) => error(&why),
    }
}

fn released(answer: Result<Release, StoreError>) -> &'static str {
    match answer {
        Ok(Release::AlreadyOver) => "over",
        Ok(_) => "released",
        Err(why) => error(&why),
    }
}

fn every_row_of_the_table() {
    let server = Azurite::in_memory();
    let spoiler = Spoiler::to(server.port());
    let shaky = store(&server.url_by(spoiler.port(), OPTIONS));
    run(async {
        let hold = granted(&shaky, &claim("a")).await;
        let _released = shaky.release(&hold, &completed()).await.unwrap();
        for (status, code, words) in TABLE {
            let row = format!("{status} {code}");
            let next = |asked: &[&'static str]| {
                spoiler.spoil(asked, Fault::Answered(status, code, ""));
            };
            let [acquire, record, renew, release, look, ask] = words;
            next(&ACQUIRE);
            assert_eq!(taken(&shaky).await, acquire, "acquire: {row}");
            if !record.is_empty() {
                next(&RECORD);
                assert_eq!(taken(&shaky).await, record, "record: {row}");
                // Nobody else is kept out by what was of no use, unless that was in doubt.
                leave(&server).await;
            }
            let hold = granted(&shaky, &claim("a")).await;
            if !renew.is_empty() {
                next(&RENEW);
                let answer = renewed(shaky.renew(&hold).await);
                assert_eq!(answer, renew, "renew: {row}");
            }
            if !look.is_empty() {
                next(&LOOK);
                assert_eq!(looked(&shaky).await, look, "look: {row}");
            }
            if !ask.is_empty() {
                next(&ASK);
                assert_eq!(asked(&shaky).await, ask, "ask: {row}");
            }
            if !release.is_empty() {
                next(&RELEASE);
                let answer = released(shaky.release(&hold, &completed()).await);
                assert_eq!(answer, release, "release: {row}");
            }
            leave(&server).await;
            spoiler.heal();
        }
    });
}

async fn looked(store: &Store) -> &'static str {
    let seen = store.observe(&claim("a").name).await;
    error(&seen.unwrap_err())
}

fn asker() -> Asker {
    Asker {
        by: "test".to_owned(),
        reason: None,
    }
}

async fn asked(store: &Store) -> &'static str {
    let asked = store.ask(&claim("a").name, Ask::Stop, &asker()).await;
    error(&asked.unwrap_err())
}

/// Takes the lease away from whoever is left with it.
async fn leave(server: &Azurite) {
    let sure = store(&server.url(OPTIONS));
    let name = claim("a").name;
    let seen = sure.observe(&name).await.unwrap();
    let token = seen
        .record
        .filter(|_| !seen.foreign)
        .map(|record| record.token);
    let _gone = match token {
        Some(token) => sure.revoke(&name, token, &asker()).await.unwrap(),
        None => sure.evict(&name).await.unwrap(),
    };
}

const RUN: [&str; 5] = ["run", "--lease", "a", "--", "true"];

/// Azurite looks at no roles.
fn a_missing_role_is_named() {
    let server = Azurite::in_memory();
    let spoiler = Spoiler::to(server.port());
    let url = server.url_by(spoiler.port(), OPTIONS);
    let code = "AuthorizationPermissionMismatch";
    spoiler.spoil_all(&["devstoreaccount1"], Fault::Answered(403, code, ""));
    let lab = Lab::new();
    let refused = verb(&lab, &url, &RUN).expect_code(125);
    for word in [
        "Storage Blob Data Contributor",
        "up to ten minutes",
        code,
        "request ",
    ] {
        assert!(refused.stderr.contains(word), "{word}: {refused}");
    }
    assert_eq!(refused.stderr.lines().count(), 1, "{refused}");
}

fn a_refusal_while_holding_is_doubt_and_no_loss() {
    let server = Azurite::in_memory();
    let spoiler = Spoiler::to(server.port());
    let url = server.url_by(spoiler.port(), OPTIONS);
    let scene = Scene::at(server, &url);
    for (status, code) in [
        (401, "InvalidAuthenticationInfo"),
        (403, "AuthorizationPermissionMismatch"),
    ] {
        spoiler.spoil(&RENEW, Fault::Answered(status, code, ""));
        wait_until(PATIENCE, "doubt", || scene.said().contains(code));
    }
    scene.survives();
}

/// With a Retry-After that nobody could wait for who has a lease to renew.
fn a_busy_service_is_asked_again() {
    let server = Azurite::in_memory();
    let spoiler = Spoiler::to(server.port());
    let url = server.url_by(spoiler.port(), OPTIONS);
    let busy = Fault::Answered(429, "TooManyRequests", "retry-after: 600");
    spoiler.spoil(&LOOK, busy.clone());
    let scene = Scene::at(server, &url);
    spoiler.spoil(&RENEW, busy);
    wait_until(PATIENCE, "doubt", || scene.said().contains("busy"));
    scene.survives();
}

fn a_container_that_is_being_deleted_ends_the_hold() {
    let server = Azurite::in_memory();
    let spoiler = Spoiler::to(server.port());
    let url = server.url_by(spoiler.port(), OPTIONS);
    let mut scene = Scene::at(server, &url);
    let gone = Fault::Answered(409, "ContainerBeingDeleted", "");
    spoiler.spoil_all(&["devstoreaccount1"], gone);
    scene.is_stopped(TTL / 2, "a was lost");
    assert!(fs::metadata(scene.lab.path("done")).is_err());
    // It is no place to begin in, and may be one later.
    let lab = Lab::new();
    let words = ["run", "--lease", "a", "--wait", "1s", "--", "true"];
    let refused = verb(&lab, &url, &words).expect_code(123);
    assert!(
        refused.stderr.contains("ContainerBeingDeleted"),
        "{refused}"
    );
    assert!(refused.took >= Duration::from_secs(1), "{refused}");
}
