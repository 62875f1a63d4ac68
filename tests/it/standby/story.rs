//! What two leasectl told, laid beside what the test did to them and what their commands wrote.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::events_so_far;
use super::script::{BY_ITSELF, Begun, TOLD};
use crate::support::events::obeys;
use crate::support::lab::Lab;
use crate::support::needs::is_here;

/// How a tenure was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// SIGKILL to leasectl: it tells nothing more.
    Killed,
    /// TERM to leasectl: passed on, and no further run.
    Told,
    /// The command ended: leasectl queues again.
    ByItself,
}

/// One tenure, as the test saw it.
#[derive(Clone, Debug)]
pub(super) struct Tenure {
    begun: Begun,
    end: End,
}

impl Tenure {
    pub(super) const fn new(begun: Begun, end: End) -> Self {
        Self { begun, end }
    }
}

/// The files of both sides together tell of exactly these tenures, in this order.
#[track_caller]
pub(super) fn check(lab: &Lab, files: &[PathBuf], tenures: &[Tenure]) {
    let events: Vec<Value> = files.iter().flat_map(|file| events_so_far(file)).collect();
    if is_here("jsonschema") {
        obeys(lab, "leasectl.event-1.schema.json", &events);
    }
    let mut runs: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    let mut told: BTreeMap<u64, Vec<&Value>> = BTreeMap::new();
    for event in &events {
        runs.entry(event["run"].as_str().unwrap())
            .or_default()
            .push(event);
        if let Some(token) = event.get("token") {
            told.entry(token.as_u64().unwrap()).or_default().push(event);
        }
    }
    for run in runs.values() {
        check_process(run);
    }
    let tokens: Vec<u64> = tenures.iter().map(|tenure| tenure.begun.token).collect();
    assert_eq!(told.keys().copied().collect::<Vec<_>>(), tokens);
    for (tenure, told) in tenures.iter().zip(told.values()) {
        check_tenure(tenure, told);
    }
    check_order(&told);
    let acquired: Vec<_> = told.values().map(|told| at(told[0])).collect();
    for event in events.iter().filter(|event| event["kind"] == "waiting") {
        let before = acquired.partition_point(|acquired| *acquired <= at(event));
        check_waiting(event, &tenures[before - 1].begun);
    }
}

/// When an event was told, on the boot clock.
fn at(event: &Value) -> f64 {
    event["boot_s"].as_f64().unwrap()
}

/// `seq` has no gap, and nothing follows `ended`.
#[track_caller]
fn check_process(run: &[&Value]) {
    for (number, event) in run.iter().enumerate() {
        assert_eq!(event["seq"], json!(number + 1), "{event}");
        assert!(number == 0 || at(run[number - 1]) <= at(event), "{event}");
    }
    let ended = run.iter().position(|event| event["kind"] == "ended");
    assert!(ended.is_none_or(|at| at + 1 == run.len()), "{run:#?}");
}

/// What was told under one token.
#[track_caller]
fn check_tenure(tenure: &Tenure, told: &[&Value]) {
    let kinds: Vec<&str> = told
        .iter()
        .map(|event| event["kind"].as_str().unwrap())
        .filter(|kind| *kind != "renewed")
        .collect();
    let expected: &[&str] = match tenure.end {
        End::Killed => &["acquired", "started"],
        End::Told => &["acquired", "started", "exited", "released", "ended"],
        End::ByItself => &["acquired", "started", "exited", "released", "restarting"],
    };
    assert_eq!(kinds, expected, "{tenure:?}");
    let of = |kind| told.iter().find(|event| event["kind"] == kind).unwrap();
    assert_eq!(of("started")["pid"], json!(tenure.begun.pid));
    if tenure.end == End::Killed {
        return;
    }
    let code = if tenure.end == End::Told {
        TOLD
    } else {
        BY_ITSELF
    };
    assert_eq!(of("exited")["exit_code"], json!(code));
    assert_eq!(of("released")["certain"], json!(true));
    if tenure.end == End::ByItself {
        return assert_eq!(of("restarting")["delay_s"], json!(1.0));
    }
    let ended = of("ended");
    assert_eq!(ended["outcome"], json!("completed"));
    assert_eq!(ended["exit_code"], json!(TOLD));
    assert_eq!(ended["command_exit_code"], json!(TOLD));
}

/// By the one clock of this machine, a command had ended before the next lease was had. Of a release
/// that cannot be said: it is told when it is over, and by then another may have acquired.
#[track_caller]
fn check_order(told: &BTreeMap<u64, Vec<&Value>>) {
    let tenures: Vec<_> = told.values().collect();
    for pair in tenures.windows(2) {
        let exited = pair[0].iter().find(|event| event["kind"] == "exited");
        let last = exited.unwrap_or(&pair[0][1]);
        assert!(at(last) <= at(pair[1][0]), "{last} {}", pair[1][0]);
    }
}

/// Who waits is told whom for.
#[track_caller]
fn check_waiting(event: &Value, holder: &Begun) {
    assert_eq!(event["state"], json!("held"), "{event}");
    assert_eq!(event["holders"].as_array().unwrap().len(), 1, "{event}");
    let named = &event["holders"][0];
    assert_eq!(named["token"], json!(holder.token), "{event}");
    assert_eq!(named["label"], json!(holder.label), "{event}");
    assert_eq!(named["pid"], json!(holder.front), "{event}");
    assert!(event.get("token").is_none(), "who waits has none: {event}");
}
