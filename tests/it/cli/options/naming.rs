//! What is leased, where, and what others see of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::super::{said, the_line};
use super::{Shown, held, record, run};
use crate::support::lab::Lab;

pub(super) const SHOWN: &[Shown] = &[
    ("--lease", "the command knows its name", lease),
    ("-l", "the same, short", lease_short),
    ("--store", "it is preferred to the environment", store),
    ("--store-file", "the URL in it is used", store_file),
    (
        "--config",
        "it is read instead of the files of user and machine",
        config,
    ),
    ("--note", "whoever is refused reads it", note),
    ("--meta", "it is in the record", meta),
    ("--holder", "it is the name of the holder", holder),
    (
        "--record",
        "it names as much as is wanted",
        how_much_is_recorded,
    ),
    ("--quiet", "errors only", quiet),
    ("-q", "the same, short", quiet_short),
    ("--verbose", "also what went well", verbose),
    ("-v", "the same, short", verbose_short),
];

fn lease() {
    let lab = Lab::new();
    let ended = lab.run(&mut run(&lab, &[], "echo $LEASECTL_LEASE"));
    assert_eq!(ended.expect_code(0).stdout, "x\n");
    assert!(lab.store().join("x.lock").exists());
}

fn lease_short() {
    let lab = Lab::new();
    lab.run(&mut lab.leasectl(["run", "-l", "y", "--", "true"]))
        .expect_code(0);
    assert!(lab.store().join("y.lock").exists());
}

fn store() {
    let lab = Lab::new();
    let url = format!("file://{}", lab.path("other").display());
    lab.run(&mut run(&lab, &["--store", &url], ":"))
        .expect_code(0);
    assert!(lab.path("other/x.lock").exists() && !lab.store().join("x.lock").exists());
}

fn store_file() {
    let lab = Lab::new();
    let url = format!("file://{}\n", lab.path("other").display());
    fs::write(lab.path("url"), url).unwrap();
    fs::set_permissions(lab.path("url"), fs::Permissions::from_mode(0o600)).unwrap();
    lab.run(&mut run(&lab, &["--store-file", "url"], ":"))
        .expect_code(0);
    assert!(lab.path("other/x.lock").exists() && !lab.store().join("x.lock").exists());
}

fn config() {
    let lab = Lab::new();
    fs::write(lab.path("config"), "[defaults]\nholder = \"blue\"\n").unwrap();
    fs::set_permissions(lab.path("config"), fs::Permissions::from_mode(0o644)).unwrap();
    lab.run(&mut run(&lab, &["--config", "config"], ":"))
        .expect_code(0);
    assert_eq!(record(&lab)["holder"]["label"], json!("blue"));
}

fn note() {
    let lab = Lab::new();
    let _holder = held(&lab, &["--note", "ask Anna, \u{202e}555"]);
    assert_eq!(record(&lab)["note"], json!("ask Anna, \u{202e}555"));
    let ended = lab.run(&mut run(&lab, &[], ":")).expect_code(120);
    let line = the_line(&lab, &ended);
    assert!(
        line.contains(r#", note "ask Anna, \u{202e}555"; nothing was run"#),
        "{line}"
    );
}

fn meta() {
    let lab = Lab::new();
    lab.run(&mut run(&lab, &["--meta", "b=2=3", "--meta", "a=1"], ":"))
        .expect_code(0);
    assert_eq!(record(&lab)["meta"], json!({"a": "1", "b": "2=3"}));
}

fn holder() {
    let lab = Lab::new();
    let running = held(&lab, &["--holder", "blue"]);
    assert_eq!(record(&lab)["holder"]["label"], json!("blue"));
    assert_eq!(record(&lab)["holder"]["pid"], json!(running.id()));
    let ended = lab.run(&mut run(&lab, &[], ":")).expect_code(120);
    let line = the_line(&lab, &ended);
    assert!(line.starts_with("x is held: by blue on "), "{line}");
}

fn how_much_is_recorded() {
    let lab = Lab::new();
    for (option, program, args) in [
        ("program", json!("sh"), json!(null)),
        ("args", json!("sh"), json!(["-c", ": secret"])),
        ("nothing", json!(null), json!(null)),
    ] {
        lab.run(&mut run(&lab, &["--record", option], ": secret"))
            .expect_code(0);
        let record = record(&lab);
        assert_eq!(
            (&record["program"], &record["args"]),
            (&program, &args),
            "{option}"
        );
    }
    lab.run(&mut run(&lab, &[], ": secret")).expect_code(0);
    assert!(!record(&lab).to_string().contains("secret"));
}

fn quiet() {
    quiet_as("--quiet");
}

fn quiet_short() {
    quiet_as("-q");
}

fn quiet_as(option: &str) {
    let lab = Lab::new();
    // Otherwise what was left behind would be told.
    let mut command = run(&lab, &[option, "--leftovers-settle", "0s"], "sleep 600 & :");
    let ended = lab.run(&mut command).expect_code(0);
    assert_eq!(ended.stderr, "");
    let _holder = held(&lab, &[]);
    let ended = lab
        .run(&mut run(&lab, &[option, "--wait", "50ms"], ":"))
        .expect_code(120);
    assert!(
        the_line(&lab, &ended).starts_with("x is held: by "),
        "{ended}"
    );
}

fn verbose() {
    verbose_as("--verbose");
}

fn verbose_short() {
    verbose_as("-v");
}

fn verbose_as(option: &str) {
    let lab = Lab::new();
    let ended = lab.run(&mut run(&lab, &[option], ":")).expect_code(0);
    let lines = said(&lab, &ended);
    let starts = [
        "acquired x on file://LAB/store after ",
        "started process ",
        "released x",
    ];
    assert_eq!(lines.len(), starts.len(), "{ended}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
}
