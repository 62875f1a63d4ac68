//! The examples on servers: those for many hosts, each with a leasectl and a directory of its own, and that for any
//! store.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use libtest_mimic::Trial;

use super::watched::Watched;
use crate::repository::examples::two_instances_work_one_after_another;
use crate::support::lab::{LEASECTL, Lab, PATIENCE, Running};
use crate::support::processes::wait_until;
use crate::support::redis::RedisServer;
use crate::support::source::root;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        of_ten_hosts_one_runs_the_job,
        two_instances_work_one_after_another_on_a_server,
        of_two_hosts_one_runs_the_service_over_a_fail_over,
    ]
}

fn of_ten_hosts_one_runs_the_job() {
    let server = RedisServer::start(&["--requirepass", "secret"]);
    let url = server
        .url("restart-guard=off")
        .replacen("://", "://:secret@", 1);
    let ran = Lab::new();
    let log = ran.path("log");
    let hosts: Vec<Lab> = (0..10).map(|_| Lab::new()).collect();
    let started = hosts.iter().map(|host| {
        let store = host.path("url");
        fs::write(&store, &url).unwrap();
        fs::set_permissions(&store, fs::Permissions::from_mode(0o600)).unwrap();
        let mut cron = host.command(root().join("examples/cron-redis.sh"));
        let job = format!("echo ran >>'{}'", log.display());
        cron.args(["report", "10m", "sh", "-c", &job]);
        cron.env("LEASECTL", LEASECTL).env("STORE_FILE", store);
        host.spawn(cron.env_remove("LEASECTL_STORE"))
    });
    let started: Vec<_> = started.collect();
    for host in started {
        let ended = host.wait(PATIENCE).expect_code(0);
        assert_eq!(ended.stderr, "", "cron would send this as mail");
    }
    assert_eq!(ran.read("log"), "ran\n");
}

fn two_instances_work_one_after_another_on_a_server() {
    let server = RedisServer::start(&[]);
    let lab = Lab::new();
    let mut command = lab.command(root().join("examples/two-instances.sh"));
    command.env("LEASECTL", LEASECTL);
    command.env("LEASECTL_STORE", server.url("restart-guard=off"));
    two_instances_work_one_after_another(&mut command, &lab);
}

/// On the second host it waits, and starts when the first has ended.
fn of_two_hosts_one_runs_the_service_over_a_fail_over() {
    let watched = Watched::start();
    let service = |host: &Lab| {
        let store = host.path("url");
        fs::write(&store, watched.url("restart-guard=off")).unwrap();
        fs::set_permissions(&store, fs::Permissions::from_mode(0o600)).unwrap();
        let mut script = host.command(root().join("examples/standby-sentinel.sh"));
        let serve = "echo $LEASECTL_TOKEN; while [ ! -e done ]; do sleep 0.05; done";
        script.args(["billing", "sh", "-c", serve]);
        script.env("LEASECTL", LEASECTL).env("STORE_FILE", store);
        host.spawn(script.env_remove("LEASECTL_STORE"))
    };
    let token = |run: &Running| {
        wait_until(PATIENCE, "the service to run", || !run.stdout().is_empty());
        run.stdout().trim().parse::<u64>().unwrap()
    };
    let hosts = [Lab::new(), Lab::new()];
    let active = service(&hosts[0]);
    let first = token(&active);
    let standby = service(&hosts[1]);
    wait_until(PATIENCE, "the other to stand in line", || {
        !watched.primary.cli(&["KEYS", "*:q:billing"]).is_empty()
    });
    watched.has_caught_up();
    watched.fail_over();
    watched.has_failed_over();
    let key = watched.replica.cli(&["KEYS", "*:l:billing"]);
    let renewed = || watched.replica.cli(&["HGET", &key, "1.ren"]);
    let before = renewed();
    wait_until(PATIENCE, "a renewal", || renewed() != before);
    assert_eq!(standby.stdout(), "");
    fs::write(hosts[0].path("done"), "").unwrap();
    active.wait(PATIENCE).expect_code(0);
    assert!(token(&standby) > first);
    fs::write(hosts[1].path("done"), "").unwrap();
    standby.wait(PATIENCE).expect_code(0);
}
