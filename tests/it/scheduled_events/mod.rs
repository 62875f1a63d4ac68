//! `leasectl scheduled-events` against a metadata service that behaves as Azure documents it.

use std::process::Command;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use serde_json::Value;

use crate::support::lab::{Lab, PATIENCE, Running};
use crate::support::metadata::MetadataService;
use crate::support::processes::wait_until;

mod acking;
mod attacks;
mod continued;
mod corpus;
mod failing;
mod listing;
mod poller;
mod users;
mod watching;

pub(crate) fn trials() -> Vec<Trial> {
    [
        acking::trials(),
        attacks::trials(),
        continued::trials(),
        corpus::trials(),
        failing::trials(),
        listing::trials(),
        poller::trials(),
        users::trials(),
        watching::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A machine with a metadata service, whose processes share a directory of the lab.
struct Machine {
    lab: Lab,
    service: MetadataService,
}

impl Machine {
    fn new() -> Self {
        Self {
            lab: Lab::new(),
            service: MetadataService::start(),
        }
    }

    /// `leasectl scheduled-events` with these words, and nothing shared.
    fn bare(&self, words: &[&str]) -> Command {
        let endpoint = self.service.endpoint();
        let verb = ["scheduled-events"];
        let mut command = self.lab.leasectl(verb.iter().chain(words));
        command.args(["--endpoint", &endpoint]);
        command
    }

    /// The same, sharing the lab's directory.
    fn sharing(&self, words: &[&str]) -> Command {
        let mut command = self.bare(words);
        command.arg("--cache-dir").arg(self.lab.path("events"));
        command
    }

    fn watcher(&self) -> Running {
        self.lab.spawn(&mut self.sharing(&["watch"]))
    }

    /// So many watchers, each of which has a role.
    fn watchers(&self, count: usize) -> Vec<Running> {
        let watchers: Vec<Running> = (0..count).map(|_| self.watcher()).collect();
        for watcher in &watchers {
            wait_until(PATIENCE, "each has a role", || {
                watcher.stderr().contains("scheduled events: ")
            });
        }
        wait_until(PATIENCE, "the service is asked", || {
            self.service.requests().len() > 1
        });
        watchers
    }
}

/// The lines that were printed.
fn lines(running: &Running) -> Vec<Value> {
    let text = running.stdout();
    // The last one may be half written.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn changes(lines: &[Value]) -> Vec<&str> {
    lines
        .iter()
        .map(|line| line["change"].as_str().unwrap())
        .collect()
}

/// Whether it has told of this event.
fn knows(running: &Running, id: &str) -> bool {
    running.stdout().contains(id)
}

/// What a process last said that it does.
fn role(running: &Running) -> String {
    let said = running.stderr();
    let last = said
        .lines()
        .filter_map(|line| line.split("scheduled events: ").nth(1))
        .next_back();
    let word = last.and_then(|said| said.split(':').next());
    word.unwrap_or_default().to_owned()
}

/// The most requests in any second, and how many there were in a second on average.
fn rates(requests: &[Instant], since: Instant) -> (usize, f64) {
    let requests: Vec<Instant> = requests
        .iter()
        .filter(|at| **at >= since)
        .copied()
        .collect();
    let within = |at: &Instant| {
        let second = requests.iter().filter(|other| {
            other
                .checked_duration_since(*at)
                .is_some_and(|span| span < Duration::from_secs(1))
        });
        second.count()
    };
    let most = requests.iter().map(within).max().unwrap_or(0);
    let span = since.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a few hundred at most")]
    let average = requests.len() as f64 / span;
    (most, average)
}
