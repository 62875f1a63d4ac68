//! The front's side of the guard: orders to the guardian, its reports, our signals, and the tree
//! itself once the guardian is dead.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::unistd::getpid;
use tokio::io::unix::AsyncFd;
use tokio::task::yield_now;
use tokio::time::{Instant as Monotonic, sleep_until};

use super::cgroup::Cgroup;
use super::channel::{Channel, Received};
use super::charge::Watched;
use super::event::FrontEvent;
use super::execution::{Ending, Execution};
use super::guard::{Containment, Guard};
use super::heartbeat::{Heartbeat, Verdict};
use super::message::{Order, Part, Report};
use super::signals::{Heard, SignalStream};
use super::sweep;
use super::sys::{self, Change, Pid, Reaped};
use super::terminal::Terminal;
use super::tree::Tree;
use crate::clock::{BootClock, Clock, Instant};
use crate::mutant::{self, Mutant};

/// Who looks after the tree.
#[derive(Debug)]
pub(super) enum Keeper {
    Guardian(Pid),
    /// The guardian, which has nothing left to guard and goes by itself.
    Leaving(Pid),
    /// The guardian is dead.
    Ourselves(Execution),
    /// There is nothing to look after any more.
    Nobody,
}

/// The live front.
#[derive(Debug)]
pub struct Front {
    pub(super) channel: Channel,
    pub(super) channel_ready: AsyncFd<OwnedFd>,
    signals: SignalStream,
    signals_ready: AsyncFd<OwnedFd>,
    pub(super) keeper: Keeper,
    pub(super) tree: Tree,
    pub(super) cgroup: Option<Cgroup>,
    strangers: Vec<Pid>,
    /// The hooks outside the tree that have not ended.
    hooks: Vec<Pid>,
    pub(super) command: Option<Pid>,
    pub(super) heartbeat: Heartbeat,
    pub(super) news: VecDeque<FrontEvent>,
    pub(super) terminal: Option<Terminal>,
    /// Whether there may be more to reap, of which no signal tells any more.
    unreaped: bool,
    pub(super) passing: Passing,
    pub(super) charge: Watched,
}

/// Signals on their way to the command by way of the guardian. It may be slower than whoever sends
/// them, and a channel that is full of them would keep everything else from it: so what has been sent
/// is answered before more follows, and what comes meanwhile waits, once of each kind, as in the kernel.
#[derive(Debug, Default)]
pub(super) struct Passing {
    /// Those that wait, as bits.
    pub(super) waiting: u64,
    /// The last ones have not been answered.
    pub(super) unanswered: bool,
}

impl Front {
    /// Makes a guard live. Call inside the runtime.
    ///
    /// # Errors
    /// The kernel's, when a descriptor cannot be watched.
    pub fn new(guard: Guard) -> io::Result<Self> {
        let charge = Watched::of(guard.ward, guard.stop_signal)?;
        Ok(Self {
            // Somebody else's process: so is its terminal.
            terminal: if charge.is_one() {
                None
            } else {
                Terminal::open()
            },
            charge,
            channel_ready: sys::watch(guard.channel.as_fd())?,
            channel: guard.channel,
            signals_ready: sys::watch(guard.signals.as_fd())?,
            signals: guard.signals,
            keeper: Keeper::Guardian(guard.guardian),
            tree: guard.tree,
            cgroup: guard.cgroup,
            strangers: guard.strangers,
            hooks: Vec::new(),
            command: None,
            heartbeat: Heartbeat::default(),
            news: VecDeque::new(),
            unreaped: false,
            passing: Passing::default(),
        })
    }

    /// Listens to what is waiting to be heard, without waiting itself.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn heard(&mut self) -> io::Result<Option<FrontEvent>> {
        self.hear_guardian();
        self.hear_signals()?;
        Ok(self.next_news())
    }

    fn next_news(&mut self) -> Option<FrontEvent> {
        let event = self.news.pop_front()?;
        self.tend_terminal(&event);
        Some(event)
    }

    /// Waits for the next event. Safe to drop at any point: nothing is lost.
    ///
    /// # Errors
    /// The kernel's, when signals can no longer be read; the caller ends, and the guardian stops the
    /// tree.
    pub async fn next(&mut self) -> io::Result<FrontEvent> {
        loop {
            if let Some(event) = self.next_news() {
                return Ok(event);
            }
            let kill_at = self.next_pass();
            let guarded = matches!(self.keeper, Keeper::Guardian(_));
            let ours = matches!(self.keeper, Keeper::Ourselves(_));
            tokio::select! {
                biased;
                ready = self.signals_ready.readable() => ready?.clear_ready(),
                ready = self.channel_ready.readable(), if guarded => ready?.clear_ready(),
                () = sleep_until(self.heartbeat.due()), if guarded && self.heartbeat.is_on() => {}
                () = sleep_until(kill_at), if !guarded => {}
                () = self.charge.ends(), if ours => self.reap(),
                () = yield_now(), if self.unreaped => self.reap(),
            }
            // Reports first: an exit that the guardian reported before it died must not be lost.
            self.hear_guardian();
            self.hear_signals()?;
            self.check_heartbeat();
            self.kill_pass();
        }
    }

    pub(super) fn hear_guardian(&mut self) {
        while let Keeper::Guardian(pid) = self.keeper {
            match self.channel.receive() {
                Received::Nothing => return,
                Received::Message(bytes, _) => match Report::unpack(&bytes) {
                    Some(report) => self.hear(report),
                    None => self.lose_guardian(pid),
                },
                Received::End => self.lose_guardian(pid),
            }
        }
    }

    fn hear(&mut self, report: Report) {
        self.heartbeat.heard();
        let event = match report {
            Report::Pong => {
                self.passing.unanswered = false;
                return self.pass_on();
            }
            Report::Started { pid, contained } => {
                self.command = Some(pid);
                self.heartbeat.start();
                let containment = if contained {
                    Containment::Cgroup
                } else {
                    Containment::Tree
                };
                FrontEvent::Started { pid, containment }
            }
            Report::NotStarted(errno) => FrontEvent::NotStarted(errno),
            Report::Command(change) => FrontEvent::Command(change),
            Report::StopDue => FrontEvent::StopDue,
            Report::Empty => {
                self.command = None;
                self.heartbeat.stop();
                if let Keeper::Guardian(guardian) = &self.keeper {
                    self.keeper = Keeper::Leaving(*guardian);
                }
                FrontEvent::Empty
            }
        };
        self.news.push_back(event);
        if matches!(report, Report::Command(_)) && mutant::is(Mutant::ReleaseBeforeEmpty) {
            self.news.push_back(FrontEvent::Empty);
        }
    }

    fn hear_signals(&mut self) -> io::Result<()> {
        /// Somebody may send faster than we can read: everything else goes on meanwhile.
        const HEARD_AT_ONCE: usize = 64;
        for _ in 0..HEARD_AT_ONCE {
            let Some(heard) = self.signals.next()? else {
                break;
            };
            if heard.number == libc::SIGCHLD {
                self.reap();
            } else if !self.is_known(heard)
                && !heard.sender.is_some_and(|sender| {
                    self.is_of_the_tree(sender) || self.is_a_call(&heard, sender)
                })
            {
                self.news.push_back(FrontEvent::Signal(heard));
            }
        }
        Ok(())
    }

    /// Whether the guardian wakes us, because the command has gone on. The command may have been stopped
    /// again by now, which was reported before we came to read this: taken for an order to continue, it
    /// would undo that stop.
    fn is_a_call(&self, heard: &Heard, sender: Pid) -> bool {
        heard.number == libc::SIGCONT
            && matches!(self.keeper, Keeper::Guardian(guardian) if guardian == sender)
    }

    /// Whether one like it waits to be acted on. As in the kernel, one of each kind is enough, and the
    /// news stay few.
    fn is_known(&self, heard: Heard) -> bool {
        self.news.iter().any(|event| match event {
            FrontEvent::Signal(other) => {
                (other.number, other.from_terminal) == (heard.number, heard.from_terminal)
            }
            _ => false,
        })
    }

    /// Whether a process descends from the guardian: its signals reached the command already.
    pub(super) fn is_of_the_tree(&self, sender: Pid) -> bool {
        match self.keeper {
            Keeper::Guardian(guardian) => sender != guardian && self.tree.contains(sender),
            Keeper::Ourselves(_) => self.tree.contains(sender),
            Keeper::Leaving(_) | Keeper::Nobody => false,
        }
    }

    /// Reaps our own children: the guardian, what was here before it, and, after its death, the tree.
    pub(super) fn reap(&mut self) {
        /// A storm may die faster than we can reap: renewing and killing go on meanwhile.
        const REAPED_AT_ONCE: usize = 64;
        self.unreaped = false;
        for _ in 0..REAPED_AT_ONCE {
            match sys::reap() {
                Reaped::Nothing => return self.look_for_the_end(false),
                Reaped::NoChildren => return self.look_for_the_end(true),
                Reaped::Child(pid, change) => self.child_changed(pid, change),
            }
        }
        self.unreaped = true;
    }

    fn child_changed(&mut self, pid: Pid, change: Change) {
        let ended = matches!(change, Change::Exited(_) | Change::Killed(_));
        if ended && self.has_hook(pid) {
            self.hooks.retain(|hook| *hook != pid);
            self.news.push_back(FrontEvent::HookEnded(pid, change));
        }
        match self.keeper {
            Keeper::Guardian(guardian) if guardian == pid && ended => {
                // Its last words may say that there was nothing left to guard.
                self.hear_guardian();
                match self.keeper {
                    Keeper::Guardian(_) => self.take_over(),
                    _ => self.keeper = Keeper::Nobody,
                }
            }
            Keeper::Leaving(guardian) if guardian == pid && ended => self.keeper = Keeper::Nobody,
            Keeper::Ourselves(_) if ended => {
                // Its number may be used again, by a process of the tree.
                self.strangers.retain(|stranger| *stranger != pid);
                self.tree.spare(self.strangers.clone());
                if self.command == Some(pid) {
                    self.command = None;
                    self.news.push_back(FrontEvent::Command(change));
                }
            }
            // What it left behind is our child now, and no more of the tree than it was.
            Keeper::Guardian(guardian) if ended => self.note_strangers(guardian),
            Keeper::Guardian(_) | Keeper::Leaving(_) | Keeper::Ourselves(_) | Keeper::Nobody => {}
        }
    }

    /// A hook is our child, and no part of the tree.
    pub(super) fn adopt_hook(&mut self, pid: Pid) {
        self.hooks.push(pid);
        self.strangers.push(pid);
        self.tree.spare(self.strangers.clone());
    }

    pub(super) fn has_hook(&self, pid: Pid) -> bool {
        self.hooks.contains(&pid)
    }

    /// The guardian can no longer be trusted: its children become ours with its death. Not to be
    /// called once it was reaped, when its number may be a stranger's.
    pub(super) fn lose_guardian(&mut self, guardian: Pid) {
        sys::send(guardian, libc::SIGKILL).ok();
        self.take_over();
    }

    fn take_over(&mut self) {
        let mut execution = Execution::new(Duration::ZERO);
        // Without a command of its own it still counts as having a tree, until we have looked.
        let main = self.command.unwrap_or_else(|| getpid().as_raw());
        if !mutant::is(Mutant::PdeathsigOnly) {
            execution.born(main, Part::Command);
        }
        self.keeper = Keeper::Ourselves(execution);
        self.heartbeat.stop();
        self.news.push_back(FrontEvent::GuardianLost);
    }

    /// Without the guardian: is anything of the tree left? With no children at all, certainly not.
    /// Where we had children of our own before, `/proc` has to tell them apart.
    fn look_for_the_end(&mut self, no_children: bool) {
        let Keeper::Ourselves(execution) = &mut self.keeper else {
            return;
        };
        if !execution.has_tree() || self.cgroup.as_ref().is_some_and(Cgroup::is_populated) {
            return;
        }
        if self.charge.is_one() && self.command.is_some() {
            if !self.charge.is_over(execution.is_ending()) {
                return;
            }
            self.command = None;
            let ended = Change::Exited(0);
            self.news.push_back(FrontEvent::Command(ended));
        }
        if no_children || (!self.strangers.is_empty() && self.tree.looks_empty()) {
            execution.emptied();
            self.news.push_back(FrontEvent::Empty);
        }
    }

    fn next_pass(&self) -> Monotonic {
        let now = Monotonic::now();
        match &self.keeper {
            Keeper::Ourselves(execution) if execution.wake_at() != Instant::NEVER => {
                now + execution.wake_at().since(BootClock.now())
            }
            // A day is as good as never for a timer that nothing waits for.
            _ => now + Duration::from_secs(86_400),
        }
    }

    pub(super) fn kill_pass(&mut self) {
        let Keeper::Ourselves(execution) = &mut self.keeper else {
            return;
        };
        if let Ending::Kill { freeze } = execution.due(BootClock.now()) {
            let pass = sweep::kill_pass(&mut self.tree, self.cgroup.as_ref(), freeze);
            execution.killed(BootClock.now(), pass);
            self.reap();
        }
    }

    fn check_heartbeat(&mut self) {
        let Keeper::Guardian(guardian) = self.keeper else {
            return;
        };
        match self.heartbeat.check(Monotonic::now()) {
            Verdict::Wait => {}
            Verdict::Ask => {
                self.order(Order::Ping);
                self.note_strangers(guardian);
            }
            Verdict::Silent => self.lose_guardian(guardian),
        }
    }

    /// While the guardian lives, nothing of the tree can become our child: whoever is one now, and
    /// is not the guardian, came with what was here before (or, as PID 1, from elsewhere).
    fn note_strangers(&mut self, guardian: Pid) {
        if self.strangers.is_empty() && std::process::id() != 1 {
            return;
        }
        self.tree.spare(Vec::new());
        let mut strangers = self.tree.children();
        // Had it ended before the look, the tree would have been among what was seen.
        if !sys::has_ended(guardian) {
            strangers.retain(|child| *child != guardian);
            self.strangers = strangers;
        }
        self.tree.spare(self.strangers.clone());
    }
}
