//! The files of one lease, opened so that nothing hostile under their names is followed, waited for
//! or believed.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::libc;
use nix::sys::stat::{FileStat, Mode, fchmod, fstat, fstatat};
use nix::sys::uio::{pread, pwrite};
use nix::unistd::{UnlinkatFlags, fdatasync, ftruncate, geteuid, unlinkat};

use super::counter::{CounterError, Medium};
use super::directory::Directory;
use super::trouble::Trouble;
use super::wire::{COUNTER_LENGTH, encoded, read_any_record, read_record, record_page};
use crate::lease::{LARGEST_RECORD, LeaseName, LeaseRecord};
use crate::process::rename_if_absent;

/// The names of one lease's files.
#[derive(Debug)]
pub(super) struct Files<'a> {
    directory: &'a Directory,
    pub(super) lock: String,
    pub(super) token: String,
    pub(super) record: String,
    pub(super) ask: String,
}

/// `O_NOFOLLOW`: a symlink is an error. `O_NONBLOCK`: opening a FIFO waits for nobody.
fn safely(flags: OFlag) -> OFlag {
    flags | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC
}

impl<'a> Files<'a> {
    pub(super) fn of(directory: &'a Directory, name: &LeaseName) -> Self {
        Self::called(directory, &encoded(name))
    }

    fn called(directory: &'a Directory, own: &str) -> Self {
        Self {
            directory,
            lock: format!("{own}.lock"),
            token: format!("{own}.token"),
            record: format!("{own}.record"),
            ask: format!("{own}.ask"),
        }
    }

    pub(super) fn trouble(&self, doing: &'static str, file: &str, errno: Errno) -> Trouble {
        Trouble::os(doing, &self.directory.path_of(file), errno)
    }

    /// Why there is no next token.
    pub(super) fn no_token(&self, error: CounterError) -> Trouble {
        match error {
            CounterError::Os(errno) => self.trouble("count the next token in", &self.token, errno),
            CounterError::Damaged => Trouble::Unfit(format!(
                "the fencing counter {path} is damaged, and a guess could repeat a token; remove \
                 {path} while nobody holds the lease: counting then goes on from the time of day, \
                 above every earlier token unless the clock was set back",
                path = self.path_of(&self.token).display()
            )),
        }
    }

    pub(super) fn path_of(&self, file: &str) -> PathBuf {
        self.directory.path_of(file)
    }

    /// A path that leads to `file` through the open directory, for calls that take no descriptor.
    pub(super) fn open_path_of(&self, file: &str) -> PathBuf {
        let directory = self.directory.as_fd().as_raw_fd();
        PathBuf::from(format!("/proc/self/fd/{directory}/{file}"))
    }

    /// Opens a file that is there; `None` when there is none.
    pub(super) fn open(&self, file: &str, flags: OFlag) -> Result<Option<OwnedFd>, Trouble> {
        match openat(self.directory, file, safely(flags), Mode::empty()) {
            Ok(fd) => Ok(Some(fd)),
            Err(Errno::ENOENT) => Ok(None),
            Err(Errno::ELOOP) => Err(self.unfit(file, "is a symbolic link")),
            Err(Errno::EISDIR) => Err(self.unfit(file, "is a directory")),
            Err(Errno::ENXIO) => Err(self.unfit(file, "is a socket")),
            Err(errno) => Err(self.trouble("open", file, errno)),
        }
    }

    fn unfit(&self, file: &str, what: &str) -> Trouble {
        let path = self.directory.path_of(file);
        let path = path.display();
        Trouble::Unfit(format!(
            "{path} {what}; leasectl did not make it so; find out who did, then remove it while \
             nobody holds the lease"
        ))
    }

    /// Checks that an open lock or counter is what leasectl makes: a regular file with one name, of
    /// ours or root's (or our group's), with exactly the private mode.
    pub(super) fn check(&self, file: &str, fd: &OwnedFd) -> Result<FileStat, Trouble> {
        let stat = fstat(fd).map_err(|errno| self.trouble("look at", file, errno))?;
        if stat.st_mode & libc::S_IFMT != libc::S_IFREG {
            return Err(self.unfit(file, "is no regular file"));
        }
        match stat.st_nlink {
            0 | 1 => {}
            more => return Err(self.unfit(file, &format!("has {more} names (hard links)"))),
        }
        let user = geteuid().as_raw();
        match self.directory.group() {
            Some(group) if stat.st_gid != group => {
                let what = format!("belongs to group {} and not {group}", stat.st_gid);
                return Err(self.unfit(file, &what));
            }
            None if stat.st_uid != 0 && stat.st_uid != user => {
                return Err(self.unfit(file, &format!("belongs to user {}", stat.st_uid)));
            }
            Some(_) | None => {}
        }
        let (mode, wanted) = (stat.st_mode & 0o7777, self.directory.private_mode().bits());
        if mode != wanted {
            let path = self.directory.path_of(file);
            let path = path.display();
            return Err(Trouble::Unfit(format!(
                "{path} has mode {mode:04o} and not {wanted:04o}: whoever can open it can block the \
                 lease; chmod {wanted:o} {path}"
            )));
        }
        Ok(stat)
    }

    /// Creates `file` with exactly `mode`; `None` when something has that name already.
    ///
    /// Removes all of them. The lock goes last: what is without a lock is no lease.
    pub(super) fn forget(&self) -> Result<(), Trouble> {
        let spare = format!("{}~", self.ask);
        for file in [&spare, &self.ask, &self.record, &self.token, &self.lock] {
            match unlinkat(self.directory, file.as_str(), UnlinkatFlags::NoRemoveDir) {
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(errno) => return Err(self.trouble("remove", file, errno)),
            }
        }
        Ok(())
    }

    /// For one user the kernel does it in one call. In a shared directory the caller's umask takes
    /// the group's bits away; a process killed before it put them back would lock its group out for
    /// good, so there the file gets its name only when it is finished.
    pub(super) fn create(&self, file: &str, mode: Mode) -> Result<Option<OwnedFd>, Trouble> {
        let spare = if self.directory.group().is_some() {
            let mut random = [0; 8];
            getrandom::fill(&mut random)
                .map_err(|error| Trouble::System(format!("no random numbers: {error}")))?;
            format!("{file}~{:016x}", u64::from_ne_bytes(random))
        } else {
            file.to_owned()
        };
        let Some(fd) = self.create_as(&spare, mode)? else {
            return Ok(None);
        };
        if spare == *file {
            return Ok(Some(fd));
        }
        let (from, to) = (spare.as_str(), file);
        match rename_if_absent(self.directory.as_fd(), from, to) {
            Ok(()) => Ok(Some(fd)),
            Err(errno) => {
                self.remove(&spare);
                if errno == Errno::EEXIST {
                    return Ok(None);
                }
                Err(self.trouble("create", file, errno))
            }
        }
    }

    fn create_as(&self, file: &str, mode: Mode) -> Result<Option<OwnedFd>, Trouble> {
        let flags = safely(OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL);
        let fd = match openat(self.directory, file, flags, mode) {
            Ok(fd) => fd,
            Err(Errno::EEXIST) => return Ok(None),
            Err(errno) => return Err(self.trouble("create", file, errno)),
        };
        let made = fstat(&fd).map(|stat| stat.st_mode & 0o7777);
        let exact = match made {
            Ok(made) if made == mode.bits() => Ok(()),
            Ok(_) => fchmod(&fd, mode),
            Err(errno) => Err(errno),
        };
        exact.map_err(|errno| self.trouble("set the mode of", file, errno))?;
        Ok(Some(fd))
    }

    /// Takes a left-over away. That it stays is no harm: the next attempt finds it again.
    fn remove(&self, file: &str) {
        let _removed = unlinkat(self.directory, file, UnlinkatFlags::NoRemoveDir);
    }

    /// Whether `stat` is still the file that `file` names, for one who comes along the path now.
    pub(super) fn is_current(&self, file: &str, stat: &FileStat) -> Result<bool, Trouble> {
        let directory = self.directory.is_current();
        if !directory.map_err(|errno| self.trouble("look at", "", errno))? {
            return Ok(false);
        }
        match fstatat(self.directory, file, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(now) => Ok((now.st_dev, now.st_ino) == (stat.st_dev, stat.st_ino)),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(self.trouble("look at", file, errno)),
        }
    }

    /// Puts a new counter under its name, all of it or nothing, and waits for the disk. Only under
    /// the lease's lock.
    pub(super) fn create_counter(&self, bytes: &[u8]) -> Result<(), Trouble> {
        let spare = format!("{}~", self.token);
        self.remove(&spare);
        let Some(fd) = self.create_as(&spare, self.directory.private_mode())? else {
            return Err(self.unfit(&spare, "cannot be replaced"));
        };
        let counter = CounterFile(fd);
        let written = counter.write(0, bytes).and_then(|()| counter.flush());
        let done = written
            .map_err(|errno| self.trouble("write", &spare, errno))
            .and_then(|()| self.publish(&spare));
        if done.is_err() {
            self.remove(&spare);
        }
        done
    }

    fn publish(&self, spare: &str) -> Result<(), Trouble> {
        let (directory, token) = (self.directory, self.token.as_str());
        renameat(directory, spare, directory, token)
            .map_err(|errno| self.trouble("create", token, errno))?;
        let flushed = directory.flush();
        flushed.map_err(|errno| self.trouble("flush the directory of", token, errno))
    }

    /// The record of `name`, if there is one that can be read: anything else is no record.
    pub(super) fn read_record(&self, name: &LeaseName) -> Option<LeaseRecord> {
        read_record(&self.record_bytes()?, name)
    }

    /// Whether anything has the record's name, readable or not.
    pub(super) fn has_record(&self) -> bool {
        let record = self.record.as_str();
        fstatat(self.directory, record, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok()
    }

    fn record_bytes(&self) -> Option<Vec<u8>> {
        let fd = self.open(&self.record, OFlag::O_RDONLY).ok()??;
        let regular = fstat(&fd).is_ok_and(|stat| self.is_regular(&stat));
        regular.then(|| read_at_most(&fd, LARGEST_RECORD + 1).ok())?
    }

    /// The lease whose files are called `own`, by the word of its record.
    pub(super) fn name_in_record(directory: &'a Directory, own: &str) -> Option<LeaseName> {
        let files = Self::called(directory, own);
        let name = read_any_record(&files.record_bytes()?)?.lease;
        (encoded(&name) == own).then_some(name)
    }

    pub(super) const fn is_regular(&self, stat: &FileStat) -> bool {
        stat.st_mode & libc::S_IFMT == libc::S_IFREG
    }

    /// Writes the record, as one page in one call. Whatever else is under its name goes, unless it
    /// is a directory: then there is no record.
    pub(super) fn write_record(&self, record: &LeaseRecord) -> Result<(), Trouble> {
        let fd = match self.own_record() {
            Some(fd) => fd,
            None => {
                self.remove(&self.record);
                match self.create(&self.record, self.directory.public_mode())? {
                    Some(fd) => fd,
                    None => return Ok(()),
                }
            }
        };
        write_all(&fd, 0, &record_page(record))
            .map_err(|errno| self.trouble("write", &self.record, errno))
    }

    /// The record's file, if it is one that we may write into.
    fn own_record(&self) -> Option<OwnedFd> {
        let fd = self.open(&self.record, OFlag::O_WRONLY).ok()??;
        let stat = fstat(&fd).ok()?;
        let ours = match self.directory.group() {
            Some(group) => stat.st_gid == group,
            None => stat.st_uid == geteuid().as_raw() || stat.st_uid == 0,
        };
        let regular = stat.st_mode & libc::S_IFMT == libc::S_IFREG && stat.st_nlink == 1;
        let mode = stat.st_mode & 0o7777 == self.directory.public_mode().bits();
        if !(ours && regular && mode) {
            return None;
        }
        if usize::try_from(stat.st_size).is_ok_and(|size| size > LARGEST_RECORD) {
            ftruncate(&fd, 0).ok()?;
        }
        Some(fd)
    }
}

/// A counter's file as its algorithm wants it.
#[derive(Debug)]
pub(super) struct CounterFile(pub(super) OwnedFd);

impl Medium for CounterFile {
    fn read(&self) -> Result<Vec<u8>, Errno> {
        read_at_most(&self.0, COUNTER_LENGTH)
    }

    fn write(&self, at: u64, bytes: &[u8]) -> Result<(), Errno> {
        let at = i64::try_from(at).map_err(|_| Errno::EFBIG)?;
        write_all(&self.0, at, bytes)
    }

    fn flush(&self) -> Result<(), Errno> {
        fdatasync(&self.0)
    }
}

pub(super) fn read_at_most(fd: &OwnedFd, most: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = vec![0; most];
    let mut length = 0;
    while let Some(room) = bytes.get_mut(length..).filter(|room| !room.is_empty()) {
        match pread(fd, room, i64::try_from(length).unwrap_or(i64::MAX)) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

pub(super) fn write_all(fd: &OwnedFd, at: i64, bytes: &[u8]) -> Result<(), Errno> {
    let (mut at, mut rest) = (at, bytes);
    while !rest.is_empty() {
        match pwrite(fd, rest, at) {
            Ok(0) => return Err(Errno::EIO),
            Ok(written) => {
                at += i64::try_from(written).map_err(|_| Errno::EFBIG)?;
                rest = rest.get(written..).unwrap_or_default();
            }
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
