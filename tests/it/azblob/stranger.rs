//! A client that we did not write, Python's azure-storage-blob, and leasectl see each other's leases.

use std::process::Command;

use libtest_mimic::Trial;

use super::scene::{OPTIONS, Scene, TTL, verb};
use crate::support::azurite::Azurite;
use crate::support::lab::{Lab, PATIENCE};
use crate::support::needs::needs;
use crate::support::processes::wait_until;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_lease_of_another_tool_keeps_leasectl_out_and_is_named,
        a_lease_of_another_tool_is_taken_away_when_that_is_said,
        our_lease_keeps_another_tool_out_and_tells_it_who_holds,
        our_lease_that_another_tool_breaks_is_lost_at_once,
        our_lease_that_another_tool_takes_for_itself_is_lost_and_left_to_it,
        metadata_that_leaves_no_room_for_ours_is_refused_before_anything_runs,
        metadata_that_leaves_little_room_shortens_how_a_run_ended,
    ]
}

const PREAMBLE: &str = r#"
import sys
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobServiceClient
account, key = sys.argv[3:5]
url = f"http://127.0.0.1:{sys.argv[1]}/{account}"
service = BlobServiceClient(url, credential=key, api_version="2021-12-02")
container = service.get_container_client(sys.argv[2])
blob = container.get_blob_client("a")
def refused(act):
    try:
        act()
    except HttpResponseError as error:
        return str(getattr(error.error_code, "value", error.error_code))
    return "not refused"
"#;

/// What the script prints.
#[track_caller]
pub(super) fn python(server: &Azurite, script: &str) -> String {
    const KEY: &str =
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
    python_as(("devstoreaccount1", KEY), server, script)
}

/// The same in another account.
#[track_caller]
pub(super) fn python_as((account, key): (&str, &str), server: &Azurite, script: &str) -> String {
    let mut python = Command::new("python-azure");
    python.args([
        "-c",
        &format!("{PREAMBLE}{script}"),
        &server.port().to_string(),
        server.container(),
        account,
        key,
    ]);
    let output = python.output().unwrap();
    assert!(output.status.success(), "{script}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// An Azurite in which another tool keeps something, and has leased it for ever.
fn leased_by_another_tool() -> Azurite {
    needs("python-azure");
    let server = Azurite::in_memory();
    python(
        &server,
        "container.create_container()\nblob.upload_blob(b'hello', metadata={'team': 'x'})\nblob.acquire_lease(-1)",
    );
    server
}

const RUN: [&str; 5] = ["run", "--lease", "a", "--", "true"];

fn a_lease_of_another_tool_keeps_leasectl_out_and_is_named() {
    let server = leased_by_another_tool();
    let (lab, url) = (Lab::new(), server.url(OPTIONS));
    let refused = verb(&lab, &url, &RUN).expect_code(120);
    assert!(
        refused.stderr.contains("something that is not leasectl"),
        "{refused}"
    );
    for words in [&["status", "--json"][..], &["status", "a", "--json"]] {
        let seen = verb(&lab, &url, words).expect_code(0);
        let seen: serde_json::Value = serde_json::from_str(&seen.stdout).unwrap();
        let lease = &seen["leases"][0];
        assert_eq!(lease["state"], "foreign", "{seen}");
        assert!(lease["holders"][0]["token"].is_null(), "{seen}");
    }
    let seen = verb(&lab, &url, &["status", "a"]).expect_code(0);
    assert!(seen.stdout.contains("foreign"), "{seen}");
}

fn a_lease_of_another_tool_is_taken_away_when_that_is_said() {
    let server = leased_by_another_tool();
    let (lab, url) = (Lab::new(), server.url(OPTIONS));
    let asked = verb(&lab, &url, &["release", "a", "--wait", "0s"]).expect_code(120);
    assert!(asked.stderr.contains("not leasectl"), "{asked}");
    verb(&lab, &url, &["release", "a", "--force", "--foreign"]).expect_code(0);
    verb(&lab, &url, &RUN).expect_code(0);
    // What the other tool keeps there stays.
    let kept = python(
        &server,
        "print(blob.download_blob().readall().decode(), blob.get_blob_properties().metadata['team'])",
    );
    assert_eq!(kept, "hello x");
}

fn our_lease_keeps_another_tool_out_and_tells_it_who_holds() {
    needs("python-azure");
    let scene = Scene::start();
    let told = python(
        &scene.server,
        "print(refused(lambda: blob.acquire_lease(15)))\n\
         print(refused(lambda: blob.set_blob_metadata({})))\n\
         seen = blob.get_blob_properties()\n\
         print(seen.lease.state, seen.metadata['token'].isdigit(), seen.metadata['holder'])",
    );
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[..2], ["LeaseAlreadyPresent", "LeaseIdMissing"]);
    assert!(lines[2].starts_with("leased True "), "{told}");
    // Ours is not taken for a stranger's.
    let other = Lab::new();
    let words = ["release", "a", "--force", "--foreign"];
    verb(&other, &scene.server.url(OPTIONS), &words).expect_code(120);
    scene.ends_well();
}

fn our_lease_that_another_tool_breaks_is_lost_at_once() {
    needs("python-azure");
    let mut scene = Scene::start();
    python(
        &scene.server,
        "from azure.storage.blob import BlobLeaseClient\nBlobLeaseClient(blob).break_lease(0)",
    );
    scene.is_stopped(TTL / 2, "a was lost");
}

/// The renewal has the wrong lease id then.
fn our_lease_that_another_tool_takes_for_itself_is_lost_and_left_to_it() {
    needs("python-azure");
    let mut scene = Scene::start();
    python(
        &scene.server,
        "from azure.storage.blob import BlobLeaseClient\nBlobLeaseClient(blob).break_lease(0)\n\
         blob.acquire_lease(60)",
    );
    scene.is_stopped(TTL / 2, "a was lost");
    let told = python(
        &scene.server,
        "print(blob.get_blob_properties().lease.state, refused(lambda: blob.acquire_lease(15)))",
    );
    assert_eq!(told, "leased LeaseAlreadyPresent", "we gave theirs back");
    // And it keeps leasectl out.
    verb(&Lab::new(), &scene.server.url(OPTIONS), &RUN).expect_code(120);
}

/// Azure takes 8 KiB of it; Azurite any number, so that it would not show.
fn metadata_that_leaves_no_room_for_ours_is_refused_before_anything_runs() {
    needs("python-azure");
    let server = Azurite::in_memory();
    python(
        &server,
        "container.create_container()\nblob.upload_blob(b'hello', metadata={'team': 'x' * 8000})",
    );
    let (lab, url) = (Lab::new(), server.url(OPTIONS));
    let words = ["run", "-q", "--lease", "a", "--", "touch", "ran"];
    let refused = verb(&lab, &url, &words).expect_code(125);
    assert!(
        refused.stderr.contains("so much metadata of somebody else"),
        "{refused}"
    );
    assert_eq!(refused.stderr.lines().count(), 1, "{refused}");
    assert!(!lab.path("ran").exists());
    // Nothing is held, and nothing of theirs has changed.
    let seen = "seen = blob.get_blob_properties()\n\
                print(seen.lease.state, sorted(seen.metadata), len(seen.metadata['team']))";
    assert_eq!(python(&server, seen), "available ['team'] 8000");
    // What fits is taken, and theirs is kept.
    python(&server, "blob.set_blob_metadata({'team': 'x' * 6000})");
    verb(&lab, &url, &words).expect_code(0);
    assert!(lab.path("ran").exists());
    let kept = "print(len(blob.get_blob_properties().metadata['team']))";
    assert_eq!(python(&server, kept), "6000");
}

/// There is room for the hold, and not for all that is to be said of its end.
fn metadata_that_leaves_little_room_shortens_how_a_run_ended() {
    needs("python-azure");
    let server = Azurite::in_memory();
    python(
        &server,
        "container.create_container()\nblob.upload_blob(b'hello', metadata={'team': 'x' * 5500})",
    );
    let (lab, url) = (Lab::new(), server.url(OPTIONS));
    let (note, reason) = ("n".repeat(500), "\u{540d}".repeat(170));
    let script = "touch up; exec sleep 600";
    let mut command = lab.leasectl(["run", "-q", "--lease", "a", "--min-hold", "1h"]);
    command.args(["--note", &note, "--", "sh", "-c", script]);
    let run = lab.spawn(command.env("LEASECTL_STORE", &url));
    wait_until(PATIENCE, "it runs", || lab.path("up").exists());
    verb(&lab, &url, &["release", "a", "--reason", &reason]).expect_code(0);
    run.wait(PATIENCE).expect_code(119);
    let seen = "seen = blob.get_blob_properties().metadata\n\
                size = sum(len(key) + len(value) for key, value in seen.items())\n\
                print(size <= 8192 or size, len(seen['team']), 'ended' in seen, 'notbefore' in seen)";
    assert_eq!(python(&server, seen), "True 5500 True False");
    let seen = verb(&lab, &url, &["status", "a", "--json"]).expect_code(0);
    let seen: serde_json::Value = serde_json::from_str(&seen.stdout).unwrap();
    let lease = &seen["leases"][0];
    assert_eq!(lease["last_run"]["outcome"], "operator", "{seen}");
    // It was handed over: nobody is kept out.
    assert_eq!(lease["state"], "free", "{seen}");
    verb(&lab, &url, &RUN).expect_code(0);
}
