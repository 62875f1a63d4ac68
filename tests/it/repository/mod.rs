//! The repository's rules about itself, as tests: what a reviewer would otherwise have to watch.

mod agreement;
mod commands;
pub(crate) mod examples;
mod floors;
mod generated;
mod machine_paths;
mod sizes;
mod unsafe_code;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    [
        agreement::trials(),
        commands::trials(),
        examples::trials(),
        floors::trials(),
        generated::trials(),
        machine_paths::trials(),
        sizes::trials(),
        unsafe_code::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
