//! The guarded command: takes the witness's lock, leaves it to all its descendants, and writes all the time.
//!
//! The lock is the kernel's and belongs to the open file. It ends with the last process that has it, so that
//! an orphan of an earlier command is caught by the next one, and no clock is involved. Processes that close
//! the file are seen by what they write.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixDatagram;
use std::process::{self, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{close, setsid};

use crate::Outcome;
use crate::message::{Message, What};
use crate::processes::{CONTENDER, raw_now};

/// The words that make this binary the command, one of its children, and one that starts another.
pub(crate) const PROBE: &str = "--probe";
const MEMBER: &str = "--member";
const DOUBLE: &str = "--double";

/// How often each process writes.
const EVERY: Duration = Duration::from_millis(40);
/// How long what is left behind lives after the command's end, if nobody kills it.
const LEFT: Duration = Duration::from_secs(4);
/// How many a small storm has.
const STORM: u64 = 12;

/// A daemon closes files up to this number.
const FILES: i32 = 255;

/// What kind of command it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Plain,
    /// Deaf to TERM, as are its children.
    Stubborn,
    /// A child in a session of its own, and one whose parent is gone.
    Daemons,
    /// The same, with everything closed, and deaf to TERM.
    Closing,
    /// Many short children.
    Storm,
}

pub(crate) const MANNERS: [Manner; 5] = [
    Manner::Plain,
    Manner::Stubborn,
    Manner::Daemons,
    Manner::Closing,
    Manner::Storm,
];

/// Plays a part when this process was started for one.
pub(crate) fn when_asked(words: &[String]) -> Option<Outcome<()>> {
    match words {
        [word, rest @ ..] if word == PROBE => Some(probe(rest)),
        [word, rest @ ..] if word == MEMBER => Some(member(rest)),
        [word, rest @ ..] if word == DOUBLE => Some(start(MEMBER, rest)),
        _ => None,
    }
}

/// Whom it writes to, and as whom.
struct Voice {
    socket: UnixDatagram,
    place: String,
    lease: u64,
    contender: u64,
    token: u64,
}

impl Voice {
    fn new(place: &str, lease: &str) -> Outcome<Self> {
        let own = env::var(CONTENDER)?;
        let (_, contender) = own.rsplit_once(':').ok_or("no contender")?;
        // Peers have none.
        let token = env::var("LEASECTL_TOKEN").unwrap_or_else(|_| "0".to_owned());
        Ok(Self {
            socket: UnixDatagram::unbound()?,
            place: format!("{place}/judge"),
            lease: lease.parse()?,
            contender: contender.parse()?,
            token: token.parse()?,
        })
    }

    fn say(&self, what: What, other: u64) -> Outcome<()> {
        let message = Message {
            what,
            lease: self.lease,
            contender: self.contender,
            token: self.token,
            pid: process::id(),
            at: raw_now(),
            other,
        };
        self.socket
            .send_to(message.to_string().as_bytes(), &self.place)?;
        Ok(())
    }

    fn write_for(&self, lasts: Duration) -> Outcome<()> {
        let began = Instant::now();
        while began.elapsed() < lasts {
            self.say(What::Write, 0)?;
            sleep(EVERY.min(lasts.saturating_sub(began.elapsed())));
        }
        Ok(())
    }
}

/// `PLACE LEASE MANNER MILLIS`.
fn probe(words: &[String]) -> Outcome<()> {
    let [place, lease, manner, millis] = words else {
        return Err("the probe needs four words".into());
    };
    let voice = Voice::new(place, lease)?;
    let lasts = Duration::from_millis(millis.parse()?);
    let (witness, other) = witness(&format!("{place}/witness-{lease}"), voice.contender)?;
    match other {
        None => voice.say(What::Begin, 0)?,
        Some(other) => voice.say(What::Overlap, other)?,
    }
    let manner = MANNERS.get(manner.parse::<usize>()?);
    let descriptor = witness.as_raw_fd().to_string();
    // Open for good: the lock must live as long as the last copy of the descriptor.
    std::mem::forget(witness);
    gather(*manner.unwrap_or(&Manner::Plain), words, &descriptor, lasts)?;
    voice.write_for(lasts)?;
    voice.say(What::End, 0)
}

/// Starts the children.
fn gather(manner: Manner, words: &[String], witness: &str, lasts: Duration) -> Outcome<()> {
    let start_one = |word: &str, session: bool, closes: bool, lasts: Duration| {
        let flag = |on| if on { "1" } else { "0" }.to_owned();
        let millis = lasts.as_millis().to_string();
        let own = [millis, flag(session), flag(closes), witness.to_owned()];
        start(word, &[&words[..2], &own].concat())
    };
    match manner {
        Manner::Plain => Ok(()),
        Manner::Stubborn => {
            be_deaf()?;
            start_one(MEMBER, false, false, lasts + LEFT)
        }
        Manner::Daemons | Manner::Closing => {
            let closes = manner == Manner::Closing;
            if closes {
                be_deaf()?;
            }
            start_one(MEMBER, true, closes, lasts + LEFT)?;
            start_one(DOUBLE, true, closes, lasts + LEFT)
        }
        Manner::Storm => (0..STORM).try_for_each(|number| {
            let lasts = Duration::from_millis(number * 30);
            start_one(DOUBLE, number % 2 == 0, false, lasts)
        }),
    }
}

/// Deaf to TERM, and so are the children.
fn be_deaf() -> Outcome<()> {
    let mut deaf = SigSet::empty();
    deaf.add(Signal::SIGTERM);
    Ok(deaf.thread_block()?)
}

fn start(word: &str, words: &[String]) -> Outcome<()> {
    let mut command = Command::new(env::current_exe()?);
    command.arg(word).args(words).stdin(Stdio::null()).spawn()?;
    Ok(())
}

/// `PLACE LEASE MILLIS SESSION CLOSES WITNESS`.
fn member(words: &[String]) -> Outcome<()> {
    let [place, lease, millis, session, closes, witness] = words else {
        return Err("a member needs six words".into());
    };
    if session == "1" {
        // Fails only for a group's leader, who has a session of its own then.
        setsid().ok();
    }
    if closes == "1" {
        // As daemons do: whatever there may be, the witness's lock and the store's included.
        for file in 3..=FILES.max(witness.parse()?) {
            close(file).ok();
        }
    }
    Voice::new(place, lease)?.write_for(Duration::from_millis(millis.parse()?))
}

/// Takes the lock for this process and all that will come of it; the contender that has it otherwise.
fn witness(path: &str, own: u64) -> Outcome<(File, Option<u64>)> {
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    let mut file = options.open(path)?;
    let other = match file.try_lock() {
        Ok(()) => None,
        Err(std::fs::TryLockError::WouldBlock) => {
            let mut other = String::new();
            file.read_to_string(&mut other)?;
            Some(other.trim().parse().unwrap_or(0))
        }
        Err(std::fs::TryLockError::Error(error)) => return Err(error.into()),
    };
    if other.is_none() {
        file.rewind()?;
        // Always the same length, so that nothing of the one before is left.
        write!(file, "{own:20}")?;
        fcntl(file.as_fd(), FcntlArg::F_SETFD(FdFlag::empty()))?;
    }
    Ok((file, other))
}
