//! What happens to a command when its server, or the way to it, fails: dead by the deadline with exit code
//! 121 and one line that says why, or nothing at all where the hold is as good as before.

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::scene::Scene;
use crate::support::lab::{Lab, PATIENCE};
use crate::support::processes::wait_until;
use crate::support::redis::RedisServer;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_server_that_is_stopped,
        a_server_that_is_killed,
        a_server_that_is_stopped_and_goes_on_in_time,
        a_server_that_is_restarted_with_its_data,
        a_server_that_is_restarted_without_its_data,
        a_connection_that_is_killed,
        a_server_that_is_emptied,
        a_lease_that_is_deleted_under_a_contender,
        a_key_of_another_type,
        a_record_of_another_version,
        a_key_that_is_made_to_expire,
        a_server_that_becomes_a_replica,
        a_server_whose_memory_is_full,
        an_older_server_whose_memory_is_full,
        a_server_of_valkey_whose_memory_is_full,
        rights_that_are_taken_away,
        a_server_that_is_busy_with_one_command,
        a_server_that_loads_its_data_for_long,
        a_server_that_loads_its_data_in_time,
        a_hand_over_between_processes_is_pushed,
    ]
}

/// The key of the lease of all scenes.
fn key(scene: &Scene) -> String {
    scene.server.cli(&["KEYS", "*:l:a"])
}

fn a_server_that_is_stopped() {
    let mut scene = Scene::start(&[]);
    scene.server.send(Signal::SIGSTOP);
    scene.is_stopped("a could not be renewed in time");
}

fn a_server_that_is_killed() {
    let mut scene = Scene::start(&[]);
    scene.server.down();
    scene.is_stopped("a could not be renewed in time");
}

fn a_server_that_is_stopped_and_goes_on_in_time() {
    let scene = Scene::start(&[]);
    scene.server.send(Signal::SIGSTOP);
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    scene.server.send(Signal::SIGCONT);
    scene.survives();
}

fn a_server_that_is_restarted_with_its_data() {
    let mut scene = Scene::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    scene.server.down();
    scene.server.up();
    scene.survives();
}

fn a_server_that_is_restarted_without_its_data() {
    let mut scene = Scene::start(&[]);
    scene.server.down();
    scene.server.up();
    scene.is_stopped("a was lost");
}

fn a_connection_that_is_killed() {
    let scene = Scene::start(&[]);
    for _ in 0..3 {
        scene.server.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    }
    scene.survives();
}

fn a_server_that_is_emptied() {
    let mut scene = Scene::start(&[]);
    scene.server.cli(&["FLUSHALL"]);
    scene.is_stopped("a was lost");
}

/// The contender finds out first, and the holder is told through the server. Although nobody waits, what keeps
/// it out is waited out, and it follows when the holder's command is dead.
fn a_lease_that_is_deleted_under_a_contender() {
    let mut scene = Scene::start(&[]);
    let other = Lab::new();
    scene.server.cli(&["DEL", &key(&scene)]);
    let mut contender = other.leasectl(["run", "--lease", "a", "--", "true"]);
    contender.env("LEASECTL_STORE", scene.server.url("restart-guard=off"));
    let contender = other.spawn(&mut contender);
    scene.is_stopped("a was lost");
    let ended = contender.wait(PATIENCE).expect_code(0);
    assert!(ended.stderr.contains("a is kept back"), "{ended}");
}

fn a_key_of_another_type() {
    let mut scene = Scene::start(&[]);
    let key = key(&scene);
    scene.server.cli(&["DEL", &key]);
    scene.server.cli(&["SET", &key, "somebody's"]);
    let ended = scene.is_stopped("a could not be renewed in time");
    assert!(
        ended.stderr.contains("not leasectl's own (string)"),
        "{ended}"
    );
}

fn a_record_of_another_version() {
    let mut scene = Scene::start(&[]);
    scene.server.cli(&["HSET", &key(&scene), "v", "2"]);
    let ended = scene.is_stopped("a could not be renewed in time");
    assert!(ended.stderr.contains("(version 2)"), "{ended}");
}

fn a_key_that_is_made_to_expire() {
    let scene = Scene::start(&[]);
    let key = key(&scene);
    scene.server.cli(&["PEXPIRE", &key, "4000"]);
    wait_until(PATIENCE, "a renewal", || {
        scene.server.cli(&["PTTL", &key]) == "-1"
    });
    scene.survives();
}

fn a_server_that_becomes_a_replica() {
    let mut scene = Scene::start(&[]);
    scene.server.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    let ended = scene.is_stopped("a could not be renewed in time");
    assert!(ended.stderr.contains("it is a replica"), "{ended}");
}

/// As after `KEYS *` or a script of somebody else: it takes connections and answers nothing.
fn a_server_that_is_busy_with_one_command() {
    let mut scene = Scene::start(&["--enable-debug-command", "yes"]);
    let waiter = scene.waiter("1m");
    scene.server.tell("DEBUG SLEEP 10");
    let newcomer = scene.newcomer("2s");
    scene.is_stopped("a could not be renewed in time");
    assert_eq!(waiter.stdout(), "", "nobody grants anything meanwhile");
    newcomer.wait(PATIENCE).expect_code(123);
    waiter.wait(PATIENCE).expect_code(0);
}

/// Enough data for so many steps of loading, between which the server answers.
fn fill(scene: &Scene, steps: u32) {
    let script = "for i = 1, ARGV[1] do redis.call('SET', 'data' .. i, string.rep('x', 2048)) end";
    let steps = steps.to_string();
    scene.server.cli(&["EVAL", script, "0", &steps]);
    scene.server.cli(&["SAVE"]);
}

/// Each step takes a tenth of a second.
const LOADS_SLOWLY: [&str; 4] = [
    "--key-load-delay",
    "100000",
    "--loading-process-events-interval-bytes",
    "1024",
];

fn a_server_that_loads_its_data_for_long() {
    let mut scene = Scene::start(&["--rdbcompression", "no"]);
    fill(&scene, 90);
    scene.server.down();
    scene.server.up_and_loading(&LOADS_SLOWLY);
    let refused = scene.newcomer("2s").wait(PATIENCE).expect_code(123);
    assert!(
        refused.stderr.contains("it is loading its data"),
        "{refused}"
    );
    let ended = scene.is_stopped("a could not be renewed in time");
    assert!(
        ended.stderr.contains("it is loading its data (LOADING)"),
        "{ended}"
    );
}

fn a_server_that_loads_its_data_in_time() {
    let mut scene = Scene::start(&["--rdbcompression", "no"]);
    fill(&scene, 15);
    scene.server.down();
    scene.server.up_and_loading(&LOADS_SLOWLY);
    scene.survives();
}

fn a_server_whose_memory_is_full() {
    goes_on_in_a_full_memory("redis-server");
}

fn an_older_server_whose_memory_is_full() {
    goes_on_in_a_full_memory("redis-server-6.2");
}

fn a_server_of_valkey_whose_memory_is_full() {
    goes_on_in_a_full_memory("valkey-server");
}

/// Renewals and releases go through, and so does what takes no more memory; new leases do not.
fn goes_on_in_a_full_memory(program: &str) {
    let scene = Scene::on(RedisServer::start_as(program, &[]), "restart-guard=off");
    let other = Lab::new();
    let run = |lease: &str| {
        let mut command = other.leasectl(["run", "--lease", lease, "--", "true"]);
        let url = scene.server.url("restart-guard=off");
        other.run(command.env("LEASECTL_STORE", url))
    };
    run("known").expect_code(0);
    scene.server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    let refused = run("new").expect_code(123);
    assert!(refused.stderr.contains("its memory is full"), "{refused}");
    run("known").expect_code(0);
    let held = run("a").expect_code(120);
    assert!(held.stderr.contains("a is held"), "{held}");
    let ended = scene.survives();
    // That the time to live is short, and nothing more.
    assert_eq!(ended.stderr.lines().count(), 1, "{ended}");
}

fn rights_that_are_taken_away() {
    let mut scene = Scene::start(&[]);
    scene
        .server
        .cli(&["ACL", "SETUSER", "default", "-evalsha", "-eval"]);
    let ended = scene.is_stopped("a could not be renewed in time");
    assert!(ended.stderr.contains("NOPERM"), "{ended}");
}

fn a_hand_over_between_processes_is_pushed() {
    let scene = Scene::start(&[]);
    let next = scene.waiter("1m");
    std::fs::write(scene.lab.path("done"), "").unwrap();
    let ended = next.wait(PATIENCE).expect_code(0);
    // Everyone looks again after ten seconds; being told is quicker.
    assert!(ended.took.as_secs() < 8, "{ended}");
    scene.survives();
}
