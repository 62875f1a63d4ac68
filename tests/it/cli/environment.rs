//! What the command finds in its environment, and which store a leasectl inside it uses.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use libtest_mimic::Trial;
use serde_json::Value;

use super::{said, the_line};
use crate::support::lab::{LEASECTL, Lab};
use crate::support::needs::needs;
use crate::support::pattern::line_matches;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        the_outputs_are_those_of_this_run,
        inputs_are_passed_on_and_the_rest_is_not,
        tokens_rise,
        a_password_is_taken_out_of_the_url,
        a_leasectl_inside_fails_without_the_password,
        the_default_store_is_announced_in_one_line,
        the_default_store_is_not_announced_to_the_quiet,
        the_default_store_is_not_announced_when_it_is_meant,
        inside_a_store_of_the_environment_it_is_the_same,
        inside_a_store_file_of_the_environment_it_is_the_same,
        inside_the_default_store_it_is_the_same,
        inside_a_store_of_the_flag_nothing_else_is_used,
        inside_a_store_file_of_the_flag_nothing_else_is_used,
        inside_a_store_of_the_flag_the_environment_is_not_used,
        inside_another_store_the_default_can_be_meant,
    ]
}

/// `leasectl run --lease x OPTIONS -- env`, as key and value.
fn environment(lab: &Lab, command: &mut Command) -> Vec<(String, String)> {
    let ended = lab.run(command).expect_code(0);
    let lines = ended.stdout.lines().filter_map(|line| line.split_once('='));
    lines
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn value<'a>(environment: &'a [(String, String)], key: &str) -> Option<&'a str> {
    let mut found = environment.iter().filter(|(name, _)| name == key);
    let value = found.next().map(|(_, value)| value.as_str());
    assert!(found.next().is_none(), "{key} is there twice");
    value
}

fn the_outputs_are_those_of_this_run() {
    let lab = Lab::new();
    let mut command = lab.leasectl(["run", "--lease", "a b", "--holder", "blue", "--", "env"]);
    let running = lab.spawn(&mut command);
    let pid = running.id();
    let ended = running.wait(crate::support::lab::PATIENCE).expect_code(0);
    let lines = ended.stdout.lines().filter_map(|line| line.split_once('='));
    let found: Vec<_> = lines.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    let record = fs::read_to_string(lab.store().join("a%20b.record")).unwrap();
    let record: Value = serde_json::from_str(record.lines().next().unwrap()).unwrap();
    let label = format!("file://{}", lab.store().display());
    for (key, expected) in [
        ("LEASECTL_LEASE", "a b".to_owned()),
        ("LEASECTL_TOKEN", record["token"].to_string()),
        ("LEASECTL_HOLDER", format!("blue:{pid}")),
        ("LEASECTL_STORE_LABEL", label.clone()),
        ("LEASECTL_STORE", label),
    ] {
        assert_eq!(value(&found, key), Some(expected.as_str()), "{key}");
    }
}

fn inputs_are_passed_on_and_the_rest_is_not() {
    let lab = Lab::new();
    let store = format!("file://{}", lab.store().display());
    let mut command = lab.leasectl(["run", "--lease", "x", "--store", &store, "--", "env"]);
    let config = lab.path("config.toml");
    fs::write(&config, "").unwrap();
    command.env("LEASECTL_CONFIG", &config);
    let passed_on = ["LEASECTL_STORE_FILE", "NO_COLOR", "FOO"];
    let kept_back = [
        "LEASECTL_SLOT",
        "LEASECTL_EVENT",
        "LEASECTL_REASON",
        "LEASECTL_REMAINING_S",
        "LEASECTL_OUTCOME",
        "LEASECTL_EXIT_CODE",
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "WATCHDOG_PID",
    ];
    for key in passed_on.iter().chain(&kept_back) {
        command.env(key, "preset");
    }
    command.env_remove("LEASECTL_STORE");
    let found = environment(&lab, &mut command);
    for key in passed_on {
        assert_eq!(value(&found, key), Some("preset"), "{key}");
    }
    for key in kept_back {
        assert_eq!(value(&found, key), None, "{key}");
    }
    assert_eq!(value(&found, "LEASECTL_CONFIG"), config.to_str());
    assert_eq!(value(&found, "LEASECTL_STORE"), None);
}

fn tokens_rise() {
    let lab = Lab::new();
    let mut last = 0;
    for _ in 0..5 {
        let ended = lab.run(&mut lab.leasectl([
            "run",
            "--lease",
            "x",
            "--",
            "sh",
            "-c",
            "echo $LEASECTL_TOKEN",
        ]));
        let token: u64 = ended.expect_code(0).stdout.trim().parse().unwrap();
        assert!(token > last, "{token} after {last}");
        last = token;
    }
}

const WITH_PASSWORD: &str = "redis://app:canary@db1:6379/0?timeout=1s&password=canary";

fn a_password_is_taken_out_of_the_url() {
    let lab = Lab::new();
    let store = format!("file://{}", lab.store().display());
    let mut command = lab.leasectl(["run", "--lease", "x", "--store", &store, "--", "env"]);
    let found = environment(&lab, command.env("LEASECTL_STORE", WITH_PASSWORD));
    assert_eq!(
        value(&found, "LEASECTL_STORE"),
        Some("redis://app@db1:6379/0?timeout=1s")
    );
    assert!(!format!("{found:?}").contains("canary"));
}

fn a_leasectl_inside_fails_without_the_password() {
    let lab = Lab::new();
    let store = format!("file://{}", lab.store().display());
    let mut command = lab.leasectl(["run", "--lease", "x", "--store", &store, "--"]);
    command.args([LEASECTL, "run", "--lease", "y", "--", "touch", "ran"]);
    let ended = lab
        .run(command.env("LEASECTL_STORE", WITH_PASSWORD))
        .expect_code(125);
    assert!(
        the_line(&lab, &ended)
            .starts_with("LEASECTL_STORE: the store URL names a user and no password"),
        "{ended}"
    );
    assert!(!lab.path("ran").exists());
}

/// A script in which `$L` is leasectl, nobody has chosen a store, and the default one is the lab's:
/// root's, which is the machine's own, is hidden in a mount namespace.
fn by_default(lab: &Lab, script: &str) -> Command {
    let mut command = if nix::unistd::geteuid().is_root() {
        needs("unshare");
        let mut command = lab.command("unshare");
        let inner = format!("mount -t tmpfs none /var/lib || exit 99\n{script}");
        command.args(["--mount", "sh", "-c", &inner]);
        command
    } else {
        lab.sh(script)
    };
    command.env_remove("LEASECTL_STORE").env("L", LEASECTL);
    command.env("URL", format!("file://{}", lab.store().display()));
    command
}

const ANNOUNCED: &str = "no store was chosen: using file://.../leasectl, which only this user of this machine \
                         shares; say --store file: if that is meant";

fn the_default_store_is_announced_in_one_line() {
    let lab = Lab::new();
    let mut command = by_default(
        &lab,
        "$L run --lease x -- sh -c 'echo $LEASECTL_STORE_LABEL'",
    );
    let ended = lab.run(&mut command).expect_code(0);
    let line = the_line(&lab, &ended);
    assert!(line_matches(ANNOUNCED, &line), "{line}");
    assert!(
        line.contains(
            &ended
                .stdout
                .trim()
                .replace(lab.path("").to_str().unwrap(), "LAB/")
        ),
        "{ended}"
    );
}

fn the_default_store_is_not_announced_to_the_quiet() {
    let lab = Lab::new();
    let ended = lab
        .run(&mut by_default(&lab, "$L run -q --lease x -- true"))
        .expect_code(0);
    assert_eq!(ended.stderr, "");
}

fn the_default_store_is_not_announced_when_it_is_meant() {
    let lab = Lab::new();
    let mut command = by_default(&lab, "$L run --store file: --lease x -- true");
    let ended = lab.run(&mut command).expect_code(0);
    assert_eq!(ended.stderr, "");
}

/// Whether `y` was taken inside `x` on the lab's store, and nothing else was used.
fn the_same_store(script: &str) {
    let lab = Lab::new();
    write_store_file(&lab);
    let ended = lab.run(&mut by_default(&lab, script)).expect_code(0);
    assert_eq!(
        (ended.stdout.as_str(), ended.stderr.as_str()),
        ("ran\n", "")
    );
    assert!(lab.store().join("y.lock").exists());
}

fn write_store_file(lab: &Lab) {
    let path = lab.path("url");
    fs::write(&path, format!("file://{}\n", lab.store().display())).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn inside_a_store_of_the_environment_it_is_the_same() {
    the_same_store("export LEASECTL_STORE=$URL; $L run --lease x -- $L run --lease y -- echo ran");
}

fn inside_a_store_file_of_the_environment_it_is_the_same() {
    the_same_store(
        "export LEASECTL_STORE_FILE=$PWD/url; $L run --lease x -- $L run --lease y -- echo ran",
    );
}

fn inside_the_default_store_it_is_the_same() {
    let lab = Lab::new();
    let script = "$L run --lease x -- $L run --lease y -- echo ran";
    let ended = lab.run(&mut by_default(&lab, script)).expect_code(0);
    assert_eq!(ended.stdout, "ran\n");
    // Each of the two says which store it uses.
    let lines = said(&lab, &ended);
    assert!(
        lines.len() == 2 && lines.iter().all(|line| line_matches(ANNOUNCED, line)),
        "{ended}"
    );
}

/// The inner one is refused, and its default store is not even created.
fn refused_inside(outer: &str, environment: &str) {
    let lab = Lab::new();
    write_store_file(&lab);
    let script = format!(
        "env {environment} $L run --lease x {outer} -- $L run --lease y -- echo ran; code=$?
         find /var/lib \"$HOME\" -name leasectl; exit $code"
    );
    let ended = lab.run(&mut by_default(&lab, &script)).expect_code(125);
    assert_eq!(ended.stdout, "", "{ended}");
    let expected = "... is file://.../leasectl, but the leasectl around this one uses \
                    file://LAB/store: give both the same store, or say --store file://.../leasectl if \
                    another one is meant";
    let line = the_line(&lab, &ended);
    assert!(line_matches(expected, &line), "{line}");
}

fn inside_a_store_of_the_flag_nothing_else_is_used() {
    refused_inside("--store $URL", "-u NONE");
}

fn inside_a_store_file_of_the_flag_nothing_else_is_used() {
    refused_inside("--store-file url", "-u NONE");
}

/// What the environment says was overruled for the outer one, and so does not count for the inner.
fn inside_a_store_of_the_flag_the_environment_is_not_used() {
    refused_inside("--store $URL", "LEASECTL_STORE=file://$HOME/leasectl");
}

fn inside_another_store_the_default_can_be_meant() {
    let lab = Lab::new();
    let script = "$L run --lease x --store $URL -- $L run --lease x --store file: -- echo ran";
    let ended = lab.run(&mut by_default(&lab, script)).expect_code(0);
    assert_eq!(
        (ended.stdout.as_str(), ended.stderr.as_str()),
        ("ran\n", "")
    );
}
