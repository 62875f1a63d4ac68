//! Every way to a token, to its success and to each of its failures, by fakes of those who give them; and what
//! becomes of a token while a lease is held under it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::identity::{Identity, STORAGE, secured, token};
use super::scene::{OPTIONS, Scene, TTL};
use crate::support::azurite::Azurite;
use crate::support::lab::{Ended, LEASECTL, Lab, PATIENCE};
use crate::support::network::Network;
use crate::support::processes::wait_until;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        the_identity_of_a_virtual_machine,
        a_client_secret,
        a_workload_identity,
        the_azure_cli,
        a_token_is_replaced_under_a_holder,
        a_token_of_the_azure_cli_is_replaced_under_a_holder,
        a_token_that_is_refused_is_replaced_under_a_holder,
    ]
}

const RUN: [&str; 5] = ["run", "--lease", "a", "--", "true"];
const CLIENT: &str = "11111111-2222-3333-4444-555555555555";

fn url(server: &Azurite, auth: &str, keys: &Path) -> String {
    let (port, container) = (server.port(), server.container());
    let ca = keys.join("ca.crt");
    let ca = ca.display();
    format!(
        "azblob+https://127.0.0.1:{port}/devstoreaccount1/{container}?{OPTIONS}&auth={auth}&ca={ca}"
    )
}

/// Said in one line, with these words in it and no secret.
#[track_caller]
fn says(ended: Ended, code: i32, words: &[&str]) {
    let ended = ended.expect_code(code);
    for word in words {
        assert!(ended.stderr.contains(word), "{word}: {ended}");
    }
    assert!(!ended.stderr.contains("canary"), "{ended}");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended}");
}

/// On a machine whose metadata service has the address that Azure's has.
fn the_identity_of_a_virtual_machine() {
    let network = Network::of(0);
    network.prepare("ip address add 169.254.169.254/32 dev lo");
    let before = network.at_the_server();
    let (server, keys) = secured(before.clone());
    let good = json!({"token": token(STORAGE, 3600), "expires_in": 3600});
    let service = Identity::start(&before, ("169.254.169.254", 80), None, &good);
    let lab = Lab::new();
    let begun = |auth: &str| {
        let mut run = lab.command(&before[0]);
        run.args(&before[1..]).arg(LEASECTL);
        run.args(["run", "--lease", "a"]);
        run.env("LEASECTL_STORE", url(&server, auth, keys.path()));
        run
    };
    let run = |auth: &str| lab.run(begun(auth).args(["--", "true"]));
    run("managed-identity").expect_code(0);
    let asked = service.requests()[0]["path"].to_string();
    assert!(
        asked.contains("resource=https%3A%2F%2Fstorage.azure.com"),
        "{asked}"
    );
    assert!(!asked.contains("client_id"), "{asked}");
    run("auto").expect_code(0);
    let theirs = json!({"token": token(STORAGE, 3600), "expires_in": 3600, "client_id": CLIENT});
    service.set(&theirs);
    run(&format!("managed-identity:{CLIENT}")).expect_code(0);
    let missing = "has not been assigned";
    says(
        run("managed-identity"),
        125,
        &["managed identity: ", missing],
    );
    // It asks to be asked again later than anybody can wait for.
    for status in [404, 429, 500] {
        service.set(&json!({"fail": [status, {"error": "later"}]}));
        let later = lab.run(begun("managed-identity").args(["--wait", "1s", "--", "true"]));
        let later = later.expect_code(123);
        assert!(later.stderr.contains("gave no token within 1s"), "{later}");
    }
    service.set(&json!({"fail": [200, {"token": "canary"}]}));
    says(run("managed-identity"), 125, &["managed identity: "]);
    drop(service);
    let nobody = run("managed-identity").expect_code(123);
    assert!(nobody.stderr.contains("managed identity: "), "{nobody}");
}

/// leasectl with the variables of an application that signs in at `service`.
fn application(lab: &Lab, server: &Azurite, way: &str, keys: &Path, service: u16) -> Command {
    let mut run = lab.leasectl(RUN);
    run.env("LEASECTL_STORE", url(server, way, keys))
        .env(
            "AZURE_AUTHORITY_HOST",
            format!("https://127.0.0.1:{service}"),
        )
        .env("AZURE_TENANT_ID", "the-tenant")
        .env("AZURE_CLIENT_ID", CLIENT);
    run
}

fn entra(keys: &Path, proof: &str) -> Identity {
    let config = good(proof, 3600, 3600);
    Identity::start(&[], ("127.0.0.1", 0), Some(keys), &config)
}

/// A token that is good for so many seconds and says so many.
fn good(proof: &str, seconds: u64, said: u64) -> Value {
    json!({"token": token(STORAGE, seconds), "expires_in": said, "client_id": CLIENT, proof: "canary-1"})
}

fn a_client_secret() {
    let (server, keys) = secured(Vec::new());
    let service = entra(keys.path(), "secret");
    let lab = Lab::new();
    let run = |change: &dyn Fn(&mut Command)| {
        let mut run = application(&lab, &server, "client-secret", keys.path(), service.port());
        run.env("AZURE_CLIENT_SECRET", "canary-1");
        change(&mut run);
        lab.run(&mut run)
    };
    run(&|_| {}).expect_code(0);
    run(&|run| {
        run.env("LEASECTL_STORE", url(&server, "auto", keys.path()));
    })
    .expect_code(0);
    // The authorities of the machine, where no file of ours names others.
    run(&|run| {
        let url = url(&server, "client-secret", keys.path());
        run.env("LEASECTL_STORE", url.split("&ca=").next().unwrap());
        run.env("SSL_CERT_FILE", keys.path().join("ca.crt"));
    })
    .expect_code(0);
    let changed = |name: &'static str, value: &'static str| {
        run(&move |run| {
            run.env(name, value);
        })
    };
    let way = "client secret: ";
    for (name, value, code) in [
        ("AZURE_CLIENT_SECRET", "canary-2", "AADSTS7000215"),
        ("AZURE_CLIENT_ID", "x", "AADSTS700016"),
        ("AZURE_TENANT_ID", "other", "AADSTS90002"),
    ] {
        says(changed(name, value), 125, &[way, code]);
    }
    for name in ["AZURE_CLIENT_SECRET", "AZURE_CLIENT_ID", "AZURE_TENANT_ID"] {
        says(changed(name, ""), 125, &[way, name, "is not set"]);
    }
    let plain = changed("AZURE_AUTHORITY_HOST", "http://127.0.0.1:1");
    says(plain, 125, &[way, "HTTPS"]);
    let nobody = changed("AZURE_AUTHORITY_HOST", "https://127.0.0.1:1");
    let nobody = nobody.expect_code(123);
    assert!(nobody.stderr.contains(way), "{nobody}");
    service.set(&json!({"fail": [503, {"error": "temporarily_unavailable", "error_description": "AADSTS90033: later",
        "timestamp": "", "trace_id": "", "correlation_id": "", "error_codes": [90033]}]}));
    let later = run(&|_| {}).expect_code(123);
    assert!(later.stderr.contains("AADSTS90033"), "{later}");
}

fn a_workload_identity() {
    let (server, keys) = secured(Vec::new());
    let service = entra(keys.path(), "assertion");
    let lab = Lab::new();
    let run = |proof: Option<&str>, auth: &str| {
        let file = lab.path("proof");
        let mut run = application(&lab, &server, auth, keys.path(), service.port());
        match proof {
            Some(proof) => fs::write(&file, proof).unwrap(),
            None => fs::remove_file(&file).unwrap_or_default(),
        }
        lab.run(run.env("AZURE_FEDERATED_TOKEN_FILE", file))
    };
    run(Some("canary-1"), "workload-identity").expect_code(0);
    run(Some("canary-1"), "auto").expect_code(0);
    let way = "workload identity: ";
    let wrong = run(Some("canary-2"), "workload-identity");
    says(wrong, 125, &[way, "AADSTS700213"]);
    let missing = run(None, "workload-identity");
    says(missing, 125, &[way, "federated token"]);
}

/// A tool that answers as the documented one does.
fn az(lab: &Lab, script: &str) {
    let file = lab.path("bin/az");
    fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
}

/// What it prints for a token that is good for so many seconds, and says that of another number.
fn printed(seconds: u64, said: u64) -> String {
    let token = token(STORAGE, seconds);
    format!(
        r#"[ "$*" = "account get-access-token -o json --scope https://storage.azure.com/.default" ] || exit 2
echo asked >>"$HOME/asked"
printf '{{"accessToken":"{token}","expiresOn":"2030-01-01 00:00:00.000000","expires_on":%s,"subscription":"s","tenant":"t","tokenType":"Bearer"}}\n' "$(($(date +%s) + {said}))""#
    )
}

fn the_azure_cli() {
    let (server, keys) = secured(Vec::new());
    let lab = Lab::new();
    let run = |auth: &str| {
        let mut run = lab.leasectl(RUN);
        // So that auto finds no machine of Azure.
        run.env("IDENTITY_ENDPOINT", "http://127.0.0.1:1/token")
            .env("IDENTITY_HEADER", "canary");
        lab.run(run.env("LEASECTL_STORE", url(&server, auth, keys.path())))
    };
    says(run("cli"), 125, &["Azure CLI: ", "az not found on PATH"]);
    az(&lab, &printed(3600, 3600));
    run("cli").expect_code(0);
    run("auto").expect_code(0);
    az(
        &lab,
        "echo \"Please run 'az login' to setup account.\" >&2; exit 1",
    );
    says(run("cli"), 125, &["Azure CLI: ", "Please run 'az login'"]);
    az(&lab, "echo no JSON canary");
    says(run("cli"), 125, &["Azure CLI: "]);
    az(&lab, "kill -9 $$");
    says(run("cli"), 125, &["Azure CLI: "]);
}

/// The first lives for less than the hold, and the next is asked for while it is still good; then none can be had,
/// and the one that is good is used.
fn a_token_is_replaced_under_a_holder() {
    let (server, keys) = secured(Vec::new());
    let service = entra(keys.path(), "secret");
    service.set(&good("secret", 10, 303));
    let host = format!("https://127.0.0.1:{}", service.port());
    let set = [
        ("AZURE_AUTHORITY_HOST", host),
        ("AZURE_TENANT_ID", "the-tenant".to_owned()),
        ("AZURE_CLIENT_ID", CLIENT.to_owned()),
        ("AZURE_CLIENT_SECRET", "canary-1".to_owned()),
    ];
    let url = url(&server, "client-secret", keys.path());
    let scene = Scene::with(server, &url, &set);
    service.set(&good("secret", 3600, 301));
    wait_until(PATIENCE, "a second token", || service.requests().len() > 1);
    service.set(&json!({"fail": [503, {"error": "x"}]}));
    let ended = scene.survives();
    assert!(!ended.stderr.contains("doubt"), "{ended}");
}

/// It is a child of a process that reaps every child of its own, and must not be mistaken for one of the command's.
fn a_token_of_the_azure_cli_is_replaced_under_a_holder() {
    let (server, keys) = secured(Vec::new());
    let url = url(&server, "cli", keys.path());
    let lab = Lab::new();
    // Slower than a token is waited for while the old one is good, and than one attempt would be.
    az(&lab, &format!("sleep 1\n{}", printed(3600, 4)));
    let scene = Scene::within(lab, server, &url, &[]);
    let asked = scene.lab.path("home/asked");
    wait_until(PATIENCE, "tokens of the Azure CLI", || {
        let asked = fs::read_to_string(&asked).unwrap_or_default();
        asked.lines().count() > 3
    });
    scene.survives();
}

/// It says that it is good for an hour, and the service says that it is not.
fn a_token_that_is_refused_is_replaced_under_a_holder() {
    let (server, keys) = secured(Vec::new());
    let url = url(&server, "cli", keys.path());
    let lab = Lab::new();
    az(&lab, &printed(8, 3600));
    let scene = Scene::within(lab, server, &url, &[]);
    az(&scene.lab, &printed(3600, 3600));
    wait_until(TTL, "the first to be refused", || {
        scene.said().contains("AuthenticationFailed")
    });
    scene.survives();
}
