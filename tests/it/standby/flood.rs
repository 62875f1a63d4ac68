//! 10,000 signals in ten seconds, which hold up neither a renewal nor the end.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::{LEASE, assert_all_is_over};
use crate::support::events::Events;
use crate::support::lab::{Lab, PATIENCE};
use crate::support::processes::{alive, boot_now};
use crate::support::puppet::Puppets;

pub(super) fn trials() -> Vec<Trial> {
    trials![ten_thousand_signals_hold_up_nothing]
}

const MIXED: [Signal; 6] = [
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGHUP,
    Signal::SIGWINCH,
    Signal::SIGCONT,
    Signal::SIGALRM,
];

/// As fast as they go, in bursts, so that the flood lasts over several renewals.
fn flood(pid: u32, counted: &mut BTreeMap<Signal, usize>) {
    const BURSTS: usize = 100;
    const EACH: usize = 100;
    for _ in 0..BURSTS {
        for number in 0..EACH {
            let signal = MIXED[number % MIXED.len()];
            crate::support::processes::send(pid, signal);
            *counted.entry(signal).or_default() += 1;
        }
        sleep(Duration::from_millis(40));
    }
}

fn ten_thousand_signals_hold_up_nothing() {
    let lab = Lab::new();
    let puppets = Puppets::new(&lab, "log", &["main"]);
    let mut command = lab.leasectl(["run", "-q", "--lease", LEASE, "--events", "events"]);
    command.args(["--store", "memory:", "--ttl", "2s", "--"]);
    let front = lab.spawn(command.args(puppets.command()));
    puppets.wait_ready();
    let mut sent = BTreeMap::new();
    let (began, started) = (boot_now(), Instant::now());
    flood(front.id(), &mut sent);
    let (over, took) = (boot_now(), started.elapsed());
    assert_eq!(sent.values().sum::<usize>(), 10_000);
    assert!(
        took < Duration::from_secs(10),
        "the machine is too busy for this: {took:?}"
    );
    assert!(alive(front.id()), "{}", front.wait(PATIENCE));
    front.send(Signal::SIGTERM);
    front.wait(PATIENCE).expect_code(0);
    let mut got = BTreeMap::new();
    for (signal, sent) in &sent {
        let word = signal.as_str().trim_start_matches("SIG");
        got.insert(word, puppets.of_kind(word).len());
        assert!(got[word] <= *sent, "{word}");
        // CONT is for a command that is stopped.
        assert_eq!(got[word] > 0, *signal != Signal::SIGCONT, "{word}");
    }
    assert_eq!(puppets.of_kind("TERM").len(), 1);
    let events = Events::read(&lab.path("events"));
    let during = events.of("renewed").into_iter().filter(|event| {
        let at = event["boot_s"].as_f64().unwrap();
        (began.as_secs_f64()..over.as_secs_f64()).contains(&at)
    });
    let renewed = during.count();
    eprintln!(
        "measured: 10000 signals in {took:.1?}, {renewed} renewals meanwhile, passed on: {got:?}"
    );
    assert!(renewed >= 3, "{:?}", events.kinds());
    for kind in ["doubt", "lost", "stopping", "renew_failed"] {
        assert!(events.of(kind).is_empty(), "{kind}");
    }
    assert_all_is_over(&lab);
}
