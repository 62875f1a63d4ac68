//! What a hold refuses, and with which number.

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::{LEASE, hold, holding, is_held, obedient};
use crate::cli::the_line;
use crate::support::lab::{Lab, PATIENCE};
use crate::support::needs::needs;
use crate::support::processes::wait_until;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        a_held_lease_is_refused_and_a_wait_gets_it,
        a_held_exit_code_of_0_is_silent,
        a_process_that_cannot_be_guarded_is_named_before_anything_is_held,
        a_process_of_another_user_is_not_guarded,
        a_signal_ends_the_wait_by_that_signal,
        a_minimum_hold_stays,
        options_that_exclude_each_other_say_so,
        without_a_store_one_line_says_which,
        a_lease_inside_itself_is_refused,
    ]
}

fn a_held_lease_is_refused_and_a_wait_gets_it() {
    let lab = Lab::new();
    let process = obedient(&lab);
    let holder = holding(&lab, &["--pid", &process.id().to_string()]);
    let refused = lab.run(&mut hold(&lab, &[])).expect_code(120);
    let line = the_line(&lab, &refused);
    let who = format!("pid {} of ", holder.id());
    assert!(
        line.contains(&who) && line.contains(", running sleep, "),
        "{line}"
    );
    assert!(line.ends_with("; --wait DURATION waits for it"), "{line}");
    assert_eq!(refused.stdout, "");
    let refused = lab
        .run(&mut hold(&lab, &["--wait", "100ms"]))
        .expect_code(120);
    assert!(
        refused.stderr.contains(", although --wait was 100ms"),
        "{refused}"
    );
    let waiter = lab.spawn(&mut hold(&lab, &["--wait", "1h", "--for", "1ms"]));
    wait_until(PATIENCE, "it waits", || {
        waiter.stderr().contains("; waiting")
    });
    holder.send(Signal::SIGTERM);
    waiter.wait(PATIENCE).expect_code(0);
}

fn a_held_exit_code_of_0_is_silent() {
    let lab = Lab::new();
    let _holder = holding(&lab, &[]);
    let refused = lab.run(&mut hold(&lab, &["-E", "0"])).expect_code(0);
    assert_eq!((refused.stdout.as_str(), refused.stderr.as_str()), ("", ""));
    lab.run(&mut hold(&lab, &["-E", "75"])).expect_code(75);
}

fn a_process_that_cannot_be_guarded_is_named_before_anything_is_held() {
    let lab = Lab::new();
    let gone = lab.run(&mut lab.sh("echo $$")).stdout;
    for (pid, why) in [
        (gone.trim(), "there is no such process"),
        ("0", "it is no process"),
        ("-1", "it is no process"),
        ("x", "it is no process"),
        ("", "it is no process"),
        ("99999999999", "it is no process"),
    ] {
        let line = the_line(
            &lab,
            &lab.run(&mut hold(&lab, &["--pid", pid])).expect_code(125),
        );
        assert!(line.contains(why), "{line}");
        assert!(!lab.path("store/section.lock").exists());
    }
    let mut script = lab.sh("exec leasectl hold --lease section --pid $$");
    let line = the_line(&lab, &lab.run(&mut script).expect_code(125));
    assert!(line.contains("--pid is leasectl itself"), "{line}");
}

fn a_process_of_another_user_is_not_guarded() {
    needs("root");
    needs("setpriv");
    let lab = Lab::new();
    let root = obedient(&lab);
    let script = "chmod 711 . bin && mkdir -m 700 other && chown 4711 other && exec setpriv --reuid 4711 \
                  --clear-groups leasectl hold --lease a --store file://$PWD/other --pid $0";
    let mut command = lab.command("sh");
    command.args(["-c", script, &root.id().to_string()]);
    let ended = lab.run(&mut command);
    assert!(
        ended.stderr.contains("it may not be sent signals"),
        "{ended}"
    );
    assert_eq!(ended.code(), Some(125));
}

fn a_signal_ends_the_wait_by_that_signal() {
    for signal in [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGUSR1,
    ] {
        let lab = Lab::new();
        let _holder = holding(&lab, &[]);
        let waiter = lab.spawn(&mut hold(&lab, &["--wait", "forever"]));
        wait_until(PATIENCE, "it waits", || {
            waiter.stderr().contains("; waiting")
        });
        waiter.send(signal);
        let ended = waiter.wait(PATIENCE);
        assert_eq!(
            (ended.signal(), ended.stdout.as_str()),
            (Some(signal as i32), "")
        );
    }
}

fn a_minimum_hold_stays() {
    let lab = Lab::new();
    lab.run(&mut hold(&lab, &["--min-hold", "1h", "--for", "1ms"]))
        .expect_code(0);
    assert!(is_held(&lab));
    lab.run(&mut lab.leasectl(["resume", LEASE])).expect_code(0);
    assert!(!is_held(&lab));
}

fn options_that_exclude_each_other_say_so() {
    let lab = Lab::new();
    for words in [
        &["--background", "--pid", "1", "--json"][..],
        &["--background", "--pid", "1", "--until-eof"],
        &["--quiet", "--verbose"],
    ] {
        let line = the_line(&lab, &lab.run(&mut hold(&lab, words)).expect_code(125));
        assert!(line.contains("exclude each other"), "{line}");
    }
    for words in [
        &["--", "true"][..],
        &["--restart", "always"],
        &["--for", "0s"],
    ] {
        let ended = lab.run(&mut hold(&lab, words)).expect_code(125);
        the_line(&lab, &ended);
    }
}

fn without_a_store_one_line_says_which() {
    needs("setpriv");
    needs("root");
    let lab = Lab::new();
    let mut other = lab.command("setpriv");
    other.args(["--reuid", "4711", "--clear-groups", "sh", "-c"]);
    other.arg(
        "mkdir -p /tmp/leasectl-$$ && HOME=/tmp/leasectl-$$ XDG_STATE_HOME=/tmp/leasectl-$$ \
               leasectl hold --lease a --for 1ms; code=$?; rm -r /tmp/leasectl-$$; exit $code",
    );
    other.env_remove("LEASECTL_STORE");
    let open = lab.run(&mut lab.sh("chmod 711 . bin"));
    open.expect_code(0);
    let ended = lab.run(&mut other).expect_code(0);
    assert!(
        ended.stderr.contains("no store was chosen: using file:///"),
        "{ended}"
    );
}

fn a_lease_inside_itself_is_refused() {
    let lab = Lab::new();
    let mut command = lab.leasectl(["run", "--lease", LEASE, "--", "leasectl", "hold"]);
    let ended = lab
        .run(command.args(["--lease", LEASE, "--for", "1ms"]))
        .expect_code(125);
    assert!(
        ended.stderr.contains("this already runs under section"),
        "{ended}"
    );
}
