//! What went wrong with the directory or a file in it, and what kind of [`StoreError`] that is.

use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::lease::{Doing, Effect, StoreError, StoreLabel};

/// Why a file did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The kernel said no.
    #[error("cannot {doing} {path}: {words}{hint}", path = .path.display(), words = .errno.desc(), hint = hint(*.errno))]
    Os {
        doing: &'static str,
        path: PathBuf,
        errno: Errno,
    },
    /// It is there, and it is not what it has to be. What; why; what to do.
    #[error("{0}")]
    Unfit(String),
    /// The whole file system is full or broken: as [`Trouble::Os`], or no process can be told apart.
    #[error("{0}")]
    System(String),
}

const fn hint(errno: Errno) -> &'static str {
    match errno {
        Errno::EACCES | Errno::EPERM => {
            "; use a directory of your own (--store file:///DIR), or run as the user it belongs to"
        }
        Errno::EROFS => {
            "; use a directory on a file system that is mounted for writing (--store file:///DIR)"
        }
        Errno::ENOSPC | Errno::EDQUOT => "; free some space and try again",
        Errno::EMFILE | Errno::ENFILE => "; raise the limit on open files (ulimit -n)",
        Errno::ENOENT => "; the directory was removed; make it again",
        _ => "",
    }
}

impl Trouble {
    /// `doing` something with `path` failed.
    pub(super) fn os(doing: &'static str, path: &Path, errno: Errno) -> Self {
        Self::Os {
            doing,
            path: path.to_owned(),
            errno,
        }
    }

    /// The public error. Whatever failed, nothing was granted: the lock went with the failure.
    pub(super) fn into_error(self, store: &StoreLabel, doing: Doing) -> StoreError {
        let store = store.clone();
        match self {
            Self::Os {
                errno: Errno::EACCES | Errno::EPERM,
                ..
            } => StoreError::Denied {
                store,
                doing,
                cause: self.into(),
            },
            Self::Unfit(_)
            | Self::Os {
                errno:
                    Errno::EROFS
                    | Errno::ENOENT
                    | Errno::ENOTDIR
                    | Errno::EISDIR
                    | Errno::ELOOP
                    | Errno::ENXIO
                    | Errno::EINVAL,
                ..
            } => StoreError::Misconfigured {
                store,
                cause: self.into(),
            },
            Self::Os { .. } | Self::System(_) => StoreError::Unreachable {
                store,
                doing,
                effect: Effect::None,
                cause: self.into(),
            },
        }
    }
}
