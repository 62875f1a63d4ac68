//! The directory: opened once, checked once, and everything in it reached only through that one
//! descriptor, so that nobody can put another directory in its place afterwards.
//!
//! A lock that somebody else can replace, or that only this machine's cache knows of, excludes
//! nobody. So the directory belongs to us or to root, nobody else may write it (but its group, when
//! it is shared), it is no symlink, and it is on a file system of this machine.

use std::fs::DirBuilder;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{FileStat, Mode, fchmod, fstat, lstat};
use nix::sys::statfs::fstatfs;
use nix::unistd::{User, fsync, geteuid};

use super::config::{Config, Origin, ROOT_DIRECTORY};
use super::trouble::Trouble;
use crate::file_system;

/// The checked directory.
#[derive(Debug)]
pub(super) struct Directory {
    fd: OwnedFd,
    path: PathBuf,
    stat: FileStat,
    /// The group that shares it; `None`: it is nobody's but its owner's.
    group: Option<u32>,
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Directory {
    /// Opens the directory, after creating it where that is ours to do.
    pub(super) fn open(config: &Config) -> Result<Self, Trouble> {
        let path = &config.directory;
        let fd = match open_directory(path) {
            Err(Errno::ENOENT) => create(config)?,
            Err(Errno::ELOOP | Errno::ENOTDIR) => return Err(no_directory(path)),
            other => other.map_err(|errno| Trouble::os("open", path, errno))?,
        };
        let directory = Self::checked(config, fd)?;
        check_owner(path, &directory.stat)?;
        Ok(directory)
    }

    /// Opens the directory for one who only looks: whoever it belongs to, and without making it. `None`:
    /// there is none, and the first holder would make it.
    pub(super) fn open_to_look(config: &Config) -> Result<Option<Self>, Trouble> {
        let path = &config.directory;
        match open_directory(path) {
            Err(Errno::ENOENT) => may_be_made(config).map(|()| None),
            Err(Errno::ELOOP | Errno::ENOTDIR) => Err(no_directory(path)),
            Err(errno) => Err(Trouble::os("open", path, errno)),
            Ok(fd) => Self::checked(config, fd).map(Some),
        }
    }

    fn checked(config: &Config, fd: OwnedFd) -> Result<Self, Trouble> {
        let path = &config.directory;
        let stat = fstat(&fd).map_err(|errno| Trouble::os("look at", path, errno))?;
        let kind = fstatfs(&fd).map_err(|errno| Trouble::os("look at", path, errno))?;
        check_file_system(path, kind.filesystem_type().0 & 0xffff_ffff)?;
        check_mode(path, &stat, config.is_shared())?;
        Ok(Self {
            fd,
            path: path.clone(),
            group: config.is_shared().then_some(stat.st_gid),
            stat,
        })
    }

    /// Whether its path still leads to it. A lock in a directory that was moved away or put back from
    /// a copy excludes nobody who comes later.
    pub(super) fn is_current(&self) -> Result<bool, Errno> {
        match lstat(&self.path) {
            Ok(now) => Ok((now.st_dev, now.st_ino) == (self.stat.st_dev, self.stat.st_ino)),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    /// What is to be said when its path no longer leads to it.
    pub(super) fn is_gone(&self) -> Trouble {
        Trouble::Unfit(format!(
            "{} was moved, removed or replaced since it was opened; start again",
            self.path.display()
        ))
    }

    /// The path of `file` in it, for people.
    pub(super) fn path_of(&self, file: &str) -> PathBuf {
        self.path.join(file)
    }

    /// The group whose members share it.
    pub(super) const fn group(&self) -> Option<u32> {
        self.group
    }

    /// The mode that lock and counter have to have: whoever can read a lock file can block it.
    pub(super) fn private_mode(&self) -> Mode {
        Mode::from_bits_truncate(if self.group.is_some() { 0o660 } else { 0o600 })
    }

    /// The mode of records: what others may see.
    pub(super) fn public_mode(&self) -> Mode {
        Mode::from_bits_truncate(if self.group.is_some() { 0o660 } else { 0o644 })
    }

    /// Makes the names in it durable.
    pub(super) fn flush(&self) -> Result<(), Errno> {
        fsync(&self.fd)
    }
}

fn open_directory(path: &Path) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    open(path, flags, Mode::empty())
}

fn no_directory(path: &Path) -> Trouble {
    Trouble::Unfit(format!(
        "{} is a symbolic link or no directory; name the directory itself",
        path.display()
    ))
}

/// Whether a directory that is not there is one for us to make.
fn may_be_made(config: &Config) -> Result<(), Trouble> {
    let path = &config.directory;
    let parent = path.parent().unwrap_or(path);
    match config.origin {
        Origin::Default => Ok(()),
        Origin::Named if parent.is_dir() => Ok(()),
        Origin::Named => Err(Trouble::Unfit(format!(
            "the directory {} does not exist and neither does its parent; create it, or correct the \
             path",
            path.display()
        ))),
        Origin::Shared => {
            let path = path.display();
            Err(Trouble::Unfit(format!(
                "the shared directory {path} does not exist; have root make it for its group: \
                 install -d -m 2770 -g GROUP {path}"
            )))
        }
    }
}

fn create(config: &Config) -> Result<OwnedFd, Trouble> {
    let path = &config.directory;
    let failed = |path: &Path, error: &io::Error| {
        let errno = error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
        Trouble::os("create", path, errno)
    };
    let root = geteuid().is_root();
    let mode = if root { 0o755 } else { 0o700 };
    let parent = path.parent().unwrap_or(path);
    may_be_made(config)?;
    if config.origin == Origin::Default {
        DirBuilder::new()
            .recursive(true)
            .mode(mode)
            .create(parent)
            .map_err(|error| failed(parent, &error))?;
    }
    let made = DirBuilder::new().mode(mode).create(path);
    match &made {
        // Somebody was faster; whether theirs will do, the checks tell.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(path, error)),
        Ok(()) => {}
    }
    let fd = open_directory(path).map_err(|errno| Trouble::os("open", path, errno))?;
    if made.is_ok() {
        let exact = fchmod(&fd, Mode::from_bits_truncate(mode));
        exact.map_err(|errno| Trouble::os("set the mode of", path, errno))?;
        // Best effort: were the name lost in a power cut, counting starts again from the time of day.
        let _flushed = open_directory(parent).and_then(fsync);
    }
    Ok(fd)
}

/// `kind` is the file system's magic number; its type differs between C libraries.
fn check_file_system<N>(path: &Path, kind: N) -> Result<(), Trouble>
where
    u32: TryFrom<N>,
{
    let Some(name) = file_system::remote(kind) else {
        return Ok(());
    };
    Err(Trouble::Unfit(format!(
        "{} is on {name}, whose locks do not reach across machines reliably; {}",
        path.display(),
        local_directory(path)
    )))
}

/// A directory that works, and how to get it.
fn local_directory(refused: &Path) -> String {
    let user = geteuid();
    if user.is_root() {
        let other = if refused == Path::new(ROOT_DIRECTORY) {
            "/run/leasectl"
        } else {
            ROOT_DIRECTORY
        };
        return format!("use a local one, for example --store file://{other}");
    }
    let name = match User::from_uid(user) {
        Ok(Some(user)) => user.name,
        Ok(None) | Err(_) => user.to_string(),
    };
    format!(
        "use a local one: have root run install -d -m 700 -o {name} {ROOT_DIRECTORY}-{name}, then \
         --store file://{ROOT_DIRECTORY}-{name}"
    )
}

fn check_owner(path: &Path, stat: &FileStat) -> Result<(), Trouble> {
    let user = geteuid().as_raw();
    if stat.st_uid == 0 || stat.st_uid == user {
        return Ok(());
    }
    Err(Trouble::Unfit(format!(
        "{} belongs to user {}, who could replace every lock in it; use a directory of user {user} \
         or of root",
        path.display(),
        stat.st_uid
    )))
}

fn check_mode(path: &Path, stat: &FileStat, shared: bool) -> Result<(), Trouble> {
    let mode = stat.st_mode & 0o7777;
    let path = path.display();
    if mode & 0o002 != 0 {
        return Err(Trouble::Unfit(format!(
            "{path} has mode {mode:04o}: everybody could replace the locks in it; use a directory \
             of its own, or chmod o-w {path}"
        )));
    }
    if shared && (mode & 0o2070 != 0o2070 || mode & 0o1000 != 0) {
        return Err(Trouble::Unfit(format!(
            "{path} has mode {mode:04o}, and a shared directory needs 2770, so that every member of \
             its group can use every lock; chmod 2770 {path}"
        )));
    }
    if !shared && mode & 0o020 != 0 {
        return Err(Trouble::Unfit(format!(
            "{path} has mode {mode:04o}: its group could replace the locks in it; chmod g-w {path}, \
             or use file:///DIR?shared where its members trust one another"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn config(path: &Path, origin: Origin) -> Config {
        Config {
            directory: path.to_owned(),
            origin,
        }
    }

    fn why(path: &Path, origin: Origin) -> String {
        Directory::open(&config(path, origin))
            .unwrap_err()
            .to_string()
    }

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_directory_is_made_only_where_that_is_meant() {
        let around = tempfile::tempdir().unwrap();
        let deep = around.path().join("a/b/c");
        assert!(why(&deep, Origin::Named).contains("neither does its parent"));
        assert!(why(&deep, Origin::Shared).contains("install -d -m 2770"));
        Directory::open(&config(&deep, Origin::Default)).unwrap();
        let mode = fs::metadata(&deep).unwrap().permissions().mode() & 0o7777;
        assert!(mode == 0o755 || mode == 0o700);
        Directory::open(&config(&around.path().join("x"), Origin::Named)).unwrap();
    }

    #[test]
    fn looking_makes_no_directory() {
        let around = tempfile::tempdir().unwrap();
        let look = |path: &Path, origin| Directory::open_to_look(&config(path, origin));
        let (near, deep) = (around.path().join("x"), around.path().join("a/b/c"));
        assert!(look(&deep, Origin::Default).unwrap().is_none());
        assert!(look(&near, Origin::Named).unwrap().is_none());
        // What would not be made is an error, as it is to a holder.
        let why = |path, origin| look(path, origin).unwrap_err().to_string();
        assert!(why(&deep, Origin::Named).contains("neither does its parent"));
        assert!(why(&near, Origin::Shared).contains("install -d -m 2770"));
        assert_eq!(fs::read_dir(around.path()).unwrap().count(), 0);
        fs::create_dir(&near).unwrap();
        assert!(look(&near, Origin::Named).unwrap().is_some());
        chmod(&near, 0o777);
        assert!(why(&near, Origin::Named).contains("everybody"));
    }

    #[test]
    fn a_directory_that_others_can_change_is_refused() {
        let around = tempfile::tempdir().unwrap();
        let path = around.path().join("d");
        fs::create_dir(&path).unwrap();
        for (mode, origin, hint) in [
            (0o777, Origin::Named, "everybody"),
            (0o1777, Origin::Named, "everybody"),
            (0o2777, Origin::Shared, "everybody"),
            (0o770, Origin::Named, "its group"),
            (0o770, Origin::Shared, "needs 2770"),
            (0o3770, Origin::Shared, "needs 2770"),
        ] {
            chmod(&path, mode);
            assert!(why(&path, origin).contains(hint), "{mode:o}");
        }
        chmod(&path, 0o2770);
        Directory::open(&config(&path, Origin::Shared)).unwrap();
        symlink(&path, around.path().join("link")).unwrap();
        assert!(why(&around.path().join("link"), Origin::Named).contains("symbolic link"));
        fs::write(around.path().join("file"), "").unwrap();
        assert!(why(&around.path().join("file"), Origin::Named).contains("no directory"));
        if geteuid().is_root() {
            chmod(&path, 0o755);
            std::os::unix::fs::chown(&path, Some(4711), None).unwrap();
            assert!(why(&path, Origin::Named).contains("belongs to user 4711"));
        }
    }

    #[test]
    fn a_file_system_of_other_machines_is_refused_with_a_way_out() {
        let path = Path::new("/home/alice/.local/state/leasectl");
        for (magic, name) in file_system::REMOTE {
            let why = check_file_system(path, i64::from(magic))
                .unwrap_err()
                .to_string();
            assert!(why.contains(name) && why.contains("--store file:///var/lib/leasectl"));
        }
        assert!(check_file_system(path, 0xef53_u64).is_ok());
    }
}
