//! Which store: the flag, the environment, or nobody's choice (DESIGN section 7).

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use nix::unistd::geteuid;

use super::args::StoreArgs;
use super::operating::Failed;
use super::plan::Refused;
use super::{chain, exit, os_error, printable};
use crate::commands::run::ChosenStore;
use crate::commands::status::Opener;
use crate::lease::{LeaseStore, StoreLabel};
use crate::registry::{self, DEFAULT, OpenContext, OpenError};
use crate::store::url::StoreUrl;

const STORE: &str = "LEASECTL_STORE";
const STORE_FILE: &str = "LEASECTL_STORE_FILE";
const OUTER_LABEL: &str = "LEASECTL_STORE_LABEL";
const BY_DEFAULT: &str = "the default store";

/// The store that will be used, and what becomes of the choice inside the command.
#[derive(Debug)]
pub(super) struct Choice {
    url: StoreUrl,
    /// Whose word the URL is: the start of an error about it.
    origin: &'static str,
    /// Nobody chose: that has to be said.
    pub(super) is_default: bool,
    pub(super) passed_on: ChosenStore,
}

/// Decides which store is meant. A wish that cannot be honoured is an error, never the default.
pub(super) fn choose(typed: &StoreArgs) -> Result<Choice, Refused> {
    let environment = wish(STORE)?;
    let passed_on = passed_on(environment.as_deref())?;
    let file = std::env::var_os(STORE_FILE);
    let (url, origin) = match (&typed.store, &typed.store_file) {
        (Some(text), _) => (from_argument(text)?, "--store"),
        (None, Some(path)) => (from_file(path)?, "--store-file"),
        (None, None) => match (environment, file) {
            (Some(_), Some(_)) => {
                return Err(format!(
                    "{STORE} and {STORE_FILE} are both set and may name different stores: unset one"
                ));
            }
            (Some(text), None) => (parse(&text, STORE)?, STORE),
            // It was meant to be something: the default would be another store.
            (None, Some(path)) if path.is_empty() => {
                return Err(format!(
                    "{STORE_FILE} is set and empty: unset it, or set it to a file with a URL in it"
                ));
            }
            (None, Some(path)) => (from_file(Path::new(&path))?, STORE_FILE),
            (None, None) => (parse(DEFAULT, BY_DEFAULT)?, BY_DEFAULT),
        },
    };
    Ok(Choice {
        url,
        origin,
        is_default: origin == BY_DEFAULT,
        passed_on,
    })
}

impl Choice {
    /// Opens the store.
    pub(super) fn open(&self) -> Result<Arc<dyn LeaseStore>, Refused> {
        let context = OpenContext::of_this_process();
        // Before it is opened: opening may create it.
        self.label(&context)?;
        registry::open(&self.url, &context).map_err(|error| self.failed(&error).why)
    }

    /// The store for one who only looks: its label, and how it is opened.
    pub(super) fn to_look(&self) -> Result<(StoreLabel, Opener), Refused> {
        let context = OpenContext::of_this_process();
        let (label, url) = (self.label(&context)?, self.url.clone());
        let open = move || registry::open_to_look(&url, &context);
        Ok((label, Box::new(open)))
    }

    fn label(&self, context: &OpenContext) -> Result<StoreLabel, Refused> {
        let label = registry::label(&self.url, context);
        let label = label.map_err(|error| self.failed(&error).why)?;
        if [STORE, STORE_FILE, BY_DEFAULT].contains(&self.origin) {
            refuse_another_than_the_outer(self.origin, label.as_str())?;
        }
        Ok(label)
    }

    /// Why it was not opened, or not looked at.
    pub(super) fn failed(&self, error: &OpenError) -> Failed {
        match error {
            // The store's own errors begin with its label.
            OpenError::Store(error) => Failed {
                exit: exit::of_store_error(error),
                why: chain(error),
            },
            error => Failed::invalid(format!("{}: {}", self.origin, chain(error))),
        }
    }
}

/// Inside the command of another leasectl only an option may name another store: what the environment
/// says was perhaps overruled by an option of the outer one.
fn refuse_another_than_the_outer(origin: &str, label: &str) -> Result<(), Refused> {
    match std::env::var_os(OUTER_LABEL) {
        Some(outer) if outer != OsStr::new(label) => Err(format!(
            "{origin} is {label}, but the leasectl around this one uses {}: give both the same store, or \
             say --store {label} if another one is meant",
            printable(&outer.to_string_lossy())
        )),
        _ => Ok(()),
    }
}

fn wish(key: &str) -> Result<Option<String>, Refused> {
    match std::env::var_os(key) {
        None => Ok(None),
        Some(text) if text.is_empty() => Err(format!(
            "{key} is set and empty: unset it, or set it to a URL such as file:"
        )),
        Some(text) => text
            .into_string()
            .map(Some)
            .map_err(|_| format!("{key} is not UTF-8: write a URL")),
    }
}

fn passed_on(environment: Option<&str>) -> Result<ChosenStore, Refused> {
    Ok(match environment {
        None => ChosenStore::Unset,
        Some(text) => {
            let url = parse(text, STORE)?;
            let shown = if url.has_password() {
                url.without_password()
            } else {
                text.to_owned()
            };
            ChosenStore::PassedOn(OsString::from(shown))
        }
    })
}

fn from_argument(text: &OsStr) -> Result<StoreUrl, Refused> {
    let text = text
        .to_str()
        .ok_or("--store is not UTF-8: write a URL such as file:")?;
    let url = parse(text, "--store")?;
    if url.has_password() {
        return Err(format!(
            "--store has a password, which every user of this machine can read in the list of \
             processes: put the URL into a file for --store-file, or into {STORE}"
        ));
    }
    Ok(url)
}

fn parse(text: &str, origin: &str) -> Result<StoreUrl, Refused> {
    StoreUrl::parse(text).map_err(|error| format!("{origin}: {error}"))
}

/// Reads a URL from a file that nobody else can write or read: it may hold a password.
fn from_file(path: &Path) -> Result<StoreUrl, Refused> {
    let shown = printable(&path.to_string_lossy());
    let refuse = |why: String| format!("the store file {shown} is refused: {why}");
    // Opening a FIFO must not wait for a writer, and a symlink is not followed.
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(path)
        .map_err(|error| match error.raw_os_error() {
            Some(libc::ELOOP) => refuse("it is a symlink; name the file itself".to_owned()),
            Some(libc::ENOENT) => {
                refuse("there is none; write the URL into it, mode 0600".to_owned())
            }
            _ => refuse(os_error(&error)),
        })?;
    check(&file).map_err(refuse)?;
    let mut text = String::new();
    (&file)
        .take(LONGEST + 1)
        .read_to_string(&mut text)
        .map_err(|_| refuse("it is not UTF-8; write one URL on one line".to_owned()))?;
    let url = text.trim();
    if text.len() as u64 > LONGEST || url.is_empty() || url.lines().count() > 1 {
        return Err(refuse("it has to be one URL on one line".to_owned()));
    }
    parse(url, &format!("the store file {shown}"))
}

const LONGEST: u64 = 16 * 1024;

fn check(file: &File) -> Result<(), String> {
    let meta = file.metadata().map_err(|error| os_error(&error))?;
    if !meta.is_file() {
        return Err("it is no regular file; write the URL into one, with mode 0600".to_owned());
    }
    let (owner, ours) = (meta.uid(), geteuid().as_raw());
    if owner != 0 && owner != ours {
        return Err(format!(
            "it belongs to user {owner}; it has to belong to you or to root"
        ));
    }
    let mode = meta.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(format!(
            "its mode is {mode:04o}, so others may read or write it; chmod it to 0600"
        ));
    }
    Ok(())
}
