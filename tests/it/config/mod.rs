//! Settings from files: who goes before whom, which files are believed, and what is shown of them.

mod files;
mod layers;
mod precedence;
mod shown;
mod stores;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::support::lab::Lab;

pub(crate) fn trials() -> Vec<Trial> {
    [
        files::trials(),
        layers::trials(),
        precedence::trials(),
        shown::trials(),
        stores::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Writes a file with a mode, and the directories that it needs.
fn write(lab: &Lab, name: &str, mode: u32, text: impl AsRef<[u8]>) {
    let path = lab.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The file of the lab's user.
const PERSONAL: &str = "home/.config/leasectl/config.toml";

/// A lab with this configuration.
fn configured(text: &str) -> Lab {
    let lab = Lab::new();
    write(&lab, PERSONAL, 0o644, text);
    lab
}

/// `leasectl run --lease LEASE OPTIONS -- sh -c SCRIPT`.
fn run(lab: &Lab, lease: &str, options: &[&str], script: &str) -> Command {
    let mut command = lab.leasectl(["run", "--lease", lease]);
    command.args(options).args(["--", "sh", "-c", script]);
    command
}

/// What the record of a lease says after a run.
#[track_caller]
fn record_of(lab: &Lab, lease: &str, options: &[&str]) -> Value {
    lab.run(&mut run(lab, lease, options, ":")).expect_code(0);
    let text = lab.read(&format!("store/{lease}.record"));
    serde_json::from_str(text.lines().next().unwrap()).unwrap()
}
