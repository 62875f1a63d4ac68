//! `--on-acquired`, `--on-doubt`, `--on-lost`, `--on-released`: what they are told, and that nothing they do
//! holds up a renewal, a stop or a kill.

mod acquired;
mod others;

use std::process::Command;

use libtest_mimic::Trial;

use crate::support::lab::Lab;

pub(crate) fn trials() -> Vec<Trial> {
    [acquired::trials(), others::trials()]
        .into_iter()
        .flatten()
        .collect()
}

/// `leasectl run --lease x --events events OPTIONS -- sh -c SCRIPT`.
fn run(lab: &Lab, options: &[&str], script: &str) -> Command {
    let mut command = lab.leasectl(["run", "--lease", "x", "--events", "events"]);
    command.args(options).args(["--", "sh", "-c", script]);
    command
}

/// A store in memory whose first N requests are answered, and a lease that ends soon.
const SILENT: [&str; 5] = ["--store", "memory:?answers=1", "--ttl", "2s", "-q"];
