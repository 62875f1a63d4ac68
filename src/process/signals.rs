//! Signals by name, and the ones that a process sends to leasectl.

use std::fmt;
use std::io;

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{getpid, getsid};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use super::guardian::IGNORED;
use super::sleeper::WAKE;
use super::sys::{self, Disposition, Pid};

/// What the caller did to signals before leasectl started; the command gets it back.
#[derive(Clone, Copy, Debug)]
pub struct InheritedSignals {
    mask: SigSet,
    /// The ignored ones, as bits.
    ignored: u64,
}

impl InheritedSignals {
    /// Reads it. Call once, before anything changes the mask or a disposition: a later run of the same
    /// process gives its command the same.
    ///
    /// # Errors
    /// The kernel's; none is known for this call.
    pub fn read() -> io::Result<Self> {
        // The two that have a will of their own by now: std ignores SIGPIPE from its start-up on.
        let kept = [
            (libc::SIGPIPE, sys::sigpipe_was_ignored()),
            (libc::SIGCHLD, sys::sigchld_was_ignored()),
        ];
        let others = IGNORED.iter().filter(|signal| **signal != libc::SIGPIPE);
        let ignored = kept
            .into_iter()
            .chain(
                others
                    .chain([&WAKE])
                    .map(|signal| (*signal, sys::is_ignored(*signal))),
            )
            .filter(|(_, ignored)| *ignored)
            .fold(0, |bits, (signal, _)| bits | bit(signal));
        Ok(Self {
            mask: SigSet::thread_get_mask()?,
            ignored,
        })
    }

    /// Gives it back, in the command's process and just before it becomes the command. What the
    /// guardian ignores for itself goes back to the default unless the caller ignored it too.
    pub(super) fn restore(&self) -> io::Result<()> {
        for signal in IGNORED.into_iter().chain([libc::SIGCHLD, WAKE]) {
            let disposition = if self.ignored & bit(signal) == 0 {
                Disposition::Default
            } else {
                Disposition::Ignore
            };
            sys::set_disposition(signal, disposition)?;
        }
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.mask), None)?;
        Ok(())
    }
}

const fn bit(signal: i32) -> u64 {
    1 << (signal & 63)
}

/// The signals that the front listens to. What ends or stops a process by default is here, and
/// SIGCHLD, which tells of children.
const HEARD: [Signal; 13] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGWINCH,
    Signal::SIGTSTP,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
    Signal::SIGCONT,
    Signal::SIGCHLD,
];

/// A signal that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its number.
    pub number: i32,
    /// The terminal (or the kernel) sent it: the command got it too.
    pub from_terminal: bool,
    /// The process that sent it, when one did.
    pub sender: Option<Pid>,
}

/// What a signal of job control asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobControl {
    /// Stop (TSTP, TTIN, TTOU).
    Stop,
    /// Go on.
    Continue,
    /// The window has another size.
    Resize,
}

impl Heard {
    /// What it asks for, when it is a signal of job control.
    #[must_use]
    pub const fn job_control(&self) -> Option<JobControl> {
        match self.number {
            libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU => Some(JobControl::Stop),
            libc::SIGCONT => Some(JobControl::Continue),
            libc::SIGWINCH => Some(JobControl::Resize),
            _ => None,
        }
    }
}

/// The signals of this process, as a descriptor to read: no handler ever runs.
#[derive(Debug)]
pub struct SignalStream(SignalFd);

impl SignalStream {
    /// Blocks the signals of interest and opens the stream. A signal that was ignored when leasectl
    /// started stays ignored, by leasectl and by the command (`nohup`). SIGCHLD is always heard.
    ///
    /// # Errors
    /// The kernel's, when no descriptor can be had.
    pub fn open() -> io::Result<Self> {
        // An ignored SIGCHLD would make the kernel reap our children behind our back.
        sys::set_disposition(libc::SIGCHLD, Disposition::Default)?;
        sys::set_disposition(libc::SIGPIPE, Disposition::Ignore)?;
        // A limit on the size of files is an error of the write, not our death.
        sys::set_disposition(libc::SIGXFSZ, Disposition::Ignore)?;
        let mut heard = SigSet::empty();
        for signal in HEARD {
            if signal == Signal::SIGCHLD || !sys::is_ignored(signal as i32) {
                heard.add(signal);
            }
        }
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&heard), None)?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Ok(Self(SignalFd::with_flags(&heard, flags)?))
    }

    /// Blocks the signal that Ctrl-Z sends, and nothing else, and opens a stream of it: what it does is done by
    /// [`stop_as_asked`]. Call before there are threads.
    ///
    /// # Errors
    /// The kernel's, when no descriptor can be had.
    pub fn of_ctrl_z() -> io::Result<Self> {
        let mut heard = SigSet::empty();
        if !sys::is_ignored(libc::SIGTSTP) {
            heard.add(Signal::SIGTSTP);
        }
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&heard), None)?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Ok(Self(SignalFd::with_flags(&heard, flags)?))
    }

    /// The next signal, if one is waiting.
    ///
    /// # Errors
    /// The kernel's.
    pub fn next(&self) -> io::Result<Option<Heard>> {
        let Some(info) = self.0.read_signal()? else {
            return Ok(None);
        };
        // SI_KERNEL: the terminal's keys, its hang-up and its size, or a timer that ran out; anything
        // else names the process that sent it.
        let from_kernel = info.ssi_code == libc::SI_KERNEL;
        let ours_alone = match info.ssi_signo.cast_signed() {
            // A timer (alarm(2)) survives exec, and not fork.
            libc::SIGALRM => true,
            // A terminal that goes away tells the leader of its session (`ssh -t host leasectl ...`); the
            // others would hear of it when the leader ends.
            libc::SIGHUP => getsid(None) == Ok(getpid()),
            _ => false,
        };
        let from_terminal = from_kernel && !ours_alone;
        let sender = Pid::try_from(info.ssi_pid)
            .ok()
            .filter(|pid| *pid > 0 && !from_kernel);
        Ok(Some(Heard {
            number: i32::try_from(info.ssi_signo).unwrap_or(0),
            from_terminal,
            sender,
        }))
    }
}

impl AsRawFd for SignalStream {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsFd for SignalStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A signal that the user may name: `TERM`, `SIGTERM` or `15`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalName(Signal);

impl SignalName {
    /// `--stop-signal` when none is given.
    pub const TERM: Self = Self(Signal::SIGTERM);

    /// Reads a name or a number.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let signal = match text.parse::<i32>() {
            Ok(number) => Signal::try_from(number).ok()?,
            Err(_) => {
                let name = text.to_ascii_uppercase();
                let name = name.strip_prefix("SIG").unwrap_or(&name);
                format!("SIG{name}").parse().ok()?
            }
        };
        Some(Self(signal))
    }

    /// Whether it can be a stop signal: one that a process can handle. KILL and STOP are not, and
    /// CHLD, CONT, URG and WINCH end nothing.
    #[must_use]
    pub fn can_stop(self) -> bool {
        use Signal::{SIGCHLD, SIGCONT, SIGKILL, SIGSTOP, SIGURG, SIGWINCH};
        !matches!(
            self.0,
            SIGKILL | SIGSTOP | SIGCHLD | SIGCONT | SIGURG | SIGWINCH
        )
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0 as i32
    }
}

impl fmt::Display for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&name_of(self.number()))
    }
}

/// The name of a signal without `SIG`, as the record and the events have it (`TERM`, `RT3`).
#[must_use]
pub fn name_of(number: i32) -> String {
    match Signal::try_from(number) {
        Ok(signal) => signal.as_str().trim_start_matches("SIG").to_owned(),
        Err(_) if number >= 32 => format!("RT{}", number - 32),
        Err(_) => number.to_string(),
    }
}

/// From now on this process, and what it forks, leaves no core dump: a credential may be in its memory. A program
/// that is executed begins without that.
pub fn leave_no_core() {
    nix::sys::prctl::set_dumpable(false).ok();
}

/// Ends this process by `signal` as its default action does, without a core dump; returns where that
/// does not end it (PID 1 of a namespace, or a signal that ends nothing).
pub fn die_of(signal: i32) {
    // A core of leasectl would tell nothing of the command, and might hold a credential.
    leave_no_core();
    sys::set_disposition(signal, Disposition::Default).ok();
    if let Ok(signal) = Signal::try_from(signal) {
        let mut only = SigSet::empty();
        only.add(signal);
        sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&only), None).ok();
    }
    sys::send_self(signal).ok();
}

/// Whether a signal of job control does to this process what it does by default, and is no longer heard.
pub(super) fn let_act(signal: i32, acts: bool) {
    let how = if acts {
        SigmaskHow::SIG_UNBLOCK
    } else {
        SigmaskHow::SIG_BLOCK
    };
    if let Ok(signal) = Signal::try_from(signal) {
        sigprocmask(how, Some(&SigSet::from(signal)), None).ok();
    }
}

/// Stops this process by `signal`, until somebody continues it. A shell acts on the signal (a loop in
/// bash ends with TSTP and not with STOP), and the kernel stops nobody by it whom no shell looks after.
pub fn stop_ourselves(signal: i32) {
    ask_ourselves_to_stop(signal);
    stop_as_asked(signal);
}

/// The first half of [`stop_ourselves`], for what has to be done before. A SIGCONT that comes in between takes it
/// back: heard, and sent again afterwards, the signal would stop a process that was told to go on.
pub fn ask_ourselves_to_stop(signal: i32) {
    sys::send_self(signal).ok();
}

/// The second half.
pub fn stop_as_asked(signal: i32) {
    let_act(signal, true);
    let_act(signal, false);
}

/// Asks ourselves to end, as anybody could.
pub fn end_ourselves() {
    sys::send_self(libc::SIGTERM).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_read_by_name_and_number() {
        for text in ["TERM", "SIGTERM", "term", "15"] {
            assert_eq!(SignalName::parse(text), Some(SignalName::TERM));
        }
        for text in ["", "TREM", "0", "-9", "99999", "15x"] {
            assert_eq!(SignalName::parse(text), None, "{text}");
        }
        assert!(!SignalName::parse("KILL").unwrap().can_stop());
        assert_eq!(name_of(9), "KILL");
        assert_eq!(name_of(35), "RT3");
    }
}
