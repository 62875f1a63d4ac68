//! What is printed because it was asked for: to standard output, whole, or with an error.

use libtest_mimic::Trial;

use super::the_line;
use crate::support::lab::Lab;
use crate::support::needs::needs;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        a_reader_that_has_enough_is_no_error,
        an_output_that_is_full_is_an_error,
    ]
}

const ASKED: [&str; 9] = [
    "--help",
    "--version",
    "run --help",
    "man",
    "man run",
    "completions bash",
    "status",
    "status --json",
    "status --prometheus",
];

fn a_reader_that_has_enough_is_no_error() {
    needs("bash");
    let lab = Lab::new();
    for asked in ASKED {
        // Nobody reads: the pipe is closed before anything is written.
        let script = format!(
            "set -o pipefail; {{ sleep 0.2; leasectl {asked}; echo \"code $?\" >&2; }} | true"
        );
        let mut bash = lab.command("bash");
        let ended = lab.run(bash.args(["-c", &script])).expect_code(0);
        assert_eq!(ended.stderr, "code 0\n", "{asked}");
    }
}

fn an_output_that_is_full_is_an_error() {
    let lab = Lab::new();
    for asked in ASKED {
        let ended = lab.run(&mut lab.sh(&format!("exec leasectl {asked} >/dev/full")));
        let line = the_line(&lab, &ended.expect_code(125));
        assert_eq!(
            line,
            "standard output could not be written: no space left on device; write it elsewhere"
        );
    }
}
