//! One leasectl that wants the lease of a course, and the processes that came of it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use super::course::{CONTENDER, Course, Round};
use crate::support::lab::LEASECTL;
use crate::support::processes::{Killed, alive, name, starts_with};

pub(super) const EXPIRY_GRACE: Duration = Duration::from_millis(250);
pub(super) const SETTLE: Duration = Duration::from_millis(50);
/// What leftovers get after the command's own end.
pub(super) const GRACE: Duration = Duration::from_millis(200);

/// Whom a SIGKILL hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// The holder's front while the command runs.
    Front,
    /// The holder's guardian while the command runs.
    Guardian,
    /// The command's main process.
    Command,
    /// The front of anybody, at any time of its life.
    AnyFront,
    /// The guardian of anybody, at any time of its life.
    AnyGuardian,
}

pub(super) const KINDS: [Kind; 5] = [
    Kind::Front,
    Kind::Guardian,
    Kind::Command,
    Kind::AnyFront,
    Kind::AnyGuardian,
];

impl Kind {
    /// How old anything that came of the contender may become after the kill.
    pub(super) fn bound(self) -> Duration {
        let stopping = match self {
            // The run goes its normal way: what is left settles, then it is stopped.
            Self::Command => SETTLE + GRACE,
            Self::Front | Self::Guardian | Self::AnyFront | Self::AnyGuardian => EXPIRY_GRACE,
        };
        stopping + Duration::from_secs(1)
    }

    /// Whether leasectl may end like this after such a kill.
    fn allows(self, status: ExitStatus, begun: bool) -> bool {
        let killed = status.signal() == Some(9);
        let expected = match self {
            // The command's own end is leasectl's.
            Self::Front | Self::AnyFront | Self::Command => killed,
            // A success: the tree was seen empty just before.
            Self::Guardian => status.code() == Some(121),
            // 125 says that nothing was run.
            Self::AnyGuardian => {
                status.code() == Some(121) || (status.code() == Some(125) && !begun)
            }
        };
        expected || status.success()
    }
}

/// A SIGKILL that hit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wound {
    pub(super) kind: Kind,
    pub(super) at: Instant,
}

/// A running leasectl, reaped by [`Contender::ended`] or killed when dropped.
#[derive(Debug)]
pub(super) struct Contender {
    pub(super) number: u64,
    pub(super) stubborn: bool,
    pub(super) wound: Option<Wound>,
    front: Killed,
    said: PathBuf,
}

impl Contender {
    /// Starts one. `hidden`: it finds no cgroup to use, and keeps the tree together by itself.
    #[track_caller]
    pub(super) fn start(course: &Course, number: u64, round: Round, hidden: bool) -> Self {
        let said = course.lab.path(&format!("said-{number}"));
        let mut command = if hidden {
            let mut command = course.lab.command("unshare");
            let hide = "umount -a -t cgroup2 && exec \"$@\"";
            command.args(["--mount", "sh", "-c", hide, "sh", LEASECTL]);
            command
        } else {
            course.lab.command(LEASECTL)
        };
        command
            .args(["run", "--lease", "contest", "--wait", "forever", "-q"])
            .args(option("--expiry-grace", EXPIRY_GRACE))
            .args(option("--leftovers-settle", SETTLE))
            .args(option("--grace", GRACE))
            .arg("--")
            .args(course.round(round))
            .env(CONTENDER, number.to_string());
        let front = start(&mut command, &said);
        Self {
            number,
            stubborn: round.stubborn,
            wound: None,
            front,
            said,
        }
    }

    pub(super) fn front(&self) -> u32 {
        self.front.id()
    }

    /// Front and guardian, as far as they are there and are what they will be.
    pub(super) fn target(&self, guardian: bool) -> Option<u32> {
        let front = self.front();
        if !alive(front) || name(front).as_deref() != Some("leasectl") {
            return None;
        }
        if !guardian {
            return Some(front);
        }
        let children = format!("/proc/{front}/task/{front}/children");
        let children = fs::read_to_string(children).ok()?;
        let mut children = children
            .split_ascii_whitespace()
            .filter_map(|pid| pid.parse().ok());
        // Before it renames itself it has our name.
        children.find(|&pid| {
            alive(pid) && matches!(name(pid).as_deref(), Some("lease-guard" | "leasectl"))
        })
    }

    /// Reaps the front if it has ended; an error when it did not end as it should. `begun`: its round
    /// was seen to begin.
    pub(super) fn ended(&mut self, begun: bool) -> Option<Result<(), String>> {
        let status = self.front.0.try_wait().unwrap()?;
        let fine = status.success()
            || self
                .wound
                .is_some_and(|wound| wound.kind.allows(status, begun));
        let (number, wound) = (self.number, self.wound);
        let said = fs::read_to_string(&self.said).unwrap_or_default();
        drop(fs::remove_file(&self.said));
        Some(if fine {
            Ok(())
        } else {
            Err(format!(
                "contender {number} ended with {status} after {wound:?}: {said}"
            ))
        })
    }
}

fn option(name: &str, span: Duration) -> [String; 2] {
    [name.to_owned(), format!("{}ms", span.as_millis())]
}

#[track_caller]
fn start(command: &mut Command, said: &PathBuf) -> Killed {
    let said = File::create(said).unwrap();
    command.stdout(said.try_clone().unwrap()).stderr(said);
    Killed::spawn(command).unwrap()
}

/// Every living process that came of a contender, by the contender's number.
pub(super) fn census() -> BTreeMap<u64, Vec<u32>> {
    let mut all: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    for (pid, number) in starts_with(&format!("{CONTENDER}=")) {
        if let Ok(number) = number.parse() {
            all.entry(number).or_default().push(pid);
        }
    }
    all
}
