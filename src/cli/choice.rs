//! Which store: the flag, the environment, the configuration, or nobody's choice (DESIGN section 7).

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;

use super::args::StoreArgs;
use super::config::Configured;
use super::operating::Failed;
use super::plan::Refused;
use super::trusted::{HIDDEN, Unusable, Wanted};
use super::{chain, exit, printable};
use crate::commands::run::ChosenStore;
use crate::commands::status::Opener;
use crate::lease::{LeaseStore, StoreLabel};
use crate::registry::{self, DEFAULT, OpenContext, OpenError};
use crate::store::url::StoreUrl;

const STORE: &str = "LEASECTL_STORE";
const STORE_FILE: &str = "LEASECTL_STORE_FILE";
const TYPED: &str = "--store";
const TYPED_FILE: &str = "--store-file";
const OUTER_LABEL: &str = "LEASECTL_STORE_LABEL";
const BY_DEFAULT: &str = "the default store";

/// The store that will be used, and what becomes of the choice inside the command.
#[derive(Debug)]
pub(super) struct Choice {
    url: StoreUrl,
    /// Whose word the URL is: the start of an error about it.
    origin: Cow<'static, str>,
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
        (Some(text), _) => (from_argument(text, &typed.configured)?, TYPED.into()),
        (None, Some(path)) => (from_file(path)?, TYPED_FILE.into()),
        (None, None) => match (environment, file) {
            (Some(_), Some(_)) => {
                return Err(format!(
                    "{STORE} and {STORE_FILE} are both set and may name different stores: unset one"
                ));
            }
            (Some(text), None) => (parse(&text, STORE)?, STORE.into()),
            // It was meant to be something: the default would be another store.
            (None, Some(path)) if path.is_empty() => {
                return Err(format!(
                    "{STORE_FILE} is set and empty: unset it, or set it to a file with a URL in it"
                ));
            }
            (None, Some(path)) => (from_file(Path::new(&path))?, STORE_FILE.into()),
            (None, None) => match typed.configured.store()? {
                Some((url, place)) => (url, place.into()),
                None => (parse(DEFAULT, BY_DEFAULT)?, BY_DEFAULT.into()),
            },
        },
    };
    Ok(Choice {
        url,
        is_default: origin == BY_DEFAULT,
        origin,
        passed_on,
    })
}

/// Whether the environment says which store.
pub(super) fn is_in_the_environment() -> bool {
    [STORE, STORE_FILE]
        .iter()
        .any(|key| std::env::var_os(key).is_some())
}

impl Choice {
    /// The store for people, and who chose it.
    pub(super) fn in_words(&self) -> (String, &str) {
        (self.url.without_password(), &self.origin)
    }

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
        if ![TYPED, TYPED_FILE].contains(&self.origin.as_ref()) {
            refuse_another_than_the_outer(&self.origin, label.as_str())?;
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

fn from_argument(text: &OsStr, configured: &Configured) -> Result<StoreUrl, Refused> {
    let text = text
        .to_str()
        .ok_or("--store is not UTF-8: write a URL such as file:")?;
    if let Some(url) = configured.named(text, TYPED)? {
        return Ok(url);
    }
    let url = parse(text, TYPED)?;
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

const URL_FILE: Wanted = Wanted {
    content: "the URL",
    form: "one URL on one line",
    longest: 16 * 1024,
    secret: true,
};

/// Reads a URL from a file that nobody else can write or read: it may hold a password.
fn from_file(path: &Path) -> Result<StoreUrl, Refused> {
    let shown = printable(&path.to_string_lossy());
    let refuse = |why: String| format!("the store file {shown} is refused: {why}");
    let content = URL_FILE.read(path).map_err(|unusable| match unusable {
        Unusable::Missing => refuse("there is none; write the URL into it, mode 0600".to_owned()),
        Unusable::Hidden => refuse(HIDDEN.to_owned()),
        Unusable::Because(why) => refuse(why),
    })?;
    let url = content.text.trim();
    if url.is_empty() || url.lines().count() > 1 {
        return Err(refuse("it has to be one URL on one line".to_owned()));
    }
    parse(url, &format!("the store file {shown}"))
}
