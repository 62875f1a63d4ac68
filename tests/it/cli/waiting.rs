//! What is shown of waiting, on terminals and elsewhere. The terminals are python's: `waiting.py`.

use libtest_mimic::Trial;

use crate::support::lab::Lab;
use crate::support::needs::needs;
use crate::support::trial::trial;

const SCENARIOS: &[&str] = &[
    "it_is_drawn_in_place_and_time_goes_on",
    "it_is_as_wide_as_the_window",
    "another_holder_is_shown_in_its_place",
    "it_makes_room_for_the_command",
    "it_makes_room_for_the_last_word",
    "other_lines_have_lines_of_their_own",
    "ctrl_c_leaves_an_empty_line",
    "ctrl_z_leaves_an_empty_line_and_fg_draws_again",
    "in_the_background_it_is_said_once_and_nothing_is_drawn",
    "foreign_text_has_no_power",
    "a_terminal_that_cannot_gets_lines",
    "events_on_the_terminal_are_no_drawings",
    "who_wants_silence_sees_nothing",
    "a_stopped_terminal_holds_nothing_up",
    "without_a_terminal_there_is_one_line_for_each_holder",
];

pub(super) fn trials() -> Vec<Trial> {
    let of = |scenario: &&'static str| {
        let scenario = *scenario;
        trial(&format!("{}::{scenario}", module_path!()), move || {
            run(scenario);
        })
    };
    let mut all: Vec<Trial> = SCENARIOS.iter().map(of).collect();
    all.extend(trials![every_scenario_is_run]);
    all
}

fn run(scenario: &str) {
    needs("python3");
    needs("bash");
    let lab = Lab::new();
    let mut python = lab.command("python3");
    python.args(["-c", include_str!("waiting.py"), scenario]);
    lab.run(&mut python).expect_code(0);
}

/// One that is forgotten in the list would never fail.
fn every_scenario_is_run() {
    let script = include_str!("waiting.py");
    let named = |line: &&str| SCENARIOS.iter().any(|name| line.contains(name));
    let defined = script.lines().filter(|line| line.starts_with("def "));
    let without_arguments = defined.filter(|line| line.ends_with("():"));
    let helpers = ["def shell():"];
    let forgotten: Vec<&str> = without_arguments
        .filter(|line| !named(line) && !helpers.contains(line))
        .collect();
    assert!(forgotten.is_empty(), "{forgotten:?}");
}
