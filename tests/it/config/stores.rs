//! Stores with a name, and the passwords of stores.

use std::os::unix::fs::symlink;

use libtest_mimic::Trial;

use super::{PERSONAL, configured, run, write};
use crate::cli::the_line;
use crate::support::lab::{Ended, Lab, PATIENCE};
use crate::support::processes::wait_until;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        a_store_is_named_by_option_and_by_lease,
        those_who_look_use_the_configured_store,
        names_are_completed_from_the_configured_store,
        a_name_that_no_store_has_is_refused,
        a_password_is_taken_from_a_file_that_nobody_else_reads,
        a_password_in_a_file_that_others_read_is_refused,
        a_password_is_never_shown,
    ]
}

/// A lab whose configuration has the stores `one` and `two`; with `{}` for the lab's directory.
fn with_stores(more: &str) -> Lab {
    let lab = Lab::new();
    let text = format!(
        "[stores.one]\nurl = \"file://{{}}/one\"\n[stores.two]\nurl = \"file://{{}}/two\"\n{more}"
    );
    let place = lab.path("").display().to_string();
    write(
        &lab,
        PERSONAL,
        0o644,
        text.replace("{}", place.trim_end_matches('/')),
    );
    lab
}

fn a_store_is_named_by_option_and_by_lease() {
    let lab = with_stores("[[lease]]\nmatch = \"a*\"\nstore = \"two\"\n");
    lab.run(&mut run(&lab, "x", &["--store", "one"], ":"))
        .expect_code(0);
    assert!(lab.path("one/x.lock").exists() && !lab.store().join("x.lock").exists());
    let mut command = run(&lab, "ab", &[], ":");
    lab.run(command.env_remove("LEASECTL_STORE")).expect_code(0);
    assert!(lab.path("two/ab.lock").exists());
    let mut release = lab.leasectl(["release", "ab"]);
    let ended = lab.run(release.env_remove("LEASECTL_STORE")).expect_code(0);
    let line = the_line(&lab, &ended);
    assert_eq!(line, "ab is not held in file://LAB/two; nothing to release");
}

fn those_who_look_use_the_configured_store() {
    let lab = with_stores("[[lease]]\nmatch = \"a*\"\nstore = \"two\"\n");
    let mut command = run(&lab, "ab", &[], ":");
    lab.run(command.env_remove("LEASECTL_STORE")).expect_code(0);
    let looked = |words: &[&str]| {
        let mut command = lab.leasectl(words);
        lab.run(command.env_remove("LEASECTL_STORE"))
    };
    let ended = looked(&["status", "ab", "--json"]).expect_code(0);
    assert!(ended.stdout.contains("/two\""), "{ended}");
    let ended = looked(&["status", "--store", "two"]).expect_code(0);
    assert!(ended.stdout.contains("ab"), "{ended}");
    let ended = looked(&["doctor", "--store", "one"]);
    assert!(ended.stdout.contains("/one"), "{ended}");
    // Leases of two stores are no one table.
    let ended = looked(&["status", "ab", "x"]).expect_code(125);
    assert!(the_line(&lab, &ended).contains("are configured differently; "));
}

fn names_are_completed_from_the_configured_store() {
    let lab = with_stores("");
    let text = format!("store = \"one\"\n{}", lab.read(PERSONAL));
    write(&lab, PERSONAL, 0o644, text);
    let completed = |words: &[&str]| {
        let mut command = lab.leasectl(["__names", "--prefix", "n", "--", "leasectl"]);
        command.args(words).env_remove("LEASECTL_STORE");
        lab.run(&mut command).expect_code(0)
    };
    for (store, lease) in [("one", "nightly"), ("two", "nonstop")] {
        lab.run(&mut run(&lab, lease, &["--store", store], ":"))
            .expect_code(0);
    }
    // The answer has a limit of time, which a busy machine may miss.
    wait_until(PATIENCE, "the names of store one", || {
        completed(&["run"]).stdout == "nightly\n"
    });
    wait_until(PATIENCE, "the names of store two", || {
        completed(&["run", "--store", "two"]).stdout == "nonstop\n"
    });
    // A file that is wrong says of no store that it is meant.
    write(&lab, "config.toml", 0o644, "wrong");
    let ended = completed(&["run", "--config", "config.toml"]);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""));
}

fn a_name_that_no_store_has_is_refused() {
    let lab = with_stores("");
    let refused = |name: &str| {
        let mut command = run(&lab, "x", &["--store", name], "touch ran");
        let ended = lab.run(&mut command).expect_code(125);
        assert!(!lab.path("ran").exists());
        the_line(&lab, &ended)
    };
    assert_eq!(
        refused("canary"),
        "--store is neither a URL nor the name of a configured store; the stores are one, two; or \
         write a URL such as file:"
    );
    assert!(refused("tow").ends_with("; did you mean two?"));
    let lab = with_stores("[[lease]]\nmatch = \"other\"\nstore = \"thre\"\n");
    let ended = lab.run(&mut run(&lab, "x", &[], ":")).expect_code(125);
    let line = the_line(&lab, &ended);
    assert!(
        line.starts_with(
            "LAB/home/.config/leasectl/config.toml:7:1: store is no URL, and no store"
        ),
        "{line}"
    );
}

/// A run whose store has its password in the file `password`.
fn with_password_file(lab: &Lab) -> Ended {
    let file = lab.path("password").display().to_string();
    let text = format!(
        "store = \"one\"\n[stores.one]\nurl = \"file:///srv\"\npassword_file = \"{file}\"\n"
    );
    write(lab, PERSONAL, 0o644, text);
    let mut command = run(lab, "x", &["-v"], "touch ran");
    let ended = lab.run(command.env_remove("LEASECTL_STORE"));
    let ended = ended.expect_code(125);
    assert!(!lab.path("ran").exists());
    assert!(!ended.stderr.contains("canary") && !ended.stdout.contains("canary"));
    ended
}

fn a_password_is_taken_from_a_file_that_nobody_else_reads() {
    let lab = Lab::new();
    write(&lab, "password", 0o600, "canary\n");
    // It has arrived: this store has no use for one.
    assert_eq!(
        the_line(&lab, &with_password_file(&lab)),
        "LAB/home/.config/leasectl/config.toml:1:1: a file store has no user and no password; write \
         file:///DIR"
    );
    let refused =
        "LAB/home/.config/leasectl/config.toml:4:17: the password file LAB/password is refused: ";
    for (mode, text, why) in [
        (
            0o644,
            "canary",
            "its mode is 0644, so others may read or write it; chmod it to 0600",
        ),
        (
            0o600,
            "",
            "it has to be the password on one line, and nothing else",
        ),
        (
            0o600,
            "canary\nb\n",
            "it has to be the password on one line, and nothing else",
        ),
    ] {
        write(&lab, "password", mode, text);
        let line = the_line(&lab, &with_password_file(&lab));
        assert_eq!(line, format!("{refused}{why}"));
    }
    std::fs::rename(lab.path("password"), lab.path("real")).unwrap();
    let line = the_line(&lab, &with_password_file(&lab));
    assert!(line.ends_with("there is none; write the password into it, mode 0600"));
    symlink(lab.path("real"), lab.path("password")).unwrap();
    let line = the_line(&lab, &with_password_file(&lab));
    assert!(line.ends_with("it is a symlink; name the file itself"));
}

/// A host that there is not.
const WITH_PASSWORD: &str = "store = \"redis://app:canary@db1.invalid/0\"\n";

fn a_password_in_a_file_that_others_read_is_refused() {
    let lab = configured(WITH_PASSWORD);
    // Whatever store is meant.
    let ended = lab
        .run(&mut run(&lab, "x", &[], "touch ran"))
        .expect_code(125);
    assert_eq!(
        the_line(&lab, &ended),
        "LAB/home/.config/leasectl/config.toml:1:9: the URL has a password, and others may read this \
         file; chmod it to 0600, or use password_file"
    );
    write(&lab, PERSONAL, 0o600, WITH_PASSWORD);
    lab.run(&mut run(&lab, "x", &[], ":")).expect_code(0);
}

fn a_password_is_never_shown() {
    let lab = Lab::new();
    write(&lab, PERSONAL, 0o600, WITH_PASSWORD);
    let mut shown = lab.leasectl(["config", "x"]);
    let ended = lab.run(shown.env_remove("LEASECTL_STORE")).expect_code(0);
    assert!(
        ended.stdout.contains("redis://app@db1.invalid/0"),
        "{ended}"
    );
    assert!(!ended.stdout.contains("canary"), "{ended}");
    let mut command = run(&lab, "x", &["-v"], ":");
    let ended = lab
        .run(command.env_remove("LEASECTL_STORE"))
        .expect_code(123);
    assert!(!ended.stderr.contains("canary"), "{ended}");
    // Nor where it is taken apart wrongly.
    for text in [
        "store = \"redis://app:ca/canary@db1/0\"",
        "store = \"redis://app:canary@db1/0",
        "store = redis://app:canary@db1/0",
        "store = \"redis://app:canary@db1/0\" canary",
        "[defaults]\nttl = \"redis://app:canary@db1/0\"",
        "[defaults]\nstore = \"redis://app:canary@db1/0\"",
        "[stores]\none = \"redis://app:canary@db1/0\"",
        "[stores.\"redis://app:canary@db1/0\"]",
    ] {
        write(&lab, PERSONAL, 0o600, text);
        let ended = lab.run(&mut run(&lab, "x", &[], ":")).expect_code(125);
        the_line(&lab, &ended);
        assert!(!ended.stderr.contains("canary"), "{text}: {ended}");
    }
}
