//! An account key, the signature of a SAS and a token are shown to nobody: not in arguments, messages, errors,
//! `status`, events, and not in the memory that a process leaves when it crashes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::identity::{STORAGE, secured, token};
use super::scene::OPTIONS;
use super::sign_in::identity_endpoint;
use super::stranger::python_as;
use crate::support::azurite::Azurite;
use crate::support::lab::{Ended, Lab, PATIENCE, Running};
use crate::support::needs::needs;
use crate::support::processes::{alive, children, name, send, wait_until};

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        an_account_key_is_shown_to_nobody,
        a_signature_is_shown_to_nobody,
        a_token_is_shown_to_nobody,
        a_core_dump_would_be_seen,
    ]
}

type SignIn<'a> = &'a dyn Fn(&Lab, &mut Command, bool);

/// Holds, is looked at from all sides, is crashed, and fails: what of it has the secret in it?
#[track_caller]
fn is_shown_to_nobody(secret: &str, sign_in: SignIn<'_>) {
    let lab = Lab::new();
    let running = holding(&lab, sign_in);
    let mut seen = looked_at(&lab, sign_in);
    // Both have it in their memory.
    let front = running.id();
    let mut guardians = children(front).into_iter();
    let guardian = guardians.find(|pid| name(*pid).as_deref() == Some("lease-guard"));
    send(front, Signal::SIGABRT);
    wait_until(PATIENCE, "the front to be dead", || !alive(front));
    send(guardian.unwrap(), Signal::SIGABRT);
    let ended = running.wait(PATIENCE);
    assert_eq!(ended.signal(), Some(6), "{ended}");
    wait_until(PATIENCE, "all to be dead", || lab.processes().is_empty());
    assert!(!core_dumped(&ended), "{ended}");
    seen += &format!("{ended}");
    seen += &everything_in(&lab.path("."));
    assert!(!seen.contains(secret), "{seen}");
    assert!(seen.contains("acquired"), "{seen}");
}

#[track_caller]
fn holding(lab: &Lab, sign_in: SignIn<'_>) -> Running {
    let mut run = lab.command("sh");
    run.args(["-c", "ulimit -c unlimited; exec \"$@\"", "sh"]);
    run.args(["leasectl", "run", "-v", "--record", "args", "--lease", "a"]);
    run.args(["--ttl", "15s", "--events", "events", "--log-format", "json"]);
    run.args(["--", "sh", "-c", "echo ready; sleep 600"]);
    sign_in(lab, &mut run, true);
    let running = lab.spawn(&mut run);
    wait_until(PATIENCE, "it holds", || running.stdout() == "ready\n");
    running
}

/// The arguments of all processes, and what is said to those who look and to one who may not.
#[track_caller]
fn looked_at(lab: &Lab, sign_in: SignIn<'_>) -> String {
    let mut seen = String::new();
    for pid in lab.processes() {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        seen += &String::from_utf8_lossy(&line);
    }
    for words in [&["status", "a", "--json"][..], &["status"], &["doctor"]] {
        let mut look = lab.leasectl(words);
        sign_in(lab, &mut look, true);
        seen += &format!("{}", lab.run(&mut look).expect_code(0));
    }
    let mut fails = lab.leasectl(["run", "-v", "--lease", "a", "--", "true"]);
    sign_in(lab, &mut fails, false);
    seen + &format!("{}", lab.run(&mut fails).expect_code(125))
}

/// Whether the kernel wrote one, or had one written.
fn core_dumped(ended: &Ended) -> bool {
    std::os::unix::process::ExitStatusExt::core_dumped(&ended.status)
}

/// What is in files that leasectl wrote; not what we gave it.
fn everything_in(directory: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(directory).unwrap().flatten() {
        if entry.file_type().unwrap().is_file() && entry.file_name() != "url" {
            text += &String::from_utf8_lossy(&fs::read(entry.path()).unwrap());
        }
    }
    text
}

/// An account of its own, whose key is a canary.
fn account(key: &str) -> Azurite {
    let accounts = format!("AZURITE_ACCOUNTS=ops:{key}");
    Azurite::start_on(vec!["env".to_owned(), accounts], &["--inMemoryPersistence"])
}

fn url(server: &Azurite) -> String {
    let port = server.port();
    format!("azblob+http://127.0.0.1:{port}/ops/leases?{OPTIONS}")
}

fn an_account_key_is_shown_to_nobody() {
    let key = STANDARD.encode("a canary that is an account key");
    let server = account(&key);
    is_shown_to_nobody(&key, &|_, command, good| {
        let wrong = STANDARD.encode("a canary that is no account key");
        command
            .env("LEASECTL_STORE", url(&server))
            .env("AZURE_STORAGE_KEY", if good { &key } else { &wrong });
    });
}

fn a_signature_is_shown_to_nobody() {
    needs("python-azure");
    let key = STANDARD.encode("a canary that is an account key");
    let server = account(&key);
    let sas = python_as(
        ("ops", &key),
        &server,
        r#"
from datetime import datetime, timedelta, timezone
from azure.storage.blob import generate_container_sas, ContainerSasPermissions
container.create_container()
print(generate_container_sas(account, sys.argv[2], account_key=key,
    permission=ContainerSasPermissions(read=True, add=True, create=True, write=True, delete=True, list=True),
    expiry=datetime.now(timezone.utc) + timedelta(hours=1), version="2021-12-02"))
"#,
    );
    let signature = sas.split("sig=").nth(1).unwrap().split('&').next().unwrap();
    is_shown_to_nobody(signature, &|lab, command, good| {
        let sas = if good {
            sas.clone()
        } else {
            sas.replace("sp=", "sp=x")
        };
        let file = lab.path("url");
        fs::write(&file, format!("{}&{sas}", url(&server))).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        command
            .env_remove("LEASECTL_STORE")
            .env("LEASECTL_STORE_FILE", file);
    });
}

fn a_token_is_shown_to_nobody() {
    let (server, keys) = secured(Vec::new());
    let ca = keys.path().join("ca.crt");
    let good_token = token(STORAGE, 3600);
    let tokens = [good_token.clone(), token("https://vault.azure.net", 3600)];
    let endpoints = tokens.map(identity_endpoint);
    let port = server.port();
    let url = format!(
        "azblob+https://127.0.0.1:{port}/devstoreaccount1/leases?{OPTIONS}&auth=managed-identity&ca={}",
        ca.display()
    );
    let payload = good_token.split('.').nth(1).unwrap().to_owned();
    is_shown_to_nobody(&payload, &|_, command, good| {
        command
            .env("LEASECTL_STORE", &url)
            .env("IDENTITY_ENDPOINT", &endpoints[usize::from(!good)])
            .env("IDENTITY_HEADER", "c4nary");
    });
}

fn a_core_dump_would_be_seen() {
    let lab = Lab::new();
    let ended = lab.run(&mut lab.sh("ulimit -c unlimited || exit 9; kill -ABRT $$"));
    if ended.code() == Some(9) {
        needs("core-dumps");
    }
    assert!(core_dumped(&ended), "{ended}");
}
