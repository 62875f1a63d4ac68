//! From whom the processes of this user would learn of scheduled events. The service itself is not asked: not every
//! machine has one, and a doctor would take from what others may ask.

use std::path::Path;

use nix::sys::statfs::statfs;
use nix::unistd::geteuid;

use super::finding::Finding;
use crate::commands::scheduled_events::{Choice, sharing};
use crate::file_system;
use crate::notices::{Asking, Endpoint, Sharing, who_asks};
use crate::process::identity;

const WHAT: &str = "notices";
/// What mends all of it.
const CURE: &str = "leasectl scheduled-events watch as root, once, asks for all of them, and so does a --cache-dir \
                    that they share";

/// Who asks, and where it is kept.
pub(super) fn announced() -> Finding {
    let sharing = sharing(&Endpoint::default(), Choice::Default);
    let asks = identity::boot_id()
        .map_err(|error| error.to_string())
        .and_then(|boot| who_asks(&sharing, &boot));
    match &sharing {
        Sharing::Default(own) => {
            let remote = remote(own);
            told(own, asks, geteuid().is_root(), remote)
        }
        _ => alone("there is no home"),
    }
}

fn alone(why: &str) -> Finding {
    Finding::weak(
        WHAT,
        format!(
            "each process would ask for scheduled events by itself, every five seconds, which is too rare for a \
             Preempt: {why}; {CURE}"
        ),
    )
}

fn told(
    own: &Path,
    asks: Result<Asking, String>,
    root: bool,
    remote: Option<&'static str>,
) -> Finding {
    let shown = own.display();
    match (asks, remote) {
        (Err(why), _) => alone(&why),
        (Ok(Asking::ForAllUsers), _) => {
            let seen = "root's poller asks for scheduled events, for all users";
            Finding::good(WHAT, seen.to_owned())
        }
        (Ok(_), _) if root => {
            let seen = "root would ask for scheduled events, for all users";
            Finding::good(WHAT, seen.to_owned())
        }
        (Ok(_), Some(name)) => Finding::weak(
            WHAT,
            format!(
                "scheduled events would be kept in {shown}, written each second, which is on {name}: it may be slow or \
                 gone, and another machine may have the same; {CURE}, on a local disk"
            ),
        ),
        (Ok(Asking::ForItself), None) => Finding::weak(
            WHAT,
            format!(
                "each user asks for scheduled events by itself, and together they may ask three times a second; \
                 this one writes into {shown} each second; {CURE}"
            ),
        ),
        (Ok(Asking::Nobody), None) => Finding::good(
            WHAT,
            format!(
                "each user would ask for scheduled events by itself, and write into {shown} each second; {CURE}"
            ),
        ),
    }
}

/// On which file system of other machines a directory is, or would be made.
fn remote(path: &Path) -> Option<&'static str> {
    let found = path.ancestors().find_map(|path| statfs(path).ok())?;
    file_system::remote(found.filesystem_type().0 & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::Rating;

    #[test]
    fn who_asks_and_what_to_do_is_said() {
        let own = Path::new("/home/alice/.local/state/leasectl/scheduled-events");
        let told = |asks, root, remote| told(own, asks, root, remote);
        for (finding, rating, says) in [
            (
                told(Ok(Asking::ForAllUsers), false, Some("NFS")),
                Rating::Good,
                "root's poller",
            ),
            (
                told(Ok(Asking::Nobody), true, None),
                Rating::Good,
                "for all users",
            ),
            (
                told(Ok(Asking::Nobody), false, None),
                Rating::Good,
                "/home/alice",
            ),
            (
                told(Ok(Asking::ForItself), false, None),
                Rating::Weak,
                "watch as root",
            ),
            (
                told(Ok(Asking::Nobody), false, Some("NFS")),
                Rating::Weak,
                "is on NFS",
            ),
            (
                told(Ok(Asking::ForItself), false, Some("NFS")),
                Rating::Weak,
                "is on NFS",
            ),
            (
                told(Err("no".to_owned()), false, None),
                Rating::Weak,
                "by itself, every five seconds",
            ),
        ] {
            assert_eq!(finding.rating, rating, "{finding:?}");
            assert!(finding.seen.contains(says), "{finding:?}");
        }
    }

    #[test]
    fn the_file_system_is_that_of_what_is_there() {
        assert_eq!(remote(Path::new("/proc/self/nowhere/at/all")), None);
    }
}
