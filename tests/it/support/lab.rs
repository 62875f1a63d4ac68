//! A place of its own for one test: a directory, a store, and leasectl with a clean environment.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::processes::{Killed, alive, comes_true, marked, send, wait_until};

/// The binary under test: the one that was built with the tests, or the one that `tests/run` was told.
pub(crate) const LEASECTL: &str = match option_env!("LEASECTL_TEST_BINARY") {
    Some(another) => another,
    None => env!("CARGO_BIN_EXE_leasectl"),
};

/// How long a command may take that is waited for. Far more than any needs, so that a busy machine
/// fails no test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The variable by which the processes of one lab are known, wherever they went.
const MARK: &str = "LAB_OF_TEST";

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        what_a_script_did_is_seen,
        a_signal_is_told_from_a_code,
        nothing_outlives_its_lab,
    ]
}

/// A directory below the system's own for temporary files, gone with the value. So is every process
/// that was started in it and is still alive.
#[derive(Debug)]
pub(crate) struct Lab {
    directory: TempDir,
    started: AtomicUsize,
}

impl Lab {
    /// A new lab with an empty store.
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("leasectl-")
            .tempdir()
            .unwrap();
        for name in ["store", "home", "bin"] {
            let mut builder = DirBuilder::new();
            builder
                .mode(0o700)
                .create(directory.path().join(name))
                .unwrap();
        }
        std::os::unix::fs::symlink(LEASECTL, directory.path().join("bin/leasectl")).unwrap();
        Self {
            directory,
            started: AtomicUsize::new(0),
        }
    }

    /// The path of a file in the lab.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The directory of the lab's file store.
    pub(crate) fn store(&self) -> PathBuf {
        self.path("store")
    }

    /// The text of a file in the lab.
    #[track_caller]
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Any program, in the lab: its directory, nothing in the environment but what every login has,
    /// the lab's store (`LEASECTL_STORE`), `leasectl` on the path. Input is empty; output goes to files,
    /// because a pipe would be held open by whatever a command leaves behind.
    ///
    /// Without `LEASECTL_STORE` root's leasectl would use the machine's own store: a test that takes
    /// the variable away gives a store otherwise.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut path = self.path("bin").into_os_string();
        path.push(":");
        path.push(env::var_os("PATH").unwrap_or_default());
        let mut store = std::ffi::OsString::from("file://");
        store.push(self.store());
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.path("home"))
            .env("LANG", "C.UTF-8")
            .env(MARK, self.directory.path())
            .env("LEASECTL_STORE", store)
            .current_dir(self.directory.path())
            .stdin(Stdio::null());
        command
    }

    /// leasectl itself, with `args`.
    pub(crate) fn leasectl<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = self.command(LEASECTL);
        command.args(args);
        command
    }

    /// A shell script.
    pub(crate) fn sh(&self, script: &str) -> Command {
        let mut command = self.command("sh");
        command.args(["-c", script]);
        command
    }

    /// Starts a command and goes on.
    #[track_caller]
    pub(crate) fn spawn(&self, command: &mut Command) -> Running {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let (stdout, stderr) = (
            self.path(&format!("{number}.stdout")),
            self.path(&format!("{number}.stderr")),
        );
        command
            .stdout(File::create(&stdout).unwrap())
            .stderr(File::create(&stderr).unwrap());
        let child = Killed::spawn(command)
            .unwrap_or_else(|error| panic!("{:?} does not start: {error}", command.get_program()));
        Running {
            child,
            stdout,
            stderr,
        }
    }

    /// Runs a command to its end.
    #[track_caller]
    pub(crate) fn run(&self, command: &mut Command) -> Ended {
        self.spawn(command).wait(PATIENCE)
    }

    /// Every living process that was started in this lab, whoever its parent is by now.
    pub(crate) fn processes(&self) -> Vec<u32> {
        marked(&format!("{MARK}={}", self.directory.path().display()))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let started = Instant::now();
        // What is killed may just have forked: look again until nothing is left.
        loop {
            let left = self.processes();
            if left.is_empty() || started.elapsed() > Duration::from_secs(10) {
                return;
            }
            for pid in left {
                send(pid, Signal::SIGKILL);
            }
        }
    }
}

/// A command in the background: killed when dropped. Its descendants go with the lab.
#[derive(Debug)]
pub(crate) struct Running {
    child: Killed,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Running {
    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far.
    pub(crate) fn stdout(&self) -> String {
        text(&self.stdout)
    }

    /// What it has said so far.
    pub(crate) fn stderr(&self) -> String {
        text(&self.stderr)
    }

    /// Sends it a signal.
    pub(crate) fn send(&self, signal: Signal) {
        send(self.id(), signal);
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(mut self, limit: Duration) -> Ended {
        let pid = self.id();
        let started = Instant::now();
        // A zombie is not alive: it keeps its number until it is reaped, which is done below.
        let ended = comes_true(limit, || !alive(pid));
        let said = || text(&self.stderr);
        assert!(ended, "still running after {limit:?}; it said: {}", said());
        let status = self.child.0.wait().unwrap();
        Ended {
            status,
            stdout: text(&self.stdout),
            stderr: text(&self.stderr),
            took: started.elapsed(),
        }
    }
}

fn text(file: &Path) -> String {
    String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned()
}

/// How a command ended, and what it printed.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// How long it was waited for.
    pub(crate) took: Duration,
}

impl Ended {
    /// The exit code; `None` when a signal ended it.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The signal that ended it.
    pub(crate) fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// The same, when the code is `code`; a panic that shows everything otherwise.
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code(), Some(code), "{self}");
        self
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            status,
            stdout,
            stderr,
            took,
        } = self;
        write!(
            f,
            "{status} after {took:?}\n--- stdout\n{stdout}--- stderr\n{stderr}---"
        )
    }
}

fn what_a_script_did_is_seen() {
    let lab = Lab::new();
    let ended = lab.run(&mut lab.sh("echo out; echo err >&2; echo file >made; env; exit 7"));
    let ended = ended.expect_code(7);
    assert!(ended.stdout.starts_with("out\n"), "{ended}");
    assert_eq!(ended.stderr, "err\n");
    assert_eq!(lab.read("made"), "file\n");
    let store = format!("LEASECTL_STORE=file://{}\n", lab.store().display());
    assert!(ended.stdout.contains(&store), "{ended}");
    assert!(!ended.stdout.contains("CARGO"), "{ended}");
}

fn a_signal_is_told_from_a_code() {
    let lab = Lab::new();
    let running = lab.spawn(&mut lab.sh("echo ready; sleep 60; :"));
    wait_until(PATIENCE, "it is ready", || running.stdout() == "ready\n");
    assert_eq!(running.stderr(), "");
    running.send(Signal::SIGTERM);
    let ended = running.wait(PATIENCE);
    assert_eq!((ended.code(), ended.signal()), (None, Some(15)));
    assert!(ended.took < PATIENCE);
}

fn nothing_outlives_its_lab() {
    let lab = Lab::new();
    let ended = lab.run(&mut lab.sh("setsid sh -c 'sleep 60 & sleep 60 &'"));
    ended.expect_code(0);
    wait_until(PATIENCE, "two orphans", || lab.processes().len() == 2);
    let orphans = lab.processes();
    drop(lab);
    wait_until(PATIENCE, "they end", || {
        !orphans.iter().any(|&pid| alive(pid))
    });
}
