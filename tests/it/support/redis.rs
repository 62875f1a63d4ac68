//! A Redis server for one test: its own socket, its own directory, its own clock where that is wanted.
//!
//! It listens on a socket in its directory and on no port, so that no other server can be mistaken for it.

use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::needs::needs;
use super::processes::{Killed, send, wait_until};

/// The program that most tests are about.
const REDIS: &str = "redis-server";
/// How long a server may take to start on a busy machine.
const START: Duration = Duration::from_secs(30);

pub(crate) fn trials() -> Vec<Trial> {
    trials![
        a_server_answers_and_goes_with_its_value,
        a_clock_goes_only_when_it_is_told,
        a_server_is_restarted_with_and_without_its_data,
    ]
}

/// The server. Stopped by its own number when dropped.
#[derive(Debug)]
pub(crate) struct RedisServer {
    process: Option<Killed>,
    directory: TempDir,
    /// The program, after the words that lead to another machine.
    program: Vec<String>,
    options: Vec<String>,
    clock: Option<File>,
}

impl RedisServer {
    /// Starts one with `options` on its command line. First line of a test, as [`needs`] is.
    #[track_caller]
    pub(crate) fn start(options: &[&str]) -> Self {
        Self::start_as(REDIS, options)
    }

    /// Starts another program than Redis, or another version.
    #[track_caller]
    pub(crate) fn start_as(program: &str, options: &[&str]) -> Self {
        needs(program);
        Self::begin(vec![program.to_owned()], options, None)
    }

    /// Starts one on another machine: `on` are the words that lead there.
    #[track_caller]
    pub(crate) fn start_on(mut on: Vec<String>, options: &[&str]) -> Self {
        needs(REDIS);
        on.push(REDIS.to_owned());
        Self::begin(on, options, None)
    }

    /// Starts one whose clock stands still at `micros` after 1970 until it is told to go on.
    #[track_caller]
    pub(crate) fn with_clock(options: &[&str], micros: u64) -> Self {
        Self::with_clock_as(REDIS, options, micros)
    }

    /// The same with another program than Redis, or another version.
    #[track_caller]
    pub(crate) fn with_clock_as(program: &str, options: &[&str], micros: u64) -> Self {
        needs(program);
        needs("gcc");
        Self::begin(vec![program.to_owned()], options, Some(micros))
    }

    /// Starts one that listens on a free port of this machine, too.
    #[track_caller]
    pub(crate) fn on_a_port(options: &[&str]) -> (Self, u16) {
        Self::on_a_port_as(REDIS, options)
    }

    /// The same with another program than Redis, or another version.
    #[track_caller]
    pub(crate) fn on_a_port_as(program: &str, options: &[&str]) -> (Self, u16) {
        let port = free_port();
        let text = port.to_string();
        let all = ["--bind", "127.0.0.1", "--port", &text];
        (Self::start_as(program, &[&all, options].concat()), port)
    }

    /// Both of it, and another program than Redis, or another version.
    #[track_caller]
    pub(crate) fn on_a_port_with_clock_as(
        program: &str,
        options: &[&str],
        micros: u64,
    ) -> (Self, u16) {
        let port = free_port();
        let text = port.to_string();
        let all = ["--bind", "127.0.0.1", "--port", &text];
        (
            Self::with_clock_as(program, &[&all, options].concat(), micros),
            port,
        )
    }

    fn begin(program: Vec<String>, options: &[&str], micros: Option<u64>) -> Self {
        let directory = tempfile::Builder::new().prefix("redis-").tempdir().unwrap();
        let clock = micros.map(|micros| {
            let path = directory.path().join("clock");
            let file = File::options()
                .write(true)
                .create(true)
                .truncate(true)
                .open(path);
            let file = file.unwrap();
            file.write_all_at(&micros.to_ne_bytes(), 0).unwrap();
            file
        });
        let mut server = Self {
            process: None,
            directory,
            program,
            options: options.iter().map(|&option| option.to_owned()).collect(),
            clock,
        };
        server.up();
        server
    }

    /// Starts it again, with what it finds in its directory.
    pub(crate) fn up(&mut self) {
        self.launch();
        wait_until(START, "the Redis server to answer", || self.answers());
    }

    fn launch(&mut self) {
        let log = File::create(self.path("log")).unwrap();
        let mut command = Command::new(&self.program[0]);
        command
            .args(&self.program[1..])
            .args(["--port", "0", "--unixsocket"])
            .arg(self.socket())
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(self.directory.path())
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(log);
        if self.clock.is_some() {
            command
                .env("LD_PRELOAD", preloaded())
                .env("CLOCK_OF_TEST", self.path("clock"));
        }
        fs::remove_file(self.socket()).ok();
        self.process = Some(Killed::spawn(&mut command).unwrap());
    }

    /// Starts it again with options more, and returns while it still loads its data.
    pub(crate) fn up_and_loading(&mut self, options: &[&str]) {
        let more = options.iter().map(|&option| option.to_owned());
        self.options.extend(more);
        self.launch();
        wait_until(START, "the Redis server to load", || {
            self.first_letters().is_ok_and(|said| &said == b"-LOA")
        });
    }

    /// Has it carry out a command that nobody waits for.
    pub(crate) fn tell(&self, line: &str) {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
    }

    /// Kills it; its directory stays.
    pub(crate) fn down(&mut self) {
        self.process = None;
    }

    /// Takes its data away. Only while it is down.
    pub(crate) fn lose_its_data(&self) {
        for entry in fs::read_dir(self.directory.path()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.ends_with(".rdb") || name.ends_with(".aof") {
                fs::remove_file(path).unwrap();
            } else if name == "appendonlydir" {
                fs::remove_dir_all(path).unwrap();
            }
        }
    }

    /// Sets its clock, in microseconds after 1970. Returns when it has looked at it.
    pub(crate) fn set_clock(&self, micros: u64) {
        let clock = self.clock.as_ref().unwrap();
        clock.write_all_at(&micros.to_ne_bytes(), 0).unwrap();
        wait_until(START, "the server to look at its clock", || {
            let wanted = micros / 1_000_000;
            // One that wants a password does not tell; one that counts on by itself may be a moment ahead.
            self.seconds()
                .is_none_or(|seconds| seconds == wanted || seconds == wanted + 1)
        });
    }

    /// What it says to TIME: `*2`, `$10`, the seconds, and the rest.
    fn seconds(&self) -> Option<u64> {
        let mut stream = UnixStream::connect(self.socket()).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
        stream.write_all(b"TIME\r\n").ok()?;
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        lines.nth(2)?.parse().ok()
    }

    /// Sends it a signal.
    pub(crate) fn send(&self, signal: Signal) {
        send(self.process.as_ref().unwrap().id(), signal);
    }

    /// The socket it listens on.
    pub(crate) fn socket(&self) -> PathBuf {
        self.path("socket")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Its URL; `options` are those after the `?`.
    pub(crate) fn url(&self, options: &str) -> String {
        format!("redis+unix://{}?{options}", self.socket().display())
    }

    /// What redis-cli prints.
    #[track_caller]
    pub(crate) fn cli(&self, words: &[&str]) -> String {
        let socket = self.socket();
        let mut command = Command::new("redis-cli");
        let output = command.arg("-s").arg(socket).args(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// What redis-cli prints to all of these lines.
    #[track_caller]
    pub(crate) fn cli_reading(&self, lines: &str) -> String {
        let script = self.path("lines");
        fs::write(&script, lines).unwrap();
        let mut command = Command::new("redis-cli");
        let command = command.arg("-s").arg(self.socket());
        let output = command.stdin(File::open(script).unwrap()).output().unwrap();
        assert!(output.status.success(), "{lines}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// A number from its `INFO`.
    #[track_caller]
    pub(crate) fn info(&self, section: &str, key: &str) -> String {
        let info = self.cli(&["INFO", section]);
        let mut lines = info.lines();
        let found = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        found.unwrap_or_default().trim().to_owned()
    }

    fn answers(&self) -> bool {
        // "-LOADING" is no answer yet; "-NOAUTH" is one.
        self.first_letters().is_ok_and(|said| &said != b"-LOA")
    }

    /// How it begins to answer.
    fn first_letters(&self) -> std::io::Result<[u8; 4]> {
        let mut stream = UnixStream::connect(self.socket())?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"PING\r\n")?;
        let mut first = [0; 4];
        stream.read_exact(&mut first)?;
        Ok(first)
    }
}

/// A port that nobody listens on, nor on the one 10,000 above, which is a cluster node's other one. Below those
/// that the kernel gives to clients.
pub(crate) fn free_port() -> u16 {
    let free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let mut tries = std::iter::repeat_with(|| {
        let random = RandomState::new().build_hasher().finish();
        10_000 + u16::try_from(random % 12_000).unwrap()
    });
    tries
        .find(|&port| free(port) && free(port + 10_000))
        .unwrap()
}

/// A library that takes the wall clock from a file.
fn preloaded() -> &'static Path {
    const SOURCE: &str = r#"
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
static volatile int64_t *now;
__attribute__((constructor)) static void open_clock(void) {
    int file = open(getenv("CLOCK_OF_TEST"), O_RDONLY);
    now = mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
    if (now == MAP_FAILED) abort();
}
int gettimeofday(struct timeval *at, void *zone) {
    at->tv_sec = *now / 1000000;
    at->tv_usec = *now % 1000000;
    return 0;
}
time_t time(time_t *at) {
    time_t seconds = *now / 1000000;
    if (at) *at = seconds;
    return seconds;
}
"#;
    static BUILT: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, library) = BUILT.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let (source, library) = (
            directory.path().join("clock.c"),
            directory.path().join("clock.so"),
        );
        fs::write(&source, SOURCE).unwrap();
        let mut gcc = Command::new("gcc");
        gcc.args(["-shared", "-fPIC", "-O1", "-o"]);
        let built = gcc.arg(&library).arg(&source).status().unwrap();
        assert!(built.success());
        (directory, library)
    });
    library
}

fn a_server_answers_and_goes_with_its_value() {
    let server = RedisServer::start(&[]);
    assert_eq!(server.cli(&["PING"]), "PONG");
    let pid = server.info("server", "process_id").parse().unwrap();
    drop(server);
    assert!(!super::processes::alive(pid));
}

fn a_clock_goes_only_when_it_is_told() {
    let server = RedisServer::with_clock(&[], 1_700_000_000_000_001);
    let time = || server.cli(&["TIME"]).replace('\n', ".");
    assert_eq!(time(), "1700000000.1");
    assert_eq!(time(), "1700000000.1");
    server.set_clock(1_700_000_007_000_002);
    assert_eq!(time(), "1700000007.2");
}

fn a_server_is_restarted_with_and_without_its_data() {
    let mut server = RedisServer::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    server.cli(&["SET", "a", "b"]);
    let run = server.info("server", "run_id");
    server.down();
    server.up();
    assert_ne!(server.info("server", "run_id"), run);
    assert_eq!(server.cli(&["GET", "a"]), "b");
    server.down();
    server.lose_its_data();
    server.up();
    assert_eq!(server.cli(&["GET", "a"]), "");
}
