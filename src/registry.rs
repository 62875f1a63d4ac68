//! From a URL to an opened store: the only file that names every store.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::unistd::{User, geteuid};

use crate::clock::{BootClock, Clock};
use crate::lease::{LeaseStore, StoreError, StoreLabel};
#[cfg(feature = "azblob")]
use crate::store::azblob::{self, AzblobStore};
#[cfg(feature = "file")]
use crate::store::file::{self, FileStore};
#[cfg(feature = "memory")]
use crate::store::memory::{self, MemoryStore};
use crate::store::options::{DidYouMean, nearest, shown};
#[cfg(feature = "redis")]
use crate::store::redis::{self, RedisStore};
use crate::store::url::{StoreUrl, UrlError};

#[cfg(not(any(
    feature = "azblob",
    feature = "file",
    feature = "memory",
    feature = "redis"
)))]
compile_error!("a leasectl without a store can hold nothing: enable the feature of at least one");

/// The schemes of the stores that this build has.
pub const SCHEMES: &[&str] = &[
    #[cfg(feature = "azblob")]
    "azblob",
    #[cfg(feature = "azblob")]
    "azblob+http",
    #[cfg(feature = "azblob")]
    "azblob+https",
    #[cfg(feature = "file")]
    "file",
    #[cfg(feature = "memory")]
    "memory",
    #[cfg(feature = "redis")]
    "redis",
    #[cfg(feature = "redis")]
    "rediss",
    #[cfg(feature = "redis")]
    "redis+unix",
    #[cfg(feature = "redis")]
    "redis-sentinel",
    #[cfg(feature = "redis")]
    "rediss-sentinel",
    #[cfg(feature = "redis")]
    "redis-cluster",
    #[cfg(feature = "redis")]
    "rediss-cluster",
];

/// The URL of the store that is used when nobody chose one.
pub const DEFAULT: &str = "file:";

/// What opening a store may depend on, besides its URL.
#[derive(Clone, Debug)]
pub struct OpenContext {
    /// The clock of the stores that are their own server.
    pub clock: Arc<dyn Clock>,
    /// The effective user id.
    pub uid: u32,
    /// `$XDG_STATE_HOME`.
    pub state_home: Option<OsString>,
    /// `$HOME`.
    pub home: Option<OsString>,
    /// The home directory in the user's passwd entry.
    pub passwd_home: Option<PathBuf>,
}

impl OpenContext {
    /// The surroundings of this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        let user = geteuid();
        let home = std::env::var_os("HOME");
        // The passwd entry may be a directory service away: asked only where it is needed.
        let usable = home
            .as_ref()
            .is_some_and(|home| Path::new(home).is_absolute());
        let passwd_home = if usable {
            None
        } else {
            User::from_uid(user).ok().flatten().map(|user| user.dir)
        };
        Self {
            clock: Arc::new(BootClock),
            uid: user.as_raw(),
            state_home: std::env::var_os("XDG_STATE_HOME"),
            home,
            passwd_home,
        }
    }
}

/// Why a store was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No store of this build has that scheme.
    #[error("unknown store {scheme:?}: this build has {known}{hint}", hint = DidYouMean(.near), known = SCHEMES.join(", "))]
    UnknownStore {
        /// What was asked for.
        scheme: String,
        /// What was probably meant.
        near: Option<String>,
    },
    /// The URL does not fit the store.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The store is not usable.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Opens the store that `url` names.
///
/// # Errors
/// [`OpenError`] says whether scheme, URL or store is the reason.
#[cfg_attr(
    not(any(feature = "file", feature = "memory")),
    expect(
        unused_variables,
        reason = "a store on a network has all it needs in its URL"
    )
)]
pub fn open(url: &StoreUrl, context: &OpenContext) -> Result<Arc<dyn LeaseStore>, OpenError> {
    match url.scheme() {
        // It connects when it is first asked.
        #[cfg(feature = "azblob")]
        "azblob" | "azblob+http" | "azblob+https" => {
            let around = azblob::Surroundings::of_this_process();
            let config = azblob::Config::from_url(url, &around)?;
            crate::process::leave_no_core();
            Ok(Arc::new(AzblobStore::new(config)))
        }
        #[cfg(feature = "file")]
        "file" => {
            let config = file_config(url, context)?;
            let store = FileStore::open(&config, Arc::clone(&context.clock))?;
            Ok(Arc::new(store))
        }
        #[cfg(feature = "memory")]
        "memory" => {
            let config = memory::Config::from_url(url)?;
            Ok(Arc::new(MemoryStore::new(
                config,
                Arc::clone(&context.clock),
            )))
        }
        // It connects when it is first asked.
        #[cfg(feature = "redis")]
        "redis" | "rediss" | "redis+unix" | "redis-sentinel" | "rediss-sentinel"
        | "redis-cluster" | "rediss-cluster" => {
            let config = redis::Config::from_url(url)?;
            if config.password.is_some() {
                crate::process::leave_no_core();
            }
            Ok(Arc::new(RedisStore::new(config)))
        }
        unknown => Err(unknown_store(unknown)),
    }
}

/// Opens the store that `url` names for one who only looks: makes nothing, and needs no more than the right
/// to read. `None`: there is nothing yet to look at.
///
/// # Errors
/// As [`open`].
pub fn open_to_look(
    url: &StoreUrl,
    context: &OpenContext,
) -> Result<Option<Arc<dyn LeaseStore>>, OpenError> {
    match url.scheme() {
        #[cfg(feature = "file")]
        "file" => {
            let config = file_config(url, context)?;
            let store = FileStore::open_to_look(&config, Arc::clone(&context.clock))?;
            Ok(store.map(|store| -> Arc<dyn LeaseStore> { Arc::new(store) }))
        }
        _ => open(url, context).map(Some),
    }
}

/// The label of the store that `url` names, without opening or creating anything.
///
/// # Errors
/// As [`open`], for the scheme and the URL.
#[cfg_attr(
    not(any(feature = "file", feature = "memory")),
    expect(
        unused_variables,
        reason = "a store on a network has all it needs in its URL"
    )
)]
pub fn label(url: &StoreUrl, context: &OpenContext) -> Result<StoreLabel, OpenError> {
    match url.scheme() {
        #[cfg(feature = "azblob")]
        "azblob" | "azblob+http" | "azblob+https" => {
            let around = azblob::Surroundings::of_this_process();
            Ok(azblob::Config::from_url(url, &around)?.label())
        }
        #[cfg(feature = "file")]
        "file" => Ok(file_config(url, context)?.label()),
        // Nothing to open: it is made as it is named.
        #[cfg(feature = "memory")]
        "memory" => Ok(open(url, context)?.label().clone()),
        #[cfg(feature = "redis")]
        "redis" | "rediss" | "redis+unix" | "redis-sentinel" | "rediss-sentinel"
        | "redis-cluster" | "rediss-cluster" => Ok(redis::Config::from_url(url)?.label()),
        unknown => Err(unknown_store(unknown)),
    }
}

#[cfg(feature = "file")]
fn file_config(url: &StoreUrl, context: &OpenContext) -> Result<file::Config, UrlError> {
    let around = file::Surroundings {
        uid: context.uid,
        state_home: context.state_home.clone(),
        home: context.home.clone(),
        passwd_home: context.passwd_home.clone(),
    };
    file::Config::from_url(url, &around)
}

fn unknown_store(scheme: &str) -> OpenError {
    OpenError::UnknownStore {
        scheme: shown(scheme.to_owned()),
        near: nearest(scheme, SCHEMES),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(text: &str) -> String {
        let url = StoreUrl::parse(text).unwrap();
        open(&url, &OpenContext::of_this_process())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn an_unknown_store_is_answered_with_the_known_ones() {
        let memory = why("memroy:");
        assert!(memory.starts_with(r#"unknown store "memroy": this build has "#));
        assert!(memory.ends_with(r#"; did you mean "memory"?"#));
        let etcd = why("etcd://:canary@h/0");
        assert!(etcd.starts_with(r#"unknown store "etcd": this build has "#));
        assert!(!etcd.contains("canary"));
        let long = why(&format!("{}:", "x".repeat(3_000)));
        assert!(
            long.starts_with("unknown store \"xxx") && long.len() < 300,
            "{long}"
        );
    }
}
