//! The examples on a server: that for many hosts, each with a leasectl and a directory of its own, and that for any
//! store.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use libtest_mimic::Trial;

use crate::repository::examples::two_instances_work_one_after_another;
use crate::support::lab::{LEASECTL, Lab, PATIENCE};
use crate::support::redis::RedisServer;
use crate::support::source::root;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        of_ten_hosts_one_runs_the_job,
        two_instances_work_one_after_another_on_a_server,
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
