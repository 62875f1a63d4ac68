//! Setting the guard up: what is guarded, and the fork of the guardian.

use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::time::Duration;

use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};
use nix::unistd::{close, getpgrp, getpid, getppid, getsid};

use super::cgroup::Cgroup;
use super::channel::Channel;
use super::charge::{Charge, Ward};
use super::execution::Execution;
use super::guardian::{Guardian, IGNORED};
use super::hook;
use super::outbox::Outbox;
use super::signals::{InheritedSignals, SignalName, SignalStream};
use super::sweep::{self, CommandGroup};
use super::sys::{self, Disposition, Fork, Image, Pid};
use super::tree::Tree;

/// What is guarded.
#[derive(Debug)]
pub enum Subject {
    /// A program and its arguments, which are started.
    Command(Vec<OsString>),
    /// A process that is there already, which is only told to end; without one there is nothing to tell.
    Charge(Option<Charge>),
}

impl Subject {
    /// The same once more: each guard has its own.
    ///
    /// # Errors
    /// No descriptor to be had.
    pub fn again(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Command(words) => Self::Command(words.clone()),
            Self::Charge(charge) => Self::Charge(charge.as_ref().map(Charge::again).transpose()?),
        })
    }
}

/// What is guarded, and how it is stopped.
#[derive(Debug)]
pub struct Guarded {
    /// What is guarded.
    pub subject: Subject,
    /// The environment, complete but for `LEASECTL_TOKEN`, which is known only with the lease.
    pub environment: Vec<(OsString, OsString)>,
    /// The `acquired` hook, which comes first.
    pub hook: Option<HookImage>,
    /// Descriptors of the front that the guardian must not keep open: whoever reads them waits for their end.
    pub not_for_the_guardian: Vec<RawFd>,
    /// How leasectl stops all of it.
    pub stop_signal: SignalName,
    /// From the stop signal to SIGKILL when the lease runs out or leasectl has died.
    pub expiry_grace: Duration,
}

impl Guarded {
    /// Whether anything is started, which can then be put into a cgroup.
    const fn starts(&self) -> bool {
        matches!(self.subject, Subject::Command(_)) || self.hook.is_some()
    }

    fn close_what_is_not_for_the_guardian(&self) {
        for descriptor in &self.not_for_the_guardian {
            close(*descriptor).ok();
        }
    }
}

/// A hook that is a part of the tree.
#[derive(Debug)]
pub struct HookImage {
    /// What the shell is given.
    pub command: OsString,
    /// Its environment, but for `LEASECTL_TOKEN`.
    pub environment: Vec<(OsString, OsString)>,
}

/// How the tree is kept together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Containment {
    /// By descent alone.
    Tree,
    /// By a cgroup of its own, and by descent.
    Cgroup,
}

/// Front and guardian, just after the fork; [`super::Front`] makes it live.
#[derive(Debug)]
pub struct Guard {
    pub(super) channel: Channel,
    pub(super) guardian: Pid,
    pub(super) signals: SignalStream,
    pub(super) tree: Tree,
    pub(super) cgroup: Option<Cgroup>,
    pub(super) strangers: Vec<Pid>,
    pub(super) ward: Ward,
    pub(super) stop_signal: i32,
}

/// What comes after the `acquired` hook, ready.
#[derive(Debug)]
pub(super) enum Main {
    Command(Image),
    Charge(Option<Charge>),
}

impl Main {
    fn of(guarded: &Guarded) -> io::Result<Self> {
        Ok(match &guarded.subject {
            Subject::Command(words) => Self::Command(image(words, &guarded.environment)?),
            Subject::Charge(charge) => {
                Self::Charge(charge.as_ref().map(Charge::again).transpose()?)
            }
        })
    }
}

impl Guard {
    /// Forks the guardian. Call while there is only one thread, before any runtime is built; from
    /// here on this process listens to its signals through the guard.
    ///
    /// # Errors
    /// The kernel's: no process, descriptor or memory to be had, or no `/proc`.
    pub fn fork(guarded: &Guarded, inherited: &InheritedSignals) -> io::Result<Self> {
        proc_is_ours()?;
        let stream = SignalStream::open()?;
        prctl::set_child_subreaper(true)?;
        let front = getpid().as_raw();
        let own_group = getpgrp().as_raw();
        let strangers = earlier_children(front, own_group)?;
        let (ours, theirs) = Channel::pair()?;
        let cgroup = guarded.starts().then(Cgroup::create).flatten();
        let guardian = Guardian {
            channel: theirs,
            front: sys::pidfd_open(front)?,
            timer: TimerFd::new(ClockId::CLOCK_BOOTTIME, timer_flags())?,
            children: child_signals()?,
            tree: Tree::below(front, own_group, Vec::new())?,
            cgroup: cgroup.as_ref().map(Cgroup::again).transpose()?,
            hook: guarded.hook.as_ref().map(hook_image).transpose()?,
            main: Main::of(guarded)?,
            inherited: *inherited,
            group: command_group(own_group),
            stop_signal: guarded.stop_signal.number(),
            expiry_grace: guarded.expiry_grace,
            lock: None::<OwnedFd>,
            execution: Execution::new(guarded.expiry_grace),
            birth: None,
            contained: false,
            unreaped: false,
            outbox: Outbox::default(),
        };
        let tree = Tree::below(front, own_group, strangers.clone())?;
        let ward = Ward::of(&guarded.subject)?;
        match sys::fork_alone()? {
            Fork::Child => {
                drop((ours, stream, tree, ward));
                guarded.close_what_is_not_for_the_guardian();
                become_guardian(guardian)
            }
            Fork::Parent(pid) => Ok(Self {
                channel: ours,
                guardian: pid,
                signals: stream,
                tree,
                cgroup,
                strangers,
                ward,
                stop_signal: guarded.stop_signal.number(),
            }),
        }
    }

    /// How the command will be kept together.
    #[must_use]
    pub const fn containment(&self) -> Containment {
        if self.cgroup.is_some() {
            Containment::Cgroup
        } else {
            Containment::Tree
        }
    }
}

/// Refuses a `/proc` of another PID namespace: its numbers are other processes, so that nothing of the
/// tree would be found.
///
/// # Errors
/// What is wrong with it.
pub fn proc_is_ours() -> io::Result<()> {
    let shown = std::fs::read_link("/proc/self").map_err(|error| {
        io::Error::other(format!(
            "without /proc processes cannot be found ({}); mount it",
            error.kind()
        ))
    })?;
    if shown.as_os_str() == std::process::id().to_string().as_str() {
        Ok(())
    } else {
        Err(io::Error::other(
            "/proc shows another PID namespace than ours, so that processes could not be found; mount \
             one of its own (unshare --mount-proc)",
        ))
    }
}

/// The group that the command joins: ours, when there is a terminal. A group that was made outside our
/// PID namespace has no number here and cannot be joined: the command is left in it as it is born.
fn command_group(own_group: Pid) -> CommandGroup {
    match (has_terminal(), own_group) {
        (false, _) => CommandGroup::Own,
        (true, 0) => CommandGroup::AsBorn,
        (true, group) => CommandGroup::Join(group),
    }
}

const fn timer_flags() -> TimerFlags {
    TimerFlags::TFD_CLOEXEC.union(TimerFlags::TFD_NONBLOCK)
}

fn child_signals() -> io::Result<SignalFd> {
    let mut only = SigSet::empty();
    only.add(Signal::SIGCHLD);
    Ok(SignalFd::with_flags(
        &only,
        SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK,
    )?)
}

/// The children that this process already has (`sh -c 'job & exec leasectl ...'`): they are no part
/// of the tree and are never killed. Looking through `/proc` costs time, so only when there are any.
fn earlier_children(front: Pid, own_group: Pid) -> io::Result<Vec<Pid>> {
    if sys::has_children() {
        Ok(Tree::below(front, own_group, Vec::new())?.children())
    } else {
        Ok(Vec::new())
    }
}

/// Whether this session has a terminal: then the command stays in our process group, as under env(1).
#[must_use]
pub fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

/// Whether our parent is in our session: the shell that would continue a stopped job. A session's leader
/// has none (`ssh -t host leasectl ...`, a terminal's only program).
#[must_use]
pub fn somebody_can_continue_us() -> bool {
    let session = |pid| getsid(pid).ok();
    session(Some(getppid())).is_some_and(|parents| Some(parents) == session(None))
}

fn image(command: &[OsString], environment: &[(OsString, OsString)]) -> io::Result<Image> {
    let arguments = command
        .iter()
        .map(|text| sys::c_text(text))
        .collect::<Result<_, _>>()?;
    let environment = environment.iter().map(pair).collect::<Result<_, _>>()?;
    Ok(Image::new(arguments, environment))
}

fn hook_image(hook: &HookImage) -> io::Result<Image> {
    let command = [
        hook::SHELL.into(),
        "-c".into(),
        "--".into(),
        hook.command.clone(),
    ];
    image(&command, &hook.environment)
}

fn pair((key, value): &(OsString, OsString)) -> io::Result<CString> {
    let mut text = key.clone();
    text.push("=");
    text.push(value);
    sys::c_text(&text)
}

/// The rest of the guardian's life. A step that fails here leaves a front without a guardian, which
/// the front sees and which starts nothing.
fn become_guardian(mut guardian: Guardian) -> ! {
    // In a group of its own it is out of reach of what the job sends to its group.
    let apart = match guardian.group {
        CommandGroup::AsBorn => Ok(()),
        CommandGroup::Own | CommandGroup::Join(_) => sweep::join_group(0, CommandGroup::Own),
    };
    let prepared = apart
        .and_then(|()| prctl::set_child_subreaper(true))
        // Killing leasectl by name must not take the guardian along.
        .and_then(|()| prctl::set_name(c"lease-guard"));
    let renamed = sys::overwrite_arguments(c"lease-guard");
    let deaf = IGNORED
        .iter()
        .try_for_each(|signal| sys::set_disposition(*signal, Disposition::Ignore));
    // Blocked as well as ignored: the command is born with this mask, so that a stop signal that comes
    // before it has got its own dispositions back waits for it instead of being lost.
    let blocked = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None);
    if prepared.is_err() || renamed.is_err() || deaf.is_err() || blocked.is_err() {
        sys::exit_now(1);
    }
    guardian.tree.move_root(getpid().as_raw());
    guardian.run()
}
