//! `--watch` for programs: each change once, as it happens.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use nix::sys::signal::Signal;
use serde_json::Value;

use super::{holder, ran, status};
use crate::support::events::{obeys, schema};
use crate::support::lab::{Lab, PATIENCE, Running};
use crate::support::needs::needs;
use crate::support::processes::{children, send, wait_until};

pub(super) fn trials() -> Vec<Trial> {
    trials![
        each_change_is_told_once,
        one_holder_directly_after_another_is_a_change,
        a_holder_that_is_gone_without_a_word_expired,
        a_store_that_is_not_there_yet_is_watched,
        only_what_is_asked_for_and_no_more_of_it,
        it_ends_when_it_is_so,
        whoever_reads_may_go_away,
        a_directory_that_is_gone_ends_it,
        one_watch_tells_of_many_leases,
        nothing_is_looked_at_while_nothing_happens,
        an_output_that_is_full_is_an_error,
    ]
}

const SCHEMA: &str = "leasectl.watch-1.schema.json";

fn watch(lab: &Lab, words: &[&str]) -> Running {
    let mut command = lab.leasectl(["status", "--watch"]);
    lab.spawn(command.args(words))
}

fn lines(running: &Running) -> Vec<Value> {
    let text = running.stdout();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let lines = whole.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}")))
        .collect()
}

/// `kind lease from>to cause` of each line; a holder is its token, by number in the order of their coming.
fn told(lines: &[Value]) -> Vec<String> {
    let mut tokens: Vec<&Value> = Vec::new();
    let ends = |line: &'static str| line;
    for line in lines {
        for end in [ends("from"), ends("to")] {
            let token = &line[end]["token"];
            if !token.is_null() && !tokens.contains(&token) {
                tokens.push(token);
            }
        }
    }
    let number = |holder: &Value| {
        let place = tokens.iter().position(|token| **token == holder["token"]);
        place.map_or_else(|| "-".to_owned(), |place| (place + 1).to_string())
    };
    let words = lines.iter().map(|line| {
        format!(
            "{} {} {}>{} {}",
            line["kind"].as_str().unwrap(),
            line["lease"].as_str().unwrap(),
            number(&line["from"]),
            number(&line["to"]),
            line["cause"].as_str().unwrap_or("-")
        )
    });
    words.collect()
}

/// How many open descriptors of this kind it has.
fn links(running: &Running, kind: &str) -> usize {
    let fds = fs::read_dir(format!("/proc/{}/fd", running.id())).unwrap();
    let links = fds.filter_map(|fd| fs::read_link(fd.unwrap().path()).ok());
    links
        .filter(|link| link.to_string_lossy().contains(kind))
        .count()
}

#[track_caller]
fn until_told(running: &Running, count: usize) {
    wait_until(PATIENCE, "it is told", || lines(running).len() >= count);
}

#[track_caller]
fn check(lab: &Lab, lines: &[Value]) {
    obeys(lab, SCHEMA, lines);
    let schema = schema(SCHEMA);
    let known = schema["properties"].as_object().unwrap();
    for (at, line) in lines.iter().enumerate() {
        assert_eq!(line["seq"], at + 1);
        let unknown = line
            .as_object()
            .unwrap()
            .keys()
            .find(|key| !known.contains_key(*key));
        assert_eq!(unknown, None, "{line}");
    }
}

fn each_change_is_told_once() {
    let lab = Lab::new();
    ran(&lab, "a", &[], "true").expect_code(0);
    lab.run(&mut lab.leasectl(["pause", "-q", "shut"]))
        .expect_code(0);
    let watching = watch(&lab, &[]);
    until_told(&watching, 2);
    let held = holder(&lab, "a", &[]);
    until_told(&watching, 3);
    held.send(Signal::SIGTERM);
    held.wait(PATIENCE);
    until_told(&watching, 4);
    lab.run(&mut lab.leasectl(["resume", "-q", "shut"]))
        .expect_code(0);
    until_told(&watching, 5);
    lab.run(&mut lab.leasectl(["pause", "-q", "a", "--for", "2s", "--reason", "r"]))
        .expect_code(0);
    until_told(&watching, 7);
    let held = holder(&lab, "new", &[]);
    until_told(&watching, 8);
    let script = ["release", "-q", "new"];
    lab.run(&mut lab.leasectl(script)).expect_code(0);
    held.wait(PATIENCE).expect_code(119);
    until_told(&watching, 9);
    watching.send(Signal::SIGINT);
    let lines = lines(&watching);
    assert_eq!(watching.wait(PATIENCE).signal(), Some(2));
    assert_eq!(
        told(&lines),
        [
            "appeared a ->- -",
            "appeared shut ->- -",
            "acquired a ->1 -",
            "released a 1>- completed",
            "resumed shut ->- operator",
            "paused a ->- -",
            "resumed a ->- expired",
            "acquired new ->2 -",
            "released new 2>- operator",
        ]
    );
    assert_eq!(lines[1]["state"], "paused");
    assert_eq!(lines[5]["paused"]["reason"], "r");
    assert_eq!(lines[6]["paused"], Value::Null);
    check(&lab, &lines);
}

fn one_holder_directly_after_another_is_a_change() {
    let lab = Lab::new();
    let first = holder(&lab, "a", &[]);
    let mut second = lab.leasectl([
        "run", "-q", "--lease", "a", "--wait", "1m", "--", "sleep", "600",
    ]);
    let second = lab.spawn(&mut second);
    wait_until(PATIENCE, "it waits", || children(second.id()).len() == 1);
    let watching = watch(&lab, &["a"]);
    until_told(&watching, 1);
    // Who waits for the lock sleeps in the kernel, and gets it with the release.
    wait_until(PATIENCE, "it sleeps", || {
        let tasks = fs::read_dir(format!("/proc/{}/task", second.id())).unwrap();
        tasks.count() > 1
    });
    first.send(Signal::SIGTERM);
    first.wait(PATIENCE);
    until_told(&watching, 2);
    let told = told(&lines(&watching));
    // The look may fall between the two.
    let between = [
        "appeared a ->1 -",
        "released a 1>- completed",
        "acquired a ->2 -",
    ];
    if told.len() == 2 {
        assert_eq!(told, ["appeared a ->1 -", "changed a 1>2 completed"]);
    } else {
        assert_eq!(told, between);
    }
    check(&lab, &lines(&watching));
}

fn a_holder_that_is_gone_without_a_word_expired() {
    let lab = Lab::new();
    let watching = watch(&lab, &["a"]);
    // What happens before the first picture is not told as a change.
    wait_until(PATIENCE, "it watches", || links(&watching, "inotify") > 0);
    let held = holder(&lab, "a", &[]);
    until_told(&watching, 1);
    send(held.id(), Signal::SIGKILL);
    // The guardian stops the command; then the lock goes.
    until_told(&watching, 2);
    let told = told(&lines(&watching));
    assert_eq!(told, ["acquired a ->1 -", "expired a 1>- vanished"]);
    check(&lab, &lines(&watching));
}

fn a_store_that_is_not_there_yet_is_watched() {
    let lab = Lab::new();
    let store = format!(
        "file://{}/later",
        lab.path("").display().to_string().trim_end_matches('/')
    );
    let watching = watch(&lab, &["--store", &store]);
    let mut run = lab.leasectl([
        "run", "-q", "--store", &store, "--lease", "a", "--", "sleep", "600",
    ]);
    // Not before it has found nothing.
    wait_until(PATIENCE, "it watches", || links(&watching, "eventpoll") > 0);
    assert!(!lab.path("later").exists());
    let _held = lab.spawn(&mut run);
    until_told(&watching, 1);
    let told = told(&lines(&watching));
    assert!(
        ["acquired a ->1 -", "appeared a ->1 -"].contains(&told[0].as_str()),
        "{told:?}"
    );
}

fn only_what_is_asked_for_and_no_more_of_it() {
    let lab = Lab::new();
    ran(&lab, "other", &[], "true").expect_code(0);
    let only = watch(&lab, &["--only", "released,lost", "--count", "2"]);
    let count = watch(&lab, &["--count", "1"]);
    let ended = count.wait(PATIENCE).expect_code(0);
    assert_eq!(ended.stdout.lines().count(), 1);
    let prefix = watch(&lab, &["--prefix", "b/", "--count", "1", "--json"]);
    let mut number = 0;
    let ended = |running: &Running| !crate::support::processes::alive(running.id());
    // Before it watches it tells of nothing.
    wait_until(PATIENCE, "two of them were seen", || {
        number += 1;
        ran(&lab, "a", &[], "sleep 0.02").expect_code(0);
        ended(&only)
    });
    let lines = lines(&only);
    assert_eq!(lines.len(), 2);
    assert!(
        lines.iter().all(|line| line["kind"] == "released"),
        "{lines:?}"
    );
    assert_eq!(
        told(&lines),
        ["released a 1>- completed", "released a 2>- completed"]
    );
    only.wait(PATIENCE).expect_code(0);
    assert_eq!(prefix.stdout(), "");
    let _held = holder(&lab, "b/1", &[]);
    let ended = prefix.wait(PATIENCE).expect_code(0);
    assert!(ended.stdout.contains("\"lease\":\"b/1\""), "{ended}");
}

fn it_ends_when_it_is_so() {
    let lab = Lab::new();
    // At once, of a lease that was never there.
    let ended = status(&lab, &["a", "--watch", "--until", "free"]).expect_code(0);
    assert_eq!(ended.stdout, "");
    let until_held = watch(&lab, &["a", "--until", "held"]);
    let held = holder(&lab, "a", &[]);
    let ended = until_held.wait(PATIENCE).expect_code(0);
    assert!(
        ended.stdout.ends_with('\n') && ended.stdout.contains("\"held\""),
        "{ended}"
    );
    let until_free = watch(&lab, &["a", "--until", "free"]);
    until_told(&until_free, 1);
    // Not held, and not to be had either.
    lab.run(&mut lab.leasectl(["pause", "-q", "a"]))
        .expect_code(0);
    held.send(Signal::SIGTERM);
    held.wait(PATIENCE);
    until_told(&until_free, 3);
    assert!(crate::support::processes::alive(until_free.id()));
    lab.run(&mut lab.leasectl(["resume", "-q", "a"]))
        .expect_code(0);
    let ended = until_free.wait(PATIENCE).expect_code(0);
    assert!(
        ended.stdout.lines().last().unwrap().contains("\"resumed\""),
        "{ended}"
    );
}

fn whoever_reads_may_go_away() {
    needs("bash");
    let lab = Lab::new();
    ran(&lab, "a", &[], "true").expect_code(0);
    // After the first line, and before any: nothing ever happens that would have to be written.
    for reader in ["head -n 1", "true"] {
        let script = format!(
            "set -o pipefail; {{ leasectl status --watch; echo \"code $?\" >&2; }} | {reader}"
        );
        let mut bash = lab.command("bash");
        let ended = lab.run(bash.args(["-c", &script])).expect_code(0);
        assert_eq!(ended.stderr, "code 0\n", "{reader}");
    }
}

fn a_directory_that_is_gone_ends_it() {
    let lab = Lab::new();
    ran(&lab, "a", &[], "true").expect_code(0);
    let watching = watch(&lab, &[]);
    until_told(&watching, 1);
    fs::rename(lab.store(), lab.path("moved")).unwrap();
    let ended = watching.wait(PATIENCE).expect_code(125);
    assert!(
        ended
            .stderr
            .contains("store was moved, removed or replaced"),
        "{ended}"
    );
    assert_eq!(ended.stdout.lines().count(), 1, "{ended}");
}

fn one_watch_tells_of_many_leases() {
    let lab = Lab::new();
    let script = "for n in $(seq 40); do leasectl run -q --lease many/$n -- true || exit 1; done";
    lab.run(&mut lab.sh(script)).expect_code(0);
    let watching = watch(&lab, &[]);
    until_told(&watching, 40);
    // One, and the copy by which it is heard.
    wait_until(PATIENCE, "it watches", || {
        (1..=2).contains(&links(&watching, "inotify"))
    });
    let _held = holder(&lab, "many/17", &[]);
    until_told(&watching, 41);
    assert_eq!(told(&lines(&watching))[40], "acquired many/17 ->1 -");
}

fn nothing_is_looked_at_while_nothing_happens() {
    needs("strace");
    let lab = Lab::new();
    ran(&lab, "a", &[], "true").expect_code(0);
    let _held = holder(&lab, "b", &[]);
    let mut strace = lab.command("strace");
    strace.args([
        "-f",
        "-o",
        "trace",
        "-e",
        "trace=openat,fcntl,inotify_add_watch",
    ]);
    strace.args([super::super::support::lab::LEASECTL, "status", "--watch"]);
    let watching = lab.spawn(&mut strace);
    until_told(&watching, 2);
    let opened = || {
        fs::read_to_string(lab.path("trace"))
            .unwrap()
            .matches("openat(")
            .count()
    };
    let quiet = |span: Duration| {
        let (before, started) = (opened(), Instant::now());
        while started.elapsed() < span {
            std::thread::sleep(Duration::from_millis(50));
        }
        opened() == before
    };
    // It looks again after what it heard at the start, at growing distances.
    wait_until(PATIENCE, "it is quiet", || {
        quiet(Duration::from_millis(1_500))
    });
    assert!(quiet(Duration::from_millis(2_500)));
    let trace = lab.read("trace");
    assert_eq!(trace.matches("inotify_add_watch(").count(), 1, "{trace}");
    assert!(
        !trace.contains("F_OFD_SETLK") && trace.contains("F_OFD_GETLK"),
        "{trace}"
    );
}

fn an_output_that_is_full_is_an_error() {
    let lab = Lab::new();
    ran(&lab, "a", &[], "true").expect_code(0);
    let script = "exec leasectl status --watch >/dev/full";
    let ended = lab
        .run(Command::arg(&mut lab.sh(script), "x"))
        .expect_code(125);
    assert!(
        ended
            .stderr
            .contains("standard output could not be written"),
        "{ended}"
    );
}
