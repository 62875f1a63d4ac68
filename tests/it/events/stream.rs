//! Where events go: files, descriptors, pipes that nobody reads, disks that are full. Renewing and
//! killing go on as if they were not there.

use std::fs;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::json;

use super::super::cli::the_line;
use crate::support::events::Events;
use crate::support::lab::{Lab, PATIENCE};
use crate::support::processes::wait_until;

pub(super) fn trials() -> Vec<Trial> {
    trials![
        a_file_is_appended_to,
        a_descriptor_is_written_to_and_not_passed_on,
        standard_error_can_be_the_descriptor,
        a_socket_is_written_to,
        a_fifo_need_not_have_a_reader,
        a_full_pipe_drops_lines_and_the_gap_is_seen,
        a_full_disk_changes_nothing,
        a_pipe_that_is_closed_changes_nothing,
        many_processes_share_a_file,
        what_cannot_be_opened_is_refused,
        the_shell_finds_its_descriptor_as_it_was,
    ]
}

fn run(lab: &Lab, events: &str, options: &[&str], script: &str) -> Command {
    let mut command = lab.leasectl(["run", "--lease", "x", "--events", events]);
    command.args(options).args(["--", "sh", "-c", script]);
    command
}

fn a_file_is_appended_to() {
    let lab = Lab::new();
    fs::write(lab.path("events"), "what was there\n").unwrap();
    for _ in 0..2 {
        lab.run(&mut run(&lab, "events", &[], ":")).expect_code(0);
    }
    let text = lab.read("events");
    let lines = text.strip_prefix("what was there\n").unwrap();
    let ended = Events::parse(lines).of("ended").len();
    assert_eq!(ended, 2);
}

fn a_descriptor_is_written_to_and_not_passed_on() {
    let lab = Lab::new();
    let line = "leasectl run --lease x --events fd:3 -- sh -c 'ls -l /proc/self/fd/3; :' 3>>events";
    let ended = lab.run(&mut lab.sh(line)).expect_code(0);
    assert!(ended.stderr.contains("/proc/self/fd/3"), "{ended}");
    Events::read(&lab.path("events")).check(&lab);
}

fn standard_error_can_be_the_descriptor() {
    let lab = Lab::new();
    let ended = lab.run(&mut run(&lab, "fd:2", &[], "echo own >&2"));
    let ended = ended.expect_code(0);
    let text = ended.stderr.replace("own\n", "");
    assert_ne!(text, ended.stderr, "the command keeps its standard error");
    Events::parse(&text).check(&lab);
}

fn a_socket_is_written_to() {
    let lab = Lab::new();
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let line = format!(
        "exec 3>/proc/self/fd/1; leasectl run --lease x --events fd:{} -- true",
        theirs.as_raw_fd()
    );
    let mut command = lab.sh(&line);
    // std marks it as closed in what is started; the shell is to have it.
    nix::fcntl::fcntl(
        &theirs,
        nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty()),
    )
    .unwrap();
    lab.run(&mut command).expect_code(0);
    drop(theirs);
    ours.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut text = String::new();
    ours.read_to_string(&mut text).unwrap();
    Events::parse(&text).check(&lab);
}

fn a_fifo_need_not_have_a_reader() {
    let lab = Lab::new();
    mkfifo(&lab.path("fifo"), Mode::S_IRWXU).unwrap();
    let script = "timeout 30 cat fifo >events & leasectl run --lease x --events fifo -- true; wait";
    lab.run(&mut lab.sh(script)).expect_code(0);
    Events::read(&lab.path("events")).check(&lab);
    lab.run(&mut run(&lab, "fifo", &[], ":")).expect_code(0);
}

/// Nobody reads: the pipe fills up, the run goes on. Whoever reads later sees whole lines, and a gap.
fn a_full_pipe_drops_lines_and_the_gap_is_seen() {
    let lab = Lab::new();
    let script = "mkfifo fifo; exec 4<>fifo
        leasectl run -q --lease x --store memory: --ttl 6s --events fifo -- \
            sh -c 'touch up; while ! test -e full; do sleep 0.01; done; sleep 6; exit 6'
        echo $? >code";
    let running = lab.spawn(&mut lab.sh(script));
    wait_until(PATIENCE, "it runs", || lab.path("up").exists());
    // Fills the pipe to the last byte that fits, then lets it be read once the lease would have run out.
    let mut pipe = fs::File::options()
        .read(true)
        .write(true)
        .open(lab.path("fifo"))
        .unwrap();
    nix::fcntl::fcntl(
        &pipe,
        nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK),
    )
    .unwrap();
    let mut filled = 0;
    for piece in [4096, 256, 1] {
        while let Ok(wrote) = std::io::Write::write(&mut pipe, &vec![b'\n'; piece]) {
            filled += wrote;
        }
    }
    assert!(filled > 0);
    fs::write(lab.path("full"), "").unwrap();
    wait_until(PATIENCE, "it has ended", || lab.path("code").exists());
    running.wait(PATIENCE).expect_code(0);
    assert_eq!(lab.read("code"), "6\n", "renewing went on without a reader");
    let mut text = Vec::new();
    // Read until it would have to be waited for.
    pipe.read_to_end(&mut text).unwrap_err();
    let text = String::from_utf8(text).unwrap();
    let events = Events::parse(&text.replace("\n\n", "\n").trim_start().replace("\n\n", ""));
    assert_eq!(events.kinds()[0], "acquired");
    assert!(events.of("ended").is_empty(), "there was no room for it");
}

fn a_full_disk_changes_nothing() {
    let lab = Lab::new();
    let ended = lab.run(&mut run(&lab, "/dev/full", &[], "exit 4"));
    // None of the lines gets there, so that no gap can be seen: one warning for all of them.
    let line = the_line(&lab, &ended.expect_code(4));
    let expected = "an event could not be written to --events: no space left on device; ";
    assert!(line.starts_with(expected), "{line}");
    let script = "exec sleep 600";
    let options = ["--run-timeout", "100ms", "-q"];
    let ended = lab.run(&mut run(&lab, "/dev/full", &options, script));
    assert!(!ended.expect_code(124).stderr.contains("--events"));
}

fn a_pipe_that_is_closed_changes_nothing() {
    let lab = Lab::new();
    let line = "{ leasectl run --lease x --events fd:3 -- sh -c 'sleep 0.2; exit 4' 3>&1 >/dev/null
        echo $? >code; } | true";
    let ended = lab.run(&mut lab.sh(line)).expect_code(0);
    wait_until(PATIENCE, "it has ended", || lab.path("code").exists());
    assert_eq!(lab.read("code"), "4\n");
    let said = the_line(&lab, &ended);
    assert!(said.contains("whoever read it is gone"), "{said}");
}

fn many_processes_share_a_file() {
    let lab = Lab::new();
    let script = "for i in 1 2 3 4 5 6; do
        leasectl run --lease l$i --events events -- true & done; wait";
    lab.run(&mut lab.sh(script)).expect_code(0);
    let events = Events::read(&lab.path("events"));
    assert_eq!(events.0.len(), 6 * 5);
    for ended in events.of("ended") {
        let own = events.0.iter().filter(|one| one["run"] == ended["run"]);
        let numbers: Vec<_> = own.map(|one| one["seq"].clone()).collect();
        assert_eq!(json!(numbers), json!([1, 2, 3, 4, 5]));
    }
}

fn what_cannot_be_opened_is_refused() {
    let lab = Lab::new();
    for (events, expected) in [
        (
            "nowhere/events",
            "--events \"nowhere/events\" cannot be opened: no such file",
        ),
        (
            "store",
            "--events \"store\" cannot be opened: is a directory",
        ),
        (
            "fd:77",
            "--events fd:77 cannot be used: it is not open; open it, as in 77>>FILE",
        ),
        (
            "fd:0",
            "--events fd:0 cannot be used: it is not open for writing",
        ),
        (
            "fd:x",
            "--events \"fd:x\" cannot be used: after fd: comes the number",
        ),
        ("", "--events"),
    ] {
        let ended = lab.run(&mut run(&lab, events, &[], "touch ran"));
        let line = the_line(&lab, &ended.expect_code(125));
        assert!(line.starts_with(expected), "{line}");
    }
    assert!(!lab.path("ran").exists());
}

/// `O_NONBLOCK` on a descriptor that is shared would make the shell's own writing fail.
fn the_shell_finds_its_descriptor_as_it_was() {
    let lab = Lab::new();
    let script = "leasectl run -v --lease x --events fd:2 -- true 2>&1 | cat >out
        { leasectl run -v --lease x --events fd:3 -- true; grep flags /proc/self/fdinfo/1 >&2; } \
            3>&1 | cat >out2";
    let ended = lab.run(&mut lab.sh(script)).expect_code(0);
    let flags = ended.stderr.lines().find(|line| line.starts_with("flags"));
    let flags = flags
        .and_then(|line| line.split_whitespace().nth(1))
        .unwrap();
    let flags = u32::from_str_radix(flags, 8).unwrap();
    assert_eq!(flags & 0o4000, 0, "{ended}");
    assert!(ended.took < Duration::from_secs(60));
}
