//! Hostile beginnings: closed descriptors, and commands that cannot be executed.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use super::scene::{LEASE, assert_lease_is_free, assert_nothing_is_left};
use crate::support::containment::Level;
use crate::support::lab::{Lab, PATIENCE, Running};
use crate::support::processes::{children, name, wait_until};

pub(crate) fn trials() -> Vec<Trial> {
    let mut all = trials_at_each_level![
        closed_descriptors_are_no_danger,
        descriptors_are_inherited_untouched,
        what_is_not_there_is_not_found,
        what_cannot_be_executed_is_said_to_be_so,
    ];
    all.extend(trials![a_command_that_is_too_long_is_said_to_be_so,]);
    all
}

/// leasectl as a shell would start it, with these redirections.
fn redirected(level: Level, lab: &Lab, redirections: &str, command: &[&str]) -> Running {
    let mut guarded = level.leasectl(lab, &["run", "--lease", LEASE, "-v", "--"]);
    guarded.args(command);
    let mut shell = lab.sh(&format!("exec \"$@\" {redirections}"));
    shell
        .arg("sh")
        .arg(guarded.get_program())
        .args(guarded.get_args());
    lab.spawn(&mut shell)
}

/// Where the descriptors of the command lead, once it is a sleep. It opens and closes some as it starts.
fn descriptors(front: &Running) -> Vec<(u32, String)> {
    let mut command = None;
    wait_until(PATIENCE, "the command runs", || {
        let below = children(front.id()).into_iter().flat_map(children);
        command = below
            .into_iter()
            .find(|&pid| name(pid).as_deref() == Some("sleep"));
        command.is_some()
    });
    let mut found = links(&command.unwrap().to_string());
    // What this test itself was given by whoever runs it is passed on like everything else.
    let given = links("self");
    found.retain(|one| one.0 <= 2 || !given.contains(one));
    found
}

fn links(process: &str) -> Vec<(u32, String)> {
    let entries = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let number = path.file_name()?.to_str()?.parse().ok()?;
            Some((number, fs::read_link(&path).ok()?.display().to_string()))
        })
        .collect()
}

fn closed_descriptors_are_no_danger(level: Level) {
    for redirections in ["<&-", ">&-", "2>&-", "<&- >&-", ">&- 2>&-", "<&- >&- 2>&-"] {
        let lab = Lab::new();
        let running = redirected(level, &lab, redirections, &["sleep", "1000"]);
        // What was closed is closed or leads nowhere: never to a descriptor of leasectl's own.
        wait_until(PATIENCE, redirections, || {
            descriptors(&running)
                .into_iter()
                .all(|(number, to)| match number {
                    0 => to == "/dev/null",
                    1 | 2 => to.contains(".std") || to == "/dev/null",
                    _ => to.starts_with(lab.store().to_str().unwrap()),
                })
        });
        running.send(Signal::SIGTERM);
        running.wait(PATIENCE);
        let script = "cat >/dev/null; echo out; echo err >&2; touch ran; exit 6";
        let running = redirected(level, &lab, redirections, &["sh", "-c", script]);
        running.wait(PATIENCE).expect_code(6);
        assert!(lab.path("ran").exists(), "{redirections}");
        assert_nothing_is_left(&lab);
        assert_lease_is_free(&lab);
    }
}

fn descriptors_are_inherited_untouched(level: Level) {
    let lab = Lab::new();
    let running = redirected(level, &lab, "7>seven", &["sleep", "1000"]);
    let (store, seven) = (lab.store(), lab.path("seven"));
    wait_until(
        PATIENCE,
        "what was given, the lock, and nothing else",
        || {
            let found = descriptors(&running);
            let expected = |(number, to): &(u32, String)| match number {
                0 => to == "/dev/null",
                1 | 2 => to.contains(".std"),
                7 => to == seven.to_str().unwrap(),
                _ => to.starts_with(store.to_str().unwrap()),
            };
            found.len() == 5 && found.iter().all(expected)
        },
    );
}

/// Exit code and one line; the lease is free again and nothing is left.
#[track_caller]
fn expect_not_started(level: Level, lab: &Lab, command: &[&str], code: i32, says: &str) {
    let mut guarded = level.leasectl(lab, &["run", "--lease", LEASE, "--"]);
    let ended = lab.run(guarded.args(command)).expect_code(code);
    assert_eq!(ended.stderr.lines().count(), 1, "{ended}");
    for part in [command[0], says, "nothing was run"] {
        assert!(ended.stderr.contains(part), "{part:?} is missing: {ended}");
    }
    assert_eq!(ended.stdout, "");
    assert_nothing_is_left(lab);
    assert_lease_is_free(lab);
}

fn what_is_not_there_is_not_found(level: Level) {
    let lab = Lab::new();
    let missing = "not found";
    expect_not_started(level, &lab, &["no-such-program-anywhere"], 127, missing);
    expect_not_started(level, &lab, &["./no-such-file"], 127, missing);
    executable(&lab, "script", "#!/no/such/interpreter\n");
    expect_not_started(level, &lab, &["./script"], 127, missing);
}

fn what_cannot_be_executed_is_said_to_be_so(level: Level) {
    let lab = Lab::new();
    fs::write(lab.path("plain"), "echo no\n").unwrap();
    fs::create_dir(lab.path("directory")).unwrap();
    expect_not_started(level, &lab, &["./plain"], 126, "permission denied");
    expect_not_started(level, &lab, &["./directory"], 126, "directory");
    executable(&lab, "script", "echo no\n");
    expect_not_started(level, &lab, &["./script"], 126, "needs a first line");
}

fn executable(lab: &Lab, name: &str, text: &str) {
    fs::write(lab.path(name), text).unwrap();
    fs::set_permissions(lab.path(name), PermissionsExt::from_mode(0o755)).unwrap();
}

/// leasectl itself still starts; the command gets a few variables more than that.
fn a_command_that_is_too_long_is_said_to_be_so() {
    let lab = Lab::new();
    // Variables of 100 kB each (one may have 128), and one that fills the rest to the byte.
    let with = |total: usize| {
        let mut command = lab.leasectl(["run", "--lease", LEASE, "--", "true"]);
        for number in 0..total / 100_000 {
            command.env(format!("FILL{number:03}"), "x".repeat(100_000));
        }
        command.env("REST", "x".repeat(total % 100_000));
        command
    };
    let (mut fits, mut too_much) = (0, 8_000_000);
    while too_much - fits > 1 {
        let middle = usize::midpoint(fits, too_much);
        let mut command = with(middle);
        command.arg("--version").stdout(std::process::Stdio::null());
        command.stderr(std::process::Stdio::null());
        match command.status() {
            Ok(_) => fits = middle,
            Err(_) => too_much = middle,
        }
    }
    let ended = lab.run(&mut with(fits)).expect_code(126);
    assert!(ended.stderr.contains("argument list too long"), "{ended}");
    assert_nothing_is_left(&lab);
    assert_lease_is_free(&lab);
}
