//! A store that Sentinels name: found, followed over a fail-over, and refused in one clear line.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use super::refusals::admit;
use super::watched::{NAME, Watched, mute, one_that_says};
use crate::support::lab::{Ended, Lab, PATIENCE, Running};
use crate::support::needs::needs;
use crate::support::processes::wait_until;
use crate::support::redis::{RedisServer, free_port};

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_job_runs_on_the_primary,
        a_job_runs_on_the_primary_of_valkey,
        a_holder_and_a_waiter_follow_when_the_primary_is_killed,
        a_holder_and_a_waiter_follow_when_the_primary_of_valkey_is_killed,
        a_holder_follows_a_fail_over_on_command,
        a_holder_follows_a_fail_over_of_valkey_on_command,
        a_holder_whose_grant_was_forgotten_is_stopped,
        a_holder_without_a_primary_is_stopped_in_time,
        a_sentinel_that_is_behind_is_not_believed,
        sentinels_that_say_nothing_cost_little,
        the_rights_of_the_example_are_enough,
        no_sentinel_is_there,
        no_primary_has_this_name,
        a_server_is_no_sentinel,
        a_sentinel_wants_a_password,
    ]
}

/// Long enough for a fail-over after a second of silence.
const TTL: &str = "15s";

/// Runs `true` on the store, which a file names: it may have a password.
fn run_on(url: &str) -> Ended {
    let lab = Lab::new();
    let path = lab.path("url");
    fs::write(&path, url).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = lab.leasectl(["run", "-v", "--lease", "a", "--store-file", "url"]);
    command.args([
        "--",
        "sh",
        "-c",
        "echo $LEASECTL_TOKEN $LEASECTL_STORE_LABEL",
    ]);
    let ended = lab.run(command.env_remove("LEASECTL_STORE"));
    let shown = ended.stderr.contains("c4nary") || ended.stdout.contains("c4nary");
    assert!(!shown, "{ended}");
    ended
}

/// Holds until a file `done` is there; `options` come before the command.
fn hold(lab: &Lab, url: &str, options: &[&str]) -> Running {
    let mut command = lab.leasectl(["run", "--lease", "a"]);
    let script = "echo $LEASECTL_TOKEN; while [ ! -e done ]; do sleep 0.05; done";
    command.args(options).args(["--", "sh", "-c", script]);
    lab.spawn(command.env("LEASECTL_STORE", url))
}

#[track_caller]
fn token(run: &Running) -> u64 {
    wait_until(PATIENCE, "the command to run", || !run.stdout().is_empty());
    run.stdout().trim().parse().unwrap()
}

fn done(lab: &Lab) {
    fs::write(lab.path("done"), "").unwrap();
}

/// How often the hold was renewed, as this server knows.
fn renewals(server: &RedisServer) -> u64 {
    let key = server.cli(&["KEYS", "*:l:a"]);
    server.cli(&["HGET", &key, "1.ren"]).parse().unwrap_or(0)
}

#[track_caller]
fn is_renewed_at(server: &RedisServer) {
    let before = renewals(server);
    wait_until(PATIENCE, "a renewal at the new primary", || {
        renewals(server) > before
    });
}

fn a_job_runs_on_the_primary() {
    runs_on_the_primary(&Watched::start());
}

fn a_job_runs_on_the_primary_of_valkey() {
    runs_on_the_primary(&Watched::valkey());
}

fn runs_on_the_primary(watched: &Watched) {
    let (mut label, mut before) = (None, 0);
    for options in ["restart-guard=off", "restart-guard=off&replicas=1"] {
        let ended = run_on(&watched.url(options)).expect_code(0);
        let (token, shown) = ended.stdout.trim().split_once(' ').unwrap();
        let token: u64 = token.parse().unwrap();
        assert!(token > before, "{ended}");
        assert!(shown.starts_with("redis-sentinel://127.0.0.1:"), "{ended}");
        assert!(shown.ends_with("/main/0"), "{ended}");
        assert_eq!(label.get_or_insert(shown.to_owned()), shown);
        before = token;
    }
    assert!(watched.primary.cli(&["KEYS", "*:l:a"]).ends_with(":l:a"));
}

fn a_holder_and_a_waiter_follow_when_the_primary_is_killed() {
    both_follow(Watched::start());
}

fn a_holder_and_a_waiter_follow_when_the_primary_of_valkey_is_killed() {
    both_follow(Watched::valkey());
}

fn both_follow(mut watched: Watched) {
    let (lab, other) = (Lab::new(), Lab::new());
    let url = watched.url("restart-guard=off");
    let holder = hold(&lab, &url, &["--ttl", TTL]);
    let first = token(&holder);
    let waiter = hold(&other, &url, &["--ttl", TTL, "--wait", "2m"]);
    wait_until(PATIENCE, "it to stand in line", || {
        watched.primary.cli(&["KEYS", "*:q:a"]).ends_with(":q:a")
    });
    watched.has_caught_up();
    watched.primary.down();
    watched.has_failed_over();
    is_renewed_at(&watched.replica);
    assert_eq!(waiter.stdout(), "");
    done(&lab);
    holder.wait(PATIENCE).expect_code(0);
    assert!(token(&waiter) > first);
    done(&other);
    waiter.wait(PATIENCE).expect_code(0);
}

/// The waiter has the guard that is set unless the URL says otherwise: the renewal has ended it.
fn a_holder_follows_a_fail_over_on_command() {
    follows_on_command(&Watched::start());
}

fn a_holder_follows_a_fail_over_of_valkey_on_command() {
    follows_on_command(&Watched::valkey());
}

fn follows_on_command(watched: &Watched) {
    let (lab, other) = (Lab::new(), Lab::new());
    let holder = hold(&lab, &watched.url("restart-guard=off"), &["--ttl", TTL]);
    let first = token(&holder);
    watched.has_caught_up();
    watched.fail_over();
    watched.has_failed_over();
    is_renewed_at(&watched.replica);
    let waiter = hold(&other, &watched.url(""), &["--ttl", TTL, "--wait", "2m"]);
    done(&lab);
    holder.wait(PATIENCE).expect_code(0);
    assert!(token(&waiter) > first);
    done(&other);
    waiter.wait(PATIENCE).expect_code(0);
}

fn a_holder_whose_grant_was_forgotten_is_stopped() {
    let mut watched = Watched::start();
    let lab = Lab::new();
    let holder = hold(&lab, &watched.url("restart-guard=off"), &["--ttl", TTL]);
    token(&holder);
    watched.has_caught_up();
    // As if it had not heard of the grant in time.
    let replica = &watched.replica;
    replica.cli(&["CONFIG", "SET", "replica-read-only", "no"]);
    replica.cli(&["FLUSHALL"]);
    let granted = Instant::now();
    watched.primary.down();
    let ended = holder.wait(PATIENCE).expect_code(121);
    assert!(granted.elapsed() < Duration::from_secs(15), "{ended}");
    assert!(ended.stderr.contains("a was lost"), "{ended}");
}

fn a_holder_without_a_primary_is_stopped_in_time() {
    let mut watched = Watched::start();
    let lab = Lab::new();
    let holder = hold(&lab, &watched.url("restart-guard=off"), &["--ttl", "6s"]);
    token(&holder);
    let last = Instant::now();
    watched.primary.down();
    watched.replica.down();
    let pid = holder.id();
    wait_until(PATIENCE, "the command to be dead", || {
        lab.processes().iter().all(|process| *process == pid)
    });
    assert!(last.elapsed() < Duration::from_secs(6));
    let ended = holder.wait(PATIENCE).expect_code(121);
    let why = "a could not be renewed in time";
    assert!(ended.stderr.contains(why), "{ended}");
}

fn a_sentinel_that_is_behind_is_not_believed() {
    let watched = Watched::start();
    let behind = one_that_says(watched.replicas_port());
    let of = |hosts: &str| format!("redis-sentinel://{hosts}/{NAME}?restart-guard=off");
    let both = format!("127.0.0.1:{behind},{}", watched.hosts());
    run_on(&of(&both)).expect_code(0);
    let ended = run_on(&of(&format!("127.0.0.1:{behind}"))).expect_code(123);
    let last = ended.stderr.lines().last().unwrap_or_default();
    assert!(last.contains("it is a replica (ROLE)"), "{ended}");
}

/// A stopped host answers nobody, and the attempt goes on with the next.
fn sentinels_that_say_nothing_cost_little() {
    let watched = Watched::start();
    let hosts = format!("127.0.0.1:{},127.0.0.1:{}", mute(), mute());
    let url = format!(
        "redis-sentinel://{hosts},{}/{NAME}?restart-guard=off",
        watched.hosts()
    );
    let lab = Lab::new();
    // An attempt has 200 ms.
    let holder = hold(&lab, &url, &["--ttl", "2s"]);
    token(&holder);
    done(&lab);
    let ended = holder.wait(PATIENCE).expect_code(0);
    assert!(ended.took < Duration::from_secs(8), "{ended}");
}

fn the_rights_of_the_example_are_enough() {
    let watched = Watched::start();
    admit(&watched.primary);
    admit(&watched.replica);
    let url = watched.url("restart-guard=off&replicas=1");
    run_on(&url.replacen("://", "://leasectl:c4nary@", 1)).expect_code(0);
    let user = ["ACL", "SETUSER", "leasectl", "-role"];
    watched.primary.cli(&user);
    let ended = run_on(&url.replacen("://", "://leasectl:c4nary@", 1)).expect_code(125);
    assert!(ended.stderr.contains("NOPERM"), "{ended}");
}

fn no_sentinel_is_there() {
    needs("redis-server");
    let url = format!(
        "redis-sentinel://:c4nary@127.0.0.1:{},127.0.0.1:{}/{NAME}",
        free_port(),
        free_port()
    );
    let ended = run_on(&url).expect_code(123);
    let last = ended.stderr.lines().last().unwrap_or_default();
    assert!(last.contains("Sentinel 127.0.0.1:"), "{ended}");
    assert!(
        last.contains("connection refused; nothing was run"),
        "{ended}"
    );
}

fn no_primary_has_this_name() {
    let watched = Watched::start();
    let url = format!("redis-sentinel://{}/mian", watched.hosts());
    let ended = run_on(&url).expect_code(125);
    let why = "the Sentinels know no primary called \"mian\"";
    assert!(ended.stderr.contains(why), "{ended}");
}

fn a_server_is_no_sentinel() {
    let (_server, port) = RedisServer::on_a_port(&[]);
    let ended = run_on(&format!("redis-sentinel://127.0.0.1:{port}/{NAME}")).expect_code(125);
    assert!(ended.stderr.contains("it is no Sentinel"), "{ended}");
}

fn a_sentinel_wants_a_password() {
    let watched = Watched::with_password("c4nary");
    let ended = run_on(&watched.url("restart-guard=off")).expect_code(125);
    assert!(ended.stderr.contains("sentinel-password"), "{ended}");
    let wrong = run_on(&watched.url("sentinel-password=c4naries")).expect_code(125);
    assert!(wrong.stderr.contains("WRONGPASS"), "{wrong}");
    run_on(&watched.url("restart-guard=off&sentinel-password=c4nary")).expect_code(0);
}
