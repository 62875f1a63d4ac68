//! The examples on Azure: a machine with an identity of its own, and a laptop with an emulator.

use std::process::Command;

use libtest_mimic::Trial;
use serde_json::json;

use super::identity::{Identity, STORAGE, secured, token};
use super::scene::OPTIONS;
use crate::support::azurite::Azurite;
use crate::support::lab::{LEASECTL, Lab, PATIENCE};
use crate::support::network::Network;
use crate::support::source::root;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        of_three_virtual_machines_one_runs_the_job,
        commands_on_a_laptop_run_one_after_another,
    ]
}

fn of_three_virtual_machines_one_runs_the_job() {
    let network = Network::of(0);
    network.prepare("ip address add 169.254.169.254/32 dev lo");
    let before = network.at_the_server();
    let (server, keys) = secured(before.clone());
    let good = json!({"token": token(STORAGE, 3600), "expires_in": 3600});
    let _service = Identity::start(&before, ("169.254.169.254", 80), None, &good);
    let url = format!(
        "azblob+https://127.0.0.1:{}/devstoreaccount1/leases?{OPTIONS}&auth=managed-identity&ca={}",
        server.port(),
        keys.path().join("ca.crt").display()
    );
    let log = keys.path().join("log");
    let labs: Vec<Lab> = (0..3).map(|_| Lab::new()).collect();
    let started = labs.iter().map(|lab| {
        let mut cron = lab.command(&before[0]);
        cron.args(&before[1..]);
        cron.arg(root().join("examples/azure-vm.sh"));
        let job = format!("echo ran >>'{}'", log.display());
        cron.args(["report", "10m", "sh", "-c", &job]);
        lab.spawn(cron.env("LEASECTL", LEASECTL).env("STORE", &url))
    });
    let started: Vec<_> = started.collect();
    for running in started {
        let ended = running.wait(PATIENCE).expect_code(0);
        assert_eq!(ended.stderr, "");
    }
    assert_eq!(std::fs::read_to_string(log).unwrap(), "ran\n");
}

fn commands_on_a_laptop_run_one_after_another() {
    let server = Azurite::start(&["--inMemoryPersistence"]);
    let lab = Lab::new();
    let example = |script: &str| -> Command {
        let mut example = lab.command(root().join("examples/azurite.sh"));
        example.args(["nightly", "sh", "-c", script]);
        example.env("AZURITE_PORT", server.port().to_string());
        example.env("LEASECTL", LEASECTL);
        example.env_remove("LEASECTL_STORE");
        example
    };
    let script = "mkdir busy && sleep 1 && rmdir busy && exit 7";
    let both = [(); 2].map(|()| lab.spawn(&mut example(script)));
    for running in both {
        running.wait(PATIENCE).expect_code(7);
    }
}
