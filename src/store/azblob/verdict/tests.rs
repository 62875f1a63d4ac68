//! One test per row of the table in the documentation of the protocol.

use reqwest::header::HeaderMap;

use super::*;

fn judged(asked: Asked, status: u16, code: &str, ours: bool) -> String {
    let answer = Answer {
        status,
        code: (!code.is_empty()).then(|| code.to_owned()),
        headers: HeaderMap::new(),
        body: Vec::new(),
    };
    match of(asked, &answer, ours) {
        Verdict::No(Trouble::Silent(Effect::Unknown, _)) => "doubt".to_owned(),
        Verdict::No(Trouble::Silent(Effect::None, _)) => "nothing".to_owned(),
        Verdict::No(Trouble::Denied(_)) => "denied".to_owned(),
        Verdict::No(Trouble::Unfit(_)) => "misconfigured".to_owned(),
        Verdict::No(Trouble::Garbled(_)) => "garbled".to_owned(),
        other => format!("{other:?}"),
    }
}

/// The words for acquire, record write, renew, release, look and ask write, in this order.
#[track_caller]
fn row(status: u16, code: &str, words: [&str; 6]) {
    let of = [
        Asked::Acquire,
        Asked::Record,
        Asked::Renew,
        Asked::Release,
        Asked::Look,
        Asked::Ask,
    ];
    for (asked, word) in of.into_iter().zip(words) {
        if !word.is_empty() {
            assert_eq!(
                judged(asked, status, code, true),
                word,
                "{asked:?} {status} {code}"
            );
        }
    }
}

#[test]
fn yes_is_yes() {
    for status in [200, 201, 202] {
        row(status, "", ["Yes"; 6]);
    }
}

#[test]
fn yes_with_the_id_of_somebody_else_is_a_loss_or_no_sense() {
    assert_eq!(judged(Asked::Renew, 200, "", false), "Lost(Taken)");
    assert_eq!(judged(Asked::Acquire, 201, "", false), "garbled");
}

#[test]
fn unchanged_is_unchanged() {
    row(304, "", ["", "", "", "", "Unchanged", ""]);
}

#[test]
fn what_is_no_request_is_for_an_operator_and_doubt_while_holding() {
    for code in [
        "InvalidHeaderValue",
        "MetadataTooLarge",
        "UnsupportedHeader",
        "OutOfRangeInput",
        "",
    ] {
        let no = "misconfigured";
        row(400, code, [no, no, "doubt", "doubt", no, no]);
    }
}

#[test]
fn not_allowed_is_denied_and_the_keeper_takes_it_for_doubt() {
    for (status, code) in [
        (401, "InvalidAuthenticationInfo"),
        (403, "AuthenticationFailed"),
        (403, "AuthorizationPermissionMismatch"),
        (403, "AuthorizationFailure"),
        (403, "InsufficientAccountPermissions"),
        (403, "KeyBasedAuthenticationNotPermitted"),
        (403, "AccountIsDisabled"),
        (403, ""),
    ] {
        row(status, code, ["denied"; 6]);
    }
}

#[test]
fn what_is_missing_is_a_loss_for_its_holder() {
    for code in ["BlobNotFound", "ContainerNotFound", "ResourceNotFound"] {
        let lost = "Lost(Vanished)";
        row(404, code, ["Absent", lost, lost, lost, "Absent", "Absent"]);
    }
}

#[test]
fn a_host_that_is_not_the_service_takes_nothing_away() {
    let no = "misconfigured";
    row(404, "", [no, no, "doubt", "doubt", no, no]);
}

#[test]
fn held_by_somebody_else_is_an_answer() {
    row(409, "LeaseAlreadyPresent", ["Held", "", "", "", "", ""]);
    row(
        409,
        "LeaseIsBreakingAndCannotBeAcquired",
        ["Held", "", "", "", "", ""],
    );
}

#[test]
fn every_word_for_a_lease_that_is_over_is_a_loss() {
    for (code, why) in [
        ("LeaseIdMismatchWithLeaseOperation", "Lost(Taken)"),
        ("LeaseNotPresentWithLeaseOperation", "Lost(Expired)"),
        ("LeaseIsBrokenAndCannotBeRenewed", "Lost(Broken)"),
        ("LeaseIsBreakingAndCannotBeChanged", "Lost(Broken)"),
        ("LeaseLost", "Lost(Expired)"),
    ] {
        row(409, code, ["Held", why, why, why, "", ""]);
    }
    for (code, why) in [
        ("LeaseIdMissing", "Lost(Taken)"),
        ("LeaseLost", "Lost(Expired)"),
        ("LeaseNotPresentWithBlobOperation", "Lost(Expired)"),
        ("LeaseIdMismatchWithBlobOperation", "Lost(Taken)"),
    ] {
        row(412, code, ["Held", why, why, why, "", "misconfigured"]);
    }
    assert_eq!(
        judged(Asked::Record, 409, "LeaseIdMismatchWithBlobOperation", true),
        "Lost(Taken)"
    );
}

#[test]
fn a_condition_that_was_not_met_means_that_somebody_wrote() {
    let words = ["Again", "Again", "Lost(Taken)", "Lost(Taken)", "", "Again"];
    row(412, "ConditionNotMet", words);
}

#[test]
fn a_container_that_goes_takes_the_lease_along_and_a_disabled_one_does_not() {
    let lost = "Lost(Vanished)";
    row(
        409,
        "ContainerBeingDeleted",
        ["doubt", "doubt", lost, lost, "doubt", "doubt"],
    );
    row(409, "ContainerDisabled", ["doubt"; 6]);
}

#[test]
fn what_is_there_already_exists() {
    for (status, code) in [
        (409, "BlobAlreadyExists"),
        (409, "ContainerAlreadyExists"),
        (412, "ConditionNotMet"),
        (412, "LeaseIdMissing"),
    ] {
        assert_eq!(
            judged(Asked::Create, status, code, true),
            "Exists",
            "{code}"
        );
    }
}

#[test]
fn any_other_conflict_is_for_an_operator_and_doubt_while_holding() {
    for code in [
        "BlobImmutableDueToPolicy",
        "BlobArchived",
        "SnapshotsPresent",
        "InvalidBlobType",
        "New",
    ] {
        let no = "misconfigured";
        row(409, code, [no, no, "doubt", "doubt", "", no]);
    }
}

#[test]
fn a_redirect_is_not_followed() {
    for status in [301, 302, 307, 308] {
        let no = "misconfigured";
        row(status, "", [no, no, "doubt", "doubt", no, no]);
    }
}

#[test]
fn later_is_doubt_everywhere() {
    for (status, code) in [
        (408, ""),
        (429, "TooManyRequests"),
        (500, "InternalError"),
        (500, "OperationTimedOut"),
        (502, ""),
        (503, "ServerBusy"),
        (504, ""),
    ] {
        row(status, code, ["doubt"; 6]);
    }
}

/// Whatever the service may say next, a command is killed only for what is known to be a loss.
#[test]
fn what_nobody_knows_ends_no_hold() {
    for status in 300..600 {
        for asked in [Asked::Renew, Asked::Release] {
            let word = judged(asked, status, "SomethingNew", true);
            assert!(!word.starts_with("Lost"), "{asked:?} {status}: {word}");
        }
    }
    for asked in Asked::ALL {
        assert_ne!(judged(asked, 418, "SomethingNew", true), "Yes");
    }
}
