//! Which files are believed: those that nobody else may have written.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::time::Duration;

use libtest_mimic::Trial;

use super::{PERSONAL, configured, run, write};
use crate::cli::the_line;
use crate::support::lab::Lab;
use crate::support::needs::needs;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        a_file_that_others_may_write_is_refused,
        a_file_of_somebody_else_is_refused,
        what_is_no_file_is_refused_at_once,
        what_is_no_text_is_refused,
        a_file_is_of_1_mb_at_most,
        a_symlink_leads_to_a_file_that_is_checked,
        what_is_wrong_is_said_with_its_place,
        a_home_that_may_not_be_entered_is_somebody_elses,
    ]
}

/// What is said of the configuration that is there.
#[track_caller]
fn refused(lab: &Lab) -> String {
    let ended = lab
        .run(&mut run(lab, "x", &[], "touch ran"))
        .expect_code(125);
    assert!(ended.took < Duration::from_secs(30), "{ended}");
    assert!(!lab.path("ran").exists());
    the_line(lab, &ended)
}

const FILE: &str = "LAB/home/.config/leasectl/config.toml";

fn a_file_that_others_may_write_is_refused() {
    let lab = Lab::new();
    for mode in [0o664, 0o646] {
        write(&lab, PERSONAL, mode, "[defaults]\n");
        assert_eq!(
            refused(&lab),
            format!(
                "the configuration {FILE} is refused: its mode is {mode:04o}, so others may write it; \
                 chmod it to 0644"
            )
        );
    }
    write(&lab, PERSONAL, 0o444, "[defaults]\n");
    lab.run(&mut run(&lab, "x", &[], ":")).expect_code(0);
}

fn a_file_of_somebody_else_is_refused() {
    needs("root");
    let lab = configured("[defaults]\n");
    chown(lab.path(PERSONAL), Some(12345), None).unwrap();
    assert_eq!(
        refused(&lab),
        format!(
            "the configuration {FILE} is refused: it belongs to user 12345; it has to belong to you or to \
             root"
        )
    );
}

fn what_is_no_file_is_refused_at_once() {
    let lab = configured("");
    for made in ["mkfifo", "mkdir"] {
        fs::remove_file(lab.path(PERSONAL)).unwrap();
        let script = format!("{made} -m 600 {PERSONAL}");
        lab.run(&mut lab.sh(&script)).expect_code(0);
        assert_eq!(
            refused(&lab),
            format!(
                "the configuration {FILE} is refused: it is no regular file; write the configuration into \
                 one, with mode 0644"
            )
        );
    }
    let mut command = run(&lab, "x", &["--config", "/dev/zero"], ":");
    let ended = lab.run(&mut command).expect_code(125);
    assert!(the_line(&lab, &ended).contains("/dev/zero is refused: it is no regular file"));
}

fn what_is_no_text_is_refused() {
    let lab = Lab::new();
    write(&lab, PERSONAL, 0o644, b"[defaults]\nnote = \"\xff\"\n");
    assert_eq!(
        refused(&lab),
        format!(
            "the configuration {FILE} is refused: it is not UTF-8; write a configuration of at most 1 MB \
             of UTF-8"
        )
    );
}

fn a_file_is_of_1_mb_at_most() {
    let lab = configured(&"#".repeat(1_000_000));
    lab.run(&mut run(&lab, "x", &[], ":")).expect_code(0);
    let script = format!("truncate -s 1000001 {PERSONAL}");
    for script in [script, format!("truncate -s 1T {PERSONAL}")] {
        lab.run(&mut lab.sh(&script)).expect_code(0);
        assert_eq!(
            refused(&lab),
            format!(
                "the configuration {FILE} is refused: it has to be a configuration of at most 1 MB of UTF-8"
            )
        );
    }
}

fn a_symlink_leads_to_a_file_that_is_checked() {
    let lab = configured("");
    fs::remove_file(lab.path(PERSONAL)).unwrap();
    symlink(lab.path("real"), lab.path(PERSONAL)).unwrap();
    // It leads nowhere: as if it were missing.
    lab.run(&mut run(&lab, "x", &[], ":")).expect_code(0);
    write(&lab, "real", 0o644, "[defaults]\nheld_exit_code = true\n");
    assert_eq!(
        refused(&lab),
        format!("{FILE}:2:18: held_exit_code has to be a whole number without quotes")
    );
    write(&lab, "real", 0o666, "[defaults]\n");
    assert!(refused(&lab).contains("its mode is 0666"));
}

fn what_is_wrong_is_said_with_its_place() {
    let lab = Lab::new();
    for (text, why) in [
        (
            "[defaults]\n  tll = \"1m\"\n",
            ":2:3: there is no setting \"tll\"; did you mean ttl?",
        ),
        (
            "# ü\n[defaults]\nforce = true\n",
            ":3:1: \"force\" cannot be configured: it is for one call; write --force there",
        ),
        (
            "[[lease]]\nmatch = \"other\"\nttl = \"1\"\n",
            ":3:7: ttl \"1\" cannot be used: it needs a unit, such as 1s or 1m",
        ),
        (
            "[defaults]\n\"a\\u001B\\u202E\" = 1\n",
            ":2:1: there is no setting \"a\\u{1b}\\u{202e}\"; settings are the options of leasectl run, \
             with _ for -",
        ),
    ] {
        write(&lab, PERSONAL, 0o644, text);
        assert_eq!(refused(&lab), format!("{FILE}{why}"));
    }
    // Every verb that reads it refuses it.
    for words in [
        &["config"][..],
        &["pause", "x"],
        &["resume", "x"],
        &["release", "x"],
        &["hold", "--lease", "x"],
    ] {
        let ended = lab.run(&mut lab.leasectl(words)).expect_code(125);
        assert!(the_line(&lab, &ended).starts_with(FILE), "{ended}");
    }
}

fn a_home_that_may_not_be_entered_is_somebody_elses() {
    needs("root");
    needs("setpriv");
    let lab = configured("wrong");
    let script = "chmod 755 . && chmod 700 home && mkdir -m 777 open && cp \"$1\" open/leasectl && \
                  exec setpriv --reuid 12345 --regid 12345 --clear-groups open/leasectl run --lease x \
                  --store file:///$PWD/open/store -- true";
    let mut command = lab.sh(script);
    command.args(["sh", crate::support::lab::LEASECTL]);
    lab.run(&mut command).expect_code(0);
    assert!(lab.path("open/store/x.lock").exists());
    // One that is named is meant.
    let script = "exec setpriv --reuid 12345 --regid 12345 --clear-groups open/leasectl run --lease x \
                  --config home/.config/leasectl/config.toml -- true";
    let ended = lab.run(&mut lab.sh(script)).expect_code(125);
    let line = the_line(&lab, &ended);
    assert!(
        line.contains("is refused: permission denied; let this user"),
        "{line}"
    );
}
