//! `--prometheus`, read as strictly as the format is written down: exposition format 0.0.4, and what
//! node_exporter's textfile collector adds to it (no timestamps, every family once and in one piece).

use std::collections::{BTreeMap, BTreeSet};

use libtest_mimic::Trial;

use super::{holder, lease, ran, shown, status};
use crate::support::lab::Lab;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        every_lease_has_its_metrics,
        labels_are_what_they_were,
        a_store_that_cannot_be_asked_leaves_the_file_as_it_was,
        the_reader_refuses_what_is_wrong,
    ]
}

type Labels = BTreeMap<String, String>;

/// The samples, by the name of their family.
#[derive(Debug, Default)]
struct Metrics(BTreeMap<String, Vec<(Labels, f64)>>);

fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    letters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The labels between the braces, and what follows them.
fn labels(mut rest: &str) -> Result<(Labels, &str), String> {
    let mut labels = Labels::new();
    loop {
        let (key, value) = rest.split_once("=\"").ok_or("no label")?;
        if !is_name(key) || key.starts_with("__") {
            return Err(format!("{key:?} is no label"));
        }
        let mut text = String::new();
        let mut letters = value.char_indices();
        let end = loop {
            match letters.next().ok_or("an open label")? {
                (_, '\\') => match letters.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, c @ ('\\' | '"'))) => text.push(c),
                    other => return Err(format!("\\ before {other:?}")),
                },
                (at, '"') => break at,
                (_, c) => text.push(c),
            }
        };
        if labels.insert(key.to_owned(), text).is_some() {
            return Err(format!("{key} twice"));
        }
        rest = &value[end + 1..];
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => return Ok((labels, rest.strip_prefix("} ").ok_or("no } and blank")?)),
        }
    }
}

impl Metrics {
    fn read(text: &str) -> Result<Self, String> {
        if !text.is_empty() && !text.ends_with('\n') {
            return Err("the last line does not end".to_owned());
        }
        let mut metrics = Self::default();
        let mut lines = text.lines().peekable();
        while let Some(help) = lines.next() {
            let head = |line: Option<&str>, word: &str| -> Result<(String, String), String> {
                let line = line.and_then(|line| line.strip_prefix(&format!("# {word} ")));
                let (name, rest) = line
                    .and_then(|line| line.split_once(' '))
                    .ok_or(format!("no {word}"))?;
                Ok((name.to_owned(), rest.to_owned()))
            };
            let (name, says) = head(Some(help), "HELP")?;
            let (typed, kind) = head(lines.next(), "TYPE")?;
            if !is_name(&name) || typed != name || kind != "gauge" || says.is_empty() {
                return Err(format!("the head of {name}"));
            }
            let mut samples: Vec<(Labels, f64)> = Vec::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
                let rest = line
                    .strip_prefix(&format!("{name}{{"))
                    .ok_or(format!("{line:?} in {name}"))?;
                let (labels, value) = labels(rest)?;
                let value = value
                    .parse()
                    .map_err(|_| format!("{value:?} is no value"))?;
                if samples.iter().any(|(other, _)| *other == labels) {
                    return Err(format!("{labels:?} twice"));
                }
                samples.push((labels, value));
            }
            if samples.is_empty() || metrics.0.insert(name.clone(), samples).is_some() {
                return Err(format!("{name} is empty or comes twice"));
            }
        }
        Ok(metrics)
    }

    /// The value for one lease; `None` where there is no sample.
    fn of(&self, name: &str, lease: &str) -> Option<f64> {
        let samples = self.0.get(&format!("leasectl_lease_{name}"))?;
        let mut values = samples
            .iter()
            .filter(|(labels, _)| labels["lease"] == lease);
        values.next().map(|(_, value)| *value)
    }
}

#[track_caller]
fn read(lab: &Lab, words: &[&str]) -> Metrics {
    let text = shown(lab, &[&["--prometheus"], words].concat());
    Metrics::read(&text).unwrap_or_else(|why| panic!("{why}: {text}"))
}

fn every_lease_has_its_metrics() {
    let lab = Lab::new();
    ran(&lab, "good", &[], "true").expect_code(0);
    ran(&lab, "bad", &["--min-hold", "1h"], "exit 3").expect_code(3);
    let held = holder(&lab, "held", &[]);
    lab.run(&mut lab.leasectl(["pause", "-q", "held", "--for", "1h"]))
        .expect_code(0);
    let metrics = read(&lab, &[]);
    let at = |name: &str| ["good", "bad", "held"].map(|lease| metrics.of(name, lease));
    let all = |values: [f64; 3]| values.map(Some);
    assert_eq!(at("held"), all([0.0, 0.0, 1.0]));
    assert_eq!(at("paused"), all([0.0, 0.0, 1.0]));
    assert_eq!(at("in_minimum_hold"), all([0.0, 1.0, 0.0]));
    assert_eq!(at("stop_requested"), all([0.0, 0.0, 0.0]));
    assert_eq!(at("last_run_success"), [Some(1.0), Some(0.0), None]);
    assert_eq!(at("last_run_exit_code"), [Some(0.0), Some(3.0), None]);
    assert_eq!(at("last_run_vanished"), [Some(0.0), Some(0.0), None]);
    assert_eq!(at("expires_timestamp_seconds"), [None; 3]);
    instants_are_recent(&metrics);
    let token = lease(&lab, "held")["holders"][0]["token"].as_f64();
    assert_eq!(metrics.of("token", "held"), token);
    let info = &metrics.0["leasectl_lease_holder_info"];
    assert_eq!(info.len(), 1);
    assert_eq!(info[0].0["program"], "sh");
    // One that was named and that nobody ever had: an alarm that waits for its first run finds it.
    assert_eq!(read(&lab, &["never"]).of("held", "never"), Some(0.0));
    drop(held);
}

#[track_caller]
fn instants_are_recent(metrics: &Metrics) {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let is_recent =
        |value: Option<f64>| value.is_some_and(|v| (now.as_secs_f64() - v).abs() < 300.0);
    assert!(is_recent(
        metrics.of("last_success_timestamp_seconds", "good")
    ));
    assert_eq!(metrics.of("last_success_timestamp_seconds", "bad"), None);
    assert!(is_recent(metrics.of("acquired_timestamp_seconds", "held")));
    assert!(is_recent(
        metrics.of("last_run_end_timestamp_seconds", "bad")
    ));
    assert!(
        metrics.of("last_run_start_timestamp_seconds", "bad")
            <= metrics.of("last_run_end_timestamp_seconds", "bad")
    );
    assert!(
        metrics
            .of("last_run_duration_seconds", "bad")
            .is_some_and(|ran| ran < 300.0)
    );
    let left = |name| metrics.of(name, "held").unwrap_or_default() - now.as_secs_f64();
    assert!((3_000.0..=3_600.0).contains(&left("paused_until_timestamp_seconds")));
    assert!(is_recent(Some(
        metrics.0["leasectl_status_timestamp_seconds"][0].1
    )));
}

fn labels_are_what_they_were() {
    let lab = Lab::new();
    let odd = "a\\b \"c\" {d}, é\u{1f600}=#";
    ran(&lab, odd, &[], "true").expect_code(0);
    let metrics = read(&lab, &[]);
    assert_eq!(metrics.of("held", odd), Some(0.0), "{metrics:?}");
    let names: BTreeSet<&String> = metrics.0.keys().collect();
    assert!(
        names.iter().all(|name| name.starts_with("leasectl_")),
        "{names:?}"
    );
    let empty = Lab::new();
    assert_eq!(read(&empty, &[]).0.len(), 1);
}

fn a_store_that_cannot_be_asked_leaves_the_file_as_it_was() {
    let lab = Lab::new();
    let script = "leasectl status --prometheus >.tmp && mv .tmp leases.prom";
    lab.run(&mut lab.sh(script)).expect_code(0);
    let before = lab.read("leases.prom");
    let failing = script.replace("status", "status --store file:///nowhere/at/all");
    assert_ne!(lab.run(&mut lab.sh(&failing)).code(), Some(0));
    assert_eq!(
        (lab.read("leases.prom"), lab.read(".tmp")),
        (before, String::new())
    );
    // Neither is a name that cannot be looked at passed over in silence.
    std::os::unix::fs::symlink("x", lab.path("store/b.lock")).unwrap();
    assert_ne!(status(&lab, &["--prometheus", "b"]).code(), Some(0));
}

fn the_reader_refuses_what_is_wrong() {
    let good = "# HELP a_b Says.\n# TYPE a_b gauge\na_b{lease=\"x\\\\\\\"\\n\"} 1\n";
    assert!(Metrics::read(good).is_ok());
    for (from, to) in [
        ("} 1\n", "} 1"),
        ("} 1", "} 1 1700000000"),
        ("a_b{", "a_c{"),
        ("gauge", "gage"),
        ("# HELP a_b Says.\n", ""),
        ("\\n", "\\x"),
        ("a_b", "a-b"),
        ("lease=", "lea-se="),
        ("x", "x\n"),
    ] {
        assert!(
            Metrics::read(&good.replace(from, to)).is_err(),
            "{from:?} {to:?}"
        );
    }
    assert!(Metrics::read(&good.repeat(2)).is_err());
}
