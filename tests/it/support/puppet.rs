//! Commands that say what happens to them: this binary again, as `it --puppet LOG ROLE...`.
//!
//! A puppet notes in LOG that it is ready, and then every signal that it gets, with the instant on the
//! boot clock. Signals are read from a descriptor, so none is acted on unless its role says so. The
//! first role is played by the command itself, which starts the others.
//!
//! A role is `NAME` or `NAME:FLAG+FLAG`:
//!
//! - `setsid`: in a session of its own;
//! - `daemon`: the same, and its parent ends before it begins (the double fork of daemons);
//! - `stubborn`: TERM is noted and not obeyed. Otherwise TERM ends a puppet with code 0.
//! - `beat`: every millisecond it notes the time in `LOG.NAME`, which tells when it last ran.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command, ExitCode};
use std::time::Duration;

use libtest_mimic::Trial;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::setsid;

use super::lab::{Lab, PATIENCE};
use super::processes::{alive, boot_now, wait_until};

/// The word that makes this binary a puppet.
const WORD: &str = "--puppet";

/// What a puppet notes. TSTP is not among them: a puppet stops like anybody else.
const NOTED: [Signal; 9] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGWINCH,
    Signal::SIGCONT,
];

pub(crate) fn trials() -> Vec<Trial> {
    trials![puppets_note_what_happens_to_them]
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    /// Which puppet: the name of its role.
    pub(crate) name: String,
    /// `ready`, or the name of a signal.
    pub(crate) what: String,
    pub(crate) pid: u32,
    /// On the boot clock.
    pub(crate) at: Duration,
}

/// The log of one command's puppets.
#[derive(Clone, Debug)]
pub(crate) struct Puppets {
    log: PathBuf,
    roles: Vec<String>,
}

impl Puppets {
    /// Puppets for these roles, with their log in the lab.
    pub(crate) fn new(lab: &Lab, log: &str, roles: &[&str]) -> Self {
        Self {
            log: lab.path(log),
            roles: roles.iter().map(|&role| role.to_owned()).collect(),
        }
    }

    /// The words to give to leasectl after `--`.
    pub(crate) fn command(&self) -> Vec<OsString> {
        let binary = env::current_exe().unwrap();
        let mut words = vec![binary.into(), WORD.into(), self.log.clone().into()];
        words.extend(self.roles.iter().map(OsString::from));
        words
    }

    /// Everything noted so far.
    pub(crate) fn noted(&self) -> Vec<Noted> {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().filter_map(parse).collect()
    }

    /// What was noted of one kind.
    pub(crate) fn of_kind(&self, what: &str) -> Vec<Noted> {
        let mut noted = self.noted();
        noted.retain(|one| one.what == what);
        noted
    }

    /// Waits until all are ready.
    #[track_caller]
    pub(crate) fn wait_ready(&self) {
        wait_until(PATIENCE, "all puppets are ready", || {
            self.of_kind("ready").len() == self.roles.len()
        });
    }

    /// The number of the puppet with this name, which is ready.
    #[track_caller]
    pub(crate) fn pid(&self, name: &str) -> u32 {
        let mut ready = self.of_kind("ready");
        ready.retain(|one| one.name == name);
        ready[0].pid
    }

    /// The puppets that are alive.
    pub(crate) fn alive(&self) -> Vec<Noted> {
        let mut all = self.of_kind("ready");
        all.retain(|one| alive(one.pid));
        all
    }

    /// Waits until none is alive; returns when that was seen, on the boot clock.
    #[track_caller]
    pub(crate) fn wait_gone(&self, limit: Duration) -> Duration {
        wait_until(limit, "no puppet is alive", || self.alive().is_empty());
        boot_now()
    }

    /// When the puppet with this name (its role has `beat`) last ran.
    pub(crate) fn last_beat(&self, name: &str) -> Duration {
        let text = fs::read_to_string(beat_file(&self.log, name)).unwrap();
        Duration::from_nanos(text.trim().parse().unwrap())
    }
}

fn beat_file(log: &Path, name: &str) -> PathBuf {
    let mut file = log.as_os_str().to_owned();
    file.push(format!(".{name}"));
    file.into()
}

fn parse(line: &str) -> Option<Noted> {
    let mut words = line.split(' ');
    Some(Noted {
        name: words.next()?.to_owned(),
        what: words.next()?.to_owned(),
        pid: words.next()?.parse().ok()?,
        at: Duration::from_nanos(words.next()?.parse().ok()?),
    })
}

/// Plays a puppet when this process was started as one.
pub(crate) fn when_asked() -> Option<ExitCode> {
    let words: Vec<OsString> = env::args_os().skip(1).collect();
    let [word, log, role, others @ ..] = words.as_slice() else {
        return None;
    };
    if word != WORD {
        return None;
    }
    let played = play(Path::new(log), role.to_str()?, others);
    Some(played.unwrap_or_else(|error| {
        eprintln!("puppet: {error}");
        ExitCode::from(98)
    }))
}

/// One line, one write.
fn note(log: &mut File, name: &str, what: &str, at: Duration) -> io::Result<()> {
    let line = format!("{name} {what} {} {}\n", process::id(), at.as_nanos());
    log.write_all(line.as_bytes())
}

/// Starts another puppet.
fn start(log: &Path, role: impl AsRef<OsStr>) -> io::Result<()> {
    let mut command = Command::new(env::current_exe()?);
    command.arg(WORD).arg(log).arg(role).spawn().map(drop)
}

fn play(path: &Path, role: &str, others: &[OsString]) -> io::Result<ExitCode> {
    let (name, flags) = role.split_once(':').unwrap_or((role, ""));
    let flags: Vec<&str> = flags.split('+').collect();
    if flags.contains(&"daemon") {
        start(
            path,
            format!("{name}:{}", flags.join("+").replace("daemon", "setsid")),
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    if flags.contains(&"setsid") {
        setsid()?;
    }
    let mut noted = SigSet::empty();
    for signal in NOTED {
        noted.add(signal);
    }
    noted.thread_block()?;
    let signals = SignalFd::with_flags(&noted, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    for other in others {
        start(path, other)?;
    }
    let mut log = OpenOptions::new().append(true).create(true).open(path)?;
    let beat = match flags.contains(&"beat") {
        true => Some(File::create(beat_file(path, name))?),
        false => None,
    };
    note(&mut log, name, "ready", boot_now())?;
    loop {
        let (signal, at) = next_signal(&signals, beat.as_ref())?;
        note(
            &mut log,
            name,
            signal.as_str().trim_start_matches("SIG"),
            at,
        )?;
        if signal == Signal::SIGTERM && !flags.contains(&"stubborn") {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// Waits for a signal, and writes down the time meanwhile.
fn next_signal(signals: &SignalFd, beat: Option<&File>) -> io::Result<(Signal, Duration)> {
    let timeout = match beat {
        Some(_) => PollTimeout::from(1_u8),
        None => PollTimeout::NONE,
    };
    loop {
        poll(
            &mut [PollFd::new(signals.as_fd(), PollFlags::POLLIN)],
            timeout,
        )
        .ok();
        if let Some(beat) = beat {
            beat.write_all_at(format!("{:20}\n", boot_now().as_nanos()).as_bytes(), 0)?;
        }
        if let Some(info) = signals.read_signal()? {
            let at = boot_now();
            return Ok((Signal::try_from(info.ssi_signo.cast_signed())?, at));
        }
    }
}

fn puppets_note_what_happens_to_them() {
    let lab = Lab::new();
    let roles = ["main:beat", "session:setsid+stubborn", "daemon:daemon"];
    let puppets = Puppets::new(&lab, "log", &roles);
    let words = puppets.command();
    let running = lab.spawn(lab.command(&words[0]).args(&words[1..]));
    puppets.wait_ready();
    assert_eq!(puppets.pid("main"), running.id());
    running.send(Signal::SIGUSR1);
    wait_until(PATIENCE, "it is noted", || {
        puppets.of_kind("USR1").len() == 1
    });
    for one in puppets.alive() {
        super::processes::send(one.pid, Signal::SIGTERM);
    }
    running.wait(PATIENCE).expect_code(0);
    wait_until(PATIENCE, "all note TERM", || {
        puppets.of_kind("TERM").len() == 3
    });
    wait_until(PATIENCE, "the daemon ends", || puppets.alive().len() == 1);
    assert_eq!(puppets.alive()[0].name, "session");
    assert!(puppets.last_beat("main") >= puppets.of_kind("USR1")[0].at);
}
