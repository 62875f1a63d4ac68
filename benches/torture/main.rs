//! `leasectl-torture`: many real leasectl processes on real stores under a seeded schedule of faults.
//!
//! ```text
//! cargo bench --bench torture -- --store file --injections 10000 --seed 1
//! cargo bench --bench torture -- --store redis --injections 10000 --seed 1
//! cargo bench --bench torture -- --subject flock          the same with a peer
//! cargo bench --bench torture -- --kill-time 1000 --hogs 8
//! ```
//!
//! Exit code 0: passed. 1: an oracle saw what must not be. 3: too little happened to tell. RELIABILITY.md has
//! the method and the figures.

mod campaign;
mod clock;
mod contender;
mod faults;
mod judge;
mod kill_time;
mod lapse;
mod lateness;
mod message;
mod onlooker;
mod options;
mod probe;
mod processes;
mod proxy;
mod random;
mod report;
mod schedule;
mod selfcheck;
mod server;
mod stuck;
mod upheaval;
mod verdict;

use std::error::Error;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use campaign::Campaign;
use contender::Place;
use options::Options;
use processes::CONTENDER;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(played) = probe::when_asked(&words) {
        return match played {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("probe: {error}");
                ExitCode::from(97)
            }
        };
    }
    match Options::parse(&words).and_then(|options| torture(&options)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("torture: {error}");
            ExitCode::from(2)
        }
    }
}

fn torture(options: &Options) -> Outcome<u8> {
    selfcheck::all()?;
    println!("torture: --seed {} and {options:?}", options.seed);
    let directory = tempfile::Builder::new().prefix("torture-").tempdir()?;
    let run = std::process::id();
    let place = Place {
        directory: directory.path().display().to_string(),
        run: run.to_string(),
        canary: format!("canary{run}x{:x}", options.seed),
    };
    let mut hogs = Hogs::start(options.hogs)?;
    if let Some(kills) = options.kill_time {
        return kill_time::measure(options, &place, kills);
    }
    let mut campaign = Campaign::new(options, place)?;
    let began = Instant::now();
    let digest = campaign.fight()?;
    let took = began.elapsed();
    hogs.stop();
    campaign.finish()?;
    let counts = campaign.judge.history().counts.clone();
    let awake = the_oracles_are_awake(&campaign)?;
    println!("schedule {digest:016x}");
    let (verdict, why) = verdict::judge(options, &counts, &campaign.tally, awake);
    report::print(options, &counts, &campaign.tally, took, verdict);
    report::print_lives_after_the_guardian(&campaign.judge.history());
    print!("{why}");
    println!("{verdict:?}, again with --seed {}", options.seed);
    Ok(verdict.code())
}

/// One overlap made on purpose, which the oracles have to see.
fn the_oracles_are_awake(campaign: &Campaign) -> Outcome<bool> {
    let before = campaign.judge.history().counts.overlaps;
    let place = &campaign.place;
    let start = |number: u64| -> Outcome<Child> {
        let mut command = place.command(&std::env::current_exe()?.display().to_string());
        command
            .args([probe::PROBE, &place.directory, "1000000", "0", "1500"])
            .env(CONTENDER, format!("{}:{}", place.run, u64::MAX - number))
            .env("LEASECTL_TOKEN", (10 - number).to_string());
        Ok(command.spawn()?)
    };
    let first = start(2)?;
    sleep(Duration::from_millis(500));
    let second = start(1)?;
    for mut child in [first, second] {
        child.wait()?;
    }
    sleep(Duration::from_millis(300));
    Ok(campaign.judge.history().counts.overlaps > before)
}

/// Busy loops beside the contenders.
#[derive(Debug)]
struct Hogs(Vec<Child>);

impl Hogs {
    fn start(count: u64) -> Outcome<Self> {
        let mut hogs = Self(Vec::new());
        for _ in 0..count {
            // At the priority of those that they are to be beside, also where the torture has a higher one.
            let words = "renice -n 0 $$ >/dev/null; while :; do :; done";
            let mut command = Command::new("sh");
            command.args(["-c", words]).stdin(Stdio::null());
            hogs.0.push(command.spawn()?);
        }
        Ok(hogs)
    }

    fn stop(&mut self) {
        for mut child in self.0.drain(..) {
            // Both fail only when it has ended and was reaped.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        self.stop();
    }
}
