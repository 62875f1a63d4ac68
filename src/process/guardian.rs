//! The guardian: parent and reaper of the command, and the one who kills on time.
//!
//! It may not do anything that can wait or fail on the way to a SIGKILL: no network, no disk, no
//! allocation, no lock (P11). It has one thread, its own process group, and no children but the
//! tree, so that "no children" (ECHILD) is the proof that the tree is gone.
//!
//! It learns of the front's end by the end of file of their socket and by a pidfd, and then stops the
//! tree by itself.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signalfd::SignalFd;
use nix::sys::timerfd::{Expiration, TimerFd, TimerSetTimeFlags};
use nix::unistd::read;

use super::cgroup::Cgroup;
use super::channel::{Channel, Received};
use super::execution::{Ending, Execution};
use super::guard::Main;
use super::message::{Order, Report};
use super::outbox::Outbox;
use super::signals::InheritedSignals;
use super::sweep::{self, CommandGroup};
use super::sys::{self, Change, Image, Reaped};
use super::tree::Tree;
use crate::clock::{BootClock, Clock, Instant};
use crate::mutant::{self, Mutant};

/// What the guardian ignores for itself. The command gets back what the caller had.
pub(super) const IGNORED: [i32; 12] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGALRM,
    libc::SIGPIPE,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
    // A limit on the size of files must not kill whoever writes the record.
    libc::SIGXFSZ,
];

/// How many are reaped before the time is looked at again. A storm may die faster than a guardian that
/// competes with it for the processor can reap, and SIGKILL must not wait until there is nothing to reap.
const REAPED_AT_ONCE: usize = 64;

/// Everything the guardian needs, prepared by the front before the fork.
#[derive(Debug)]
pub(super) struct Guardian {
    pub(super) channel: Channel,
    pub(super) front: OwnedFd,
    pub(super) timer: TimerFd,
    pub(super) children: SignalFd,
    pub(super) tree: Tree,
    pub(super) cgroup: Option<Cgroup>,
    /// What is run: the `acquired` hook, when there is one, then the command.
    pub(super) hook: Option<Image>,
    pub(super) main: Main,
    pub(super) inherited: InheritedSignals,
    pub(super) group: CommandGroup,
    pub(super) stop_signal: i32,
    pub(super) expiry_grace: std::time::Duration,
    pub(super) lock: Option<OwnedFd>,
    pub(super) execution: Execution,
    /// Tells whether the program has been executed: closes then, or carries an errno.
    pub(super) birth: Option<OwnedFd>,
    /// Whether the command was born into the cgroup.
    pub(super) contained: bool,
    /// Whether there may be more to reap, of which no signal tells any more.
    pub(super) unreaped: bool,
    /// Reports that the front has not taken yet.
    pub(super) outbox: Outbox,
}

impl Guardian {
    /// Guards until the front is gone and the tree is empty. Never returns to the front's code.
    pub(super) fn run(mut self) -> ! {
        loop {
            self.wait();
            self.listen();
            self.hear_of_birth();
            self.look_at_charge();
            self.reap();
            self.act_on_time();
            if self.execution.is_over()
                && (self.outbox.is_empty() || self.execution.front_is_gone())
            {
                // The front removes it otherwise. The last copies of a kernel lock end with us.
                if let Some(cgroup) = self
                    .cgroup
                    .as_ref()
                    .filter(|_| self.execution.front_is_gone())
                {
                    cgroup.remove();
                }
                sys::exit_now(0);
            }
        }
    }

    fn wait(&self) {
        let wake = self.execution.wake_at();
        let now = BootClock.now();
        let at_once = wake <= now || self.unreaped;
        let timeout = if at_once {
            PollTimeout::ZERO
        } else {
            PollTimeout::NONE
        };
        if timeout.is_none() && wake != Instant::NEVER {
            let at = Expiration::OneShot(std::time::Duration::from_nanos(wake.as_nanos()).into());
            self.timer
                .set(at, TimerSetTimeFlags::TFD_TIMER_ABSTIME)
                .ok();
        }
        let fd = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut fds = [
            fd(self.timer.as_fd()),
            fd(self.children.as_fd()),
            fd(self.birth.as_ref().map_or(self.timer.as_fd(), AsFd::as_fd)),
            fd(self.charge().map_or(self.timer.as_fd(), AsFd::as_fd)),
            PollFd::new(self.channel.as_fd(), self.channel_events()),
            fd(self.front.as_fd()),
        ];
        // Once the front is gone its two descriptors stay readable for ever: leave them out.
        let count = if self.execution.front_is_gone() {
            4
        } else {
            fds.len()
        };
        let watched = &mut fds[..count];
        poll(watched, timeout).ok();
        let mut drain = [0; 128];
        if watched[1].any() == Some(true) {
            read(self.children.as_fd(), &mut drain).ok();
        }
        if watched[0].any() == Some(true) {
            read(self.timer.as_fd(), &mut drain).ok();
        }
    }

    /// Room to send is waited for only while something waits to be sent.
    fn channel_events(&self) -> PollFlags {
        if self.outbox.is_empty() {
            PollFlags::POLLIN
        } else {
            PollFlags::POLLIN | PollFlags::POLLOUT
        }
    }

    fn listen(&mut self) {
        self.outbox.flush(&self.channel);
        while !self.execution.front_is_gone() {
            match self.channel.receive() {
                Received::Nothing => break,
                Received::Message(bytes, descriptor) => {
                    match Order::unpack(&bytes) {
                        Some(order) => self.obey(order, descriptor),
                        // Our own other half talks nonsense: trust it no longer.
                        None => self.front_is_gone(),
                    }
                }
                Received::End => self.front_is_gone(),
            }
        }
        if !self.execution.front_is_gone() && is_readable(self.front.as_fd()) {
            self.front_is_gone();
        }
    }

    fn front_is_gone(&mut self) {
        if mutant::is(Mutant::NoGuardian) {
            sys::exit_now(0);
        }
        if self
            .execution
            .lose_front(BootClock.now(), self.expiry_grace)
        {
            self.send_stop_signal();
        }
    }

    fn send_stop_signal(&mut self) {
        if let (Main::Charge(Some(charge)), true) = (&self.main, self.execution.has_main()) {
            charge.stop(self.stop_signal);
        }
        self.tree.signal(self.stop_signal, self.execution.kill_at());
    }

    fn obey(&mut self, order: Order, descriptor: Option<OwnedFd>) {
        match order {
            Order::Arm { stop, kill } => {
                self.lock = descriptor.or(self.lock.take());
                let (stop, kill) = match self.execution.has_tree() {
                    false if mutant::is(Mutant::StartBeforeArmed) => {
                        (Instant::NEVER, Instant::NEVER)
                    }
                    _ if mutant::is(Mutant::NoGuardian) => (Instant::NEVER, Instant::NEVER),
                    _ => (stop, kill),
                };
                self.execution.arm(stop, kill);
            }
            Order::Go { token, part } => self.start(token, part, descriptor),
            Order::Signal(number) => {
                if let Some(command) = self.own_command() {
                    sys::send(command, number).ok();
                }
            }
            Order::Stop { grace } => {
                if self.execution.stop(BootClock.now(), grace) {
                    self.send_stop_signal();
                }
            }
            Order::Kill => self.execution.kill(BootClock.now()),
            Order::LetGo if self.guards_a_charge() => self.let_charge_go(),
            Order::LetGo => self.execution.let_go(),
            Order::Ping => self.tell(Report::Pong),
            Order::Pause(signal) => self.pause(signal),
            Order::Resume => self.resume(),
        }
    }

    /// Stops the front, because the command is stopped. Ours to do, and not the front's: the command may
    /// be continued at any moment. Had the front stopped itself, our SIGCONT for it could have come just
    /// before, and nobody would send another; here the stop goes out first, and the SIGCONT when the
    /// command is reaped.
    fn pause(&mut self, signal: i32) {
        self.reap();
        if self.execution.pause() {
            sys::pidfd_send(self.front.as_fd(), signal).ok();
        }
    }

    /// Whoever continued the job has mostly continued the command too: what was reaped says so, and the
    /// command does not get the signal twice.
    fn resume(&mut self) {
        self.reap();
        if let (Some(command), true) = (self.own_command(), self.execution.may_resume()) {
            sys::send(command, libc::SIGCONT).ok();
        }
    }

    pub(super) fn tell(&mut self, report: Report) {
        if !self.execution.front_is_gone() {
            self.outbox.send(&self.channel, report);
        }
    }

    fn reap(&mut self) {
        self.unreaped = false;
        for _ in 0..REAPED_AT_ONCE {
            match sys::reap() {
                Reaped::Nothing => return,
                Reaped::NoChildren => return self.no_children(),
                Reaped::Child(pid, change) => {
                    if self.execution.command() == Some(pid) {
                        // A command that has ended has certainly been executed, or failed to be.
                        self.hear_of_birth();
                        self.command_changed(change);
                    }
                }
            }
        }
        self.unreaped = true;
    }

    pub(super) fn command_changed(&mut self, change: Change) {
        let ended = matches!(change, Change::Exited(_) | Change::Killed(_));
        let over = ended && self.execution.is_paused();
        self.execution.changed(change);
        if ended {
            self.execution.main_ended(change == Change::Exited(0));
        }
        if (over || change == Change::Continued) && !self.execution.ran_out() {
            // The front was stopped because the command was. Whoever continued or killed the command
            // alone (kill, a debugger) does not know of it, and without it nothing is renewed, or given
            // back. A lease that ran out is told when somebody calls the job to the foreground.
            sys::pidfd_send(self.front.as_fd(), libc::SIGCONT).ok();
        }
        if (ended || !self.execution.is_killing()) && !self.execution.was_stillborn() {
            self.tell(Report::Command(change));
        }
    }

    fn no_children(&mut self) {
        let lives = self.guards_a_charge();
        if !self.execution.has_tree() || self.execution.awaits_command() || lives {
            return;
        }
        // A process that was put into the cgroup from outside is no child of ours.
        if self.cgroup.as_ref().is_some_and(Cgroup::is_populated) {
            self.execution.look_again(BootClock.now());
            return;
        }
        self.nothing_left();
    }

    pub(super) fn nothing_left(&mut self) {
        self.lock = None;
        self.execution.emptied();
        self.tree.start_afresh();
        self.tell(Report::Empty);
    }

    /// The command itself and its group first: that takes no look at `/proc`, which may be slow, or
    /// fail for want of a descriptor.
    fn kill_command(&self) {
        if let Some(charge) = self.charge() {
            charge.kill();
        }
        if let Some(command) = self.own_command() {
            sys::send(command, libc::SIGKILL).ok();
            if self.group_of(self.execution.part()) == CommandGroup::Own {
                sys::send_group(command, libc::SIGKILL).ok();
            }
        }
    }

    fn act_on_time(&mut self) {
        match self.execution.due(BootClock.now()) {
            Ending::NotYet => {}
            Ending::StopDue => {
                self.send_stop_signal();
                self.tell(Report::StopDue);
            }
            Ending::Kill { freeze } => {
                self.kill_command();
                let pass = sweep::kill_pass(&mut self.tree, self.cgroup.as_ref(), freeze);
                self.execution.killed(BootClock.now(), pass);
                self.reap();
            }
        }
    }
}

fn is_readable(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}
