//! Ways to sign in beyond the account's key: a SAS, and a managed identity's token over TLS.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use libtest_mimic::Trial;

use super::identity::{STORAGE, secured, token};
use super::scene::OPTIONS;
use super::stranger::python;
use crate::support::azurite::Azurite;
use crate::support::lab::{Ended, Lab};
use crate::support::needs::needs;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_sas_signs_in_and_is_not_repeated,
        a_managed_identity_signs_in_over_tls,
        a_token_for_something_else_is_denied_and_not_repeated,
        a_certificate_that_is_not_trusted_is_refused,
    ]
}

const RUN: [&str; 5] = ["run", "--lease", "a", "--", "true"];

/// With rights on the blobs of one container, whose age it may not see.
fn a_sas_signs_in_and_is_not_repeated() {
    needs("python-azure");
    let server = Azurite::in_memory();
    let sas = python(
        &server,
        r#"
from datetime import datetime, timedelta, timezone
from azure.storage.blob import generate_container_sas, ContainerSasPermissions
container.create_container()
print(generate_container_sas("devstoreaccount1", sys.argv[2], account_key=key,
    permission=ContainerSasPermissions(read=True, add=True, create=True, write=True, list=True),
    expiry=datetime.now(timezone.utc) + timedelta(hours=1), version="2021-12-02"))
"#,
    );
    let lab = Lab::new();
    let run = |sas: &str| {
        let file = lab.path("url");
        fs::write(&file, server.url(&format!("{OPTIONS}&{sas}"))).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let mut run = lab.leasectl(["run", "--store-file", "url", "--lease", "a", "--", "true"]);
        lab.run(run.env_remove("LEASECTL_STORE"))
    };
    let signature = sas.split("sig=").nth(1).unwrap().split('&').next().unwrap();
    let ran = run(&sas).expect_code(0);
    assert!(!ran.stderr.contains(signature), "{ran}");
    let wrong = sas.replace("sp=", "sp=d");
    let refused = run(&wrong).expect_code(125);
    assert!(!refused.stderr.contains(signature), "{refused}");
}

/// What an app of Azure asks for its identity's token, as documented: a header proves who asks.
pub(super) fn identity_endpoint(token: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = [0; 4096];
            let read = stream.read(&mut asked).unwrap();
            let asked = String::from_utf8_lossy(&asked[..read]).to_lowercase();
            let proved = asked.contains("x-identity-header: c4nary");
            let wanted = asked.contains("resource=https%3a%2f%2fstorage.azure.com");
            let (status, body) = if proved && wanted {
                let now = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap()
                    .as_secs();
                let answer = serde_json::json!({
                    "access_token": token, "expires_on": (now + 3600).to_string(),
                    "resource": "https://storage.azure.com", "token_type": "Bearer",
                });
                ("200 OK", answer.to_string())
            } else {
                ("401 Unauthorized", "{}".to_owned())
            };
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
                 Connection: close\r\n\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).ok();
        }
    });
    format!("http://127.0.0.1:{port}/token")
}

fn run_as_an_app(server: &Azurite, ca: &str, audience: &str) -> Ended {
    let lab = Lab::new();
    let port = server.port();
    let mut run = lab.leasectl(RUN);
    run.env(
        "LEASECTL_STORE",
        format!("azblob+https://127.0.0.1:{port}/devstoreaccount1/leases?{OPTIONS}&auth=managed-identity{ca}"),
    );
    run.env(
        "IDENTITY_ENDPOINT",
        identity_endpoint(token(audience, 3600)),
    );
    run.env("IDENTITY_HEADER", "c4nary");
    lab.run(&mut run)
}

fn a_managed_identity_signs_in_over_tls() {
    let (server, keys) = secured(Vec::new());
    let ca = format!("&ca={}", keys.path().join("ca.crt").display());
    run_as_an_app(&server, &ca, STORAGE).expect_code(0);
}

fn a_token_for_something_else_is_denied_and_not_repeated() {
    let (server, keys) = secured(Vec::new());
    let ca = format!("&ca={}", keys.path().join("ca.crt").display());
    let refused = run_as_an_app(&server, &ca, "https://vault.azure.net").expect_code(125);
    assert!(refused.stderr.contains("AuthenticationFailed"), "{refused}");
    assert!(
        !refused.stderr.contains("canary") && !refused.stderr.contains("c4nary"),
        "{refused}"
    );
}

fn a_certificate_that_is_not_trusted_is_refused() {
    let (server, _keys) = secured(Vec::new());
    let refused = run_as_an_app(&server, "", STORAGE).expect_code(125);
    assert!(refused.stderr.contains("not trusted"), "{refused}");
}
