//! Programs that are told of an event: `/bin/sh -c CMD` with one line of JSON on its input.
//!
//! Of the hooks only `acquired` is a part of the guarded tree, and the guardian starts that one. The
//! others are children of the front and strangers to the tree: nothing waits for them, and none of
//! them can hold up a stop or a kill.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::fcntl::OFlag;
use nix::unistd::pipe2;

use super::front::Front;
use super::sys::{self, Pid};

/// The shell that reads a hook: the option is one string.
pub(super) const SHELL: &str = "/bin/sh";

/// A pipe always takes this much at once when it is empty (pipe(7), `PIPE_BUF`).
const LONGEST_LINE: usize = 4096;

/// A pipe with `line` in it and nobody to write more. Never waits.
pub(super) fn input(line: &[u8]) -> io::Result<OwnedFd> {
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
    let line = &line[..line.len().min(LONGEST_LINE)];
    io::PipeWriter::from(writer).write_all(line)?;
    Ok(reader)
}

impl Front {
    /// Starts a hook outside the tree, in a process group of its own, with its output on our standard
    /// error. Its end is reported as [`HookEnded`](super::FrontEvent::HookEnded).
    ///
    /// # Errors
    /// The kernel's: no process or descriptor to be had, or no `/bin/sh`.
    pub fn start_hook(
        &mut self,
        command: &OsString,
        environment: &[(OsString, OsString)],
        line: &[u8],
    ) -> io::Result<Pid> {
        let output = io::stderr().as_fd().try_clone_to_owned()?;
        let child = Command::new(SHELL)
            // What begins with a dash is the hook's text all the same.
            .args(["-c", "--"])
            .arg(command)
            .env_clear()
            .envs(environment.iter().map(|(key, value)| (key, value)))
            .stdin(input(line)?)
            .stdout(output)
            .stderr(Stdio::inherit())
            .process_group(0)
            .spawn()?;
        let pid = Pid::try_from(child.id()).map_err(io::Error::other)?;
        // Before it can leave anything behind, or send us a signal.
        self.adopt_hook(pid);
        Ok(pid)
    }

    /// SIGKILL to a hook that has not ended yet, and to its group.
    pub fn kill_hook(&self, pid: Pid) {
        // Until we have reaped it, its number is nobody else's.
        if self.has_hook(pid) {
            sys::send_group(pid, libc::SIGKILL).ok();
            sys::send(pid, libc::SIGKILL).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_line_is_all_there_is_to_read() {
        let mut text = String::new();
        let mut pipe = io::PipeReader::from(input(b"{}\n").unwrap());
        pipe.read_to_string(&mut text).unwrap();
        assert_eq!(text, "{}\n");
        // More than a pipe is sure to take would wait for a reader that is not there yet.
        let mut pipe = io::PipeReader::from(input(&[b'x'; 100_000]).unwrap());
        assert_eq!(pipe.read_to_string(&mut text).unwrap(), LONGEST_LINE);
    }
}
