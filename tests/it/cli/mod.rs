//! The command line as its users meet it: what may be typed, what is answered, which number comes out.

mod canary;
mod completions;
mod environment;
mod exit_codes;
mod hostile;
mod options;
mod printing;
mod service_manager;
mod waiting;

use libtest_mimic::Trial;

use crate::support::lab::{Ended, Lab};

pub(crate) fn trials() -> Vec<Trial> {
    [
        canary::trials(),
        completions::trials(),
        environment::trials(),
        exit_codes::trials(),
        hostile::trials(),
        options::trials(),
        printing::trials(),
        waiting::trials(),
        service_manager::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What leasectl said, line by line, without the `leasectl: ` that each of its lines begins with and
/// with `LAB` for the lab's directory.
#[track_caller]
pub(crate) fn said(lab: &Lab, ended: &Ended) -> Vec<String> {
    let place = lab.path("").display().to_string();
    let place = place.trim_end_matches('/');
    assert!(!ended.stderr.contains("panicked"), "{ended}");
    let lines = ended.stderr.lines().map(|line| {
        let Some(text) = line.strip_prefix("leasectl: ") else {
            panic!("{line:?} is not leasectl's: {ended}");
        };
        text.replace(place, "LAB")
    });
    lines.collect()
}

/// The one line that leasectl said.
#[track_caller]
pub(crate) fn the_line(lab: &Lab, ended: &Ended) -> String {
    let mut lines = said(lab, ended);
    assert_eq!(lines.len(), 1, "{ended}");
    lines.remove(0)
}
