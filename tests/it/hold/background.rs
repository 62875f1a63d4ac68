//! `hold --background`: what `eval` gets from it, in bash and dash, with and without `set -e`.

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::{LEASE, hold, holding, is_held, nothing_is_left, wait_free};
use crate::cli::said;
use crate::support::lab::{Ended, Lab, PATIENCE, Running};
use crate::support::needs::needs;
use crate::support::processes::{alive, children, guardian_of, send, wait_until};

pub(super) fn trials() -> Vec<Trial> {
    trials![
        a_script_holds_until_it_ends,
        a_script_that_is_refused_ends_with_the_code,
        a_usage_error_ends_the_script_too,
        an_interactive_shell_is_not_ended,
        it_can_be_given_back_sooner,
        names_are_quoted_for_the_shell,
        a_killed_shell_frees_the_lease,
        a_killed_hold_ends_its_script_and_frees_the_lease,
        both_killed_at_once_leave_nothing,
        who_gives_up_waiting_takes_it_along,
        it_needs_a_process_and_says_which,
        it_keeps_nothing_open_but_standard_error,
    ]
}

/// How the same is written in a script: plain, with what it prints put aside, and with an alternative.
const REDIRECTED: [&str; 4] = ["", " 2>/dev/null", " 2>&1", " 2>&1 || true"];
const OPTIONS: [&str; 2] = ["", "set -e; "];

fn evaluated(options: &str, redirected: &str) -> String {
    format!("eval \"$(leasectl hold --background --pid $$ --lease {LEASE}{options}{redirected})\"")
}

/// Runs a script in a shell of that name.
fn shell(lab: &Lab, shell: &str, script: &str) -> Ended {
    let mut command = lab.command(shell);
    lab.run(command.args(["-c", script]))
}

fn each_way(mut try_it: impl FnMut(&Lab, &str, &str)) {
    for name in ["bash", "dash"] {
        needs(name);
        for set in OPTIONS {
            for redirected in REDIRECTED {
                let lab = Lab::new();
                try_it(&lab, name, &format!("{set}{}", evaluated("", redirected)));
            }
        }
    }
}

fn a_script_holds_until_it_ends() {
    each_way(|lab, name, acquire| {
        let inside = format!("leasectl run --lease {LEASE} -- true; echo \"inside $?\"");
        let inside = format!("{acquire}; set +e; {inside}; echo $LEASECTL_LEASE $LEASECTL_TOKEN");
        let ended = shell(lab, name, &format!("{inside}; exit 3")).expect_code(3);
        let mut lines = ended.stdout.lines();
        assert_eq!(lines.next(), Some("inside 120"), "{acquire}: {ended}");
        let record = lab.read("store/section.record");
        let token = lines.next().unwrap().strip_prefix("section ").unwrap();
        assert!(record.contains(&format!("\"token\":{token}")), "{ended}");
        wait_free(lab);
        nothing_is_left(lab);
    });
}

fn a_script_that_is_refused_ends_with_the_code() {
    each_way(|lab, name, acquire| {
        let _holder = holding(lab, &[]);
        let ended = shell(lab, name, &format!("{acquire}; echo reached")).expect_code(120);
        assert_eq!(ended.stdout, "", "{acquire}");
        // Messages are not evaluated.
        assert!(!ended.stderr.contains("not found"), "{acquire}: {ended}");
    });
}

fn a_usage_error_ends_the_script_too() {
    for (option, why) in [
        (" --ttl 30", "needs a unit"),
        (" --no-such", "no option"),
        (" --ttl 1s", "2s"),
    ] {
        for redirected in REDIRECTED {
            let lab = Lab::new();
            let script = format!("{}; echo reached", evaluated(option, redirected));
            let ended = shell(&lab, "dash", &script).expect_code(125);
            assert_eq!(ended.stdout, "", "{script}");
            assert_eq!(redirected.is_empty(), ended.stderr.contains(why), "{ended}");
            assert!(!ended.stderr.contains("not found"), "{script}: {ended}");
        }
    }
}

fn an_interactive_shell_is_not_ended() {
    needs("bash");
    let lab = Lab::new();
    let _holder = holding(&lab, &[]);
    let mut command = lab.command("bash");
    let script = format!("{}; echo \"reached $?\"", evaluated("", ""));
    let ended = lab
        .run(command.args(["--norc", "-i", "-c", &script]))
        .expect_code(0);
    assert_eq!(ended.stdout, "reached 120\n", "{ended}");
}

fn it_can_be_given_back_sooner() {
    let lab = Lab::new();
    let script = format!(
        "{}; kill $LEASECTL_HOLD_PID; leasectl run -q --lease {LEASE} --wait 1m -- echo free",
        evaluated("", "")
    );
    let ended = shell(&lab, "dash", &script).expect_code(0);
    assert_eq!(
        (ended.stdout.as_str(), ended.stderr.as_str()),
        ("free\n", "")
    );
}

fn names_are_quoted_for_the_shell() {
    let lab = Lab::new();
    let script = "NAME=\"it's \\$(touch made) \\\"x\\\" \u{1f600}\"\n\
                  eval \"$(leasectl hold --background --pid $$ --lease \"$NAME\")\"\n\
                  [ \"$LEASECTL_LEASE\" = \"$NAME\" ] && echo same";
    for name in ["bash", "dash"] {
        needs(name);
        let ended = shell(&lab, name, script).expect_code(0);
        assert_eq!(ended.stdout, "same\n", "{ended}");
        assert!(!lab.path("made").exists());
    }
}

/// A script that holds, and the process that does it for it.
fn script(lab: &Lab) -> (Running, u32) {
    let script = format!(
        "{}; echo $LEASECTL_HOLD_PID; while :; do sleep 0.05; done",
        evaluated("", "")
    );
    let mut command = lab.command("dash");
    let running = lab.spawn(command.args(["-c", &script]));
    wait_until(PATIENCE, "it holds", || running.stdout().ends_with('\n'));
    let pid = running.stdout().trim().parse().unwrap();
    (running, pid)
}

fn a_killed_shell_frees_the_lease() {
    let lab = Lab::new();
    let (shell, _hold) = script(&lab);
    assert!(is_held(&lab));
    shell.send(Signal::SIGKILL);
    shell.wait(PATIENCE);
    wait_free(&lab);
    nothing_is_left(&lab);
}

fn a_killed_hold_ends_its_script_and_frees_the_lease() {
    let lab = Lab::new();
    let (shell, hold) = script(&lab);
    send(hold, Signal::SIGKILL);
    assert_eq!(shell.wait(PATIENCE).signal(), Some(Signal::SIGTERM as i32));
    wait_free(&lab);
    nothing_is_left(&lab);
}

fn both_killed_at_once_leave_nothing() {
    let lab = Lab::new();
    let (shell, hold) = script(&lab);
    let guardian = guardian_of(hold);
    for pid in [hold, shell.id(), guardian] {
        send(pid, Signal::SIGKILL);
    }
    shell.wait(PATIENCE);
    wait_free(&lab);
    nothing_is_left(&lab);
    let (shell, hold) = script(&lab);
    for pid in [shell.id(), hold] {
        send(pid, Signal::SIGKILL);
    }
    shell.wait(PATIENCE);
    wait_free(&lab);
    nothing_is_left(&lab);
}

fn who_gives_up_waiting_takes_it_along() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL] {
        let lab = Lab::new();
        let holder = holding(&lab, &[]);
        let process = std::process::id().to_string();
        let mut command = hold(
            &lab,
            &["--background", "--pid", &process, "--wait", "forever"],
        );
        let waiter = lab.spawn(&mut command);
        wait_until(PATIENCE, "it waits", || {
            waiter.stderr().contains("; waiting")
        });
        let behind = children(waiter.id());
        assert_eq!(behind.len(), 1);
        waiter.send(signal);
        assert_eq!(waiter.wait(PATIENCE).signal(), Some(signal as i32));
        wait_until(PATIENCE, "both have ended", || !alive(behind[0]));
        holder.send(Signal::SIGTERM);
        holder.wait(PATIENCE).expect_code(0);
        assert!(!is_held(&lab));
        nothing_is_left(&lab);
    }
}

fn it_needs_a_process_and_says_which() {
    let lab = Lab::new();
    let ended = lab.run(&mut hold(&lab, &["--background"])).expect_code(125);
    let lines = said(&lab, &ended);
    assert!(lines[0].contains("--pid $$") && lines.len() == 1, "{ended}");
    assert_eq!(
        ended.stdout,
        "case $- in *i*) (exit 125);; *) exit 125;; esac\n"
    );
}

fn it_keeps_nothing_open_but_standard_error() {
    let lab = Lab::new();
    // Were its output kept open, the substitution would not end; were its input, `cat` would not.
    let script = format!("{}; echo done", evaluated("", " 2>&1"));
    let ended = shell(&lab, "dash", &format!("{{ {script}; }} | cat")).expect_code(0);
    assert_eq!(ended.stdout, "done\n");
}
