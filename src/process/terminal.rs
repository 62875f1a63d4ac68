//! The front's controlling terminal: who has its foreground, and the modes it had before the command.
//!
//! A shell that is the command, or is inside it, leads a group of its own and takes the terminal for it.
//! When such a shell is stopped or killed, nobody but leasectl is there to give the terminal back to the
//! job that the outer shell knows. So it is taken back, but only from the tree or from a group that is
//! no more: whoever else has the foreground has it by right, and leasectl was sent to the background.
//!
//! Nothing here waits, and a terminal that is gone is no error. SIGTTOU, which a background process gets
//! for each of these calls, is blocked in the front or ignored (`SignalStream::open`), so that the kernel
//! lets the call pass instead of stopping us.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;

use nix::fcntl::OFlag;
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{Pid as NixPid, getpgrp, tcgetpgrp, tcsetpgrp};

use super::event::FrontEvent;
use super::front::Front;
use super::message::Order;
use super::signals;
use super::sys::{self, Change, Pid};

/// What the modes need when the command is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Modes {
    /// The command runs, and it is open how it will end.
    Open,
    /// It ended by itself: the modes it leaves are the ones it wanted (`stty`).
    Kept,
    /// It was killed, and had no chance to tidy up.
    Restored,
}

/// The terminal of this session, open in the front alone.
#[derive(Debug)]
pub(super) struct Terminal {
    tty: File,
    own_group: Pid,
    /// The modes before the command started; none when it started in the background.
    before: Option<Termios>,
    modes: Modes,
    /// The foreground was our group's, and no shell has taken it for another job since.
    foreground: bool,
    /// The group of the tree from which the terminal was taken when the command was stopped.
    lent_to: Option<Pid>,
}

impl Terminal {
    /// Opens it. Call after the guardian's fork: neither it nor the command may inherit this descriptor.
    /// `None` without a terminal, and where our group has no number in our PID namespace.
    pub(super) fn open() -> Option<Self> {
        let own_group = getpgrp().as_raw();
        let tty = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags((OFlag::O_NOCTTY | OFlag::O_CLOEXEC).bits())
            .open("/dev/tty")
            .ok()?;
        (own_group > 0).then_some(Self {
            tty,
            own_group,
            before: None,
            modes: Modes::Open,
            foreground: false,
            lent_to: None,
        })
    }

    /// A command is about to start.
    fn begin(&mut self) {
        self.modes = Modes::Open;
        self.lent_to = None;
        self.foreground = self.holder() == Some(self.own_group);
        self.before = tcgetattr(&self.tty).ok().filter(|_| self.foreground);
    }

    /// The group in the foreground; `None` when that cannot be said.
    fn holder(&self) -> Option<Pid> {
        tcgetpgrp(&self.tty).ok().map(NixPid::as_raw)
    }

    fn give_to(&self, group: Pid) -> bool {
        tcsetpgrp(&self.tty, NixPid::from_raw(group)).is_ok()
    }

    /// The command is being killed, or was: what it left of the modes is not what it wanted.
    const fn command_killed(&mut self) {
        if matches!(self.modes, Modes::Open) {
            self.modes = Modes::Restored;
        }
    }

    /// Undoes what a killed command did to the modes, if our group is in the foreground. Otherwise they
    /// are the business of whoever is.
    fn restore_modes(&self) {
        let Some(before) = &self.before else { return };
        let ours = self.modes == Modes::Restored && self.holder() == Some(self.own_group);
        if ours && tcgetattr(&self.tty).is_ok_and(|now| now != *before) {
            // Not after the output has drained: a terminal held with Ctrl-S would have us wait.
            tcsetattr(&self.tty, SetArg::TCSANOW, before).ok();
        }
    }
}

/// Whether there is no such group any more. Group 1 cannot be asked for, and is never gone.
fn is_gone(group: Pid) -> bool {
    group > 1
        && sys::send_group(group, 0).is_err_and(|error| error.raw_os_error() == Some(libc::ESRCH))
}

impl Front {
    /// Notes the terminal as it is before a command starts.
    pub(super) fn note_terminal(&mut self) {
        if let Some(terminal) = &mut self.terminal {
            terminal.begin();
        }
    }

    /// The command is told to end, or killed, by leasectl.
    pub(super) fn command_killed(&mut self) {
        if let Some(terminal) = &mut self.terminal {
            terminal.command_killed();
        }
    }

    /// Has the terminal keep up with the command, before anybody else hears of the event.
    pub(super) fn tend_terminal(&mut self, event: &FrontEvent) {
        if let FrontEvent::Command(change) = event
            && !matches!(change, Change::Stopped(_))
        {
            Self::hear_stop_signals();
        }
        match event {
            FrontEvent::Command(Change::Killed(_)) => self.command_killed(),
            FrontEvent::Command(Change::Exited(_)) => {
                if let Some(terminal) = &mut self.terminal
                    && terminal.modes == Modes::Open
                {
                    terminal.modes = Modes::Kept;
                }
            }
            FrontEvent::StopDue | FrontEvent::GuardianLost => return self.command_killed(),
            // What the command left behind can have had the terminal up to now.
            FrontEvent::Empty => return self.leave_terminal(),
            _ => return,
        }
        self.take_terminal_back();
    }

    /// Leaves the terminal to whoever comes after the command.
    pub(super) fn leave_terminal(&mut self) {
        self.take_terminal_back();
        if let Some(terminal) = &self.terminal {
            terminal.restore_modes();
        }
    }

    /// Takes the foreground back from the tree or from a group that is gone; says from which.
    fn take_terminal_back(&mut self) -> Option<Pid> {
        let terminal = self.terminal.as_ref().filter(|one| one.foreground)?;
        let (own, holder) = (terminal.own_group, terminal.holder()?);
        if holder == own || !(self.is_of_the_tree(holder) || is_gone(holder)) {
            return None;
        }
        let taken = self.terminal.as_ref()?.give_to(own);
        taken.then_some(holder)
    }

    /// Stops leasectl, because the command was stopped: the terminal is given to the job's own group
    /// first. The guardian sends the signal, unless the command has gone on by then.
    ///
    /// It is the signal that stopped the command, because shells tell them apart: a loop in bash ends
    /// with TSTP and goes on with STOP.
    pub fn pause(&mut self, signal: i32) {
        let taken_from = self.take_terminal_back();
        if let Some(terminal) = &mut self.terminal
            && terminal.holder() == Some(terminal.own_group)
        {
            terminal.lent_to = taken_from;
        }
        let as_the_command = matches!(signal, libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU);
        let signal = if as_the_command && !sys::is_ignored(signal) {
            signal
        } else {
            libc::SIGSTOP
        };
        self.order(Order::Pause(signal));
        // Until we or the command go on, it is not heard but acts.
        signals::let_act(signal, true);
    }

    /// The command is stopped, and leasectl is not: there is no terminal, and no shell that would continue
    /// leasectl. Whoever does so all the same (`kill -CONT`) continues the command.
    pub fn stay_awake(&mut self) {
        self.order(Order::Pause(0));
    }

    /// From now on the signals that stop are heard again.
    fn hear_stop_signals() {
        for signal in [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU] {
            signals::let_act(signal, false);
        }
    }

    /// Continues the command, because leasectl was continued. When that was done to have the job in the
    /// foreground, a group of the tree that had the terminal gets it first: continued without it, its
    /// next read would stop it again.
    pub fn resume(&mut self) {
        Self::hear_stop_signals();
        if let Some(mut terminal) = self.terminal.take() {
            if let Some(holder) = terminal.holder() {
                self.hand_back(&mut terminal, holder);
            }
            self.terminal = Some(terminal);
        }
        self.order(Order::Resume);
    }

    fn hand_back(&self, terminal: &mut Terminal, holder: Pid) {
        if holder != terminal.own_group {
            // A shell that continues a job in the background keeps the terminal itself.
            terminal.foreground &= self.is_of_the_tree(holder);
            return;
        }
        terminal.foreground = true;
        if let Some(group) = terminal.lent_to.take()
            && self.is_of_the_tree(group)
            && terminal.give_to(group)
        {
            // The shell would have continued all of the group, had it known it.
            sys::send_group(group, libc::SIGCONT).ok();
        }
    }
}
