//! From `file:` to a directory; opens nothing.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use crate::lease::StoreLabel;
use crate::store::options::LONGEST_SHOWN;
use crate::store::url::{StoreUrl, UrlError, encode};

/// Where root's leases are.
pub(super) const ROOT_DIRECTORY: &str = "/var/lib/leasectl";

/// The part of the process's surroundings that the default directory is derived from.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The effective user id.
    pub uid: u32,
    /// `$XDG_STATE_HOME`.
    pub state_home: Option<OsString>,
    /// `$HOME`.
    pub home: Option<OsString>,
    /// The home directory that the passwd entry names.
    pub passwd_home: Option<PathBuf>,
}

/// Who chose the directory, and with it who may create it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `file:`: ours to create, parents included.
    Default,
    /// `file:///DIR`: created only inside a directory that exists, so that a misspelt path is an
    /// error and not a second, empty set of leases somewhere else.
    Named,
    /// `file:///DIR?shared`: the operator makes it, with the group it is for.
    Shared,
}

/// A file store's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Absolute, without `.`, `..` or a trailing slash.
    pub directory: PathBuf,
    /// Who chose it.
    pub origin: Origin,
}

impl Config {
    /// Reads the URL.
    ///
    /// # Errors
    /// When it names a host, a relative path or an unknown option, or when no directory is named
    /// and the surroundings have none.
    pub fn from_url(url: &StoreUrl, around: &Surroundings) -> Result<Self, UrlError> {
        let mut options = url.options();
        let shared = options.take_switch("shared")?;
        options.finish()?;
        if url.user().is_some() || url.password().is_some() {
            return unfit("a file store has no user and no password; write file:///DIR");
        }
        if !url.host().is_empty() {
            let path = encode(&format!("/{}{}", url.host(), url.path()));
            let path = match path.len() {
                ..=LONGEST_SHOWN => path,
                _ => "/DIR".to_owned(),
            };
            return unfit(&format!(
                "a file store is on this machine and has no host; write file://{path}"
            ));
        }
        match (url.path(), shared) {
            ("", true) => unfit(
                "a shared file store needs a directory that its group may write; write \
                 file:///DIR?shared",
            ),
            ("", false) => Ok(Self {
                directory: default_directory(around)?,
                origin: Origin::Default,
            }),
            (path, shared) => Ok(Self {
                directory: cleaned(path)?,
                origin: if shared {
                    Origin::Shared
                } else {
                    Origin::Named
                },
            }),
        }
    }

    /// Whether the group of the directory shares it.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.origin == Origin::Shared
    }

    /// The URL that names this directory.
    #[must_use]
    pub fn label(&self) -> StoreLabel {
        let path = encode(&self.directory.to_string_lossy());
        let option = if self.is_shared() { "?shared" } else { "" };
        StoreLabel::new(format!("file://{path}{option}"))
    }
}

fn unfit<T>(why: &str) -> Result<T, UrlError> {
    Err(UrlError::Unfit(why.to_owned()))
}

fn cleaned(path: &str) -> Result<PathBuf, UrlError> {
    let path = Path::new(path);
    if !path.is_absolute() {
        return unfit("the path of a file store has to be absolute; write file:///DIR");
    }
    if path
        .components()
        .any(|part| matches!(part, Component::ParentDir))
    {
        return unfit("the path of a file store has a `..`; write it without");
    }
    // Re-assembled: a trailing slash would make the kernel follow a symlink in spite of O_NOFOLLOW.
    Ok(path.components().collect())
}

fn default_directory(around: &Surroundings) -> Result<PathBuf, UrlError> {
    if around.uid == 0 {
        return Ok(PathBuf::from(ROOT_DIRECTORY));
    }
    // A relative path in either variable is invalid and ignored (XDG base directory specification).
    let absolute = |path: &Option<OsString>| {
        let path = path.as_ref().map(PathBuf::from)?;
        path.is_absolute().then_some(path)
    };
    let state = absolute(&around.state_home).or_else(|| {
        let home = absolute(&around.home).or_else(|| around.passwd_home.clone());
        home.filter(|home| home.is_absolute())
            .map(|home| home.join(".local/state"))
    });
    match state {
        Some(state) => Ok(state.join("leasectl").components().collect()),
        None => unfit(&format!(
            "there is no default directory for the file store: user {} has neither \
             $XDG_STATE_HOME nor $HOME nor a home directory; choose one with --store file:///DIR",
            around.uid
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around() -> Surroundings {
        Surroundings {
            uid: 1000,
            state_home: None,
            home: Some("/home/alice".into()),
            passwd_home: Some("/elsewhere".into()),
        }
    }

    fn read(text: &str, around: &Surroundings) -> Result<Config, UrlError> {
        Config::from_url(&StoreUrl::parse(text).unwrap(), around)
    }

    fn default_of(around: &Surroundings) -> String {
        let config = read("file:", around).unwrap();
        assert_eq!(config.origin, Origin::Default);
        config.directory.display().to_string()
    }

    #[test]
    fn the_default_directory_follows_the_user() {
        let root = Surroundings { uid: 0, ..around() };
        assert_eq!(default_of(&root), "/var/lib/leasectl");
        assert_eq!(default_of(&around()), "/home/alice/.local/state/leasectl");
        let mut other = around();
        other.state_home = Some("/state/".into());
        assert_eq!(default_of(&other), "/state/leasectl");
        other.state_home = Some("state".into());
        other.home = Some(String::new().into());
        assert_eq!(default_of(&other), "/elsewhere/.local/state/leasectl");
        other.passwd_home = None;
        let error = read("file:", &other).unwrap_err().to_string();
        assert!(error.contains("user 1000") && error.contains("--store file:///DIR"));
    }

    #[test]
    fn a_directory_is_named_by_its_path() {
        let config = read("file:///srv/leases/./x/?shared", &around()).unwrap();
        assert_eq!(config.directory.as_os_str(), "/srv/leases/x");
        assert!(config.is_shared());
        assert_eq!(config.label().as_str(), "file:///srv/leases/x?shared");
        let odd = read("file:///srv/a%20%3Fb", &around()).unwrap();
        assert_eq!(
            read(odd.label().as_str(), &around()),
            Ok(odd),
            "a label is a URL"
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (text, hint) in [
            ("file:relative", "has to be absolute"),
            ("file://srv/leases", "write file:///srv/leases"),
            ("file:///a/../b", "`..`"),
            ("file:?shared", "file:///DIR?shared"),
            ("file:///a?share", "did you mean \"shared\"?"),
            ("file:///a?shared=1", "takes no value"),
            ("file://me:secret@/a", "no password"),
        ] {
            let error = read(text, &around()).unwrap_err().to_string();
            assert!(error.contains(hint), "{text}: {error}");
        }
        let long = format!("file://{}/x", "h".repeat(2_000));
        let error = read(&long, &around()).unwrap_err().to_string();
        assert!(error.ends_with("write file:///DIR"), "{error}");
    }
}
