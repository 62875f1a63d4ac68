//! leasectl as PID 1 of a PID namespace, as in a container.

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::scene::{FAMILY, LEASE, assert_lease_is_free, assert_nothing_is_left};
use crate::support::lab::{Ended, Lab, PATIENCE, Running};
use crate::support::needs::needs;
use crate::support::processes::{alive, children, descendants, name, send, wait_until};
use crate::support::puppet::Puppets;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        the_exit_code_of_the_command_is_passed_on,
        a_command_that_a_signal_killed_gives_128_and_its_number,
        orphans_of_the_command_are_reaped,
        no_zombie_is_left_to_a_pid_1_that_reaps_nothing,
        processes_that_came_from_elsewhere_are_reaped_and_not_killed,
        signals_are_passed_on,
        the_guardians_death_ends_the_command,
    ]
}

/// leasectl as PID 1.
fn first(lab: &Lab, command: &[&str]) -> Running {
    needs("pidns");
    let mut unshare = lab.command("unshare");
    unshare.args(["--fork", "--kill-child", "--pid", "--mount-proc"]);
    unshare.args(["leasectl", "run", "--lease", LEASE, "--"]);
    lab.spawn(unshare.args(command))
}

#[track_caller]
fn run(lab: &Lab, script: &str) -> Ended {
    let ended = first(lab, &["sh", "-c", script]).wait(PATIENCE);
    assert_nothing_is_left(lab);
    assert_lease_is_free(lab);
    ended
}

fn the_exit_code_of_the_command_is_passed_on() {
    let lab = Lab::new();
    let ended = run(&lab, "echo ${LEASECTL_HOLDER##*:}; exit 7").expect_code(7);
    assert_eq!(ended.stdout, "1\n", "it is PID 1");
}

fn a_command_that_a_signal_killed_gives_128_and_its_number() {
    for number in [1, 2, 9, 11, 15] {
        let lab = Lab::new();
        run(&lab, &format!("kill -{number} $$")).expect_code(128 + number);
    }
}

fn orphans_of_the_command_are_reaped() {
    let lab = Lab::new();
    let script = "for n in 1 2 3 4 5 6 7 8 9 10; do (setsid sh -c 'echo >>ended' &); done; \
        i=0; until test \"$(wc -l <ended)\" = 10 \
            && ! grep -q '^State:.Z' /proc/[0-9]*/status 2>/dev/null; do \
        i=$((i + 1)); test $i -lt 1000 || exit 9; sleep 0.02; done";
    run(&lab, script).expect_code(0);
}

fn no_zombie_is_left_to_a_pid_1_that_reaps_nothing() {
    needs("pidns");
    needs("python3");
    let lab = Lab::new();
    // As PID 1 it waits for the one child that it knows.
    let script = "import glob, os, subprocess\n\
        assert os.getpid() == 1\n\
        for _ in range(5):\n\
        \tsubprocess.run(['leasectl', 'run', '--lease', 'nightly', '--', 'true'], check=True)\n\
        for stat in glob.glob('/proc/[0-9]*/stat'):\n\
        \tline = open(stat).read()\n\
        \tassert ') Z ' not in line, line\n";
    let mut unshare = lab.command("unshare");
    unshare.args(["--fork", "--pid", "--mount-proc", "python3", "-c", script]);
    lab.run(&mut unshare).expect_code(0);
}

/// The PID of leasectl as this machine counts.
fn front_of(unshare: &Running) -> u32 {
    let mut found = None;
    wait_until(PATIENCE, "leasectl runs", || {
        found = children(unshare.id())
            .into_iter()
            .find(|&pid| name(pid).as_deref() == Some("leasectl"));
        found.is_some()
    });
    found.unwrap()
}

/// Puppets under leasectl as PID 1, ready, and the number of leasectl.
fn first_with_puppets(lab: &Lab, roles: &[&str]) -> (Running, u32, Puppets) {
    let puppets = Puppets::new(lab, "log", roles);
    let words = puppets.command();
    let words: Vec<&str> = words.iter().map(|word| word.to_str().unwrap()).collect();
    let unshare = first(lab, &words);
    puppets.wait_ready();
    let front = front_of(&unshare);
    (unshare, front, puppets)
}

/// Runs a script inside, as `docker exec` does it; what it leaves behind becomes a child of PID 1.
fn enter(lab: &Lab, front: u32, script: &str) {
    needs("nsenter");
    needs("root");
    let mut nsenter = lab.command("nsenter");
    nsenter.args(["--target", &front.to_string(), "--pid", "--mount"]);
    lab.run(nsenter.args(["sh", "-c", script])).expect_code(0);
}

fn processes_that_came_from_elsewhere_are_reaped_and_not_killed() {
    let lab = Lab::new();
    let (unshare, front, _) = first_with_puppets(&lab, &FAMILY);
    let before = children(front);
    let inside = descendants(front);
    enter(&lab, front, "setsid sleep 1000 &");
    let mut guest = 0;
    wait_until(PATIENCE, "PID 1 has adopted it", || {
        let new = children(front)
            .into_iter()
            .find(|pid| !before.contains(pid));
        guest = new.unwrap_or(0);
        new.is_some() && name(guest).as_deref() == Some("sleep")
    });
    enter(&lab, front, "true & true & :");
    wait_until(PATIENCE, "PID 1 has reaped the rest", || {
        children(front)
            .into_iter()
            .all(|pid| before.contains(&pid) || pid == guest)
    });
    // The command ends. The guest does not keep leasectl from ending, and goes with PID 1.
    assert!(alive(guest));
    for pid in inside {
        if name(pid).as_deref() != Some("lease-guard") {
            send(pid, Signal::SIGTERM);
        }
    }
    unshare.wait(PATIENCE).expect_code(0);
    wait_until(PATIENCE, "the guest went with PID 1", || !alive(guest));
    assert_lease_is_free(&lab);
}

fn signals_are_passed_on() {
    let lab = Lab::new();
    let (unshare, front, puppets) = first_with_puppets(&lab, &["main"]);
    for (signal, word) in [(Signal::SIGINT, "INT"), (Signal::SIGTERM, "TERM")] {
        send(front, signal);
        wait_until(PATIENCE, "it arrives", || puppets.of_kind(word).len() == 1);
    }
    unshare.wait(PATIENCE).expect_code(0);
    assert_lease_is_free(&lab);
}

fn the_guardians_death_ends_the_command() {
    let lab = Lab::new();
    let (unshare, front, _) = first_with_puppets(&lab, &FAMILY);
    send(super::scene::guardian_of(front), Signal::SIGKILL);
    unshare.wait(PATIENCE).expect_code(121);
    assert_nothing_is_left(&lab);
    assert_lease_is_free(&lab);
}
