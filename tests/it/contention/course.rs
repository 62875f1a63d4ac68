//! The rounds that contenders run, and the log that they leave.
//!
//! One round is an unprotected read-increment-write of a number in a file, with a line in a log
//! before and after. It runs under the witness; only the lease keeps two rounds apart. Whoever breaks
//! in, or lives on, is seen three times: by the witness, as an update that is lost, and as a token
//! that does not rise.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{self, Command, ExitCode};
use std::str::SplitAsciiWhitespace;
use std::time::Duration;

use libtest_mimic::Trial;
use nix::time::{ClockId, clock_gettime};

use crate::support::lab::Lab;
use crate::support::witness::Witness;

/// The word that makes this binary run one round.
const WORD: &str = "--round";

/// The variable that numbers the contenders: it tells whose a process is, wherever it went.
pub(super) const CONTENDER: &str = "CONTENDER_OF_TEST";

/// What a round leaves behind when it is a stubborn one: one in a session of its own, one whose
/// parent is gone, both deaf to SIGTERM.
const STUBBORN: &str = "trap '' TERM; setsid sleep 60 & (sleep 60 &)";

pub(super) fn trials() -> Vec<Trial> {
    trials![
        a_round_counts_and_is_logged,
        a_history_that_is_wrong_is_seen
    ]
}

/// What a round does beside counting.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Round {
    /// Between reading and writing.
    pub(super) pause: Duration,
    /// Whether it leaves stubborn children.
    pub(super) stubborn: bool,
}

/// A lab with a number to count up, a log, and a witness.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) lab: Lab,
    pub(super) witness: Witness,
}

impl Course {
    pub(super) fn new() -> Self {
        let lab = Lab::new();
        let witness = Witness::new(lab.path("witness"));
        Self { lab, witness }
    }

    /// The words that run one round under the witness.
    pub(super) fn round(&self, round: Round) -> Vec<OsString> {
        self.witness.over(self.unwitnessed(round))
    }

    /// The words that run one round.
    pub(super) fn unwitnessed(&self, round: Round) -> [OsString; 5] {
        [
            env::current_exe().unwrap().into(),
            WORD.into(),
            self.lab.path("").into(),
            round.pause.as_micros().to_string().into(),
            u8::from(round.stubborn).to_string().into(),
        ]
    }

    /// The number as it is now.
    pub(super) fn counted(&self) -> u64 {
        counted(&self.lab.path("number")).unwrap()
    }

    /// Everything logged so far.
    pub(super) fn log(&self) -> Vec<Entry> {
        let text = fs::read_to_string(self.lab.path("log")).unwrap_or_default();
        text.lines().map(Entry::read).collect()
    }
}

/// One line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) what: What,
    pub(super) token: u64,
    pub(super) contender: u64,
    /// The round's main process.
    pub(super) pid: u32,
    /// The number that the round found.
    pub(super) found: u64,
    /// Nanoseconds of the boot clock.
    pub(super) at: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Begin,
    End,
}

impl Entry {
    /// Reads a whole line.
    pub(super) fn read(line: &str) -> Self {
        let mut words = line.split_ascii_whitespace();
        let what = match words.next() {
            Some("begin") => What::Begin,
            Some("end") => What::End,
            _ => panic!("no line of a log: {line:?}"),
        };
        let mut number =
            || next(&mut words).unwrap_or_else(|| panic!("no line of a log: {line:?}"));
        Self {
            what,
            token: number(),
            contender: number(),
            pid: u32::try_from(number()).unwrap(),
            found: number(),
            at: number(),
        }
    }

    /// What is wrong with `self` coming right after `before`: tokens rise, no round begins before
    /// the one before it is over or dead, no update is lost and none is made by the dead.
    pub(super) fn after(&self, before: &Self) -> Result<(), String> {
        let fine = match (before.what, self.what) {
            (What::Begin, What::End) => {
                (before.token, before.pid, before.found) == (self.token, self.pid, self.found)
            }
            (What::End, What::Begin) => before.token < self.token && self.found == before.found + 1,
            // The one before was killed, before or after it wrote.
            (What::Begin, What::Begin) => {
                before.token < self.token && (before.found..=before.found + 1).contains(&self.found)
            }
            (What::End, What::End) => false,
        };
        if fine {
            Ok(())
        } else {
            Err(format!("out of order: {before:?}, then {self:?}"))
        }
    }
}

fn next(words: &mut SplitAsciiWhitespace<'_>) -> Option<u64> {
    words.next()?.parse().ok()
}

/// Checks a whole log.
#[track_caller]
pub(super) fn assert_in_order(log: &[Entry]) {
    for pair in log.windows(2) {
        if let Err(why) = pair[1].after(&pair[0]) {
            panic!("{why}");
        }
    }
}

/// The boot clock, which is the same for all processes.
pub(super) fn now() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).unwrap();
    u64::try_from(Duration::from(now).as_nanos()).unwrap()
}

/// Runs one round when this process was started for that.
pub(crate) fn when_asked() -> Option<ExitCode> {
    let words: Vec<OsString> = env::args_os().skip(1).collect();
    let [word, place, pause, stubborn] = words.as_slice() else {
        return None;
    };
    if word != WORD {
        return None;
    }
    let round = Round {
        pause: Duration::from_micros(pause.to_str()?.parse().ok()?),
        stubborn: stubborn == "1",
    };
    Some(match run(Path::new(place), round) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("round: {error}");
            ExitCode::from(97)
        }
    })
}

fn run(place: &Path, round: Round) -> io::Result<()> {
    let path = place.join("number");
    let found = counted(&path)?;
    note(place, "begin", found)?;
    if round.stubborn {
        Command::new("sh").args(["-c", STUBBORN]).status()?;
    }
    std::thread::sleep(round.pause);
    let number = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    // One call and always the same length: SIGKILL leaves the old number or the new one.
    number.write_all_at(format!("{:020}\n", found + 1).as_bytes(), 0)?;
    note(place, "end", found)
}

fn counted(path: &Path) -> io::Result<u64> {
    match fs::read_to_string(path) {
        Ok(text) => text.trim_end().parse().map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// Appends a line in one call, so that it is there whole or not at all.
fn note(place: &Path, what: &str, found: u64) -> io::Result<()> {
    let of = |key| env::var(key).unwrap_or_else(|_| "0".to_owned());
    let (token, contender) = (of("LEASECTL_TOKEN"), of(CONTENDER));
    let line = format!(
        "{what} {token} {contender} {} {found} {}\n",
        process::id(),
        now()
    );
    let mut log: File = OpenOptions::new()
        .append(true)
        .create(true)
        .open(place.join("log"))?;
    log.write_all(line.as_bytes())
}

fn a_round_counts_and_is_logged() {
    let course = Course::new();
    for _ in 0..2 {
        let words = course.round(Round {
            stubborn: true,
            ..Round::default()
        });
        let mut command = course.lab.command(&words[0]);
        let command = command.args(&words[1..]).env("LEASECTL_TOKEN", "5");
        let ended = course.lab.run(command.env(CONTENDER, "3"));
        // The second finds the stubborn children of the first.
        let twice = course.witness.overlaps().len();
        ended.expect_code([0, 99][twice]);
    }
    assert_eq!(course.counted(), 1);
    assert_eq!(course.witness.overlaps().len(), 1);
    assert_eq!(course.lab.processes().len(), 2);
    let log = course.log();
    assert_eq!(log.len(), 2);
    assert_eq!((log[0].token, log[0].contender, log[0].found), (5, 3, 0));
    assert!(log[0].at <= log[1].at);
    assert_in_order(&log);
}

fn a_history_that_is_wrong_is_seen() {
    let begin = Entry::read("begin 5 1 100 7 1000");
    let end = Entry::read("end 5 1 100 7 2000");
    assert_eq!(end.after(&begin), Ok(()));
    let next = |line: &str| Entry::read(line).after(&end);
    assert_eq!(next("begin 6 2 101 8 3000"), Ok(()));
    assert!(next("begin 5 2 101 8 3000").is_err(), "a token again");
    assert!(next("begin 6 2 101 7 3000").is_err(), "an update lost");
    assert!(next("end 4 2 99 7 3000").is_err(), "a round that lived on");
    let killed = |line: &str| Entry::read(line).after(&begin);
    assert_eq!(killed("begin 6 2 101 7 3000"), Ok(()));
    assert_eq!(killed("begin 7 2 101 8 3000"), Ok(()));
    assert!(
        killed("begin 6 2 101 9 3000").is_err(),
        "counted by the dead"
    );
    assert!(killed("begin 4 2 101 7 3000").is_err(), "an older token");
}
