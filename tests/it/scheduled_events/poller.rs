//! One poller for many processes, whatever becomes of it.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::{Machine, knows, rates, role};
use crate::support::lab::{PATIENCE, Running};
use crate::support::metadata::Announced;
use crate::support::processes::{comes_true, wait_until};

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        fifty_processes_ask_once_a_second_and_pollers_may_die,
        eight_stopped_pollers_wake_up_and_only_read,
        domains_share_what_the_machine_may_ask,
        a_poller_that_leaves_leaves_its_cache,
        processes_without_coordination_stay_below_the_limit,
    ]
}

const AHEAD: Duration = Duration::from_secs(900);

/// Announces an event; how long until the last one told of it.
fn announce(machine: &Machine, watchers: &[&Running]) -> Duration {
    let began = Instant::now();
    let id = machine.service.announce(Announced::ours("Reboot", AHEAD));
    for watcher in watchers {
        wait_until(PATIENCE, "each tells of the event", || knows(watcher, &id));
    }
    began.elapsed()
}

fn pollers<'a>(watchers: &[&'a Running]) -> Vec<&'a Running> {
    let polls = |watcher: &&&Running| role(watcher) == "poller";
    watchers.iter().filter(polls).copied().collect()
}

/// The one process that asks, once there is one.
fn the_poller<'a>(watchers: &[&'a Running]) -> &'a Running {
    wait_until(PATIENCE, "there is one poller", || {
        pollers(watchers).len() == 1
    });
    pollers(watchers)[0]
}

fn fifty_processes_ask_once_a_second_and_pollers_may_die() {
    let machine = Machine::new();
    let watchers = machine.watchers(50);
    let all: Vec<&Running> = watchers.iter().collect();
    assert_eq!(pollers(&all).len(), 1);
    let since = Instant::now();
    let slowest = (0..5).map(|_| announce(&machine, &all)).max().unwrap();
    println!("the last of 50 told of an event after {slowest:?}");
    let limit = expected(Duration::from_millis(1_500), PATIENCE);
    assert!(slowest < limit, "told after {slowest:?}");
    comes_true(
        Duration::from_secs(10).saturating_sub(since.elapsed()),
        || false,
    );
    let (most, average) = rates(&machine.service.requests(), since);
    println!("{average:.2} requests a second, at most {most} in one");
    // One more than the rate at both ends of the span.
    assert!(average <= 1.2, "{average} requests a second");
    assert!(most <= 3, "{most} requests in a second");
    twenty_pollers_die(&machine, watchers);
}

/// Each with an event at that instant.
fn twenty_pollers_die(machine: &Machine, mut watchers: Vec<Running>) {
    let since = Instant::now();
    let (mut slowest, mut last_told) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..20 {
        let all: Vec<&Running> = watchers.iter().collect();
        let poller = the_poller(&all).id();
        let killed = watchers.iter().position(|one| one.id() == poller).unwrap();
        let killed = watchers.remove(killed);
        killed.send(Signal::SIGKILL);
        let all: Vec<&Running> = watchers.iter().collect();
        let began = Instant::now();
        let next = the_poller(&all);
        slowest = slowest.max(began.elapsed());
        let promoted = next.stderr();
        assert!(
            promoted.contains("poller: promoted: the seat was free"),
            "{promoted}"
        );
        last_told = last_told.max(announce(machine, &all));
    }
    let (most, average) = rates(&machine.service.requests(), since);
    println!(
        "taken over after {slowest:?} at most, told after {last_told:?} at most, {average:.2} requests a \
         second, {most} in one"
    );
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    assert!(
        last_told < expected(Duration::from_millis(1_500), Duration::from_secs(3)),
        "{last_told:?}"
    );
    assert!(most <= 5, "{most} requests in a second");
    assert!(average <= 1.4, "{average} requests a second");
}

fn eight_stopped_pollers_wake_up_and_only_read() {
    let machine = Machine::new();
    let watchers = machine.watchers(10);
    let all: Vec<&Running> = watchers.iter().collect();
    let mut awake = all.clone();
    let mut asleep = Vec::new();
    let mut slowest = Duration::ZERO;
    for _ in 0..8 {
        let poller = the_poller(&awake);
        poller.send(Signal::SIGSTOP);
        let began = Instant::now();
        awake.retain(|one| one.id() != poller.id());
        asleep.push(poller);
        the_poller(&awake);
        slowest = slowest.max(began.elapsed());
    }
    println!("deposed after {slowest:?} at most");
    assert!(
        slowest < expected(Duration::from_secs(5), Duration::from_secs(7)),
        "{slowest:?}"
    );
    announce(&machine, &awake);
    let since = Instant::now();
    for poller in &asleep {
        poller.send(Signal::SIGCONT);
    }
    for poller in &asleep {
        wait_until(PATIENCE, "it reads again", || role(poller) == "reader");
    }
    announce(&machine, &all);
    assert_eq!(pollers(&all).len(), 1);
    let (most, _) = rates(&machine.service.requests(), since);
    println!("at most {most} requests in a second after all went on");
    assert!(most <= 5, "{most} requests in a second");
}

/// The limit that is kept where nothing else runs; a patient one where the machine has other things to do.
fn expected(stated: Duration, patient: Duration) -> Duration {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap();
    let load: f64 = load.split(' ').next().unwrap().parse().unwrap();
    let processors = std::thread::available_parallelism().unwrap().get();
    let processors = u32::try_from(processors).unwrap_or(u32::MAX);
    if load < f64::from(processors) {
        stated
    } else {
        println!("a load of {load} on {processors} processors: {stated:?} is not asserted");
        patient
    }
}

fn a_poller_that_leaves_leaves_its_cache() {
    let machine = Machine::new();
    let mut list = machine.sharing(&["list", "--json"]);
    machine.lab.run(&mut list).expect_code(0);
    let asked = machine.service.requests().len();
    assert!(machine.lab.path("events/events").exists());
    machine.lab.run(&mut list).expect_code(0);
    assert_eq!(
        machine.service.requests().len(),
        asked,
        "the cache was not good enough"
    );
}

fn domains_share_what_the_machine_may_ask() {
    let machine = Machine::new();
    let watcher = |at: usize| {
        let mut watch = machine.bare(&["watch"]);
        watch
            .arg("--cache-dir")
            .arg(machine.lab.path(&format!("user{}", at % 10)));
        machine.lab.spawn(&mut watch)
    };
    let since = Instant::now();
    let watchers: Vec<Running> = (0..20).map(watcher).collect();
    let all: Vec<&Running> = watchers.iter().collect();
    wait_until(PATIENCE, "each domain has a poller", || {
        pollers(&all).len() == 10
    });
    let slowest = (0..2).map(|_| announce(&machine, &all)).max().unwrap();
    comes_true(
        Duration::from_secs(8).saturating_sub(since.elapsed()),
        || false,
    );
    let (most, average) = rates(&machine.service.requests(), since);
    println!("told after {slowest:?}, {average:.2} requests a second, at most {most} in one");
    assert!(most <= 5, "{most} requests in a second");
    assert!(average <= 3.3, "{average} requests a second");
    assert!(slowest < Duration::from_secs(10), "{slowest:?}");
}

fn processes_without_coordination_stay_below_the_limit() {
    let machine = Machine::new();
    let watchers: Vec<Running> = (0..50)
        .map(|_| {
            machine
                .lab
                .spawn(&mut machine.bare(&["watch", "--no-coordination"]))
        })
        .collect();
    let since = Instant::now();
    for watcher in &watchers {
        wait_until(PATIENCE, "each asks by itself", || {
            role(watcher) == "direct"
        });
    }
    comes_true(Duration::from_secs(8), || false);
    let (most, average) = rates(&machine.service.requests(), since);
    println!("{average:.2} requests a second, at most {most} in one");
    assert!(most <= 5, "{most} requests in a second");
    assert!(average <= 3.2, "{average} requests a second");
}
