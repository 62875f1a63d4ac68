//! With whom the poller is shared, from what was typed and who we are.

use std::ffi::OsString;
use std::path::PathBuf;

use nix::unistd::{User, geteuid};

use crate::notices::{Endpoint, ROOT_DIRECTORY, Sharing};

/// What was typed about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Nothing.
    Default,
    /// `--cache-dir`.
    Directory(PathBuf),
    /// `--no-coordination`.
    Alone,
}

/// With whom.
#[must_use]
pub fn sharing(choice: Choice) -> Sharing {
    let own = own_directory(
        geteuid().is_root(),
        [std::env::var_os("XDG_STATE_HOME"), std::env::var_os("HOME")],
        || {
            User::from_uid(geteuid())
                .ok()
                .flatten()
                .map(|user| user.dir)
        },
    );
    match (choice, own) {
        // Who has no directory, and names none, has nobody to share with.
        (Choice::Alone, _) | (Choice::Default, None) => Sharing::Alone,
        (Choice::Default, Some(own)) => Sharing::Default(own),
        (Choice::Directory(directory), own) => Sharing::Named {
            own: own.unwrap_or_else(|| directory.clone()),
            directory,
        },
    }
}

/// With whom a run shares what it hears from an endpoint. A service in place of the machine's own (a test, a
/// mock) has a poller and a cache of its own: what it announces is nobody else's business.
#[must_use]
pub fn sharing_of(endpoint: &Endpoint) -> Sharing {
    if *endpoint == Endpoint::default() {
        return sharing(Choice::Default);
    }
    let own = own_directory(
        false,
        [std::env::var_os("XDG_STATE_HOME"), std::env::var_os("HOME")],
        || None,
    );
    let Some(own) = own else {
        return Sharing::Alone;
    };
    let Endpoint::Service(address) = endpoint else {
        return Sharing::Alone;
    };
    let directory = own.with_file_name(format!("scheduled-events@{address}"));
    let own = directory.clone();
    Sharing::Named { directory, own }
}

/// Beside the leases of the file store. Not the user's runtime directory: cron has none, and it goes with the
/// last logout, so that one user would have two pollers.
fn own_directory(
    root: bool,
    [state_home, home]: [Option<OsString>; 2],
    passwd_home: impl FnOnce() -> Option<PathBuf>,
) -> Option<PathBuf> {
    if root {
        return Some(PathBuf::from(ROOT_DIRECTORY));
    }
    let absolute =
        |path: Option<OsString>| path.map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute(state_home).or_else(|| {
        let home = absolute(home).or_else(passwd_home)?;
        home.is_absolute().then(|| home.join(".local/state"))
    });
    state.map(|state| state.join("leasectl/scheduled-events"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_a_directory() {
        let path = |text: &str| Some(OsString::from(text));
        let own = |root, state, home| own_directory(root, [state, home], || Some("/p".into()));
        assert_eq!(own(true, path("/s"), None), Some(ROOT_DIRECTORY.into()));
        let beside = |text: &str| Some(PathBuf::from(text).join("leasectl/scheduled-events"));
        assert_eq!(own(false, path("/s"), path("/h")), beside("/s"));
        assert_eq!(own(false, path("s"), path("/h")), beside("/h/.local/state"));
        assert_eq!(own(false, None, path("")), beside("/p/.local/state"));
        assert_eq!(own_directory(false, [None, None], || None), None);
    }

    #[test]
    fn what_is_typed_goes_first() {
        assert_eq!(sharing(Choice::Alone), Sharing::Alone);
        let named = sharing(Choice::Directory("/x".into()));
        let Sharing::Named { directory, .. } = named else {
            panic!("{named:?}");
        };
        assert_eq!(directory, PathBuf::from("/x"));
    }
}
