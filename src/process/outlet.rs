//! A descriptor that whole lines are written to, and that never makes us wait.
//!
//! Whoever reads a pipe or looks at a terminal may stop doing so, and a renewal must not wait for
//! them: a line that cannot be written at once is dropped, and the writer is told. Other processes may
//! have the same pipe or terminal open; their descriptors are left as they are.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{SFlag, fstat};

use super::sys;

/// The longest line that a pipe takes in one piece or not at all (pipe(7), `PIPE_BUF`), so that
/// several processes can write to one.
pub const LONGEST_LINE: usize = 4096;

/// Where lines go.
#[derive(Debug)]
pub struct Outlet {
    descriptor: File,
    kind: Kind,
    /// The last line went out only in part (a disk that filled up): the next one begins with its end.
    torn: bool,
}

/// How the descriptor is kept from making us wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It is ours alone and non-blocking, or a file, which takes what is written or fails.
    AtOnce,
    Socket,
    /// It is shared and could not be opened again: it is asked whether it takes a line. Another may fill
    /// it in between.
    Asked,
}

impl Outlet {
    /// Opens a file to append to, as the shell's `>>` does; a FIFO need not have a reader yet.
    ///
    /// # Errors
    /// The kernel's.
    pub fn append(path: &Path) -> io::Result<Self> {
        let is_fifo = std::fs::metadata(path)
            .is_ok_and(|meta| std::os::unix::fs::FileTypeExt::is_fifo(&meta.file_type()));
        let file = OpenOptions::new()
            // A FIFO that is opened for writing alone has to have a reader.
            .read(is_fifo)
            .append(true)
            .create(!is_fifo)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(path)?;
        Ok(Self::of(file, Kind::AtOnce))
    }

    /// Takes a descriptor that this process was started with; what it starts does not get it.
    ///
    /// # Errors
    /// `EBADF` when it is not open, `EINVAL` when it is not open for writing.
    pub fn descriptor(number: i32) -> io::Result<Self> {
        Self::again(sys::take_descriptor(number)?)
    }

    /// The same for us alone: the number is closed, so that the reader sees the end when we are done.
    ///
    /// # Errors
    /// As [`Outlet::descriptor`].
    pub fn taken(number: i32) -> io::Result<Self> {
        let outlet = Self::descriptor(number)?;
        nix::unistd::close(number)?;
        Ok(outlet)
    }

    /// Our standard output.
    ///
    /// # Errors
    /// The kernel's, when there is no descriptor to be had.
    pub fn stdout() -> io::Result<Self> {
        Self::again(io::stdout().as_fd().try_clone_to_owned()?)
    }

    /// Our standard error.
    ///
    /// # Errors
    /// The kernel's, when there is no descriptor to be had.
    pub fn stderr() -> io::Result<Self> {
        Self::again(io::stderr().as_fd().try_clone_to_owned()?)
    }

    /// Setting `O_NONBLOCK` on a descriptor that we share would set it for everybody, so a pipe or a
    /// terminal is opened once more.
    fn again(shared: OwnedFd) -> io::Result<Self> {
        let kind = SFlag::from_bits_truncate(fstat(&shared)?.st_mode) & SFlag::S_IFMT;
        let path = format!("/proc/self/fd/{}", shared.as_raw_fd());
        let own = || {
            OpenOptions::new()
                .write(true)
                .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
                .open(path)
        };
        Ok(match kind {
            SFlag::S_IFSOCK => Self::of(File::from(shared), Kind::Socket),
            SFlag::S_IFIFO | SFlag::S_IFCHR => match own() {
                Ok(own) => Self::of(own, Kind::AtOnce),
                Err(_) => Self::of(File::from(shared), Kind::Asked),
            },
            // Its place in the file is shared with whoever else writes to it, and has to stay so.
            _ => Self::of(File::from(shared), Kind::AtOnce),
        })
    }

    const fn of(descriptor: File, kind: Kind) -> Self {
        Self {
            descriptor,
            kind,
            torn: false,
        }
    }

    /// Writes a line, which ends in a newline, in one piece.
    ///
    /// # Errors
    /// Why it was dropped: `EAGAIN` or `EPIPE` when nobody reads, `ENOSPC` when the disk is full.
    pub fn put(&mut self, line: &str) -> io::Result<()> {
        let whole = if self.torn {
            &format!("\n{line}")
        } else {
            line
        };
        let wrote = self.write(whole.as_bytes())?;
        if wrote > 0 {
            self.torn = wrote < whole.len();
        }
        if wrote == whole.len() {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(libc::ENOSPC))
        }
    }

    /// Writes what stays on a terminal's last line, to be written over. True when there is anything of
    /// it now; what was not taken is lost.
    pub fn draw(&mut self, text: &str) -> bool {
        self.write(text.as_bytes()).is_ok_and(|wrote| wrote > 0)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.kind {
            Kind::AtOnce => self.descriptor.write(bytes),
            Kind::Socket => sys::send_bytes(self.descriptor.as_fd(), bytes),
            Kind::Asked if self.is_ready(Duration::ZERO) => self.descriptor.write(bytes),
            Kind::Asked => Err(io::Error::from_raw_os_error(libc::EAGAIN)),
        }
    }

    /// Waits until a line would be taken, at most `patience`.
    #[must_use]
    pub fn is_ready(&self, patience: Duration) -> bool {
        let mut fds = [PollFd::new(self.descriptor.as_fd(), PollFlags::POLLOUT)];
        let patience = PollTimeout::try_from(patience).unwrap_or(PollTimeout::ZERO);
        poll(&mut fds, patience).is_ok_and(|ready| ready > 0)
    }
}

impl AsFd for Outlet {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Whether whoever read from this descriptor has gone for good.
#[must_use]
pub fn nobody_reads(descriptor: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(descriptor, PollFlags::empty())];
    let gone = PollFlags::POLLERR | PollFlags::POLLHUP;
    poll(&mut fds, PollTimeout::ZERO).is_ok()
        && fds[0]
            .revents()
            .is_some_and(|events| events.intersects(gone))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_reader_that_is_gone_is_noticed_without_writing() {
        let (reader, writer) = io::pipe().unwrap();
        assert!(!nobody_reads(writer.as_fd()));
        drop(reader);
        assert!(nobody_reads(writer.as_fd()));
        assert!(!nobody_reads(tempfile::tempfile().unwrap().as_fd()));
    }

    #[test]
    fn a_full_pipe_costs_lines_and_no_time() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut outlet = Outlet::again(writer.as_fd().try_clone_to_owned().unwrap()).unwrap();
        assert_eq!(outlet.kind, Kind::AtOnce);
        let line = format!("{}\n", "x".repeat(LONGEST_LINE - 1));
        let taken = (0..1_000).take_while(|_| outlet.put(&line).is_ok()).count();
        assert!((1..1_000).contains(&taken), "{taken}");
        drop((writer, outlet));
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, line.repeat(taken), "each in one piece");
    }

    #[test]
    fn a_socket_is_not_waited_for_either() {
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut outlet = Outlet::again(OwnedFd::from(one)).unwrap();
        assert_eq!(outlet.kind, Kind::Socket);
        assert!((0..100_000).any(|_| outlet.put("line\n").is_err()));
    }

    #[test]
    fn a_line_after_a_torn_one_begins_anew() {
        let mut file = tempfile::tempfile().unwrap();
        let mut outlet = Outlet::again(file.as_fd().try_clone_to_owned().unwrap()).unwrap();
        outlet.torn = true;
        assert!(outlet.put("whole\n").is_ok() && outlet.put("more\n").is_ok());
        let mut text = String::new();
        io::Seek::rewind(&mut file).unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "\nwhole\nmore\n");
    }

    #[test]
    fn a_full_disk_is_no_reason_to_stop() {
        let mut outlet = Outlet::append(Path::new("/dev/full")).unwrap();
        let why = outlet.put("line\n").unwrap_err();
        assert_eq!(why.raw_os_error(), Some(libc::ENOSPC));
    }
}
