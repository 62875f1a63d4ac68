//! A grant that comes too late to start under it. It is given back, and neither it nor what became of it may
//! count for the next.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use crate::support::events::Events;
use crate::support::lab::{Ended, LEASECTL, Lab, PATIENCE, Running};
use crate::support::metadata::{Announced, MetadataService};
use crate::support::needs::needs;
use crate::support::processes::{alive, comes_true, name, send, wait_until};
use crate::support::proxy::Proxy;
use crate::support::redis::RedisServer;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_release_that_was_confirmed_says_nothing_of_the_next,
        a_release_that_was_lost_is_made_up_for_before_the_next_question,
        a_release_that_was_lost_is_made_up_for_at_the_end,
    ]
}

/// With these a grant is too late 7.7 s after it was asked for: the stop signal would be due at 9.7 s, and has
/// to be an attempt away, which is 2 s.
const TIMES: [&str; 4] = ["--ttl", "20s", "--expiry-grace", "7s"];
const TOO_LATE: Duration = Duration::from_secs(8);

/// A leasectl that was stopped with Ctrl-Z between the grant and its hearing of that.
struct Late {
    lab: Lab,
    server: RedisServer,
    proxy: Proxy,
    run: Running,
}

impl Late {
    /// Returns while it is stopped, when it is too late. It runs `script`.
    ///
    /// strace holds it up whenever it has been woken, so that there is time for a signal between the last answer,
    /// which has woken it, and its hearing of that.
    fn start(options: &[&str], script: &str) -> Self {
        needs("strace");
        const ROUNDS: usize = 5;
        for _ in 0..ROUNDS {
            let server = RedisServer::start(&[]);
            let proxy = Proxy::to(&server.socket());
            let lab = Lab::new();
            let run = lab.spawn(&mut held_up(&lab, &proxy, options, script));
            wait_until(PATIENCE, "the lease to be granted", || {
                !server.cli(&["PUBSUB", "CHANNELS", "*:h:*"]).is_empty()
            });
            run.send(Signal::SIGTSTP);
            let sent = Instant::now();
            wait_until(PATIENCE, "it to be too late", || sent.elapsed() > TOO_LATE);
            let kinds = events(&lab);
            if !kinds.0.iter().any(|one| one["kind"] == "acquired") {
                return Self {
                    lab,
                    server,
                    proxy,
                    run,
                };
            }
            // The machine was so busy that it had heard of the grant before. That shows nothing.
        }
        panic!("invalid, which is not passed: it was never stopped in time");
    }

    /// It goes on, at its own pace, and finds out.
    fn go_on(&self) {
        for pid in self.lab.processes() {
            if name(pid).as_deref() == Some("strace") {
                send(pid, Signal::SIGTERM);
                wait_until(PATIENCE, "strace to let go", || !alive(pid));
            }
        }
        self.run.send(Signal::SIGCONT);
        wait_until(PATIENCE, "it to be told", || {
            self.run.stderr().contains("granted too late to start")
        });
    }
}

/// leasectl in a group of its own, which Ctrl-Z can stop: somebody looks after it.
fn held_up(lab: &Lab, proxy: &Proxy, options: &[&str], script: &str) -> Command {
    let mut command = lab.command("strace");
    // With -D the process that is started becomes leasectl.
    command.args(["-D", "-I2", "-f", "-qq", "-o", "/dev/null"]);
    command.args(["-e", "trace=?epoll_wait,?epoll_pwait"]);
    let delay = "inject=?epoll_wait,?epoll_pwait:delay_exit=60000";
    command.args(["-e", delay, LEASECTL, "run", "--lease", "a"]);
    command.args(TIMES).args(["--events", "events"]);
    command.args(options).args(["--", "sh", "-c", script]);
    let socket = proxy.socket().display().to_string();
    let url = format!("redis+unix://{socket}?restart-guard=off");
    command.env("LEASECTL_STORE", url).process_group(0);
    command
}

/// Those of whole lines.
fn events(lab: &Lab) -> Events {
    let text = fs::read_to_string(lab.path("events")).unwrap_or_default();
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    Events::parse(&text[..whole])
}

fn has(lab: &Lab, kind: &str) -> bool {
    !events(lab).of(kind).is_empty()
}

/// Tells it to end again and again: it is to hear it while it waits for the store to confirm the release.
#[track_caller]
fn is_told_to_end(run: Running) -> Ended {
    let pid = run.id();
    let ends = comes_true(PATIENCE, || {
        send(pid, Signal::SIGTERM);
        !alive(pid)
    });
    assert!(ends, "{}", run.stderr());
    run.wait(PATIENCE)
}

fn a_release_that_was_confirmed_says_nothing_of_the_next() {
    let service = MetadataService::start();
    let endpoint = service.endpoint();
    let options = [
        "--wait",
        "1m",
        "--scheduled-events",
        "all",
        "--ack-when-done",
        "--cache-dir",
        "shared",
        "--scheduled-events-endpoint",
        &endpoint,
    ];
    let script = "trap 'until [ -e go ]; do sleep 0.05; done; exit 3' TERM; touch up; \
                  while :; do sleep 0.05; done";
    let late = Late::start(&options, script);
    late.go_on();
    wait_until(PATIENCE, "the next grant, and the command", || {
        late.lab.path("up").exists()
    });
    assert_eq!(events(&late.lab).of("released")[0]["certain"], true);
    service.announce(Announced::ours("Reboot", Duration::from_secs(600)));
    wait_until(PATIENCE, "it leaves", || has(&late.lab, "stopping"));
    late.server.send(Signal::SIGSTOP);
    fs::write(late.lab.path("go"), "").unwrap();
    wait_until(PATIENCE, "it is about to give the lease back", || {
        has(&late.lab, "exited")
    });
    let ended = is_told_to_end(late.run).expect_code(118);
    // Nobody has answered, and nobody waited until that was certain.
    assert!(ended.stderr.contains("the store gave no answer"), "{ended}");
    assert!(
        ended.stderr.contains("not approved: Reboot") && ended.stderr.contains("has not confirmed"),
        "{ended}"
    );
    assert_eq!(service.asked_to_approve(), 0);
}

/// What the server says of the lease.
fn state(server: &RedisServer) -> String {
    let key = server.cli(&["KEYS", "*:l:a"]);
    server.cli(&["HGET", &key, "1.s"])
}

/// The request to give it back does not arrive, nor does anything else until the way is good again.
fn gives_back_in_vain(late: &Late) {
    late.proxy.lose_requests(true);
    late.go_on();
    wait_until(PATIENCE, "it to ask in vain", || late.proxy.lost() >= 3);
    assert_eq!(state(&late.server), "held", "for one who asks no more");
}

fn a_release_that_was_lost_is_made_up_for_before_the_next_question() {
    let late = Late::start(&["--wait", "1m"], "touch up");
    gives_back_in_vain(&late);
    late.proxy.lose_requests(false);
    let ended = late.run.wait(PATIENCE).expect_code(0);
    assert!(late.lab.path("up").exists(), "{ended}");
    // Not even by what we had ourselves.
    assert!(!ended.stderr.contains("a is held"), "{ended}");
}

fn a_release_that_was_lost_is_made_up_for_at_the_end() {
    let late = Late::start(&["--wait", "forever"], "touch up");
    gives_back_in_vain(&late);
    // Stopped while it waits for its next try, and told to end: the first request that arrives is one of its last.
    late.run.send(Signal::SIGSTOP);
    late.proxy.lose_requests(false);
    late.run.send(Signal::SIGTERM);
    late.run.send(Signal::SIGCONT);
    let ended = late.run.wait(PATIENCE);
    assert_eq!(ended.signal(), Some(15), "{ended}");
    assert_eq!(state(&late.server), "free", "{ended}");
    assert!(!late.lab.path("up").exists(), "{ended}");
}
