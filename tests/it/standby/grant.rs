//! TERM in the very moment in which the lease is granted: either no command is started, or one that is
//! told, once, and is gone before leasectl.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;
use serde_json::Value;

use super::{LEASE, assert_all_is_over, events_so_far, holder, wait_for};
use crate::support::lab::{Ended, LEASECTL, Lab, PATIENCE, Running};
use crate::support::needs::needs;
use crate::support::processes::{boot_now, send, wait_until};
use crate::support::puppet::Puppets;
use crate::support::random::Random;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        term_around_the_start_under_a_free_lease,
        term_around_the_release_of_the_holder_before,
        a_signal_while_leasectl_is_stopped_is_heard_before_the_grant,
        a_signal_between_the_grant_and_its_hearing_is_heard_first,
    ]
}

/// A grant that is acted on so long after `kill` has returned was acted on without listening. The
/// instant is read right after the last look at the signals: only being put off the processor in
/// between makes it later, and rarely so much.
const LATE: Duration = Duration::from_millis(50);

fn rounds() -> usize {
    let full = env::var("LEASECTL_TEST_FULL").is_ok_and(|value| value == "1");
    if full { 500 } else { 150 }
}

/// One leasectl with a puppet, and what became of it.
struct Round {
    puppets: Puppets,
    events: PathBuf,
}

impl Round {
    fn new(lab: &Lab, number: usize) -> Self {
        Self {
            puppets: Puppets::new(lab, &format!("log.{number}"), &["main"]),
            events: lab.path(&format!("events.{number}")),
        }
    }

    /// The words for leasectl.
    fn give(&self, command: &mut Command) {
        command.args([
            "run", "-q", "--lease", LEASE, "--wait", "forever", "--events",
        ]);
        command
            .arg(&self.events)
            .arg("--")
            .args(self.puppets.command());
    }

    fn start(&self, lab: &Lab) -> Running {
        let mut command = lab.command(LEASECTL);
        self.give(&mut command);
        lab.spawn(&mut command)
    }

    /// When the grant was acted on, by leasectl's own account.
    fn acquired_at(&self) -> Option<Duration> {
        let events = events_so_far(&self.events);
        let acquired = events.iter().find(|one| one["kind"] == "acquired")?;
        Some(Duration::from_secs_f64(acquired["boot_s"].as_f64()?))
    }

    /// Looks at what is left of it right after its end. `None`: nothing was started. Otherwise how long
    /// after the return of kill(2) the grant was acted on, and the command began, if it got so far.
    #[track_caller]
    fn judge(&self, lab: &Lab, ended: &Ended, returned: Duration) -> Option<Late> {
        assert_eq!(lab.processes(), [0; 0], "gone before leasectl: {ended}");
        let events = events_so_far(&self.events);
        let told: Vec<&Value> = events
            .iter()
            .filter(|one| one["kind"] == "started")
            .collect();
        let began = self.puppets.of_kind("ready");
        let heard = self.puppets.of_kind("TERM");
        if told.is_empty() {
            assert!(began.is_empty(), "it began and nobody said so: {began:?}");
            assert_eq!(ended.signal(), Some(15), "{ended}");
            return None;
        }
        assert_eq!(told.len(), 1);
        if began.is_empty() {
            // TERM found the command before it was ready for anything.
            assert_eq!(ended.signal(), Some(15), "{ended}");
        } else {
            assert_eq!(heard.len(), 1, "told exactly once: {events:#?}");
            assert_eq!(ended.code(), Some(0), "{ended}");
        }
        let since = |at: Duration| at.as_secs_f64() - returned.as_secs_f64();
        Some(Late {
            acquired: since(self.acquired_at().unwrap()),
            began: began.first().map(|one| since(one.at)),
        })
    }
}

/// Seconds after the return of kill(2); negative: before it.
#[derive(Clone, Copy, Debug)]
struct Late {
    acquired: f64,
    began: Option<f64>,
}

/// Aims at the moment: later when nothing was started, sooner when something was.
struct Aim {
    random: Random,
    centre: Duration,
    late: Vec<Late>,
    not_started: usize,
}

impl Aim {
    fn at(centre: Duration) -> Self {
        let random = Random::new();
        eprintln!("aimed at {centre:?} first, {}", random.again());
        Self {
            random,
            centre,
            late: Vec::new(),
            not_started: 0,
        }
    }

    /// Waits, sends, and says when the kernel had the signal.
    fn fire(&mut self, pid: u32) -> Duration {
        sleep(self.centre * 3 / 4 + self.random.span(self.centre / 2));
        send(pid, Signal::SIGTERM);
        boot_now()
    }

    fn learn(&mut self, seen: Option<Late>) {
        match seen {
            None => {
                self.not_started += 1;
                self.centre = self.centre * 21 / 20;
            }
            Some(late) => {
                self.late.push(late);
                self.centre = self.centre * 20 / 21;
            }
        }
    }

    /// Says what was seen; fails when too little was, or when a grant was acted on in spite of TERM.
    #[track_caller]
    fn finish(self, what: &str) {
        let Self {
            late,
            not_started,
            centre,
            ..
        } = self;
        eprintln!(
            "measured: TERM {what}: {not_started} times nothing was started, {} times something; \
             aimed at {centre:.1?} last",
            late.len()
        );
        let acquired: Vec<f64> = late.iter().map(|one| one.acquired).collect();
        let began: Vec<f64> = late.iter().filter_map(|one| one.began).collect();
        distribution("the grant was acted on", acquired.clone());
        distribution("the command was ready", began.clone());
        assert!(
            not_started >= 5 && late.len() >= 5,
            "invalid, which is not passed"
        );
        let worst = acquired.into_iter().fold(f64::MIN, f64::max);
        assert!(worst < LATE.as_secs_f64(), "acted on {worst} s after TERM");
        let worst = began.into_iter().fold(f64::MIN, f64::max);
        assert!(worst < 1.0, "begun {worst} s after TERM");
    }
}

fn distribution(what: &str, mut seconds: Vec<f64>) {
    seconds.sort_by(f64::total_cmp);
    let after = seconds.iter().filter(|one| **one > 0.0).count();
    let Some((last, rest)) = seconds.split_last() else {
        return;
    };
    let middle = rest.get(rest.len() / 2).unwrap_or(last) * 1e3;
    let p95 = rest.get(rest.len() * 95 / 100).unwrap_or(last) * 1e3;
    eprintln!(
        "  {what} after the return of kill(2): {after} of {}; median {middle:.2} ms, 95th {p95:.2} ms, \
         latest {:.2} ms",
        rest.len() + 1,
        last * 1e3
    );
}

fn term_around_the_start_under_a_free_lease() {
    let lab = Lab::new();
    let first = Round::new(&lab, 0);
    let began = boot_now();
    let running = first.start(&lab);
    first.puppets.wait_ready();
    let mut aim = Aim::at(first.acquired_at().unwrap() - began);
    running.send(Signal::SIGTERM);
    running.wait(PATIENCE).expect_code(0);
    for number in 1..=rounds() {
        let round = Round::new(&lab, number);
        let running = round.start(&lab);
        let returned = aim.fire(running.id());
        let ended = running.wait(PATIENCE);
        aim.learn(round.judge(&lab, &ended, returned));
    }
    aim.finish("around the start");
    assert_all_is_over(&lab);
}

fn term_around_the_release_of_the_holder_before() {
    let lab = Lab::new();
    let mut aim: Option<Aim> = None;
    for number in 0..=rounds() {
        let round = Round::new(&lab, number);
        let before = holder(&lab);
        let waiter = round.start(&lab);
        wait_for(&round.events, "waiting", 1);
        let told = boot_now();
        before.send(Signal::SIGTERM);
        let Some(aim) = &mut aim else {
            round.puppets.wait_ready();
            aim = Some(Aim::at(round.acquired_at().unwrap() - told));
            waiter.send(Signal::SIGTERM);
            before.wait(PATIENCE);
            waiter.wait(PATIENCE).expect_code(0);
            continue;
        };
        let returned = aim.fire(waiter.id());
        assert_eq!(before.wait(PATIENCE).signal(), Some(15));
        let ended = waiter.wait(PATIENCE);
        aim.learn(round.judge(&lab, &ended, returned));
    }
    aim.unwrap().finish("around the release");
    assert_all_is_over(&lab);
}

/// Both are there when it goes on: the lock and the signal.
fn a_signal_while_leasectl_is_stopped_is_heard_before_the_grant() {
    for number in 0..10 {
        let signal = [Signal::SIGTERM, Signal::SIGINT][number % 2];
        let lab = Lab::new();
        let round = Round::new(&lab, number);
        let before = holder(&lab);
        let waiter = round.start(&lab);
        wait_for(&round.events, "waiting", 1);
        waiter.send(Signal::SIGSTOP);
        before.send(Signal::SIGTERM);
        before.wait(PATIENCE);
        waiter.send(signal);
        waiter.send(Signal::SIGCONT);
        expect_nothing_started(&lab, &round, waiter, signal);
    }
}

#[track_caller]
fn expect_nothing_started(lab: &Lab, round: &Round, waiter: Running, signal: Signal) {
    let ended = waiter.wait(PATIENCE);
    assert_eq!(ended.signal(), Some(signal as i32), "{ended}");
    let events = events_so_far(&round.events);
    let kinds: Vec<_> = events
        .iter()
        .map(|one| one["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["waiting", "ended"]);
    assert!(round.puppets.of_kind("ready").is_empty());
    assert_all_is_over(lab);
}

/// Whether the thread that waits for the lock is still there.
fn waits_for_the_lock(front: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{front}/task"));
    threads.into_iter().flatten().flatten().any(|thread| {
        let name = fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
        name == "lease-wait\n"
    })
}

/// strace holds leasectl up whenever it has been woken, so that there is time for a signal between the
/// grant, which has woken it, and its hearing of that.
fn a_signal_between_the_grant_and_its_hearing_is_heard_first() {
    needs("strace");
    let mut hits = 0;
    for number in 0..10 {
        let signal = [Signal::SIGTERM, Signal::SIGINT][number % 2];
        let lab = Lab::new();
        let round = Round::new(&lab, number);
        let before = holder(&lab);
        // With -D the process that is started becomes leasectl.
        let mut command = lab.command("strace");
        command.args([
            "-D",
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "trace=?epoll_wait,?epoll_pwait",
        ]);
        command.args([
            "-e",
            "inject=?epoll_wait,?epoll_pwait:delay_exit=500000",
            LEASECTL,
        ]);
        round.give(&mut command);
        let waiter = lab.spawn(&mut command);
        wait_for(&round.events, "waiting", 1);
        wait_until(PATIENCE, "it waits for the lock", || {
            waits_for_the_lock(waiter.id())
        });
        before.send(Signal::SIGTERM);
        wait_until(PATIENCE, "it has got the lock", || {
            !waits_for_the_lock(waiter.id())
        });
        waiter.send(signal);
        let sent = boot_now();
        if round.acquired_at().is_some_and(|at| at < sent) {
            // The machine was so busy that it had heard of the grant before. That shows nothing.
            continue;
        }
        expect_nothing_started(&lab, &round, waiter, signal);
        hits += 1;
        if hits == 3 {
            return;
        }
    }
    panic!("invalid, which is not passed: {hits} hits of 3");
}
