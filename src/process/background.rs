//! Going on in the background: one process becomes two, of which the first waits for a word of the second.
//!
//! Until the word the second ends when the first does; afterwards it is in a session of its own, and
//! nothing of the first's descriptors is kept open but standard error.

use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, PipeReader, PipeWriter, Write};
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::sys::stat::fstat;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout, getppid, setsid};

use super::sys::{self, Fork};

/// What the one who stays in the foreground hears.
#[derive(Debug)]
pub enum Parted {
    /// We are the second; this is the way to the first.
    Background(Parting),
    /// We are the first, and this is the word of the second.
    Word(String),
    /// We are the first, and the second ended without a word, with this number as a shell shows it.
    Ended(i32),
}

/// The way to the process in the foreground.
#[derive(Debug)]
pub struct Parting(PipeWriter);

impl Parting {
    /// Says the word, and parts for good. False when nobody hears it any more.
    #[must_use]
    pub fn say(&self, word: &str) -> bool {
        // The order: were we still to die with the other when the word is out, its regular end would be
        // ours.
        let whole = [word.as_bytes(), &[END]].concat();
        set_pdeathsig(None).is_ok() && (&self.0).write_all(&whole).is_ok()
    }
}

impl AsFd for Parting {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Parts. Call while this process has one thread.
///
/// # Errors
/// No process or descriptor to be had.
pub fn part() -> io::Result<Parted> {
    let (reader, writer) = io::pipe()?;
    let nowhere = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    let first = nix::unistd::getpid();
    match sys::fork_alone()? {
        Fork::Child => {
            drop(reader);
            setsid()?;
            set_pdeathsig(Signal::SIGTERM)?;
            // It may have ended before the line above.
            if getppid() != first {
                sys::exit_now(1);
            }
            dup2_stdin(&nowhere)?;
            dup2_stdout(&nowhere)?;
            Ok(Parted::Background(Parting(writer)))
        }
        Fork::Parent(pid) => {
            drop(writer);
            hear(reader, Pid::from_raw(pid))
        }
    }
}

/// The end of the word. The end of the pipe would not do: what the second process has forked since has it
/// open as well.
const END: u8 = 0;

fn hear(reader: PipeReader, second: Pid) -> io::Result<Parted> {
    let mut word = Vec::new();
    BufReader::new(reader).read_until(END, &mut word)?;
    if word.pop() == Some(END) {
        return Ok(Parted::Word(String::from_utf8_lossy(&word).into_owned()));
    }
    loop {
        return Ok(Parted::Ended(match waitpid(second, None) {
            Ok(WaitStatus::Exited(_, code)) => code,
            Ok(WaitStatus::Signaled(_, signal, _)) => 128 + signal as i32,
            Ok(_) | Err(Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
        }));
    }
}

/// Has nothing of ours reach standard error from now on where that is the same as standard output: what is
/// printed there is about to be evaluated by a shell.
///
/// # Errors
/// The kernel's.
pub fn keep_output_clean() -> io::Result<()> {
    let of = |stat: nix::sys::stat::FileStat| (stat.st_dev, stat.st_ino);
    let (Ok(out), Ok(err)) = (fstat(io::stdout()), fstat(io::stderr())) else {
        return Ok(());
    };
    if of(out) == of(err) {
        dup2_stderr(OpenOptions::new().write(true).open("/dev/null")?)?;
    }
    Ok(())
}
