//! Process groups and the terminal's keys. The terminals are python's: `terminal.py`.

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::scene::{LEASE, assert_lease_is_free, assert_nothing_is_left, guardian_of};
use crate::support::lab::{Lab, PATIENCE};
use crate::support::needs::needs;
use crate::support::processes::{group, wait_until};
use crate::support::puppet::Puppets;

pub(crate) fn trials() -> Vec<Trial> {
    let mut all = trials![without_a_terminal_the_command_leads_a_group_of_its_own];
    for scenario in [
        "the_command_is_in_leasectls_group",
        "ctrl_c_reaches_the_command_once",
        "ctrl_c_ends_leasectl_with_the_command",
        "ctrl_z_stops_both_and_fg_continues",
        "a_stopped_command_is_killed_at_the_deadline",
        "pipelines_and_input_work",
        "a_terminal_that_goes_away_takes_the_command_along",
    ] {
        let path = format!("{}::on_a_terminal_{scenario}", module_path!());
        all.push(crate::support::trial::trial(&path, move || {
            on_a_terminal(scenario)
        }));
    }
    all
}

fn on_a_terminal(scenario: &str) {
    needs("python3");
    needs("bash");
    let lab = Lab::new();
    let puppets = Puppets::new(&lab, "log", &["main", "child"]);
    let mut python = lab.command("python3");
    python.args(["-c", include_str!("terminal.py"), scenario]);
    lab.run(python.args(puppets.command())).expect_code(0);
    assert_nothing_is_left(&lab);
    assert_lease_is_free(&lab);
}

fn without_a_terminal_the_command_leads_a_group_of_its_own() {
    needs("setsid");
    let lab = Lab::new();
    let puppets = Puppets::new(&lab, "log", &["main", "child"]);
    let mut command = lab.command("setsid");
    command.args(["leasectl", "run", "--lease", LEASE, "--"]);
    // setsid(1) forks only when it leads a group already, and we do not.
    let running = lab.spawn(command.args(puppets.command()));
    let front = running.id();
    puppets.wait_ready();
    let main = puppets.pid("main");
    assert_eq!(group(main), Some(main));
    assert_eq!(group(puppets.pid("child")), Some(main));
    assert_ne!(group(front), Some(main));
    let guardian = guardian_of(front);
    assert_eq!(group(guardian), Some(guardian));
    // A signal to leasectl's group, as a supervisor sends it, reaches the command once.
    let front_group = nix::unistd::Pid::from_raw(i32::try_from(group(front).unwrap()).unwrap());
    nix::sys::signal::killpg(front_group, Signal::SIGINT).unwrap();
    wait_until(PATIENCE, "it arrives", || {
        !puppets.of_kind("INT").is_empty()
    });
    running.send(Signal::SIGTERM);
    running.wait(PATIENCE).expect_code(0);
    assert_eq!(puppets.of_kind("INT").len(), 1);
}
