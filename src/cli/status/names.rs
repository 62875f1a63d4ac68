//! The names of leases for the completion scripts: those of the store that the words before name, or none.
//! Whoever presses TAB gets no error, waits for nothing and makes nothing.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::cli::args::{CompleteLeasesArgs, StoreArgs};
use crate::cli::choice;
use crate::cli::config::{self, Configured};
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::commands::status::{Selection, View};

/// All of it. Longer, and a key seems to hang.
const PATIENCE: Duration = Duration::from_millis(170);

/// Prints the names that begin with what was typed, one a line.
pub(in crate::cli) fn complete_leases(typed: &CompleteLeasesArgs) -> Exit {
    let mut store = store_of(&typed.words);
    let prefix = typed.prefix.to_str().map(ToOwned::to_owned);
    let (tell, told) = mpsc::channel();
    // A store that does not answer may keep a thread, and not the shell: the process ends without it.
    let asked = thread::Builder::new().spawn(move || tell.send(names(&mut store, prefix)));
    let names = asked.ok().and_then(|_| told.recv_timeout(PATIENCE).ok());
    if let Some(names) = names.flatten() {
        // Nobody is there to be told that it could not be written.
        let _printed = output::print(&names);
    }
    Exit::Code(0)
}

fn names(store: &mut StoreArgs, prefix: Option<String>) -> Option<String> {
    store.configured = config::of_any_lease(store.config.as_deref()).ok()?;
    let (_, open) = choice::choose(store).ok()?.to_look().ok()?;
    let selection = Selection::new(Vec::new(), Some(prefix?));
    let picture = View::new(open, selection).ok()?.look().ok()?;
    let names = picture.seen.iter().map(|seen| format!("{}\n", seen.name));
    Some(names.collect())
}

/// The store that the words on the line name. Options of leasectl end at the dashes.
fn store_of(words: &[OsString]) -> StoreArgs {
    let value = |option: &str| {
        let with_value = format!("{option}=");
        let mut words = words.iter().take_while(|word| *word != "--");
        let mut found = None;
        while let Some(word) = words.next() {
            let text = word.to_string_lossy();
            if *word == OsStr::new(option) {
                found = words.next().cloned();
            } else if let Some(value) = text.strip_prefix(&with_value) {
                found = Some(OsString::from(value));
            }
        }
        found
    };
    StoreArgs {
        store: value("--store"),
        store_file: value("--store-file").map(PathBuf::from),
        config: value("--config").map(PathBuf::from),
        configured: Configured::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_is_found_among_the_words() {
        let store = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            store_of(&words).store
        };
        let file = Some(OsString::from("file:///x"));
        assert_eq!(store(&["leasectl", "run", "--store", "file:///x"]), file);
        assert_eq!(store(&["leasectl", "run", "--store=file:///x", "-l"]), file);
        assert_eq!(
            store(&["leasectl", "run", "--", "--store", "file:///x"]),
            None
        );
        assert_eq!(store(&["leasectl", "status", "--store"]), None);
    }
}
