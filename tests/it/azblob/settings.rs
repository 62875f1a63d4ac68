//! What the URL and the variables for signing in do.

use std::time::Duration;

use libtest_mimic::Trial;

use super::scene::{OPTIONS, verb};
use crate::support::azurite::Azurite;
use crate::support::lab::Lab;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_time_to_live_outside_of_azures_limits_is_refused_with_them,
        nothing_is_made_with_create_no,
        a_young_container_is_waited_out,
        a_wrong_key_is_denied_and_not_repeated,
        a_connection_string_signs_in,
        every_way_to_a_token_says_why_it_failed,
    ]
}

const RUN: [&str; 5] = ["run", "--lease", "a", "--", "true"];

fn memory() -> Azurite {
    Azurite::in_memory()
}

fn a_time_to_live_outside_of_azures_limits_is_refused_with_them() {
    let (lab, url) = (
        Lab::new(),
        "azblob+http://127.0.0.1:1/devstoreaccount1/leases",
    );
    for ttl in ["14s", "61s", "15500ms"] {
        let words = ["run", "--lease", "a", "--ttl", ttl, "--", "true"];
        let refused = verb(&lab, url, &words);
        // Nobody is asked whether it suits.
        assert_eq!(refused.code(), Some(125), "{ttl}: {refused}");
        assert!(refused.stderr.contains("15"), "{refused}");
    }
}

fn nothing_is_made_with_create_no() {
    let server = memory();
    let (lab, url) = (Lab::new(), server.url(&format!("{OPTIONS}&create=no")));
    let refused = verb(&lab, &url, &RUN).expect_code(125);
    assert!(refused.stderr.contains("no container"), "{refused}");
    verb(&lab, &server.url(OPTIONS), &RUN).expect_code(0);
    verb(&lab, &url, &RUN).expect_code(0);
    let other = ["run", "--lease", "other", "--", "true"];
    let refused = verb(&lab, &url, &other).expect_code(125);
    assert!(refused.stderr.contains("no blob"), "{refused}");
}

fn a_young_container_is_waited_out() {
    let server = memory();
    let (lab, url) = (Lab::new(), server.url("restart-guard=5s"));
    let ran = verb(&lab, &url, &RUN).expect_code(0);
    assert!(ran.took >= Duration::from_secs(5), "{ran}");
    assert!(ran.stderr.contains("kept back"), "{ran}");
    // Once known to this container a name is not kept back any more.
    let again = verb(&lab, &url, &RUN).expect_code(0);
    assert!(!again.stderr.contains("kept back"), "{again}");
}

fn a_wrong_key_is_denied_and_not_repeated() {
    let server = memory();
    let lab = Lab::new();
    let mut run = lab.leasectl(RUN);
    run.env("LEASECTL_STORE", server.url(OPTIONS));
    run.env("AZURE_STORAGE_KEY", "Y2FuYXJ5");
    let refused = lab.run(&mut run).expect_code(125);
    assert!(
        refused.stderr.contains("AuthorizationFailure")
            || refused.stderr.contains("AuthenticationFailed"),
        "{refused}"
    );
    assert!(
        !refused.stderr.contains("Y2FuYXJ5") && !refused.stderr.contains("canary"),
        "{refused}"
    );
}

fn a_connection_string_signs_in() {
    let server = memory();
    let lab = Lab::new();
    let endpoint = format!("http://127.0.0.1:{}/devstoreaccount1", server.port());
    let key =
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
    let text = format!("AccountName=devstoreaccount1;AccountKey={key};BlobEndpoint={endpoint};");
    let mut run = lab.leasectl(RUN);
    run.env(
        "LEASECTL_STORE",
        format!(
            "azblob://devstoreaccount1/{}?restart-guard=off",
            server.container()
        ),
    );
    run.env("AZURE_STORAGE_CONNECTION_STRING", text);
    lab.run(&mut run).expect_code(0);
}

fn every_way_to_a_token_says_why_it_failed() {
    let lab = Lab::new();
    let mut run = lab.leasectl(RUN);
    run.env("LEASECTL_STORE", "azblob+https://127.0.0.1:1/ops/leases");
    // App Service's way to a managed identity, at a port where nobody listens.
    run.env("IDENTITY_ENDPOINT", "http://127.0.0.1:1/token")
        .env("IDENTITY_HEADER", "canary");
    let refused = lab.run(&mut run).expect_code(123);
    for way in [
        "workload identity: ",
        "client secret: AZURE_CLIENT_SECRET",
        "managed identity: ",
        "Azure CLI: ",
    ] {
        assert!(refused.stderr.contains(way), "{way}: {refused}");
    }
    assert!(!refused.stderr.contains("canary"), "{refused}");
}
