//! The examples with `hold`, as they are.

use libtest_mimic::Trial;

use super::{nothing_is_left, wait_until};
use crate::support::lab::{Lab, PATIENCE};
use crate::support::needs::needs;
use crate::support::source::root;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        the_background_example_holds_for_its_section,
        the_coprocess_example_holds_until_it_closes_its_input,
    ]
}

fn example(lab: &Lab, shell: &str, name: &str) -> std::process::Command {
    let mut command = lab.command(shell);
    command.arg(root().join("examples").join(name));
    command
}

fn the_background_example_holds_for_its_section() {
    for shell in ["bash", "dash"] {
        holds_for_its_section(shell, "hold-background.sh");
    }
}

fn the_coprocess_example_holds_until_it_closes_its_input() {
    holds_for_its_section("bash", "hold-coproc.sh");
}

fn holds_for_its_section(shell: &str, name: &str) {
    needs(shell);
    let lab = Lab::new();
    let running = lab.spawn(&mut example(&lab, shell, name));
    wait_until(PATIENCE, "it is in its section", || {
        running.stdout().contains("in the section")
    });
    let refused = lab.run(&mut example(&lab, shell, name));
    assert_eq!(
        (refused.code(), refused.stdout.as_str()),
        (Some(120), ""),
        "{refused}"
    );
    let ended = running.wait(PATIENCE).expect_code(0);
    assert!(ended.stdout.ends_with("after the section\n"), "{ended}");
    nothing_is_left(&lab);
    lab.run(&mut example(&lab, shell, name)).expect_code(0);
}
