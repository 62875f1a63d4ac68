//! What the front orders: to the guardian, or, once that is dead, to itself.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use super::channel::Sent;
use super::event::FrontEvent;
use super::front::{Front, Keeper};
use super::hook;
use super::message::{Order, Part};
use super::survivor::Survivor;
use super::sweep;
use super::sys;
use crate::clock::{BootClock, Clock, Instant};

impl Front {
    /// A guardian that takes no orders any more does not do its work. One that is gone is heard of by
    /// its last words.
    pub(super) fn order(&mut self, order: Order) {
        self.order_with(order, None);
    }

    fn order_with(&mut self, order: Order, descriptor: Option<BorrowedFd<'_>>) {
        if let Keeper::Guardian(guardian) = self.keeper
            && self.channel.send_with(&order.pack(), descriptor) == Sent::Full
            && order != Order::Ping
        {
            self.lose_guardian(guardian);
        }
    }

    /// Tells the guardian when to stop and to kill; with a kernel lock for the tree to carry.
    pub fn arm(&mut self, stop: Instant, kill: Instant, lock: Option<&OwnedFd>) {
        self.order_with(Order::Arm { stop, kill }, lock.map(AsFd::as_fd));
    }

    /// Starts the `acquired` hook with this fencing token, as the first part of the tree; it reads `line`.
    pub fn prepare(&mut self, token: u64, line: &[u8]) {
        match hook::input(line) {
            Ok(input) => {
                self.heartbeat.start();
                let part = Part::Hook;
                self.order_with(Order::Go { token, part }, Some(input.as_fd()));
            }
            // The guardian has not been told of anything, so nothing is there to be stopped.
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(libc::EIO);
                self.news.push_back(FrontEvent::NotStarted(-errno));
                self.news.push_back(FrontEvent::Empty);
            }
        }
    }

    /// Starts the command with this fencing token.
    pub fn go(&mut self, token: u64) {
        self.note_terminal();
        self.heartbeat.start();
        let part = Part::Command;
        self.order(Order::Go { token, part });
    }

    /// Sends a signal to the command.
    pub fn forward(&mut self, signal: i32) {
        match self.keeper {
            Keeper::Guardian(_) => {
                self.passing.waiting |= 1 << (signal & 63);
                self.pass_on();
            }
            Keeper::Ourselves(_) => {
                if let Some(command) = self.command {
                    sys::send(command, signal).ok();
                }
            }
            Keeper::Leaving(_) | Keeper::Nobody => {}
        }
    }

    /// Sends the guardian the signals that wait, and a question behind them whose answer lets more follow.
    pub(super) fn pass_on(&mut self) {
        if self.passing.unanswered || self.passing.waiting == 0 {
            return;
        }
        let waiting = std::mem::take(&mut self.passing.waiting);
        for signal in (1..64).filter(|signal| waiting & (1 << signal) != 0) {
            self.order(Order::Signal(signal));
        }
        self.passing.unanswered = true;
        self.order(Order::Ping);
    }

    /// Sends the stop signal to the whole tree; SIGKILL follows after `grace`.
    pub fn stop(&mut self, grace: Duration) {
        self.command_killed();
        match &mut self.keeper {
            Keeper::Ourselves(execution) if self.charge.is_one() => {
                self.charge.stop();
                execution.stop(BootClock.now(), grace);
                self.reap();
            }
            _ => self.order(Order::Stop { grace }),
        }
    }

    /// SIGKILL to the whole tree, again and again until it is gone.
    pub fn kill(&mut self) {
        self.command_killed();
        match &mut self.keeper {
            Keeper::Guardian(_) => self.order(Order::Kill),
            Keeper::Ourselves(execution) => {
                self.charge.kill();
                execution.kill(BootClock.now());
                self.kill_pass();
            }
            Keeper::Leaving(_) | Keeper::Nobody => {}
        }
    }

    /// Leaves what the command left behind to itself.
    pub fn let_go(&mut self) {
        self.order(Order::LetGo);
    }

    /// Asks a guardian that has not emptied the tree in time whether it is at work: one that does not
    /// answer within `limit` is killed, and the tree falls to us.
    pub fn question_guardian(&mut self, limit: Duration) {
        self.heartbeat.last_chance(limit);
        self.order(Order::Ping);
    }

    /// Whether the command, which was reported stopped, is stopped still: what the guardian has said
    /// since may be waiting to be heard.
    pub fn is_still_stopped(&mut self) -> bool {
        self.hear_guardian();
        !self
            .news
            .iter()
            .any(|event| matches!(event, FrontEvent::Command(_)))
    }

    /// The processes of the tree that are there now.
    pub fn survivors(&mut self) -> Vec<Survivor> {
        let guardian = match self.keeper {
            Keeper::Guardian(pid) | Keeper::Leaving(pid) => Some(pid),
            Keeper::Ourselves(_) | Keeper::Nobody => None,
        };
        let members = self.tree.members().into_iter();
        members
            .filter(|pid| Some(*pid) != guardian)
            .map(Survivor::of)
            .collect()
    }

    /// The process that was there before, while it is there.
    #[must_use]
    pub fn charge(&self) -> Option<Survivor> {
        self.charge.living().map(Survivor::of)
    }

    /// Ends the conversation and leaves the tree to the guardian, which kills until nothing is left.
    pub fn leave_to_guardian(mut self) {
        self.leave_terminal();
    }

    /// Ends the guard: the guardian sees the end of the conversation and, with nothing left to guard,
    /// goes. What it does not do within a second is done by SIGKILL.
    pub fn close(self) {
        let Self {
            channel,
            channel_ready,
            keeper,
            cgroup,
            ..
        } = self;
        drop((channel, channel_ready));
        if let Keeper::Guardian(guardian) | Keeper::Leaving(guardian) = keeper {
            sweep::end(guardian);
        }
        if let Some(cgroup) = cgroup {
            cgroup.remove();
        }
    }
}
