//! What is typed goes before the environment, that before the files, and those before the defaults.

use std::time::Duration;

use libtest_mimic::Trial;
use serde_json::json;

use super::{configured, record_of, run, write};
use crate::cli::{said, the_line};
use crate::support::lab::{Lab, PATIENCE};
use crate::support::processes::wait_until;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        a_typed_option_goes_before_a_configured_one,
        the_environment_goes_before_a_configured_store,
        a_configured_store_goes_before_the_default,
        the_variable_is_passed_on_to_a_leasectl_inside,
        an_option_turns_off_what_it_excludes,
        hooks_exit_codes_and_waits_are_taken,
        other_verbs_take_what_they_have,
        a_configured_wait_is_not_that_of_release,
        times_that_do_not_fit_name_their_places,
    ]
}

fn a_typed_option_goes_before_a_configured_one() {
    let lab =
        configured("[defaults]\nttl = \"1m\"\nholder = \"blue\"\nmeta = { team = \"a b\" }\n");
    let record = record_of(&lab, "x", &[]);
    assert_eq!(record["ttl_s"], json!(60.0));
    assert_eq!(record["holder"]["label"], json!("blue"));
    assert_eq!(record["meta"], json!({"team": "a b"}));
    let record = record_of(&lab, "x", &["--ttl", "45s", "--meta", "run=5"]);
    assert_eq!(record["ttl_s"], json!(45.0));
    assert_eq!(record["holder"]["label"], json!("blue"));
    assert_eq!(record["meta"], json!({"run": "5"}));
    std::fs::remove_file(lab.path(super::PERSONAL)).unwrap();
    assert_eq!(record_of(&lab, "x", &[])["ttl_s"], json!(30.0));
}

/// A lab whose configuration has a store of its own, `configured`.
fn with_store() -> Lab {
    let lab = Lab::new();
    let url = format!("store = \"file://{}\"\n", lab.path("configured").display());
    write(&lab, super::PERSONAL, 0o644, url);
    lab
}

fn the_environment_goes_before_a_configured_store() {
    let lab = with_store();
    lab.run(&mut run(&lab, "x", &[], ":")).expect_code(0);
    assert!(lab.store().join("x.lock").exists() && !lab.path("configured").exists());
    let url = format!("file://{}", lab.path("typed").display());
    lab.run(&mut run(&lab, "x", &["--store", &url], ":"))
        .expect_code(0);
    assert!(lab.path("typed/x.lock").exists() && !lab.path("configured").exists());
    write(&lab, "url", 0o600, &url);
    let mut command = run(&lab, "y", &[], ":");
    command.env_remove("LEASECTL_STORE");
    lab.run(command.env("LEASECTL_STORE_FILE", "url"))
        .expect_code(0);
    assert!(lab.path("typed/y.lock").exists() && !lab.path("configured").exists());
}

fn a_configured_store_goes_before_the_default() {
    let lab = with_store();
    let mut command = run(&lab, "x", &[], "leasectl run --lease y -- true");
    // Neither is announced as nobody's choice, and the one inside uses the same.
    let ended = lab.run(command.env_remove("LEASECTL_STORE")).expect_code(0);
    assert_eq!(ended.stderr, "");
    assert!(lab.path("configured/x.lock").exists() && lab.path("configured/y.lock").exists());
    // The outer one was told to use another: the inner one must not use the configured one silently.
    let url = format!("file://{}", lab.path("typed").display());
    let mut command = run(
        &lab,
        "x",
        &["--store", &url],
        "leasectl run --lease z -- true",
    );
    let ended = lab
        .run(command.env_remove("LEASECTL_STORE"))
        .expect_code(125);
    let line = the_line(&lab, &ended);
    assert_eq!(
        line,
        "LAB/home/.config/leasectl/config.toml:1:1 is file://LAB/configured, but the leasectl around this \
         one uses file://LAB/typed: give both the same store, or say --store file://LAB/configured if \
         another one is meant"
    );
    assert!(!lab.path("configured/z.lock").exists());
}

fn the_variable_is_passed_on_to_a_leasectl_inside() {
    let lab = Lab::new();
    write(&lab, "other.toml", 0o644, "[defaults]\nholder = \"blue\"\n");
    let mut command = run(&lab, "x", &[], "leasectl run --lease y -- true");
    lab.run(command.env("LEASECTL_CONFIG", lab.path("other.toml")))
        .expect_code(0);
    for lease in ["x", "y"] {
        let record = lab.read(&format!("store/{lease}.record"));
        assert!(record.contains("\"label\":\"blue\""), "{record}");
    }
}

fn an_option_turns_off_what_it_excludes() {
    let lab = configured("[defaults]\nverbose = true\n");
    let ended = lab.run(&mut run(&lab, "x", &[], ":")).expect_code(0);
    assert!(ended.stderr.contains("released x"), "{ended}");
    let ended = lab.run(&mut run(&lab, "x", &["-q"], ":")).expect_code(0);
    assert_eq!(ended.stderr, "");
    write(
        &lab,
        super::PERSONAL,
        0o644,
        "[defaults]\nwait = \"forever\"\n",
    );
    let held = lab.spawn(&mut run(&lab, "x", &[], "touch held; exec sleep 600"));
    wait_until(PATIENCE, "the lease is held", || lab.path("held").exists());
    let ended = lab.run(&mut run(&lab, "x", &["-n"], ":")).expect_code(120);
    assert!(ended.took < Duration::from_secs(30), "{ended}");
    drop(held);
}

fn hooks_exit_codes_and_waits_are_taken() {
    let lab = configured(
        "[defaults]\non_acquired = \"touch 'hooked one'\"\nheld_exit_code = 7\nwait = \"50ms\"\n\
         log_format = \"json\"\n",
    );
    let held = lab.spawn(&mut run(&lab, "x", &[], "touch held; exec sleep 600"));
    wait_until(PATIENCE, "the lease is held", || lab.path("held").exists());
    assert!(lab.path("hooked one").exists());
    let ended = lab.run(&mut run(&lab, "x", &[], ":")).expect_code(7);
    assert!(ended.took >= Duration::from_millis(50), "{ended}");
    assert!(ended.stderr.starts_with('{'), "{ended}");
    drop(held);
}

fn other_verbs_take_what_they_have() {
    let lab = configured("[defaults]\nquiet = true\nttl = \"1m\"\nholder = \"blue\"\n");
    for words in [&["pause", "x"][..], &["resume", "x"], &["release", "x"]] {
        let ended = lab.run(&mut lab.leasectl(words)).expect_code(0);
        assert_eq!(ended.stderr, "", "{words:?}");
    }
    let hold = ["hold", "--lease", "x", "--for", "10ms", "--json"];
    lab.run(&mut lab.leasectl(hold)).expect_code(0);
    assert!(lab.read("store/x.record").contains("\"label\":\"blue\""));
    // What is for nobody's lease reads no file.
    write(&lab, super::PERSONAL, 0o644, "wrong");
    lab.run(&mut lab.leasectl(["completions", "bash"]))
        .expect_code(0);
    lab.run(&mut lab.leasectl(["run", "--help"])).expect_code(0);
    // A hold that fails says so to eval.
    let hold = "eval \"$(leasectl hold --background --pid $$ --lease x)\"; touch went-on";
    lab.run(&mut lab.sh(hold)).expect_code(125);
    assert!(!lab.path("went-on").exists());
}

fn a_configured_wait_is_not_that_of_release() {
    let lab = configured("[defaults]\nwait = \"forever\"\n");
    let release = ["release", "x", "--force", "--token", "1"];
    let ended = lab.run(&mut lab.leasectl(release)).expect_code(0);
    let line = the_line(&lab, &ended);
    assert!(line.starts_with("x is not held in "), "{line}");
}

fn times_that_do_not_fit_name_their_places() {
    let lab = configured("[defaults]\nexpiry_grace = \"1m\"\n");
    let ended = lab
        .run(&mut run(&lab, "x", &["--ttl", "20s"], "touch ran"))
        .expect_code(125);
    let lines = said(&lab, &ended);
    assert_eq!(lines.len(), 1, "{ended}");
    assert!(
        lines[0].starts_with("--expiry-grace 1m is too long for --ttl 20s: ")
            && lines[0]
                .ends_with("; --expiry-grace is from LAB/home/.config/leasectl/config.toml:2:1"),
        "{ended}"
    );
    assert!(!lab.path("ran").exists());
}
