//! Which store: the flag, the environment, or nobody's choice (DESIGN section 7).

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use nix::unistd::geteuid;

use super::args::StoreArgs;
use super::plan::Refused;
use crate::commands::run::ChosenStore;
use crate::lease::LeaseStore;
use crate::registry::{self, OpenContext};
use crate::store::url::StoreUrl;

const STORE: &str = "LEASECTL_STORE";
const STORE_FILE: &str = "LEASECTL_STORE_FILE";
const OUTER_LABEL: &str = "LEASECTL_STORE_LABEL";
/// Used when nobody chose a store.
const DEFAULT: &str = "file:";

/// The store that will be used, and what becomes of the choice inside the command.
#[derive(Debug)]
pub(super) struct Choice {
    url: StoreUrl,
    /// Nobody chose: that has to be said.
    pub(super) is_default: bool,
    pub(super) passed_on: ChosenStore,
}

/// Decides which store is meant. A wish that cannot be honoured is an error, never the default.
pub(super) fn choose(typed: &StoreArgs) -> Result<Choice, Refused> {
    let environment = wish(STORE)?;
    let passed_on = passed_on(environment.as_deref())?;
    let file = std::env::var_os(STORE_FILE).filter(|path| !path.is_empty());
    let (url, is_default) = match (&typed.store, &typed.store_file) {
        (Some(text), _) => (from_argument(text)?, false),
        (None, Some(path)) => (from_file(path)?, false),
        (None, None) => match (environment, file) {
            (Some(_), Some(_)) => {
                return Err(format!(
                    "{STORE} and {STORE_FILE} are both set and may name different stores: unset one"
                ));
            }
            (Some(text), None) => (parse(&text, STORE)?, false),
            (None, Some(path)) => (from_file(Path::new(&path))?, false),
            (None, None) => (parse(DEFAULT, "the default")?, true),
        },
    };
    Ok(Choice {
        url,
        is_default,
        passed_on,
    })
}

impl Choice {
    /// Opens the store.
    pub(super) fn open(&self) -> Result<Arc<dyn LeaseStore>, Refused> {
        let context = OpenContext::of_this_process();
        let store = registry::open(&self.url, &context).map_err(|error| super::chain(&error))?;
        if self.is_default {
            refuse_another_than_the_outer(store.label().as_str())?;
        }
        Ok(store)
    }
}

/// Inside the command of another leasectl the default must not silently be another store.
fn refuse_another_than_the_outer(label: &str) -> Result<(), Refused> {
    match std::env::var_os(OUTER_LABEL) {
        Some(outer) if outer != OsStr::new(label) => Err(format!(
            "no store was chosen, and the default {label} is not the store of the leasectl around this \
             one, {}: pass the store on with --store or {STORE}, or say --store file: to mean it",
            super::printable(&outer.to_string_lossy())
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
    let shown = super::printable(&path.to_string_lossy());
    let refuse = |why: String| format!("store file {shown} is refused: {why}");
    // Opening a FIFO must not wait for a writer, and a symlink is not followed.
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(path)
        .map_err(|error| match error.raw_os_error() {
            Some(libc::ELOOP) => refuse("it is a symlink; name the file itself".to_owned()),
            _ => refuse(super::os_error(&error)),
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
    parse(url, "the store file")
}

const LONGEST: u64 = 16 * 1024;

fn check(file: &File) -> Result<(), String> {
    let meta = file.metadata().map_err(|error| super::os_error(&error))?;
    if !meta.is_file() {
        return Err("it is not a regular file".to_owned());
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
            "its mode is {mode:04o}, so others may see it; chmod it to 0600"
        ));
    }
    Ok(())
}
