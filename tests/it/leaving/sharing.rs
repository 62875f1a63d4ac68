//! Which events count, by whose name, and with whom what is heard is shared.

use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::{OBEDIENT, PREEMPT, running, so_far};
use crate::support::lab::{Lab, PATIENCE};
use crate::support::metadata::{Announced, MetadataService};
use crate::support::processes::{descendants, guardian_of, wait_until};

pub(super) fn trials() -> Vec<Trial> {
    trials![
        another_service_is_not_shared_with_the_machines_own,
        neither_guardian_nor_command_has_the_seat,
        names_from_a_file_count_as_if_they_were_typed,
    ]
}

/// Sooner than the event that counts: it would be the reason if it counted.
const SOONER: Duration = Duration::from_secs(20);

/// Of two announced events the second is what the command is stopped for.
fn assert_only_the_second(options: &[&str], sooner: Announced, later: Announced) {
    let lab = Lab::new();
    let service = MetadataService::start();
    let options = [&["--scheduled-events", "all"], options].concat();
    let running = running(&lab, &service, &options, OBEDIENT);
    service.announce(sooner);
    let id = service.announce(later);
    running.wait(PATIENCE).expect_code(118);
    assert_eq!(so_far(&lab, "stopping")[0]["event_id"], json!(id));
}

pub(super) fn what_is_shorter_is_no_reason() {
    let short = Announced {
        duration: 9,
        ..Announced::ours("Freeze", SOONER)
    };
    // Of this one nobody knows how long it takes.
    let unknown = Announced::ours("Freeze", PREEMPT);
    assert_only_the_second(&["--min-duration", "10s"], short, unknown);
}

pub(super) fn a_name_that_is_typed_goes_before_the_services() {
    let of_the_services_name = Announced::ours("Preempt", SOONER);
    let named = Announced::ours("Preempt", PREEMPT).of(&["web_7"]);
    let options = ["--resource", "x", "--resource", "WEB_7"];
    assert_only_the_second(&options, of_the_services_name, named);
}

fn role(lab: &Lab) -> Option<Value> {
    let notices = so_far(lab, "notices");
    notices.last().map(|last| last["role"].clone())
}

pub(super) fn the_poller_is_shared_in_a_named_directory() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let shared = lab.path("shared");
    let shared = shared.to_str().unwrap();
    let options = ["--scheduled-events", "all", "--cache-dir", shared];
    let running = running(&lab, &service, &options, OBEDIENT);
    wait_until(PATIENCE, "it polls", || role(&lab) == Some(json!("poller")));
    let endpoint = service.endpoint();
    let list = [
        "scheduled-events",
        "--json",
        "--endpoint",
        &endpoint,
        "--cache-dir",
        shared,
    ];
    let listed = lab.run(&mut lab.leasectl(list)).expect_code(0);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(listed["source"], "cache");
    running.send(Signal::SIGTERM);
    running.wait(PATIENCE).expect_code(3);
}

pub(super) fn without_coordination_nothing_is_shared() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let options = ["--scheduled-events", "all", "--no-coordination"];
    let running = running(&lab, &service, &options, OBEDIENT);
    wait_until(PATIENCE, "it asks alone", || {
        role(&lab) == Some(json!("direct"))
    });
    assert!(!lab.path("home/.local/state/leasectl").exists());
    // It hears of events all the same.
    service.announce(Announced::ours("Preempt", PREEMPT));
    running.wait(PATIENCE).expect_code(118);
}

fn another_service_is_not_shared_with_the_machines_own() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let endpoint = service.endpoint();
    let list = ["scheduled-events", "--endpoint", &endpoint];
    lab.run(&mut lab.leasectl(list)).expect_code(0);
    let address = endpoint.trim_start_matches("http://");
    let state = lab.path("home/.local/state/leasectl");
    let cache = state.join(format!("scheduled-events@{address}/events"));
    assert!(cache.exists(), "{}", cache.display());
    assert!(!state.join("scheduled-events").exists());
    // Nor, as root, with all users of the machine: a mock would stop their commands.
    let of_root = std::fs::read_to_string("/run/leasectl/scheduled-events/events");
    let asked = service.requests().len();
    assert!(asked > 0 && !of_root.is_ok_and(|text| text.contains(address)));
}

/// The seat would stay with them when leasectl has died.
fn neither_guardian_nor_command_has_the_seat() {
    let lab = Lab::new();
    let service = MetadataService::start();
    let shared = lab.path("shared");
    let options = [
        "--scheduled-events",
        "all",
        "--restart",
        "on-lost",
        "--cache-dir",
        shared.to_str().unwrap(),
    ];
    let running = running(&lab, &service, &options, OBEDIENT);
    let open = |pid: u32| {
        let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let links = entries.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        links.filter(|link| link.starts_with(&shared)).count()
    };
    let assert_only_ours = || {
        wait_until(PATIENCE, "it has the seat", || open(running.id()) > 0);
        let others = descendants(running.id());
        assert!(others.contains(&guardian_of(running.id())));
        for other in others {
            assert_eq!(open(other), 0, "{other}");
        }
    };
    assert_only_ours();
    // Nor when the next guardian is forked, by a process that had it.
    let id = service.announce(Announced::ours("Preempt", PREEMPT));
    wait_until(PATIENCE, "it has left", || {
        so_far(&lab, "restarting").len() == 1
    });
    service.vanish(&id);
    wait_until(PATIENCE, "it runs again", || {
        running.stdout() == "ready\nready\n"
    });
    assert_only_ours();
    running.send(Signal::SIGTERM);
    running.wait(PATIENCE).expect_code(3);
}

fn names_from_a_file_count_as_if_they_were_typed() {
    let of_the_services_name = || Announced::ours("Preempt", SOONER);
    let of = |name| Announced::ours("Preempt", PREEMPT).of(&[name]);
    let configured = |options: &[&str], other: Announced, meant: Announced| {
        let lab = Lab::new();
        let text = "[[lease]]\nmatch = \"night*\"\nresource = [\"x\", \"WEB_7\"]\n\
                    [defaults]\nscheduled_events = \"all\"\nresource = [\"web_8\"]\n";
        std::fs::write(lab.path("settings.toml"), text).unwrap();
        let service = MetadataService::start();
        let options = [&["--config", "settings.toml"], options].concat();
        let running = running(&lab, &service, &options, OBEDIENT);
        service.announce(other);
        let id = service.announce(meant);
        running.wait(PATIENCE).expect_code(118);
        assert_eq!(so_far(&lab, "stopping")[0]["event_id"], json!(id));
    };
    configured(&[], of_the_services_name(), of("web_7"));
    // What is typed replaces the list, as every setting.
    let sooner = of_the_services_name().of(&["web_7", "web_8"]);
    configured(&["--resource", "web_9"], sooner, of("web_9"));
}
