//! What stands in the store may be half written, from a newer leasectl, or meant to harm: it is shown
//! safely, hides no other lease, and keeps nobody from acquiring.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use leasectl::process::identity;
use libtest_mimic::Trial;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{holder, lease, object, ran, rows, shown, status};
use crate::support::lab::Lab;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        a_record_that_cannot_be_read_hides_nothing_and_stops_nothing,
        a_hostile_record_is_shown_safely,
        a_hostile_lock_hides_no_other_lease,
    ]
}

type Hurt = fn(&Path);

/// The same record file, in every way in which it can be none.
const UNREADABLE: [Hurt; 8] = [
    |file| fs::write(file, "").unwrap(),
    |file| {
        let text = fs::read(file).unwrap();
        fs::write(file, &text[..text.len() / 16]).unwrap();
    },
    |file| {
        let text = fs::read_to_string(file).unwrap();
        fs::write(file, text.replace("record/1", "record/2")).unwrap();
    },
    |file| fs::write(file, vec![b'x'; 10 << 20]).unwrap(),
    |file| fs::write(file, b"{\"schema\":\"\xff\xfe\x80\"}\n\x9b2J").unwrap(),
    |file| {
        fs::remove_file(file).unwrap();
        symlink("/etc/passwd", file).unwrap();
    },
    |file| {
        fs::remove_file(file).unwrap();
        mkfifo(file, Mode::S_IRWXU).unwrap();
    },
    |file| {
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
    },
];

fn a_record_that_cannot_be_read_hides_nothing_and_stops_nothing() {
    for (number, hurt) in UNREADABLE.iter().enumerate() {
        let lab = Lab::new();
        ran(&lab, "a", &[], "true").expect_code(0);
        ran(&lab, "b", &[], "true").expect_code(0);
        let held = holder(&lab, "c", &[]);
        for file in ["store/b.record", "store/c.record"] {
            hurt(&lab.path(file));
        }
        let text = shown(&lab, &[]);
        assert!(text.contains(": 3 leases, 1 held\n"), "{number}: {text}");
        assert!(rows(&text, "b")[0].contains(" free "), "{number}: {text}");
        assert!(rows(&text, "c")[0].contains(" held "), "{number}: {text}");
        assert!(
            text.contains("\n  who has it cannot be told"),
            "{number}: {text}"
        );
        assert_eq!(lease(&lab, "b")["last_run"], Value::Null, "{number}");
        assert_eq!(
            lease(&lab, "a")["last_run"]["outcome"],
            "completed",
            "{number}"
        );
        for form in ["--prometheus", "--by-holder"] {
            shown(&lab, &[form]);
        }
        status(&lab, &["c", "--check"]).expect_code(0);
        // Nobody is kept from acquiring, and then there is a record again, unless a directory is in its way.
        ran(&lab, "b", &[], "exit 7").expect_code(7);
        if !lab.path("store/b.record").is_dir() {
            assert_eq!(lease(&lab, "b")["last_run"]["exit_code"], 7, "{number}");
        }
        drop(held);
    }
}

/// A record that is whole, and says what its writer liked.
fn forged(lab: &Lab, name: &str, record: &Value) {
    let json = record.to_string();
    let sum: String = Sha256::digest(&json)
        .iter()
        .take(8)
        .map(|b| format!("{b:02x}"))
        .collect();
    fs::write(
        lab.path(&format!("store/{name}.record")),
        format!("{json}\n\"{sum}\"\n"),
    )
    .unwrap();
}

/// Puts a text wherever a record has one.
fn poison(lab: &Lab, name: &str, evil: &str) {
    let text = lab.read(&format!("store/{name}.record"));
    let mut record: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    for key in ["label", "host", "user", "version"] {
        record["holder"][key] = json!(evil);
    }
    for key in ["program", "note"] {
        record[key] = json!(evil);
    }
    record["args"] = json!([evil]);
    record["meta"] = json!({ evil: evil });
    if name == "a" {
        record["ended"]["host"] = json!(evil);
        record["ended"]["exit_code"] = Value::Null;
        record["ended"]["signal"] = json!(evil);
    }
    forged(lab, name, &record);
}

fn a_hostile_record_is_shown_safely() {
    let lab = Lab::new();
    ran(&lab, "a", &[], "true").expect_code(0);
    let held = holder(&lab, "b", &[]);
    let evil = "\u{1b}]0;owned\u{7}\u{1b}[2J\r\n\u{9b}31m\u{202e}\u{2061}x";
    for name in ["a", "b"] {
        poison(&lab, name, evil);
    }
    let local = identity::holder(None).host;
    assert!(
        !shown(&lab, &["b"]).contains(&local),
        "the forged record is not shown"
    );
    for form in [
        &[][..],
        &["--json"],
        &["--prometheus"],
        &["--by-holder"],
        &["--watch", "--count", "2"],
    ] {
        let text = shown(&lab, form);
        let acts =
            |c: char| (c != '\n' && c.is_control()) || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(
            !text.contains(acts) && !text.contains('\u{2061}'),
            "{form:?}: {text:?}"
        );
    }
    // The object has it as it is: programs get the text, not what was made of it.
    assert_eq!(
        object(&lab, &["b"])["leases"][0]["holders"][0]["note"],
        evil
    );
    ran(&lab, "a", &[], "true").expect_code(0);
    drop(held);
}

fn a_hostile_lock_hides_no_other_lease() {
    let lab = Lab::new();
    ran(&lab, "a", &[], "true").expect_code(0);
    ran(&lab, "b", &[], "true").expect_code(0);
    fs::remove_file(lab.path("store/b.lock")).unwrap();
    symlink("a.lock", lab.path("store/b.lock")).unwrap();
    let text = shown(&lab, &[]);
    assert!(rows(&text, "a")[0].contains(" free "), "{text}");
    // What is not known is shown as not known.
    assert!(rows(&text, "b")[0].contains(" free? "), "{text}");
    assert_eq!(object(&lab, &[])["leases"][1]["certain"], false);
    assert!(!shown(&lab, &["--prometheus"]).contains("held{store=\"file://\",lease=\"b\"}"));
    // One that was named is an error, and the others are shown all the same.
    let ended = status(&lab, &["a", "b"]).expect_code(125);
    assert_eq!(rows(&ended.stdout, "a").len(), 1, "{ended}");
    assert!(
        ended.stderr.starts_with("leasectl: b cannot be shown: "),
        "{ended}"
    );
    assert!(ended.stderr.contains("is a symbolic link"), "{ended}");
}
