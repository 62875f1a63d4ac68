//! The table for people.

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::{holder, ran, rows, shown, status};
use crate::support::lab::{Lab, PATIENCE};
use crate::support::processes::wait_until;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        everything_is_shown_or_what_is_named,
        a_holder_is_named_with_all_that_is_to_know,
        a_holder_is_named_as_it_wants_to_be,
        how_the_last_run_ended_is_told,
        what_keeps_everyone_out_is_told,
        a_request_to_stop_is_told,
        foreign_text_acts_on_nobody,
    ]
}

/// The first words of the rows.
fn names(text: &str) -> Vec<&str> {
    let rows = text.lines().skip(2).filter(|line| !line.starts_with(' '));
    rows.filter_map(|line| line.split_whitespace().next())
        .collect()
}

fn everything_is_shown_or_what_is_named() {
    let lab = Lab::new();
    let store = format!("file://{}", lab.store().display());
    let empty = shown(&lab, &[]);
    assert!(
        empty.starts_with(&store) && empty.ends_with("Z: no leases\n"),
        "{empty}"
    );
    for lease in ["nightly", "backup/db2", "backup/db1", "other"] {
        ran(&lab, lease, &[], "true").expect_code(0);
    }
    let all = shown(&lab, &[]);
    assert!(
        all.lines().next().unwrap().ends_with("4 leases, 0 held"),
        "{all}"
    );
    assert_eq!(
        names(&all),
        ["backup/db1", "backup/db2", "nightly", "other"]
    );
    assert_eq!(
        names(&shown(&lab, &["--prefix", "backup/"])),
        ["backup/db1", "backup/db2"]
    );
    assert_eq!(names(&shown(&lab, &["nightly", "nightly"])), ["nightly"]);
    assert_eq!(
        names(&shown(&lab, &["other", "--prefix", "backup/db2"])),
        ["backup/db2", "other"]
    );
    // Named, and never had by anybody.
    let never = shown(&lab, &["never"]);
    let words: Vec<&str> = rows(&never, "never")[0].split_whitespace().collect();
    assert_eq!(words.join(" "), "never free no run is known");
    assert!(shown(&lab, &["--prefix", "nothing"]).contains("no leases"));
}

fn a_holder_is_named_with_all_that_is_to_know() {
    let lab = Lab::new();
    let options = [
        "--note",
        "ask alice",
        "--meta",
        "region=weu",
        "--record",
        "args",
    ];
    let held = holder(&lab, "nightly", &options);
    let text = shown(&lab, &[]);
    let [row] = rows(&text, "nightly")[..] else {
        panic!("{text}")
    };
    let record: String = lab.read("store/nightly.record");
    let record: serde_json::Value = serde_json::from_str(record.lines().next().unwrap()).unwrap();
    let who = format!(
        "  held   {}:{} {}  ",
        record["holder"]["host"].as_str().unwrap(),
        held.id(),
        record["holder"]["user"].as_str().unwrap()
    );
    for part in [
        &who,
        "Z (",
        "  with its process  ",
        &record["token"].to_string(),
        "  sh -c echo ready; exec sleep 600",
    ] {
        assert!(
            row.replace("   held", "  held").contains(part),
            "{part:?}: {text}"
        );
    }
    assert!(
        text.contains("\n  note \"ask alice\"\n  region=weu\n"),
        "{text}"
    );
}

fn a_holder_is_named_as_it_wants_to_be() {
    let lab = Lab::new();
    let options = ["--holder", "blue", "--record", "nothing"];
    let _held = holder(&lab, "labelled", &options);
    let text = shown(&lab, &[]);
    let row = rows(&text, "labelled")[0];
    let host = leasectl::process::identity::holder(None).host;
    assert!(row.contains(&format!("  blue on {host}:")), "{row}");
    // Nothing behind the token.
    assert!(
        row.ends_with(|letter: char| letter.is_ascii_digit()),
        "{row}"
    );
}

fn how_the_last_run_ended_is_told() {
    let lab = Lab::new();
    ran(&lab, "fine", &[], "true").expect_code(0);
    ran(&lab, "failed", &[], "exit 3").expect_code(3);
    ran(&lab, "better", &[], "true").expect_code(0);
    ran(&lab, "better", &[], "exit 4").expect_code(4);
    let killed = ran(&lab, "killed", &[], "kill -KILL $$");
    assert_eq!(killed.signal(), Some(9));
    ran(&lab, "slow", &["--run-timeout", "50ms"], "sleep 60").expect_code(124);
    let crashed = holder(&lab, "crashed", &[]);
    // The guardian as well: nobody is left to write anything.
    for pid in lab.processes() {
        crate::support::processes::send(pid, Signal::SIGKILL);
    }
    crashed.wait(PATIENCE);
    wait_until(PATIENCE, "it is free", || {
        rows(&shown(&lab, &["crashed"]), "crashed")[0].contains(" free ")
    });
    let text = shown(&lab, &[]);
    for (lease, told) in [
        ("fine", "completed, "),
        ("failed", "failed with exit code 3, "),
        ("killed", "killed by SIGKILL, "),
        ("slow", "stopped by --run-timeout, "),
        ("crashed", "vanished without a word, began "),
        ("better", "failed with exit code 4, "),
    ] {
        let row = rows(&text, lease)[0];
        assert!(row.contains(&format!("  {told}")), "{row}");
        assert!(row.contains(" on "), "{row}");
        assert_eq!(row.contains("; last success "), lease == "better", "{row}");
    }
}

fn what_keeps_everyone_out_is_told() {
    let lab = Lab::new();
    ran(&lab, "held-out", &["--min-hold", "10m"], "true").expect_code(0);
    let held = holder(&lab, "busy", &[]);
    let pause = [
        "pause", "-q", "shut", "busy", "--for", "1h", "--reason", "the disk",
    ];
    lab.run(&mut lab.leasectl(pause)).expect_code(0);
    lab.run(&mut lab.leasectl(["pause", "-q", "for-good"]))
        .expect_code(0);
    let text = shown(&lab, &[]);
    assert!(rows(&text, "held-out")[0].contains("cooldown"), "{text}");
    assert!(
        text.contains("\n  its minimum hold keeps others out until "),
        "{text}"
    );
    assert!(
        rows(&text, "shut")[0].contains(" paused ") && rows(&text, "shut")[0].contains(" in 59m "),
        "{text}"
    );
    assert!(
        rows(&text, "for-good")[0].contains(" when resumed"),
        "{text}"
    );
    assert!(text.contains(" until leasectl resume\n"), "{text}");
    let reason = text.matches("left), reason \"the disk\"");
    assert_eq!(reason.count(), 2, "{text}");
    assert!(rows(&text, "busy")[0].contains(" held "), "{text}");
    assert!(
        text.contains("reason \"the disk\"; its holder is left alone\n"),
        "{text}"
    );
    drop(held);
}

fn a_request_to_stop_is_told() {
    let lab = Lab::new();
    let script = "trap '' TERM; echo ready; while :; do sleep 1; done";
    let run = [
        "run", "-q", "--lease", "nightly", "--grace", "1h", "--", "sh", "-c", script,
    ];
    let running = lab.spawn(&mut lab.leasectl(run));
    wait_until(PATIENCE, "it holds", || running.stdout() == "ready\n");
    let release = [
        "release", "-q", "nightly", "--wait", "0s", "--reason", "moving",
    ];
    lab.run(&mut lab.leasectl(release)).expect_code(120);
    let text = shown(&lab, &["nightly"]);
    assert!(
        text.contains("\n  its holder was asked at ") && text.contains(" ago) by "),
        "{text}"
    );
    assert!(
        text.contains(" to give it back, reason \"moving\"\n"),
        "{text}"
    );
}

fn foreign_text_acts_on_nobody() {
    let lab = Lab::new();
    let bidi = "a\u{202e}b";
    let options = [
        "--record",
        "args",
        "--holder",
        bidi,
        "--note",
        bidi,
        "--meta",
        "k=\u{200b}",
    ];
    let mut run = lab.leasectl(["run", "-q", "--lease", bidi]);
    let run = run
        .args(options)
        .args(["--", "true", "\u{1b}[2J\u{9b}31m\u{7f}"]);
    lab.run(run).expect_code(0);
    let held = holder(&lab, "held", &options);
    for form in [&[][..], &["--json"], &["--prometheus"], &["--by-holder"]] {
        let text = status(&lab, form).expect_code(0).stdout;
        let acts = |letter: char| letter != '\n' && letter.is_control();
        assert!(!text.contains(acts), "{form:?}: {text:?}");
    }
    let text = shown(&lab, &[]);
    assert!(
        text.contains(r#""a\u{202e}b""#) && !text.contains('\u{202e}'),
        "{text}"
    );
    drop(held);
}
