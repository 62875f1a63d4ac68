//! The exit codes of DESIGN section 7, each produced by what it stands for. 122 needs a process that
//! leasectl may not kill and is tested with the others of its kind; 118 cannot happen yet.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::{said, the_line};
use crate::support::lab::{Ended, LEASECTL, Lab, PATIENCE, Running};
use crate::support::needs::needs;
use crate::support::processes::wait_until;
use crate::support::trial::trial;

/// A code, what it stands for, and its test.
const CODES: &[(u8, &str, fn())] = &[
    (119, "handed over", handed_over),
    (120, "held", held),
    (120, "in its minimum hold", cooldown),
    (121, "lost", lost),
    (121, "not renewed in time", not_renewed),
    (121, "the guardian died", guardian_died),
    (123, "the store is silent", silent),
    (
        123,
        "the store is silent while waiting",
        silent_while_waiting,
    ),
    (124, "run timeout", run_timeout),
    (125, "usage", usage),
    (126, "not executable", not_executable),
    (127, "not found", not_found),
];

/// Documented, and tested elsewhere: 118 in `leaving/`, 122 in `guard/`.
const ELSEWHERE: &[u8] = &[118, 122];

pub(super) fn trials() -> Vec<Trial> {
    let mut trials = trials![
        every_documented_code_has_a_test,
        the_commands_own_code_is_passed_through,
        leasectl_dies_of_what_the_command_died_of,
        a_process_1_exits_with_128_more,
        a_signal_ends_the_wait_by_that_signal,
    ];
    trials.extend(CODES.iter().map(|(code, what, test)| {
        let what = what.replace(' ', "_");
        trial(&format!("it::cli::exit_codes::{code}::{what}"), test)
    }));
    trials
}

fn every_documented_code_has_a_test() {
    let lab = Lab::new();
    let help = lab.run(&mut lab.leasectl(["run", "--help"])).expect_code(0);
    let (_, codes) = help.stdout.split_once("Exit codes:\n").unwrap();
    let (codes, _) = codes.split_once("\n\n").unwrap();
    let firsts = codes
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    let documented: BTreeSet<u8> = firsts.filter_map(|word| word.parse().ok()).collect();
    let tested = CODES
        .iter()
        .map(|(code, ..)| *code)
        .chain(ELSEWHERE.iter().copied());
    assert_eq!(documented, tested.collect());
}

/// `leasectl run --lease x OPTIONS -- sh -c SCRIPT`.
fn run(lab: &Lab, options: &[&str], script: &str) -> Ended {
    let mut command = lab.leasectl(["run", "--lease", "x"]);
    lab.run(command.args(options).args(["--", "sh", "-c", script]))
}

/// Somebody who holds lease `x` until the lab ends.
fn holder(lab: &Lab) -> Running {
    let mut command = lab.leasectl([
        "run",
        "--lease",
        "x",
        "--",
        "sh",
        "-c",
        "touch held; exec sleep 600",
    ]);
    let running = lab.spawn(&mut command);
    wait_until(PATIENCE, "the lease is held", || lab.path("held").exists());
    running
}

/// Becomes a program with the signals as after a login: whoever runs the tests in the background has
/// INT and QUIT ignored, and so would have leasectl and its command.
const BY_DEFAULT: &str = "exec env --default-signal=HUP,INT,QUIT,PIPE,ALRM,TERM";

fn handed_over() {
    let lab = Lab::new();
    let holder = holder(&lab);
    lab.run(&mut lab.leasectl(["release", "x"])).expect_code(0);
    let ended = holder.wait(PATIENCE).expect_code(119);
    let last = ended.stderr.lines().last().unwrap();
    assert!(last.contains("x was handed over: operator "), "{ended}");
}

fn the_commands_own_code_is_passed_through() {
    let lab = Lab::new();
    for code in 0..=255 {
        let ended = run(&lab, &[], &format!("exit {code}")).expect_code(code);
        assert_eq!(ended.stderr, "");
    }
}

fn leasectl_dies_of_what_the_command_died_of() {
    let lab = Lab::new();
    // HUP INT QUIT ABRT KILL USR1 SEGV USR2 PIPE ALRM TERM XCPU, and a real-time signal.
    for signal in [1, 2, 3, 6, 9, 10, 11, 12, 13, 14, 15, 24, 40] {
        let mut command = lab.sh(&format!("ulimit -c unlimited; {BY_DEFAULT} \"$@\""));
        command.args(["sh", LEASECTL, "run", "--lease", "x", "--", "sh", "-c"]);
        let ended = lab.run(command.arg(format!("kill -{signal} $$; sleep 600")));
        assert_eq!(ended.signal(), Some(signal), "{ended}");
        assert!(!ended.status.core_dumped(), "{ended}");
        assert_eq!(ended.stderr, "");
    }
}

fn a_process_1_exits_with_128_more() {
    needs("pidns");
    let lab = Lab::new();
    let mut command = lab.command("unshare");
    command.args([
        "--fork",
        "--pid",
        "--mount-proc",
        LEASECTL,
        "run",
        "--lease",
        "x",
        "--",
    ]);
    lab.run(command.args(["sh", "-c", "kill -TERM $$"]))
        .expect_code(128 + 15);
}

fn a_signal_ends_the_wait_by_that_signal() {
    let lab = Lab::new();
    let _holder = holder(&lab);
    for signal in [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGTERM,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
    ] {
        let mut command = lab.sh(&format!("{BY_DEFAULT} \"$@\""));
        command.args(["sh", LEASECTL, "run", "--lease", "x", "--wait", "forever"]);
        command.args(["--", "touch", "ran"]);
        let waiter = lab.spawn(&mut command);
        wait_until(PATIENCE, "it waits", || waiter.stderr().contains("waiting"));
        waiter.send(signal);
        let ended = waiter.wait(PATIENCE);
        assert_eq!(ended.signal(), Some(signal as i32), "{ended}");
        assert_eq!(said(&lab, &ended).len(), 1, "{ended}");
    }
    assert!(!lab.path("ran").exists());
}

fn held() {
    let lab = Lab::new();
    let _holder = holder(&lab);
    let ended = run(&lab, &[], "touch ran").expect_code(120);
    assert!(
        the_line(&lab, &ended).starts_with("x is held: by "),
        "{ended}"
    );
    assert!(!lab.path("ran").exists());
}

fn cooldown() {
    let lab = Lab::new();
    run(&lab, &["--min-hold", "1h"], ":").expect_code(0);
    let ended = run(&lab, &[], "touch ran").expect_code(120);
    assert!(
        the_line(&lab, &ended).starts_with("x is in its minimum hold: "),
        "{ended}"
    );
    assert!(!lab.path("ran").exists());
}

fn lost() {
    let lab = Lab::new();
    let ended = run(
        &lab,
        &["-q", "--store", "memory:?lost-after=0", "--ttl", "10s"],
        "exec sleep 600",
    );
    let ended = ended.expect_code(121);
    let expected = "x was lost: it now belongs to somebody else; the command was killed";
    assert_eq!(the_line(&lab, &ended), expected);
}

fn not_renewed() {
    let lab = Lab::new();
    let ended = run(
        &lab,
        &["-q", "--store", "memory:?answers=1", "--ttl", "6s"],
        "exec sleep 600",
    );
    let ended = ended.expect_code(121);
    let expected = "x could not be renewed in time: memory: cannot be reached to renew the lease: no answer \
                    within 600ms; the command was stopped";
    assert_eq!(the_line(&lab, &ended), expected);
}

fn guardian_died() {
    let lab = Lab::new();
    let script = "kill -KILL $PPID; sleep 600";
    let ended = run(&lab, &["-q"], script).expect_code(121);
    let expected = "the guardian was killed or did not answer; the command was killed";
    assert_eq!(the_line(&lab, &ended), expected);
    assert!(lab.processes().is_empty());
}

const SILENT: &str =
    "x was not acquired: memory: cannot be reached to acquire the lease: no answer within ";

fn silent() {
    let lab = Lab::new();
    let ended = run(&lab, &["-q", "--store", "memory:?answers=0"], "touch ran").expect_code(123);
    assert!(ended.took >= Duration::from_secs(10), "{ended}");
    let expected = format!("{SILENT}3s; nothing was run; --wait DURATION tries longer");
    assert_eq!(the_line(&lab, &ended), expected);
    assert!(!lab.path("ran").exists());
}

fn silent_while_waiting() {
    let lab = Lab::new();
    let options = [
        "--store",
        "memory:?answers=0",
        "--wait",
        "1s",
        "--ttl",
        "10s",
    ];
    let ended = run(&lab, &options, "touch ran").expect_code(123);
    let lines = said(&lab, &ended);
    let first = "memory: cannot be reached to acquire the lease: no answer within 1s; trying again";
    assert!(
        lines.len() <= 2 && (lines.len() == 1 || lines[0] == first),
        "{ended}"
    );
    assert_eq!(
        lines.last().unwrap(),
        &format!("{SILENT}1s; nothing was run")
    );
    assert!(!lab.path("ran").exists());
}

fn run_timeout() {
    let lab = Lab::new();
    let ended = run(&lab, &["-q", "--run-timeout", "100ms"], "exec sleep 600").expect_code(124);
    let expected = "the command ran longer than --run-timeout 100ms; it was stopped";
    assert_eq!(the_line(&lab, &ended), expected);
}

fn usage() {
    let lab = Lab::new();
    let ended = run(&lab, &["--ttl", "30"], "touch ran").expect_code(125);
    let expected = "--ttl \"30\" cannot be used: it needs a unit, such as 30s or 30m";
    assert_eq!(the_line(&lab, &ended), expected);
    assert!(!lab.path("ran").exists());
}

fn not_executable() {
    let lab = Lab::new();
    lab.run(&mut lab.leasectl(["run", "--lease", "x", "--", "/dev/null"]))
        .expect_code(126);
}

fn not_found() {
    let lab = Lab::new();
    lab.run(&mut lab.leasectl(["run", "--lease", "x", "--", "no-such-command"]))
        .expect_code(127);
}
