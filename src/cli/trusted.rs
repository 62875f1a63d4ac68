//! Files that leasectl believes: nobody else may have written them, and nobody else may read a secret.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::unistd::geteuid;

use super::os_error;

/// What a file has to be like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// What is in it: `the URL`.
    pub(super) content: &'static str,
    /// How that is written: `one URL on one line`.
    pub(super) form: &'static str,
    /// In bytes.
    pub(super) longest: u64,
    /// Nobody else may read it, and it is named itself and not by a symlink.
    pub(super) secret: bool,
}

/// What was in it.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) text: String,
    /// Whether nobody else can read it.
    pub(super) private: bool,
}

/// Why a file is of no use.
#[derive(Debug)]
pub(super) enum Unusable {
    Missing,
    /// A directory on the way to it may not be entered.
    Hidden,
    /// Why, and what to do.
    Because(String),
}

/// What is said of a file that is hidden.
pub(super) const HIDDEN: &str =
    "permission denied; let this user enter the directories of its path";

impl Wanted {
    /// Reads the file. All checks are made of what was opened: a path can be changed meanwhile.
    pub(super) fn read(&self, path: &Path) -> Result<Content, Unusable> {
        // Opening a FIFO must not wait for a writer, and a terminal must not become ours.
        let mut flags = libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY;
        if self.secret {
            flags |= libc::O_NOFOLLOW;
        }
        let file = File::options()
            .read(true)
            .custom_flags(flags)
            .open(path)
            .map_err(|error| match error.raw_os_error() {
                Some(libc::ELOOP) if self.secret => {
                    Unusable::Because("it is a symlink; name the file itself".to_owned())
                }
                Some(libc::ENOENT | libc::ENOTDIR) => Unusable::Missing,
                Some(libc::EACCES) if path.metadata().is_err() => Unusable::Hidden,
                _ => Unusable::Because(os_error(&error)),
            })?;
        self.content_of(&file).map_err(Unusable::Because)
    }

    fn content_of(&self, file: &File) -> Result<Content, String> {
        let private = self.check(file)?;
        let mut bytes = Vec::new();
        file.take(self.longest + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| os_error(&error))?;
        if bytes.len() as u64 > self.longest {
            return Err(format!("it has to be {}", self.form));
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| format!("it is not UTF-8; write {}", self.form))?;
        Ok(Content { text, private })
    }

    /// Checks kind, owner and mode. Whether nobody else can read it.
    fn check(&self, file: &File) -> Result<bool, String> {
        let meta = file.metadata().map_err(|error| os_error(&error))?;
        let wanted = if self.secret { 0o600 } else { 0o644 };
        if !meta.is_file() {
            return Err(format!(
                "it is no regular file; write {} into one, with mode {wanted:04o}",
                self.content
            ));
        }
        let (owner, ours) = (meta.uid(), geteuid().as_raw());
        if owner != 0 && owner != ours {
            return Err(format!(
                "it belongs to user {owner}; it has to belong to you or to root"
            ));
        }
        let mode = meta.mode() & 0o7777;
        if self.secret && mode & 0o077 != 0 {
            return Err(format!(
                "its mode is {mode:04o}, so others may read or write it; chmod it to 0600"
            ));
        }
        if mode & 0o022 != 0 {
            return Err(format!(
                "its mode is {mode:04o}, so others may write it; chmod it to 0644"
            ));
        }
        Ok(mode & 0o077 == 0)
    }
}
