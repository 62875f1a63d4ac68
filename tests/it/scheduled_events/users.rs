//! Several users, and directories that cannot be used: together they stay below what the machine may ask.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::{Machine, knows, rates, role};
use crate::support::lab::{LEASECTL, Lab, PATIENCE, Running};
use crate::support::metadata::{Announced, MetadataService};
use crate::support::needs::needs;
use crate::support::network::Network;
use crate::support::processes::wait_until;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_group_shares_a_directory,
        roots_cache_serves_other_users,
        full_disks_and_directories_to_read_only_ask_alone,
        ten_users_with_nothing_in_common_stay_below_the_limit,
    ]
}

const AHEAD: Duration = Duration::from_secs(900);

/// Lets other users into the lab, where they find leasectl.
#[track_caller]
fn open_to_all(lab: &Lab) {
    needs("root");
    needs("setpriv");
    // A link where that is possible: the program is large.
    let script =
        "chmod 755 . && mkdir open && { ln \"$1\" open/leasectl || cp \"$1\" open/leasectl; }";
    lab.run(lab.sh(script).args(["sh", LEASECTL]))
        .expect_code(0);
}

/// leasectl as this user, with a home of its own.
fn leasectl_as(lab: &Lab, before: &[String], user: u32, group: u32) -> Command {
    let home = lab.path(&format!("home{user}"));
    if !home.exists() {
        fs::create_dir(&home).unwrap();
        std::os::unix::fs::chown(&home, Some(user), Some(group)).unwrap();
    }
    let mut words = before.to_vec();
    let (user, group) = (user.to_string(), group.to_string());
    for word in [
        "setpriv",
        "--reuid",
        &user,
        "--regid",
        &group,
        "--clear-groups",
    ] {
        words.push(word.to_owned());
    }
    let mut command: Command = lab.command(&words[0]);
    command.args(&words[1..]).arg(lab.path("open/leasectl"));
    command.env("HOME", home).current_dir("/");
    command
}

/// `leasectl scheduled-events watch`, as this user.
fn watch_as(lab: &Lab, before: &[String], user: u32, group: u32, options: &[&str]) -> Running {
    let mut command = leasectl_as(lab, before, user, group);
    lab.spawn(command.args(["scheduled-events", "watch"]).args(options))
}

/// What the doctor of this user says of who asks.
#[track_caller]
fn doctor_as(lab: &Lab, before: &[String], user: u32) -> String {
    let mut command = leasectl_as(lab, before, user, user);
    let said = lab.run(command.args(["doctor", "--store", "memory:"]));
    let line = said.stdout.lines().find(|line| line.contains("  notices "));
    line.unwrap_or_else(|| panic!("{said}")).to_owned()
}

fn pollers(watchers: &[Running]) -> usize {
    let polls = |watcher: &&Running| role(watcher) == "poller";
    watchers.iter().filter(polls).count()
}

#[track_caller]
fn all_hear(service: &MetadataService, watchers: &[Running]) -> Duration {
    let began = Instant::now();
    let id = service.announce(Announced::ours("Reboot", AHEAD));
    for watcher in watchers {
        wait_until(PATIENCE, "each tells of the event", || knows(watcher, &id));
    }
    began.elapsed()
}

fn a_group_shares_a_directory() {
    let machine = Machine::new();
    open_to_all(&machine.lab);
    let lab = &machine.lab;
    let script = "mkdir shared && chgrp 24000 shared && chmod 2770 shared";
    lab.run(&mut lab.sh(script)).expect_code(0);
    let endpoint = machine.service.endpoint();
    let shared = lab.path("shared");
    let options = [
        "--endpoint",
        &endpoint,
        "--cache-dir",
        shared.to_str().unwrap(),
    ];
    let users = [20_001, 20_002, 20_003];
    let mut watchers: Vec<Running> = users
        .into_iter()
        .map(|user| watch_as(lab, &[], user, 24_000, &options))
        .collect();
    wait_until(PATIENCE, "there is one poller", || pollers(&watchers) == 1);
    all_hear(&machine.service, &watchers);
    let at = watchers
        .iter()
        .position(|one| role(one) == "poller")
        .unwrap();
    watchers.remove(at).send(Signal::SIGKILL);
    wait_until(PATIENCE, "another user takes over", || {
        pollers(&watchers) == 1
    });
    all_hear(&machine.service, &watchers);
    for watcher in &watchers {
        assert!(
            !watcher.stderr().contains("not used"),
            "{}",
            watcher.stderr()
        );
    }
}

/// Where each directory is the one that a user of Azure has: a network of its own, with the service at its
/// real address, and a /run of its own.
struct Own {
    lab: Lab,
    service: MetadataService,
    /// What to put before a command that is to run there.
    before: Vec<String>,
    _stays: (Network, Running),
}

impl Own {
    #[track_caller]
    fn new() -> Self {
        let network = Network::of(1);
        let address = "ip addr add 169.254.169.254/32 dev lo";
        let service = MetadataService::start_in(&network.namespace(0, address));
        let lab = Lab::new();
        open_to_all(&lab);
        let script = "mount -t tmpfs -o mode=755 none /run && echo ready && exec sleep 600";
        let mut place = lab.command("unshare");
        let place = lab.spawn(place.args(["--mount", "sh", "-c", script]));
        wait_until(PATIENCE, "a /run of its own", || {
            place.stdout() == "ready\n"
        });
        let mut before = network.at(0);
        before.push(format!("--mount=/proc/{}/ns/mnt", place.id()));
        Self {
            lab,
            service,
            before,
            _stays: (network, place),
        }
    }
}

fn roots_cache_serves_other_users() {
    let own = Own::new();
    let (lab, service, before) = (&own.lab, &own.service, &own.before);
    let root = watch_as(lab, before, 0, 0, &[]);
    wait_until(PATIENCE, "root polls", || role(&root) == "poller");
    let mut watchers = vec![root];
    watchers.extend([20_001, 20_002].map(|user| watch_as(lab, before, user, user, &[])));
    for watcher in &watchers[1..] {
        wait_until(PATIENCE, "others read", || role(watcher) == "reader");
    }
    let since = Instant::now();
    println!("told after {:?}", all_hear(service, &watchers));
    assert_eq!(pollers(&watchers), 1);
    for user in [20_001, 20_002] {
        let state = lab.path(&format!("home{user}/.local/state/leasectl"));
        assert!(!state.exists(), "{} is not needed", state.display());
    }
    let said = doctor_as(lab, before, 20_001);
    assert!(
        said.contains(" ok ") && said.contains("root's poller asks"),
        "{said}"
    );
    // Without root each user has a poller, until root's is there again.
    watchers.remove(0).send(Signal::SIGKILL);
    wait_until(PATIENCE, "each has one", || pollers(&watchers) == 2);
    all_hear(service, &watchers);
    doctors_say_who_asks(lab, before);
    watchers.push(watch_as(lab, before, 0, 0, &[]));
    wait_until(PATIENCE, "root polls for all", || pollers(&watchers) == 1);
    all_hear(service, &watchers);
    let (most, average) = rates(&service.requests(), since);
    println!("{average:.2} requests a second, at most {most} in one");
    assert!(most <= 5, "{most} requests in a second");
}

/// When two users poll, each for itself.
#[track_caller]
fn doctors_say_who_asks(lab: &Lab, before: &[String]) {
    for (user, rating, says) in [
        (
            20_001,
            " weak ",
            "home20001/.local/state/leasectl/scheduled-events each second",
        ),
        (20_002, " weak ", "leasectl scheduled-events watch as root"),
        (
            20_003,
            " ok ",
            "each user would ask for scheduled events by itself",
        ),
        (0, " ok ", "root would ask"),
    ] {
        let said = doctor_as(lab, before, user);
        assert!(
            said.contains(rating) && said.contains(says),
            "{user}: {said}"
        );
    }
}

fn full_disks_and_directories_to_read_only_ask_alone() {
    needs("root");
    needs("unshare");
    let machine = Machine::new();
    let lab = &machine.lab;
    let script = "mkdir full readonly && mount -t tmpfs -o size=64k,mode=700 none full && \
                  { head -c 1M /dev/zero >full/filler 2>/dev/null || :; } && \
                  mount -t tmpfs -o ro,mode=700 none readonly && echo ready && exec sleep 600";
    let mut place = lab.command("unshare");
    let place = lab.spawn(place.args(["--mount", "sh", "-c", script]));
    wait_until(PATIENCE, "two bad places", || place.stdout() == "ready\n");
    let mounts = format!("--mount=/proc/{}/ns/mnt", place.id());
    let endpoint = machine.service.endpoint();
    let since = Instant::now();
    let watch = |at: usize| {
        let directory = lab.path(if at.is_multiple_of(2) {
            "full"
        } else {
            "readonly"
        });
        let mut command = lab.command("nsenter");
        command.args([mounts.as_str(), "leasectl", "scheduled-events", "watch"]);
        command.args(["--endpoint", &endpoint, "--cache-dir"]);
        // A home that can be written would be fallen back on.
        let home = lab.path("readonly");
        lab.spawn(command.arg(&directory).env("HOME", home))
    };
    let watchers: Vec<Running> = (0..12).map(watch).collect();
    for watcher in &watchers {
        wait_until(PATIENCE, "each asks alone", || role(watcher) == "direct");
    }
    let slowest = all_hear(&machine.service, &watchers);
    let (most, average) = rates(&machine.service.requests(), since);
    println!("told after {slowest:?}, {average:.2} requests a second, at most {most} in one");
    assert!(most <= 5, "{most} requests in a second");
    for watcher in &watchers {
        let said = watcher.stderr();
        assert_eq!(said.matches("it is not used").count(), 1, "{said}");
    }
}

/// Half of them have a directory of their own, the others none that they may use. Whoever waits for a slot for
/// twenty seconds tries sooner than others: it lasts three times as long.
fn ten_users_with_nothing_in_common_stay_below_the_limit() {
    const LASTS: Duration = Duration::from_secs(60);
    let own = Own::new();
    let (lab, service, before) = (&own.lab, &own.service, &own.before);
    let users = 20_001..20_011;
    let since = Instant::now();
    let mut watchers: Vec<Running> = Vec::new();
    for user in users {
        if user % 2 == 0 {
            // A home that is somebody else's.
            fs::create_dir(lab.path(&format!("home{user}"))).unwrap();
        }
        watchers.push(watch_as(lab, before, user, user, &[]));
    }
    let count = |wanted: &str| {
        let roles = watchers.iter().map(role);
        roles.filter(|role| role == wanted).count()
    };
    wait_until(PATIENCE, "each asks in its way", || {
        count("poller") == 5 && count("direct") == 5
    });
    let slowest = all_hear(service, &watchers);
    let began = Instant::now();
    wait_until(2 * LASTS, "a minute to pass", || began.elapsed() > LASTS);
    let (most, average) = rates(&service.requests(), since);
    println!("told after {slowest:?}, {average:.2} requests a second, at most {most} in one");
    assert!(most <= 5, "{most} requests in a second");
    assert!(average <= 3.2, "{average} requests a second");
    let again = all_hear(service, &watchers);
    assert!(again < Duration::from_secs(30), "{again:?}");
}
