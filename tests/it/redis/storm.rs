//! Contenders and faults at random, and what must not come of it: two that run at once, a token that falls, a
//! lease that nobody gets any more. The witness is a lock of the kernel's own.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use crate::support::lab::{Lab, PATIENCE, Running};
use crate::support::processes::{alive, send, wait_until};
use crate::support::random::Random;
use crate::support::redis::RedisServer;
use crate::support::witness::Witness;

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        nobody_runs_twice_while_processes_die_and_connections_are_cut,
        nobody_runs_twice_while_the_server_loses_its_data,
    ]
}

const CONTENDERS: usize = 5;
/// Between two faults, at most.
const PAUSE: u64 = 600;

struct Storm {
    server: RedisServer,
    lab: Lab,
    witness: Witness,
    random: Random,
    contenders: Vec<Running>,
}

impl Storm {
    fn new(options: &[&str]) -> Self {
        let server = RedisServer::start(options);
        let lab = Lab::new();
        Self {
            witness: Witness::new(lab.path("witness")),
            random: Random::new(),
            contenders: Vec::new(),
            server,
            lab,
        }
    }

    /// Starts who is missing. Each reads a token and goes on for a moment.
    fn fill(&mut self) {
        self.contenders.retain(|contender| alive(contender.id()));
        while self.contenders.len() < CONTENDERS {
            let millis = self.random.below(80);
            let round = format!("echo $LEASECTL_TOKEN >>tokens; sleep 0.{millis:03}");
            let mut command = self
                .lab
                .leasectl(["run", "-q", "--lease", "a", "--ttl", "4s"]);
            command.args(["--wait", "1m", "--"]);
            command.args(self.witness.over(["sh", "-c", &round]));
            command.env("LEASECTL_STORE", self.server.url(""));
            self.contenders.push(self.lab.spawn(&mut command));
        }
    }

    /// Lets time pass, and looks after the contenders meanwhile.
    fn pass(&mut self, span: Duration) {
        let until = Instant::now() + span;
        while Instant::now() < until {
            self.fill();
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn kill_somebody(&mut self) {
        let at = self.random.below(CONTENDERS as u64);
        if let Some(contender) = self.contenders.get(usize::try_from(at).unwrap()) {
            contender.send(Signal::SIGKILL);
        }
    }

    fn cut(&self) {
        self.server.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    }

    fn freeze(&mut self) {
        self.server.send(Signal::SIGSTOP);
        self.pass(Duration::from_millis(300));
        self.server.send(Signal::SIGCONT);
    }

    fn tokens(&self) -> Vec<u64> {
        let text = std::fs::read_to_string(self.lab.path("tokens")).unwrap_or_default();
        text.lines().map(|line| line.parse().unwrap()).collect()
    }

    /// After the last fault somebody gets the lease, and looking back nobody got it wrongly.
    fn ends_well(mut self) {
        let before = self.tokens().len();
        wait_until(PATIENCE, "somebody to get the lease", || {
            self.fill();
            self.tokens().len() > before
        });
        let seen = self.tokens();
        println!("{} tenures; again with {}", seen.len(), self.random.again());
        assert_eq!(self.witness.overlaps(), Vec::<String>::new());
        assert!(seen.len() > 10, "hardly anybody got it: {seen:?}");
        assert!(
            seen.is_sorted_by(|earlier, later| earlier < later),
            "{seen:?}"
        );
        for pid in self.lab.processes() {
            send(pid, Signal::SIGKILL);
        }
    }
}

fn nobody_runs_twice_while_processes_die_and_connections_are_cut() {
    let mut storm = Storm::new(&["--appendonly", "yes", "--appendfsync", "always"]);
    // The guard of a server that has just started.
    storm.pass(Duration::from_secs(5));
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        let pause = storm.random.below(PAUSE);
        storm.pass(Duration::from_millis(pause));
        match storm.random.below(8) {
            0..=2 => storm.cut(),
            3 => storm.freeze(),
            4 => {
                storm.server.down();
                storm.server.up();
            }
            _ => storm.kill_somebody(),
        }
    }
    storm.ends_well();
}

/// Not together with a cut connection: that is what the guard does not cover, and the token does.
fn nobody_runs_twice_while_the_server_loses_its_data() {
    let mut storm = Storm::new(&[]);
    storm.pass(Duration::from_secs(5));
    for turn in 0..6 {
        // Long enough for the guard to end, most of the time.
        let pause = 500 + storm.random.below(6_000);
        storm.pass(Duration::from_millis(pause));
        match turn % 3 {
            0 => drop(storm.server.cli(&["FLUSHALL"])),
            1 => {
                storm.server.down();
                storm.server.up();
            }
            _ => {
                for key in storm.server.cli(&["KEYS", "*:l:*"]).lines() {
                    storm.server.cli(&["DEL", key]);
                }
            }
        }
    }
    storm.ends_well();
}
