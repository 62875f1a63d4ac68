//! leasectl with a cgroup for its command, and without one.

use std::fmt;
use std::process::Command;

use super::lab::{LEASECTL, Lab};
use super::needs::{is_here, needs};

/// How the command's tree is kept together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// By descent: what leasectl does where it may not make a cgroup.
    Tree,
    /// In a cgroup of its own.
    Cgroup,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tree => "by_descent",
            Self::Cgroup => "in_a_cgroup",
        })
    }
}

impl Level {
    pub(crate) const ALL: [Self; 2] = [Self::Tree, Self::Cgroup];

    /// leasectl with `args` at this level. The process that is started becomes leasectl.
    ///
    /// Ends the test as ignored where the level cannot be had: call it on the test's own thread.
    pub(crate) fn leasectl(self, lab: &Lab, args: &[&str]) -> Command {
        match self {
            Self::Cgroup => {
                needs("cgroup2");
                lab.leasectl(args)
            }
            Self::Tree if !is_here("cgroup2") => lab.leasectl(args),
            Self::Tree => {
                let mut command = without_cgroup(lab, LEASECTL);
                command.args(args);
                command
            }
        }
    }
}

/// A program that finds no cgroup hierarchy that it could use: in a mount namespace of its own, where
/// there is none. It keeps the number of the process that is started.
fn without_cgroup(lab: &Lab, program: &str) -> Command {
    // Only root may make a mount namespace without a user namespace, which would be another test.
    needs("root");
    needs("unshare");
    let hide = "umount -l -a -t cgroup2; \
                if grep -q ' cgroup2 ' /proc/self/mounts; then echo it is still there >&2; exit 96; fi; \
                exec \"$@\"";
    let mut command = lab.command("unshare");
    let words = [
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-c",
        hide,
        "sh",
    ];
    command.args(words).arg(program);
    command
}

/// The tests of a module once for each level; each gets the level.
macro_rules! trials_at_each_level {
    ($($name:ident),* $(,)?) => {
        $crate::support::containment::Level::ALL.into_iter().flat_map(|level| {
            vec![$($crate::support::trial::trial(
                &format!("{}::{}_{level}", module_path!(), stringify!($name)),
                move || $name(level),
            )),*]
        }).collect::<Vec<_>>()
    };
}
