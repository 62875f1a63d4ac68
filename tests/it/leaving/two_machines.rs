//! Two machines and one server: the job runs on the other before the first one goes.

use std::time::Instant;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::{LEASE, OBEDIENT, PREEMPT};
use crate::support::lab::{Lab, PATIENCE, Running};
use crate::support::metadata::{Announced, MetadataService};
use crate::support::network::Network;
use crate::support::processes::wait_until;
use crate::support::redis::RedisServer;

pub(super) fn trials() -> Vec<Trial> {
    trials![the_other_machine_runs_the_job_before_this_one_goes]
}

/// leasectl on a machine, told of events by the service that stands where Azure's does.
fn run(lab: &Lab, network: &Network, host: usize) -> Running {
    let words = network.at(host);
    let mut command = lab.command(&words[0]);
    command
        .args(&words[1..])
        .args(["leasectl", "run", "--lease", LEASE]);
    command.args(["--wait", "forever", "--scheduled-events", "all"]);
    command.args(["--cache-dir", lab.path("notices").to_str().unwrap()]);
    let script = format!("{OBEDIENT}; echo runs; while :; do sleep 0.05; done");
    command.args(["--", "sh", "-c", &script]);
    let address = network.address(host);
    let store = format!("redis://{address}/0?restart-guard=off");
    lab.spawn(command.env("LEASECTL_STORE", store))
}

fn the_other_machine_runs_the_job_before_this_one_goes() {
    let network = Network::of(2);
    let options = "--port 6379 --bind 0.0.0.0 --protected-mode no";
    let options: Vec<&str> = options.split(' ').collect();
    let _server = RedisServer::start_on(network.at_the_server(), &options);
    let services = [0, 1].map(|host| {
        let address = "ip addr add 169.254.169.254/32 dev lo";
        MetadataService::start_in(&network.namespace(host, address))
    });
    let labs = [Lab::new(), Lab::new()];
    let first = run(&labs[0], &network, 0);
    wait_until(PATIENCE, "the first runs", || first.stdout() == "runs\n");
    let other = run(&labs[1], &network, 1);
    wait_until(PATIENCE, "the other waits", || {
        other.stderr().contains("waiting")
    });
    services[0].announce(Announced::ours("Preempt", PREEMPT));
    let announced = Instant::now();
    wait_until(PATIENCE, "the other runs", || other.stdout() == "runs\n");
    let took = announced.elapsed();
    println!(
        "measured: Preempt announced on one machine to the job running on the other: {:.2} s of {} s",
        took.as_secs_f64(),
        PREEMPT.as_secs()
    );
    assert!(took < PREEMPT, "the first machine was gone: {took:?}");
    first.wait(PATIENCE).expect_code(118);
    other.send(Signal::SIGTERM);
    other.wait(PATIENCE).expect_code(3);
}
