//! Which of several files, and which of several `[[lease]]`, has the say.

use libtest_mimic::Trial;
use serde_json::json;

use super::shown::row;
use super::{PERSONAL, configured, record_of, run, write};
use crate::cli::the_line;
use crate::support::lab::{Ended, Lab};
use crate::support::needs::needs;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        the_first_lease_that_fits_goes_before_the_defaults,
        the_file_of_the_user_is_laid_over_that_of_the_machine,
        one_named_file_replaces_both,
        a_named_file_has_to_be_there,
        leases_of_different_stores_are_not_named_together,
    ]
}

fn the_first_lease_that_fits_goes_before_the_defaults() {
    let lab = configured(
        "[defaults]\nttl = \"40s\"\nholder = \"blue\"\n\
         [[lease]]\nmatch = \"b*1\"\nttl = \"50s\"\n\
         [[lease]]\nmatch = \"b*\"\nttl = \"60s\"\nholder = \"red\"\n",
    );
    for (lease, ttl, holder) in [
        ("a", 40.0, "blue"),
        ("b-1", 50.0, "blue"),
        ("b-2", 60.0, "red"),
    ] {
        let record = record_of(&lab, lease, &[]);
        assert_eq!(record["ttl_s"], json!(ttl), "{lease}");
        assert_eq!(record["holder"]["label"], json!(holder), "{lease}");
    }
    let record = record_of(&lab, "b-2", &["--ttl", "45s"]);
    assert_eq!(record["ttl_s"], json!(45.0));
}

/// `leasectl config` where the lab's `etc` is the machine's.
fn settings_of_machine(lab: &Lab, lease: &str) -> Ended {
    let script = "mount --bind etc /etc && exec leasectl config \"$1\"";
    let mut command = lab.command("unshare");
    command.args(["-rm", "sh", "-c", script, "sh", lease]);
    lab.run(command.env_remove("LEASECTL_STORE")).expect_code(0)
}

fn the_file_of_the_user_is_laid_over_that_of_the_machine() {
    needs("userns");
    let lab = configured("[defaults]\nttl = \"50s\"\n[[lease]]\nmatch = \"y\"\nnote = \"mine\"\n");
    let machine = "store = \"fleet\"\n[stores.fleet]\nurl = \"file:///srv\"\n[defaults]\nttl = \"40s\"\n\
                   holder = \"blue\"\n[[lease]]\nmatch = \"y\"\nttl = \"55s\"\nnote = \"theirs\"\n";
    write(&lab, "etc/leasectl/config.toml", 0o644, machine);
    let mine = |line: u32| format!("LAB/home/.config/leasectl/config.toml:{line}");
    let theirs = |line: u32| format!("/etc/leasectl/config.toml:{line}");
    let ended = settings_of_machine(&lab, "x");
    for (key, value, origin) in [
        ("store", "fleet (file:///srv)", theirs(1)),
        ("ttl", "50s", mine(2)),
        ("holder", "blue", theirs(6)),
        ("grace", "10s", "default".to_owned()),
    ] {
        assert_eq!(row(&lab, &ended, key), (value.to_owned(), origin));
    }
    let ended = settings_of_machine(&lab, "y");
    for (key, value, origin) in [
        ("store", "fleet (file:///srv)", theirs(1)),
        ("ttl", "55s", theirs(9)),
        ("note", "mine", mine(5)),
    ] {
        assert_eq!(row(&lab, &ended, key), (value.to_owned(), origin));
    }
}

fn one_named_file_replaces_both() {
    let lab = configured("[defaults]\nttl = \"50s\"\nholder = \"blue\"\n");
    write(&lab, "a.toml", 0o644, "[defaults]\nttl = \"40s\"\n");
    write(&lab, "b.toml", 0o644, "[defaults]\nttl = \"45s\"\n");
    let ttl_and_holder = |options: &[&str], variable: Option<&str>| {
        let mut command = run(&lab, "x", options, ":");
        command.envs(variable.map(|file| ("LEASECTL_CONFIG", file)));
        lab.run(&mut command).expect_code(0);
        let record = lab.read("store/x.record");
        let record: serde_json::Value =
            serde_json::from_str(record.lines().next().unwrap()).unwrap();
        (
            record["ttl_s"].clone(),
            record["holder"]["label"] == json!("blue"),
        )
    };
    assert_eq!(ttl_and_holder(&[], None), (json!(50.0), true));
    assert_eq!(ttl_and_holder(&[], Some("a.toml")), (json!(40.0), false));
    let typed = ["--config", "b.toml"];
    assert_eq!(ttl_and_holder(&typed, Some("a.toml")), (json!(45.0), false));
    // Even where the others are wrong.
    write(&lab, PERSONAL, 0o644, "wrong");
    assert_eq!(
        ttl_and_holder(&typed, Some("missing")),
        (json!(45.0), false)
    );
}

fn a_named_file_has_to_be_there() {
    let lab = Lab::new();
    let refused = |options: &[&str], variable: Option<&str>| {
        let mut command = run(&lab, "x", options, "touch ran");
        command.envs(variable.map(|file| ("LEASECTL_CONFIG", file)));
        let ended = lab.run(&mut command).expect_code(125);
        assert!(!lab.path("ran").exists());
        the_line(&lab, &ended)
    };
    assert_eq!(
        refused(&["--config", "no.toml"], None),
        "the configuration no.toml is refused: there is none, and --config names it; write it"
    );
    assert_eq!(
        refused(&[], Some("no.toml")),
        "the configuration no.toml is refused: there is none, and LEASECTL_CONFIG names it; write it"
    );
    assert_eq!(
        refused(&[], Some("")),
        "LEASECTL_CONFIG is set and empty: unset it, or set it to a configuration file"
    );
}

fn leases_of_different_stores_are_not_named_together() {
    let lab = configured("[[lease]]\nmatch = \"x\"\nstore = \"memory:\"\n");
    let mut pause = lab.leasectl(["pause", "y", "x"]);
    let ended = lab.run(pause.env_remove("LEASECTL_STORE")).expect_code(125);
    assert_eq!(
        the_line(&lab, &ended),
        "LAB/home/.config/leasectl/config.toml:3:1: y and x are configured differently; name them in \
         calls of their own"
    );
    // A store that is chosen otherwise is one for both.
    lab.run(&mut lab.leasectl(["pause", "y", "x"]))
        .expect_code(0);
}
