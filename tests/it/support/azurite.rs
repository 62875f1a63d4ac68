//! An Azurite for one test: the Blob service of Azure's own emulator, on a port of its own, in its own directory,
//! with its own clock where that is wanted.

use std::fs::{self, File};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::needs::{needs, program_on_path};
use super::processes::{Killed, send, wait_until};

/// How long a server may take to start on a busy machine.
const START: Duration = Duration::from_secs(60);

/// Starting one costs seconds of computing: what one test leaves unhurt, the next one gets, with a container that
/// nobody has seen. The tests' `main` empties it: nobody drops what is static.
static POOL: Mutex<Vec<Server>> = Mutex::new(Vec::new());

pub(crate) fn trials() -> Vec<Trial> {
    trials![an_azurite_answers_and_goes_with_its_value]
}

/// A server with a container of the test's own. Stopped by its own number when dropped, or kept for the next test.
#[derive(Debug)]
pub(crate) struct Azurite {
    /// `None` only while it is dropped.
    server: Option<Server>,
    container: String,
    unhurt: bool,
}

#[derive(Debug)]
struct Server {
    process: Option<Killed>,
    directory: TempDir,
    options: Vec<String>,
    /// The words before its command.
    before: Vec<String>,
    clock: Option<File>,
    port: u16,
}

impl Azurite {
    /// Starts one with `options` on its command line. First line of a test, as [`needs`] is.
    #[track_caller]
    pub(crate) fn start(options: &[&str]) -> Self {
        Self::start_on(Vec::new(), options)
    }

    /// The same on another machine: `before` are the words before the command.
    #[track_caller]
    pub(crate) fn start_on(before: Vec<String>, options: &[&str]) -> Self {
        Self {
            server: Some(Server::begin(before, options, None)),
            container: "leases".to_owned(),
            unhurt: false,
        }
    }

    /// One that keeps everything in memory, perhaps after another test.
    #[track_caller]
    pub(crate) fn in_memory() -> Self {
        Self::pooled(None)
    }

    /// The same with a clock that stands still at `micros` after 1970 until it is told to go on.
    #[track_caller]
    pub(crate) fn with_clock(micros: u64) -> Self {
        let azurite = Self::pooled(Some(micros));
        azurite.set_clock(micros);
        azurite
    }

    #[track_caller]
    fn pooled(micros: Option<u64>) -> Self {
        static TESTS: AtomicUsize = AtomicUsize::new(0);
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |one: &Server| one.clock.is_some() == micros.is_some();
        let found = pool.iter().position(fits).map(|at| pool.swap_remove(at));
        drop(pool);
        let begin = || Server::begin(Vec::new(), &["--inMemoryPersistence"], micros);
        Self {
            server: Some(found.unwrap_or_else(begin)),
            container: format!("leases-{}", TESTS.fetch_add(1, Ordering::Relaxed)),
            unhurt: true,
        }
    }

    /// Stops what no test is going to use any more.
    pub(crate) fn empty_the_pool() {
        POOL.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    fn server_mut(&mut self) -> &mut Server {
        self.unhurt = false;
        self.server.as_mut().unwrap()
    }

    /// Starts it again, on the same port and with what it finds in its directory.
    pub(crate) fn up(&mut self) {
        self.server_mut().up();
    }

    /// Kills it; its directory stays.
    pub(crate) fn down(&mut self) {
        self.server_mut().process = None;
    }

    /// Sets its clock, in microseconds after 1970.
    pub(crate) fn set_clock(&self, micros: u64) {
        let clock = self.server().clock.as_ref().unwrap();
        clock.write_all_at(&micros.to_le_bytes(), 0).unwrap();
    }

    /// Sends it a signal. For one that was started for this test.
    pub(crate) fn send(&self, signal: Signal) {
        assert!(!self.unhurt, "another test is going to need it");
        send(self.server().process.as_ref().unwrap().id(), signal);
    }

    /// The port it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.server().port
    }

    /// The container of this test.
    pub(crate) fn container(&self) -> &str {
        &self.container
    }

    /// The URL of a store in it; `options` are those after the `?`.
    pub(crate) fn url(&self, options: &str) -> String {
        self.url_by(self.port(), options)
    }

    /// The same by way of a proxy at another port.
    pub(crate) fn url_by(&self, port: u16, options: &str) -> String {
        let container = &self.container;
        format!("azblob+http://127.0.0.1:{port}/devstoreaccount1/{container}?{options}")
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        if let Some(server) = self.server.take().filter(|_| self.unhurt) {
            POOL.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(server);
        }
    }
}

impl Server {
    #[track_caller]
    fn begin(before: Vec<String>, options: &[&str], micros: Option<u64>) -> Self {
        needs("node");
        needs("azurite-blob");
        let mut named = tempfile::Builder::new();
        let directory = named.prefix("azurite-").tempdir().unwrap();
        let clock = micros.map(|micros| {
            let path = directory.path().join("clock");
            let file = File::options().write(true).create_new(true).open(path);
            let file = file.unwrap();
            file.write_all_at(&micros.to_le_bytes(), 0).unwrap();
            fs::write(directory.path().join("clock.js"), CLOCK).unwrap();
            file
        });
        let mut server = Self {
            process: None,
            directory,
            options: options.iter().map(|&option| option.to_owned()).collect(),
            before,
            clock,
            port: 0,
        };
        server.up();
        server
    }

    fn up(&mut self) {
        let log = self.directory.path().join("log");
        let written = File::create(&log).unwrap();
        let mut words = self.before.clone();
        words.push("node".to_owned());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        if self.clock.is_some() {
            let path = |name: &str| self.directory.path().join(name);
            command.arg("--require").arg(path("clock.js"));
            command.env("CLOCK_OF_TEST", path("clock"));
        }
        command
            .arg(program_on_path("azurite-blob").unwrap())
            .args([
                "--blobHost",
                "127.0.0.1",
                "--blobPort",
                &self.port.to_string(),
            ])
            .args(["--disableTelemetry", "--skipApiVersionCheck"])
            .args(&self.options)
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(written.try_clone().unwrap())
            .stderr(written);
        self.process = Some(Killed::spawn(&mut command).unwrap());
        let elsewhere = !self.before.is_empty();
        wait_until(START, "Azurite to listen", || {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let listens = text.rsplit_once("listens on ").map(|(_, rest)| rest);
            let port = listens.and_then(|rest| rest.split_whitespace().next()?.rsplit(':').next());
            let Some(port) = port.and_then(|port| port.parse().ok()) else {
                return false;
            };
            self.port = port;
            elsewhere || TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
    }
}

/// Takes the time from a file: everywhere, the header with the date included.
const CLOCK: &str = r#"
const fs = require("fs"), http = require("http");
const file = fs.openSync(process.env.CLOCK_OF_TEST, "r");
const bytes = Buffer.alloc(8);
const Real = Date;
const now = () => { fs.readSync(file, bytes, 0, 8, 0); return Number(bytes.readBigInt64LE() / 1000n); };
globalThis.Date = new Proxy(Real, {
    construct: (date, given, target) => Reflect.construct(date, given.length ? given : [now()], target),
    apply: () => new Real(now()).toString(),
    get: (date, key) => key === "now" ? now : Reflect.get(date, key),
});
const writeHead = http.ServerResponse.prototype.writeHead;
http.ServerResponse.prototype.writeHead = function (...given) {
    if (!this.hasHeader("date")) this.setHeader("date", new Real(now()).toUTCString());
    return writeHead.apply(this, given);
};
"#;

fn an_azurite_answers_and_goes_with_its_value() {
    let server = Azurite::start(&["--inMemoryPersistence"]);
    let pid = server.server().process.as_ref().unwrap().id();
    drop(server);
    assert!(!super::processes::alive(pid));
}
