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

/// With whom what an endpoint tells is shared. A service in place of the machine's own (a test, a mock) has a
/// poller and a cache of its own: what it announces is nobody else's business.
#[must_use]
pub fn sharing(endpoint: &Endpoint, choice: Choice) -> Sharing {
    let azure = *endpoint == Endpoint::default();
    let own = own_directory(
        azure && geteuid().is_root(),
        [std::env::var_os("XDG_STATE_HOME"), std::env::var_os("HOME")],
        || {
            User::from_uid(geteuid())
                .ok()
                .flatten()
                .map(|user| user.dir)
        },
    );
    let own = match endpoint {
        Endpoint::Service(address) if !azure => {
            own.map(|own| own.with_file_name(format!("scheduled-events@{address}")))
        }
        Endpoint::Service(_) => own,
        Endpoint::File(_) => return Sharing::Alone,
    };
    match (choice, own) {
        // Who has no directory, and names none, has nobody to share with.
        (Choice::Alone, _) | (Choice::Default, None) => Sharing::Alone,
        (Choice::Default, Some(own)) if azure => Sharing::Default(own),
        (Choice::Default, Some(own)) => Sharing::Named {
            directory: own.clone(),
            own,
        },
        (Choice::Directory(directory), own) => Sharing::Named {
            own: own.unwrap_or_else(|| directory.clone()),
            directory,
        },
    }
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
        let azure = Endpoint::default();
        assert_eq!(sharing(&azure, Choice::Alone), Sharing::Alone);
        let named = sharing(&azure, Choice::Directory("/x".into()));
        let Sharing::Named { directory, .. } = named else {
            panic!("{named:?}");
        };
        assert_eq!(directory, PathBuf::from("/x"));
    }

    #[test]
    fn another_service_has_a_directory_of_its_own() {
        let other: Endpoint = "http://127.0.0.1:8080".parse().unwrap();
        let Sharing::Named { directory, own } = sharing(&other, Choice::Default) else {
            panic!("it shares the machine's own");
        };
        assert_eq!(directory, own);
        assert!(own.ends_with("leasectl/scheduled-events@127.0.0.1:8080"));
        // Nor does it fall back on that of the machine's own service.
        let named = sharing(&other, Choice::Directory("/x".into()));
        let directory = PathBuf::from("/x");
        assert_eq!(named, Sharing::Named { directory, own });
    }
}
