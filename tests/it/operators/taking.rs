//! `leasectl release --force`: what the file store answers, and what a name has to be.

use libtest_mimic::Trial;

use super::{LEASE, OBEDIENT, holder, record, run};
use crate::cli::the_line;
use crate::support::lab::Lab;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        the_file_store_names_the_process_instead,
        another_token_is_refused_with_the_one_that_holds,
        what_is_not_held_needs_no_force,
        force_and_token_go_together,
        hostile_words_are_one_line,
    ]
}

fn the_file_store_names_the_process_instead() {
    let lab = Lab::new();
    let running = holder(&lab, &[], OBEDIENT);
    let token = record(&lab)["token"].to_string();
    let taken = lab.run(&mut lab.leasectl(["release", LEASE, "--force", "--token", &token]));
    let line = the_line(&lab, &taken.expect_code(125));
    assert!(line.contains("nightly was not taken away: "), "{line}");
    assert!(
        line.contains(&format!("kill {} ends it", running.id())),
        "{line}"
    );
    lab.run(&mut run(&lab, &[], "true")).expect_code(120);
}

fn another_token_is_refused_with_the_one_that_holds() {
    let lab = Lab::new();
    let _running = holder(&lab, &[], OBEDIENT);
    let token = record(&lab)["token"].to_string();
    let taken = lab.run(&mut lab.leasectl(["release", LEASE, "--force", "--token", "7"]));
    let line = the_line(&lab, &taken.expect_code(120));
    assert!(
        line.contains("nightly is not held under token 7 but by "),
        "{line}"
    );
    assert!(
        line.contains(&format!(" under token {token}; nothing was taken away")),
        "{line}"
    );
}

fn what_is_not_held_needs_no_force() {
    let lab = Lab::new();
    lab.run(&mut run(&lab, &[], "true")).expect_code(0);
    let token = record(&lab)["token"].to_string();
    let taken = lab.run(&mut lab.leasectl(["release", LEASE, "--force", "--token", &token]));
    let line = the_line(&lab, &taken.expect_code(0));
    assert!(line.ends_with("; nothing to take away"), "{line}");
}

fn force_and_token_go_together() {
    let lab = Lab::new();
    for (words, why) in [
        (&["--force"][..], "--token <N>|--foreign> was not given"),
        (&["--token", "7"], "--force was not given"),
        (&["--foreign"], "--force was not given"),
        (
            &["--force", "--foreign", "--token", "7"],
            "exclude each other",
        ),
        (
            &["--force", "--foreign"],
            "nobody but leasectl has leases in this store",
        ),
        (&["--force", "--token", "0"], "it is no token"),
        (&["--force", "--token", "-7"], "it is no token"),
        (
            &["--force", "--token", "9223372036854775808"],
            "it is no token",
        ),
        (
            &["--force", "--token", "7", "--wait", "1s"],
            "exclude each other",
        ),
    ] {
        let mut command = lab.leasectl(["release", LEASE]);
        let line = the_line(&lab, &lab.run(command.args(words)).expect_code(125));
        assert!(line.contains(why), "{line}");
    }
}

fn hostile_words_are_one_line() {
    let lab = Lab::new();
    let long = "l".repeat(513);
    for verb in ["release", "pause", "resume"] {
        for name in ["", "a\u{1b}[31mb", "a\nb", &long] {
            let line = the_line(
                &lab,
                &lab.run(&mut lab.leasectl([verb, name])).expect_code(125),
            );
            assert!(line.contains("512") && !line.contains('\u{1b}'), "{line}");
        }
        let line = the_line(&lab, &lab.run(&mut lab.leasectl([verb])).expect_code(125));
        assert!(line.contains(&format!("leasectl {verb} --help")), "{line}");
        let mut elsewhere = lab.leasectl([verb, LEASE, "--store", "file:///nowhere/at/all"]);
        let line = the_line(&lab, &lab.run(&mut elsewhere).expect_code(125));
        assert!(line.contains("/nowhere/at/all"), "{line}");
    }
}
