//! The programs that a user would take instead, and where they are. What is not installed is unpacked from the
//! distribution's package into `target/peers`; nothing is installed, and no right is needed for it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Outcome, target};

/// Program, and the Debian package that has it.
const PROGRAMS: &[(&str, &str)] = &[
    ("flock", "util-linux"),
    ("setlock", "daemontools"),
    ("chpst", "runit"),
    ("with-lock-ex", "chiark-utils-bin"),
    ("sem", "parallel"),
    ("etcdctl", "etcd-client"),
    ("etcd", "etcd-server"),
    ("redis-server", "redis-server"),
    ("strace", "strace"),
];

/// What was found, and what was not, with the reason.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    found: Vec<(&'static str, PathBuf)>,
    pub(crate) missing: Vec<(String, String)>,
}

impl Peers {
    /// Looks for each, and unpacks what is not there.
    pub(crate) fn find() -> Outcome<Self> {
        let own = target().join("peers");
        fs::create_dir_all(&own)?;
        let mut peers = Self::default();
        for (program, package) in PROGRAMS {
            let found = installed(program).map_or_else(|| unpacked(&own, program, package), Ok);
            match found {
                Ok(path) => peers.found.push((program, path)),
                Err(why) => peers.missing.push(((*program).to_owned(), why)),
            }
        }
        Ok(peers)
    }

    /// Where it is.
    pub(crate) fn path(&self, program: &str) -> Option<&Path> {
        let mut found = self.found.iter();
        let (_, path) = found.find(|(name, _)| *name == program)?;
        Some(path)
    }

    /// Names what is not measured, and why.
    pub(crate) fn without(&mut self, what: &str, why: impl ToString) {
        self.missing.push((what.to_owned(), why.to_string()));
    }
}

fn installed(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let mut places = env::split_paths(&path).map(|place| place.join(program));
    places.find(|place| place.is_file())
}

fn unpacked(own: &Path, program: &str, package: &str) -> Result<PathBuf, String> {
    let place = own.join("usr/bin").join(program);
    if place.is_file() {
        return Ok(place);
    }
    let fetched = own.join("fetched");
    let fetch = || -> Outcome<bool> {
        fs::create_dir_all(&fetched)?;
        let quiet =
            |command: &mut Command| command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        let mut apt = Command::new("apt-get");
        // A registry that does not answer must not hold up the comparison.
        apt.args([
            "-o",
            "Acquire::http::Timeout=20",
            "-o",
            "Acquire::Retries=0",
            "download",
            package,
        ]);
        if !quiet(apt.current_dir(&fetched))?.success() {
            return Ok(false);
        }
        for entry in fs::read_dir(&fetched)? {
            quiet(
                Command::new("dpkg-deb")
                    .arg("-x")
                    .arg(entry?.path())
                    .arg(own),
            )?;
        }
        fs::remove_dir_all(&fetched)?;
        Ok(place.is_file())
    };
    match fetch() {
        Ok(true) => Ok(place),
        Ok(false) => Err(format!(
            "not installed, and apt-get cannot fetch the package {package}"
        )),
        Err(error) => Err(format!(
            "not installed, and the package {package} cannot be fetched: {error}"
        )),
    }
}
