//! A process that is told to stop, and, while it still gives up that it is the one who asks, to go on.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::Command;

use libtest_mimic::Trial;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::sys::signal::Signal;

use super::Machine;
use crate::support::lab::{LEASECTL, PATIENCE, Running};
use crate::support::needs::needs;
use crate::support::processes::wait_until;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_watcher_that_is_told_to_go_on_goes_on,
        one_that_waits_and_is_told_to_go_on_goes_on,
    ]
}

/// leasectl in a group of its own, which can be stopped: somebody looks after it. strace has what it does to the
/// lock of the seat take a second and a half.
fn slow(machine: &Machine, words: &[&str]) -> Command {
    let mut command = machine.lab.command("strace");
    // With -D the process that is started becomes leasectl.
    command.args(["-D", "-f", "-qq", "-o", "/dev/null", "-P"]);
    command.arg(machine.lab.path("events/seat.1"));
    command.args(["-e", "trace=fcntl"]);
    command.args(["-e", "inject=fcntl:delay_exit=1500000", LEASECTL]);
    command.args(words).process_group(0);
    command
}

/// Whether nobody has the seat.
fn is_free(machine: &Machine) -> bool {
    let seat = machine.lab.path("events/seat.1");
    let seat = File::options().read(true).write(true).open(seat).unwrap();
    let mut lock: libc::flock = unlocked();
    lock.l_type = i16::try_from(libc::F_WRLCK).unwrap();
    // It goes with the file.
    fcntl(&seat, FcntlArg::F_OFD_SETLK(&lock)).is_ok()
}

fn unlocked() -> libc::flock {
    libc::flock {
        l_type: i16::try_from(libc::F_UNLCK).unwrap(),
        l_whence: i16::try_from(libc::SEEK_SET).unwrap(),
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

/// It gives the seat up, is told to go on meanwhile, and takes the seat again.
#[track_caller]
fn goes_on(machine: &Machine, running: &Running, polls: impl Fn() -> usize) {
    wait_until(PATIENCE, "it asks", || polls() == 1);
    running.send(Signal::SIGTSTP);
    wait_until(PATIENCE, "it gives the seat up", || is_free(machine));
    running.send(Signal::SIGCONT);
    wait_until(PATIENCE, "it asks again", || polls() == 2);
}

fn a_watcher_that_is_told_to_go_on_goes_on() {
    needs("strace");
    let machine = Machine::new();
    let (endpoint, shared) = (machine.service.endpoint(), machine.lab.path("events"));
    let shared = shared.display().to_string();
    let words = ["scheduled-events", "watch", "--endpoint", &endpoint];
    let words = [&words[..], &["--cache-dir", &shared]].concat();
    let watcher = machine.lab.spawn(&mut slow(&machine, &words));
    let polls = || watcher.stderr().matches("events: poller").count();
    goes_on(&machine, &watcher, polls);
}

fn one_that_waits_and_is_told_to_go_on_goes_on() {
    needs("strace");
    let machine = Machine::new();
    let script = "echo held; exec sleep 1000";
    let words = ["run", "-q", "--lease", "a", "--", "sh", "-c", script];
    let holder = machine.lab.spawn(&mut machine.lab.leasectl(words));
    wait_until(PATIENCE, "it is held", || holder.stdout() == "held\n");
    let (endpoint, shared) = (machine.service.endpoint(), machine.lab.path("events"));
    let shared = shared.display().to_string();
    let words = [
        "run", "--lease", "a", "--wait", "forever", "--events", "said",
    ];
    let told = ["--scheduled-events", "all", "--scheduled-events-endpoint"];
    let rest = [&endpoint, "--cache-dir", &shared, "--", "true"];
    let words = [&words[..], &told, &rest].concat();
    let waiter = machine.lab.spawn(&mut slow(&machine, &words));
    let said = || std::fs::read_to_string(machine.lab.path("said")).unwrap_or_default();
    goes_on(&machine, &waiter, || {
        said().matches("\"role\":\"poller\"").count()
    });
}
