//! `leasectl config`, and the examples of a configuration.

use std::fs;

use libtest_mimic::Trial;

use super::{PERSONAL, configured, write};
use crate::support::lab::{Ended, Lab};
use crate::support::source::root;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        each_setting_has_a_value_and_an_origin,
        the_store_has_the_origin_of_whoever_chose_it,
        only_what_is_a_lease_is_asked_about,
        the_example_is_taken,
        the_example_of_the_readme_is_taken,
    ]
}

/// The row of a setting: its value and its origin, with `LAB` for the lab's directory.
#[track_caller]
pub(super) fn row(lab: &Lab, ended: &Ended, key: &str) -> (String, String) {
    let line = ended
        .stdout
        .lines()
        .find(|line| line.starts_with(&format!("{key} ")));
    let line = line.unwrap_or_else(|| panic!("no {key} in {ended}"));
    let place = lab.path("").display().to_string();
    let line = line.replace(place.trim_end_matches('/'), "LAB");
    let cells: Vec<&str> = line
        .split("  ")
        .filter(|cell| !cell.trim().is_empty())
        .collect();
    let [_, value, origin] = cells[..] else {
        panic!("{line:?} in {ended}");
    };
    (value.trim().to_owned(), origin.trim().to_owned())
}

fn is(value: &str, origin: &str) -> (String, String) {
    (value.to_owned(), origin.to_owned())
}

fn each_setting_has_a_value_and_an_origin() {
    let lab = configured(
        "[defaults]\nttl = \"1m\"\nquiet = true\n[[lease]]\nmatch = \"x\"\nmeta = { a = \"1\", b = \"2\" }\n\
         note = \"two words\"\nquiet = false\n[[lease]]\nmatch = \"y\"\nmeta = {}\n",
    );
    let file = "LAB/home/.config/leasectl/config.toml";
    let at = |line: u32| format!("{file}:{line}");
    let ended = lab.run(&mut lab.leasectl(["config", "x"])).expect_code(0);
    assert_eq!(ended.stderr, "");
    assert_eq!(row(&lab, &ended, "config"), is(file, "default"));
    assert_eq!(row(&lab, &ended, "ttl"), is("1m", &at(2)));
    assert_eq!(row(&lab, &ended, "quiet"), is("false", &at(8)));
    assert_eq!(row(&lab, &ended, "meta"), is("a=1 b=2", &at(6)));
    assert_eq!(row(&lab, &ended, "note"), is("\"two words\"", &at(7)));
    for (key, value) in [
        ("grace", "10s"),
        ("held_exit_code", "120"),
        ("renew_every", "ttl/5"),
        ("record", "program"),
        ("verbose", "false"),
        ("wait", "-"),
    ] {
        assert_eq!(row(&lab, &ended, key), is(value, "default"));
    }
    let ended = lab.run(&mut lab.leasectl(["config", "y"])).expect_code(0);
    assert_eq!(row(&lab, &ended, "meta"), is("-", &at(11)));
    let ended = lab.run(&mut lab.leasectl(["config"])).expect_code(0);
    assert_eq!(row(&lab, &ended, "ttl"), is("1m", &at(2)));
    assert_eq!(row(&lab, &ended, "quiet"), is("true", &at(3)));
    assert_eq!(row(&lab, &ended, "meta"), is("-", "default"));
    // Only options that can be configured.
    assert!(!ended.stdout.contains("lease ") && !ended.stdout.contains("store_file"));
}

fn the_store_has_the_origin_of_whoever_chose_it() {
    let lab = configured("store = \"one\"\n[stores.one]\nurl = \"file:///srv\"\n");
    let of_lab = "file://LAB/store";
    let shown = |words: &[&str], variables: &[(&str, &str)]| {
        let mut command = lab.leasectl(["config"]);
        command.args(words).env_remove("LEASECTL_STORE");
        let ended = lab
            .run(command.envs(variables.iter().copied()))
            .expect_code(0);
        row(&lab, &ended, "store")
    };
    let place = "LAB/home/.config/leasectl/config.toml:1";
    assert_eq!(shown(&[], &[]), is("one (file:///srv)", place));
    let url = format!("file://{}", lab.store().display());
    assert_eq!(
        shown(&[], &[("LEASECTL_STORE", &url)]),
        is(of_lab, "LEASECTL_STORE")
    );
    assert_eq!(shown(&["--store", &url], &[]), is(of_lab, "--store"));
    assert_eq!(
        shown(&["--store", "one"], &[]),
        is("file:///srv", "--store")
    );
    write(&lab, "url", 0o600, &url);
    assert_eq!(
        shown(&[], &[("LEASECTL_STORE_FILE", "url")]),
        is(of_lab, "LEASECTL_STORE_FILE")
    );
    let secret = [("LEASECTL_STORE", "redis://u:canary@db1/0")];
    assert_eq!(shown(&[], &secret), is("redis://u@db1/0", "LEASECTL_STORE"));
    fs::remove_file(lab.path(PERSONAL)).unwrap();
    assert_eq!(shown(&[], &[]), is("file:", "default"));
}

fn only_what_is_a_lease_is_asked_about() {
    let lab = Lab::new();
    let ended = lab.run(&mut lab.leasectl(["config", ""])).expect_code(125);
    assert_eq!(ended.stdout, "");
    lab.run(&mut lab.leasectl(["config", "a", "b"]))
        .expect_code(125);
}

fn the_example_is_taken() {
    let lab = Lab::new();
    let example = root().join("examples/config.toml");
    write(&lab, "config.toml", 0o644, fs::read(example).unwrap());
    let mut command = lab.leasectl(["config", "--config", "config.toml", "backup/db1"]);
    let ended = lab.run(command.env_remove("LEASECTL_STORE")).expect_code(0);
    assert_eq!(row(&lab, &ended, "grace").0, "5m");
    assert_eq!(row(&lab, &ended, "ttl").0, "30s");
    assert_eq!(
        row(&lab, &ended, "store").0,
        "local (file:///var/lib/leasectl)"
    );
    let config = [
        "run",
        "--config",
        "config.toml",
        "--lease",
        "deploy",
        "--",
        "true",
    ];
    lab.run(&mut lab.leasectl(config)).expect_code(0);
}

fn the_example_of_the_readme_is_taken() {
    let lab = Lab::new();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, rest) = readme.split_once("```toml\n").unwrap();
    write(
        &lab,
        "config.toml",
        0o644,
        rest.split_once("```").unwrap().0,
    );
    let command = ["config", "--config", "config.toml", "backup/db1"];
    let ended = lab.run(&mut lab.leasectl(command)).expect_code(0);
    assert_eq!(row(&lab, &ended, "held_exit_code").0, "0");
    assert_eq!(row(&lab, &ended, "meta").0, "team=storage");
}
