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
        signals_from_inside_are_passed_on,
        a_signal_ends_the_wait_with_128_and_its_number,
        strangers_are_reaped_while_waiting,
        a_root_with_almost_nothing_in_it_will_do,
        the_guardians_death_ends_the_command,
    ]
}

/// leasectl as PID 1.
fn first(lab: &Lab, command: &[&str]) -> Running {
    first_with(lab, &[], command)
}

/// The same, with options.
fn first_with(lab: &Lab, options: &[&str], command: &[&str]) -> Running {
    needs("pidns");
    let mut unshare = lab.command("unshare");
    unshare.args(["--fork", "--kill-child", "--pid", "--mount-proc"]);
    unshare.args(["leasectl", "run", "--lease", LEASE]);
    unshare.args(options).arg("--");
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
    enter_for_good(lab, front, script).expect_code(0);
}

/// The same, where the end of PID 1 may take the script along.
fn enter_for_good(lab: &Lab, front: u32, script: &str) -> Ended {
    needs("nsenter");
    needs("root");
    let mut nsenter = lab.command("nsenter");
    nsenter.args(["--target", &front.to_string(), "--pid", "--mount"]);
    lab.run(nsenter.args(["sh", "-c", script]))
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

/// As `docker exec`, and as what `docker stop` sends: the command decides how it ends.
fn signals_from_inside_are_passed_on() {
    let lab = Lab::new();
    let script = "trap 'echo bye; exit 5' TERM; echo in; while :; do sleep 0.02; done";
    let unshare = first(&lab, &["sh", "-c", script]);
    wait_until(PATIENCE, "it runs", || unshare.stdout() == "in\n");
    enter_for_good(&lab, front_of(&unshare), "kill -TERM 1");
    let ended = unshare.wait(PATIENCE).expect_code(5);
    assert_eq!(
        (ended.stdout.as_str(), ended.stderr.as_str()),
        ("in\nbye\n", "")
    );
    assert_nothing_is_left(&lab);
    assert_lease_is_free(&lab);
}

/// Somebody outside has the lease, and this PID 1 waits for it, ready for signals.
fn standby(lab: &Lab) -> (Running, Running, u32) {
    let holder = [
        "run",
        "--lease",
        LEASE,
        "--",
        "sh",
        "-c",
        "echo in; sleep 1000; :",
    ];
    let holder = lab.spawn(&mut lab.leasectl(holder));
    wait_until(PATIENCE, "the lease is held", || holder.stdout() == "in\n");
    let unshare = first_with(lab, &["--wait", "forever"], &["touch", "ran"]);
    let front = front_of(&unshare);
    wait_until(PATIENCE, "it waits", || {
        unshare.stderr().contains("waiting")
    });
    (holder, unshare, front)
}

fn a_signal_ends_the_wait_with_128_and_its_number() {
    for (signal, number) in [("INT", 2), ("TERM", 15)] {
        let lab = Lab::new();
        let (holder, unshare, front) = standby(&lab);
        enter_for_good(&lab, front, &format!("kill -{signal} 1"));
        unshare.wait(PATIENCE).expect_code(128 + number);
        assert!(!lab.path("ran").exists());
        holder.send(Signal::SIGKILL);
    }
}

fn strangers_are_reaped_while_waiting() {
    let lab = Lab::new();
    let (holder, unshare, front) = standby(&lab);
    let before = children(front);
    enter(
        &lab,
        front,
        "for n in 1 2 3; do (setsid sh -c 'true & true & :' &); done",
    );
    wait_until(PATIENCE, "PID 1 has reaped them", || {
        lab.processes()
            .iter()
            .all(|&pid| name(pid).as_deref() != Some("true"))
            && children(front) == before
    });
    // It goes on waiting, and gets its turn.
    holder.send(Signal::SIGKILL);
    unshare.wait(PATIENCE).expect_code(0);
    assert!(lab.path("ran").exists());
}

/// The root of a container that has the program, the libraries, `/proc` and a volume, all read-only but
/// the volume: no `/dev`, `/etc`, `/home`, `/tmp`, `/var`; no entry for its user; no environment.
fn a_root_with_almost_nothing_in_it_will_do() {
    needs("pidns");
    needs("root");
    needs("setpriv");
    let lab = Lab::new();
    let script = "set -e; mkdir -p root/proc root/volume; cp \"$LEASECTL\" root/leasectl
        for dir in bin lib lib64 usr; do
            test -d /$dir || continue
            mkdir root/$dir; mount --bind /$dir root/$dir
        done
        mount -t proc none root/proc
        chown 4711 store; mount --bind store root/volume
        mkdir root.ro; mount --rbind root root.ro
        mount -o remount,bind,ro root.ro
        exec chroot root.ro /usr/bin/env -i /usr/bin/setpriv --reuid 4711 --regid 4711 \
            --clear-groups /leasectl run --store file:///volume --lease nightly -- \
            /bin/sh -c 'test $$ != 1 && echo x >/volume/ran && ls -d /* && exit 7'";
    let mut unshare = lab.command("unshare");
    unshare.args([
        "--fork",
        "--kill-child",
        "--pid",
        "--mount",
        "sh",
        "-c",
        script,
    ]);
    let ended = lab.run(unshare.env("LEASECTL", crate::support::lab::LEASECTL));
    let ended = ended.expect_code(7);
    assert_eq!(ended.stderr, "", "{ended}");
    assert!(
        !ended.stdout.contains("/tmp") && !ended.stdout.contains("/dev"),
        "{ended}"
    );
    assert_eq!(lab.read("store/ran"), "x\n");
    assert!(
        lab.read("store/nightly.record")
            .contains("\"user\":\"4711\"")
    );
}

fn the_guardians_death_ends_the_command() {
    let lab = Lab::new();
    let (unshare, front, _) = first_with_puppets(&lab, &FAMILY);
    send(super::scene::guardian_of(front), Signal::SIGKILL);
    unshare.wait(PATIENCE).expect_code(121);
    assert_nothing_is_left(&lab);
    assert_lease_is_free(&lab);
}
