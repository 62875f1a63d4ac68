//! A command that says when it begins, and ends when it is told to.

use std::ffi::OsString;

use crate::support::lab::Lab;
use crate::support::witness::Witness;

/// What it ends with after TERM.
pub(super) const TOLD: i32 = 7;

/// What it ends with by itself, which a test asks for with USR1.
pub(super) const BY_ITSELF: i32 = 5;

/// It sleeps in `wait`, which a trap ends at once; the child that is waited for goes first, by SIGKILL,
/// because TERM is lost on a fork of a shell with traps. Its line comes last, so that whoever has read
/// it may send signals.
const SCRIPT: &str = "trap 'kill -9 $!; exit 7' TERM; trap 'kill -9 $!; exit 5' USR1; sleep 1000 & \
                      echo \"$LEASECTL_TOKEN $LEASECTL_HOLDER $$\" >>begun; wait";

/// One line of `begun`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Begun {
    pub(super) token: u64,
    /// Who has the lease: the label and the number of a leasectl.
    pub(super) label: String,
    pub(super) front: u32,
    /// The command.
    pub(super) pid: u32,
}

/// The words of the command, under a witness.
pub(super) fn words(witness: &Witness) -> Vec<OsString> {
    witness.over(["sh", "-c", SCRIPT])
}

/// All beginnings so far.
pub(super) fn begun(lab: &Lab) -> Vec<Begun> {
    let text = std::fs::read_to_string(lab.path("begun")).unwrap_or_default();
    text.split_inclusive('\n').filter_map(parse).collect()
}

fn parse(line: &str) -> Option<Begun> {
    let mut words = line.strip_suffix('\n')?.split(' ');
    let token = words.next()?.parse().ok()?;
    let (label, front) = words.next()?.split_once(':')?;
    Some(Begun {
        token,
        label: label.to_owned(),
        front: front.parse().ok()?,
        pid: words.next()?.parse().ok()?,
    })
}
