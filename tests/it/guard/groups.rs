//! Without a terminal the command leads a process group of its own. With one: `tests/it/terminal`.

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::scene::{LEASE, guardian_of};
use crate::support::lab::{Lab, PATIENCE};
use crate::support::needs::needs;
use crate::support::processes::{group, wait_until};
use crate::support::puppet::Puppets;

pub(crate) fn trials() -> Vec<Trial> {
    trials![without_a_terminal_the_command_leads_a_group_of_its_own]
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
