//! On a terminal: as wide as it is, in colours that it wants, and drawn in its place with `--watch`.

use libtest_mimic::Trial;

use super::{holder, ran};
use crate::support::lab::{LEASECTL, Lab};
use crate::support::needs::needs;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        it_fits_the_window,
        colours_are_for_terminals_that_want_them,
        a_watch_is_drawn_in_its_place_and_gives_the_terminal_back,
        a_watch_that_is_stopped_gives_the_terminal_back_as_well,
        a_watch_fits_a_window_that_changes,
        a_watch_ends_when_it_is_so,
        with_json_there_are_lines_on_a_terminal_too,
    ]
}

const ENTER: &str = "\\x1b[?1049h";
const LEAVE: &str = "\\x1b[?25h\\x1b[?1049l";

/// What a terminal of this size showed, in Python's words, and the exit code.
#[track_caller]
fn on_terminal(lab: &Lab, size: &str, steps: &[&str], command: &[&str]) -> (String, String) {
    on_terminal_with(lab, size, steps, command, &[])
}

#[track_caller]
fn on_terminal_with(
    lab: &Lab,
    size: &str,
    steps: &[&str],
    command: &[&str],
    variables: &[(&str, &str)],
) -> (String, String) {
    let mut python = lab.command("python3");
    python
        .args(["-c", include_str!("terminal.py"), size])
        .args(steps);
    python
        .arg("--")
        .args(command)
        .env("TERM", "xterm")
        .envs(variables.iter().copied());
    let ended = lab.run(&mut python).expect_code(0);
    let (shown, code) = ended.stdout.trim_end().rsplit_once('\n').unwrap();
    (shown.to_owned(), code.to_owned())
}

/// The lines that a window of this size shows below the label of the store, which is as long as it is.
#[track_caller]
fn plain(lab: &Lab, size: &str) -> Vec<String> {
    let (command, plain) = ([LEASECTL, "status"], [("NO_COLOR", "1")]);
    let (shown, _) = on_terminal_with(lab, size, &[], &command, &plain);
    let lines = shown.trim_matches('\'').split("\\r\\n").skip(1);
    lines.map(str::to_owned).collect()
}

fn it_fits_the_window() {
    needs("python3");
    let lab = Lab::new();
    let note = "a word to whoever is refused, and another one to all others";
    let _held = holder(&lab, "nightly", &["--note", note]);
    ran(&lab, "backup/db1", &[], "exit 3").expect_code(3);
    for (columns, head) in [
        (240, " ENDS              TOKEN             COMMAND"),
        (100, " ENDS"),
        (40, "backup/db1  free"),
    ] {
        let lines = plain(&lab, &format!("{columns}x24"));
        assert!(lines[0].contains(head), "{columns}: {lines:#?}");
        assert_eq!(lines[0].ends_with(head), columns < 200, "{lines:#?}");
        let widest = lines.iter().map(|line| line.chars().count()).max();
        assert!(widest <= Some(columns), "{columns}: {lines:#?}");
        let whole: Vec<&str> = lines.iter().map(|line| line.trim_start()).collect();
        let whole = whole.join(" ");
        for part in ["with its process", "failed with exit code 3", note] {
            assert!(whole.contains(part), "{columns}: {part}: {lines:#?}");
        }
    }
    // A terminal that does not know its size has the usual one.
    assert_eq!(plain(&lab, "0x0").len(), plain(&lab, "80x24").len());
}

fn colours_are_for_terminals_that_want_them() {
    needs("python3");
    let lab = Lab::new();
    ran(&lab, "a", &[], "exit 3").expect_code(3);
    let status = [LEASECTL, "status"];
    let shown =
        |variables: &[(&str, &str)]| on_terminal_with(&lab, "200x24", &[], &status, variables).0;
    assert!(shown(&[]).contains("\\x1b[31mfailed\\x1b[0m"));
    assert!(shown(&[("NO_COLOR", "")]).contains("\\x1b[31m"));
    for plain in [("NO_COLOR", "1"), ("TERM", "dumb"), ("TERM", "")] {
        assert!(!shown(&[plain]).contains("\\x1b"), "{plain:?}");
    }
    assert!(
        !lab.run(lab.leasectl(["status"]).env("TERM", "xterm"))
            .stdout
            .contains('\u{1b}')
    );
}

fn a_watch_is_drawn_in_its_place_and_gives_the_terminal_back() {
    needs("python3");
    let lab = Lab::new();
    ran(&lab, "a", &[], "true").expect_code(0);
    let run = format!("do {LEASECTL} run -q --lease new -- true");
    let steps = [
        "see 1 lease, 0 held",
        "see completed",
        &run,
        "see 2 leases, 0 held",
        "see new",
        "type \\x03",
    ];
    let (shown, code) = on_terminal(&lab, "120x24", &steps, &[LEASECTL, "status", "--watch"]);
    assert_eq!(code, "-2", "{shown}");
    assert_eq!(shown.matches(ENTER).count(), 1, "{shown}");
    let (_, after) = shown.rsplit_once(LEAVE).unwrap();
    assert_eq!(after, "'", "{shown}");
    let (before, _) = shown.split_once(ENTER).unwrap();
    assert_eq!(before, "'", "{shown}");
    // Killed by a request to end, it does the same.
    let steps = ["see 2 leases", "do pkill -TERM -x -P $PPID leasectl"];
    let kill = "kill -TERM $(cat pid)";
    let kill = format!("do {kill}");
    let steps = [steps[0], &kill];
    let script = format!("echo $$ >pid; exec {LEASECTL} status --watch");
    let (shown, code) = on_terminal(&lab, "120x24", &steps, &["sh", "-c", &script]);
    assert!(
        shown.ends_with(&format!("{LEAVE}'")) && code == "-15",
        "{code} {shown}"
    );
}

fn a_watch_that_is_stopped_gives_the_terminal_back_as_well() {
    needs("python3");
    needs("bash");
    let lab = Lab::new();
    ran(&lab, "a", &[], "true").expect_code(0);
    let script = format!("set -m; {LEASECTL} status --watch; echo stopped $?; fg");
    let steps = [
        "see 1 lease",
        "type \\x1a",
        "see stopped 148",
        "see 1 lease",
        "type \\x03",
    ];
    let (shown, code) = on_terminal(&lab, "120x24", &steps, &["bash", "--norc", "-c", &script]);
    assert_eq!(shown.matches(ENTER).count(), 2, "{shown}");
    assert_eq!(shown.matches(LEAVE).count(), 2, "{shown}");
    let (drawn, after) = shown.split_once(LEAVE).unwrap();
    assert!(
        !drawn.contains("stopped") && after.contains("stopped 148"),
        "{shown}"
    );
    assert!(["-2", "130"].contains(&code.as_str()), "{code} {shown}");
}

fn a_watch_fits_a_window_that_changes() {
    needs("python3");
    let lab = Lab::new();
    let script = "for n in $(seq 20); do leasectl run -q --lease many/$n -- true || exit 1; done";
    lab.run(&mut lab.sh(script)).expect_code(0);
    let steps = [
        "see many/9",
        "size 120x10",
        "see more lines; a larger window shows them",
        "size 120x40",
        "see many/9",
        "type \\x03",
    ];
    let (shown, _) = on_terminal(&lab, "120x40", &steps, &[LEASECTL, "status", "--watch"]);
    let (_, narrow) = shown.split_once("a larger window").unwrap();
    assert!(shown.contains("... 13 more lines;"), "{shown}");
    assert!(narrow.contains("many/9"), "{shown}");
}

fn a_watch_ends_when_it_is_so() {
    needs("python3");
    let lab = Lab::new();
    let run = format!(
        "do {LEASECTL} run -q --lease a -- sh -c 'sleep 600 & echo $! >sleeper; wait' >/dev/null 2>&1 &"
    );
    let steps = ["see 1 lease, 0 held", &run];
    let command = [LEASECTL, "status", "a", "--watch", "--until", "held"];
    let (shown, code) = on_terminal(&lab, "120x24", &steps, &command);
    assert_eq!(code, "0", "{shown}");
    assert!(
        shown.contains("1 lease, 1 held") && shown.ends_with(&format!("{LEAVE}'")),
        "{shown}"
    );
}

fn with_json_there_are_lines_on_a_terminal_too() {
    needs("python3");
    let lab = Lab::new();
    ran(&lab, "a", &[], "true").expect_code(0);
    for words in [
        &["--json", "--count", "1"][..],
        &["--only", "appeared", "--count", "1"],
        &["--count", "1"],
    ] {
        let command = [&[LEASECTL, "status", "--watch"], words].concat();
        let (shown, code) = on_terminal(&lab, "120x24", &[], &command);
        assert!(
            shown.starts_with("'{\"schema\":\"leasectl.watch/1\"") && code == "0",
            "{shown}"
        );
    }
}
