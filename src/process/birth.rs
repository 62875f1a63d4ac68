//! How the guardian starts the command, and how it learns whether that went well.

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::unistd::{dup2_stdin, dup2_stdout, pipe2, read};

use super::guard::Main;
use super::guardian::Guardian;
use super::message::{Part, Report};
use super::sweep::{self, CommandGroup};
use super::sys::{self, Fork, Pid};
use crate::clock::{BootClock, Clock};

/// The lowest number that the lock's descriptor has in the command: beyond those that scripts use, who
/// would close it with `exec 4>file`. Where so high a number is not to be had, any will do.
const LOCK_AT: i32 = 100;

impl Guardian {
    /// Starts a part of the tree, unless nothing is armed or the stop instant has come (P4).
    pub(super) fn start(&mut self, token: u64, part: Part, input: Option<OwnedFd>) {
        if !self.execution.may_start(BootClock.now()) {
            self.tell(Report::NotStarted(libc::ETIME));
            return self.nothing_left();
        }
        let command = match (&mut self.main, part) {
            (Main::Charge(_), Part::Command) => return self.take_charge(),
            (Main::Charge(_), Part::Hook) => None,
            (Main::Command(image), _) => Some(image),
        };
        for image in self.hook.iter_mut().chain(command) {
            image.set_token(token);
        }
        match self.fork_part(part, input) {
            Ok((pid, birth)) => {
                self.birth = Some(birth);
                self.execution.born(pid, part);
            }
            Err(errno) => {
                self.tell(Report::NotStarted(-(errno as i32)));
                self.nothing_left();
            }
        }
    }

    /// The group of a part: a hook leads one of its own, so that the terminal's keys do not reach it.
    pub(super) const fn group_of(&self, part: Part) -> CommandGroup {
        match part {
            Part::Hook => CommandGroup::Own,
            Part::Command => self.group,
        }
    }

    fn fork_part(&mut self, part: Part, input: Option<OwnedFd>) -> Result<(Pid, OwnedFd), Errno> {
        let (ours, theirs) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        let guardian = nix::unistd::getpid().as_raw();
        let into = self
            .cgroup
            .as_ref()
            .map(|cgroup| sys::fork_into(cgroup.as_fd()));
        self.contained = matches!(into, Some(Ok(_)));
        // A kernel or a sandbox that refuses clone3 leaves the tree walk, and that is said.
        let fork = match into {
            Some(Ok(fork)) => Ok(fork),
            Some(Err(_)) | None => sys::fork(),
        };
        match fork.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EAGAIN)))? {
            Fork::Child => {
                let errno = self.become_part(part, input, guardian);
                sys::write_all(theirs.as_fd(), &errno.to_ne_bytes());
                sys::exit_now(127);
            }
            Fork::Parent(pid) => {
                // Both sides set the group, whoever comes first: until then a signal to the group
                // would miss the command, or hit the guardian's.
                sweep::join_group(pid, self.group_of(part)).ok();
                Ok((pid, ours))
            }
        }
    }

    /// Runs in the new process; returns only the errno of what failed, negative when it was not the
    /// command's fault.
    fn become_part(&self, part: Part, input: Option<OwnedFd>, guardian: Pid) -> i32 {
        let image = match (part, &self.main) {
            (Part::Hook, _) => self.hook.as_ref(),
            (Part::Command, Main::Command(image)) => Some(image),
            (Part::Command, Main::Charge(_)) => None,
        };
        let Some(image) = image else {
            return -libc::ENOENT;
        };
        let prepared = sweep::join_group(0, self.group_of(part))
            .and_then(|()| nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL))
            .and_then(|()| self.pass_on_lock())
            .and_then(|()| match (part, input) {
                (Part::Hook, Some(input)) => redirect(input),
                (Part::Hook | Part::Command, _) => Ok(()),
            });
        if let Err(errno) = prepared {
            return -(errno as i32);
        }
        // The guardian may have died before the line above asked for a signal at its death.
        if nix::unistd::getppid().as_raw() != guardian {
            return -libc::ESRCH;
        }
        if let Err(error) = self.inherited.restore() {
            return -error.raw_os_error().unwrap_or(libc::EINVAL);
        }
        image.execute()
    }

    /// The whole tree carries the lock's descriptor, so that it ends with the last of them.
    fn pass_on_lock(&self) -> Result<(), Errno> {
        match &self.lock {
            Some(lock) => fcntl(lock, FcntlArg::F_DUPFD(LOCK_AT))
                .or_else(|_| fcntl(lock, FcntlArg::F_SETFD(FdFlag::empty())))
                .map(drop),
            None => Ok(()),
        }
    }

    pub(super) fn hear_of_birth(&mut self) {
        let Some(birth) = &self.birth else { return };
        let mut errno = [0; 4];
        match read(birth.as_fd(), &mut errno) {
            Err(Errno::EAGAIN | Errno::EINTR) => return,
            Ok(4) => self.tell(Report::NotStarted(i32::from_ne_bytes(errno))),
            Ok(_) | Err(_) => {
                if let Some(pid) = self.execution.command() {
                    self.tell(Report::Started {
                        pid,
                        contained: self.contained,
                    });
                }
            }
        }
        let failed = errno != [0; 4];
        self.birth = None;
        if failed {
            self.execution.stillborn();
        }
    }
}

/// A hook reads what happened from its input, and what it prints goes to standard error.
fn redirect(input: OwnedFd) -> Result<(), Errno> {
    dup2_stdin(input)?;
    dup2_stdout(std::io::stderr())
}
