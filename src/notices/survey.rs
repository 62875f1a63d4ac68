//! Who asks for the processes of a user, as far as files tell. Nobody is asked for it, and nothing is made.

use std::path::Path;

use super::directory::{Directory, Distrust, Trusted};
use super::settings::{ROOT_DIRECTORY, Sharing};
use crate::clock::{BootClock, Clock};

/// Who asks the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// Root's poller, for all users.
    ForAllUsers,
    /// A poller of this user's, or of those who share the directory.
    ForItself,
    /// Nobody, at the moment.
    Nobody,
}

/// Looks at the directories. `boot`: the kernel's id of this boot.
///
/// # Errors
/// Why there is no directory to share: each process would ask for itself.
pub fn who_asks(sharing: &Sharing, boot: &str) -> Result<Asking, String> {
    let root = Path::new(ROOT_DIRECTORY);
    match sharing {
        Sharing::Default(own) => asking(root, own, boot).map_err(|why| why.to_string()),
        Sharing::Named { directory, .. } => {
            let asks = has_poller(directory, Trusted::ItsOwner, boot);
            asks.map_err(|why| why.to_string()).map(|asks| match asks {
                true => Asking::ForItself,
                false => Asking::Nobody,
            })
        }
        Sharing::Alone => Err("there is no directory to share".to_owned()),
    }
}

fn asking(root: &Path, own: &Path, boot: &str) -> Result<Asking, Distrust> {
    // One that is not trusted is not read, and does not keep us from ours.
    if has_poller(root, Trusted::RootAndUs, boot).unwrap_or(false) {
        return Ok(Asking::ForAllUsers);
    }
    let asks = has_poller(own, Trusted::RootAndUs, boot)?;
    Ok(if asks {
        Asking::ForItself
    } else {
        Asking::Nobody
    })
}

fn has_poller(path: &Path, trusted: Trusted, boot: &str) -> Result<bool, Distrust> {
    let Some(directory) = Directory::open(path, trusted)? else {
        return Ok(false);
    };
    let cache = directory.cache(boot)?;
    Ok(cache.is_some_and(|cache| cache.header.has_beat(BootClock.now())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notices::cache::{Header, encode};

    fn beats(path: &Path) {
        let mut header = Header::new("b".to_owned(), 1);
        header.beat_ns = BootClock.now().as_nanos();
        let directory = Directory::open_or_make(path).unwrap();
        directory.put_cache(&encode(&header, b"")).unwrap();
    }

    #[test]
    fn roots_poller_goes_before_the_users() {
        let around = tempfile::tempdir().unwrap();
        let (root, own) = (around.path().join("root"), around.path().join("own"));
        assert_eq!(asking(&root, &own, "b"), Ok(Asking::Nobody));
        beats(&own);
        assert_eq!(asking(&root, &own, "b"), Ok(Asking::ForItself));
        beats(&root);
        assert_eq!(asking(&root, &own, "b"), Ok(Asking::ForAllUsers));
        assert_eq!(asking(&root, &own, "another"), Ok(Asking::Nobody));
        let named = Sharing::Named {
            directory: own.clone(),
            own: root,
        };
        assert_eq!(who_asks(&named, "b"), Ok(Asking::ForItself));
        assert!(who_asks(&Sharing::Alone, "b").is_err());
    }

    #[test]
    fn what_cannot_be_shared_is_said() {
        let around = tempfile::tempdir().unwrap();
        let file = around.path().join("file");
        std::fs::write(&file, "").unwrap();
        let why = asking(Path::new("/nowhere"), &file, "b").unwrap_err();
        assert!(why.to_string().contains("no directory"), "{why}");
    }
}
