//! An Azurite for one test: the Blob service of Azure's own emulator, on a port of its own, in its own directory,
//! with its own clock where that is wanted.

use std::fs::{self, File};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::needs::{needs, program_on_path};
use super::processes::{Killed, send, wait_until};

/// How long a server may take to start on a busy machine.
const START: Duration = Duration::from_secs(60);

pub(crate) fn trials() -> Vec<Trial> {
    trials![an_azurite_answers_and_goes_with_its_value]
}

/// The server. Stopped by its own number when dropped.
#[derive(Debug)]
pub(crate) struct Azurite {
    process: Option<Killed>,
    directory: TempDir,
    options: Vec<String>,
    clock: Option<File>,
    port: u16,
}

impl Azurite {
    /// Starts one with `options` on its command line. First line of a test, as [`needs`] is.
    #[track_caller]
    pub(crate) fn start(options: &[&str]) -> Self {
        Self::begin(options, None)
    }

    /// Starts one whose clock stands still at `micros` after 1970 until it is told to go on.
    #[track_caller]
    pub(crate) fn with_clock(micros: u64) -> Self {
        Self::begin(&["--inMemoryPersistence"], Some(micros))
    }

    #[track_caller]
    fn begin(options: &[&str], micros: Option<u64>) -> Self {
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
            clock,
            port: 0,
        };
        server.up();
        server
    }

    /// Starts it again, on the same port and with what it finds in its directory.
    pub(crate) fn up(&mut self) {
        let log = self.path("log");
        let written = File::create(&log).unwrap();
        let mut command = Command::new("node");
        if self.clock.is_some() {
            command.arg("--require").arg(self.path("clock.js"));
            command.env("CLOCK_OF_TEST", self.path("clock"));
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
        wait_until(START, "Azurite to listen", || {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let listens = text.rsplit_once("listens on ").map(|(_, rest)| rest);
            let port = listens.and_then(|rest| rest.split_whitespace().next()?.rsplit(':').next());
            let Some(port) = port.and_then(|port| port.parse().ok()) else {
                return false;
            };
            self.port = port;
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
    }

    /// Kills it; its directory stays.
    pub(crate) fn down(&mut self) {
        self.process = None;
    }

    /// Sets its clock, in microseconds after 1970.
    pub(crate) fn set_clock(&self, micros: u64) {
        let clock = self.clock.as_ref().unwrap();
        clock.write_all_at(&micros.to_le_bytes(), 0).unwrap();
    }

    /// Sends it a signal.
    pub(crate) fn send(&self, signal: Signal) {
        send(self.process.as_ref().unwrap().id(), signal);
    }

    /// The port it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// A directory of the test's.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The URL of a store in it; `options` are those after the `?`.
    pub(crate) fn url(&self, options: &str) -> String {
        url(self.port, options)
    }
}

/// The URL of a store at this port.
pub(crate) fn url(port: u16, options: &str) -> String {
    format!("azblob+http://127.0.0.1:{port}/devstoreaccount1/leases?{options}")
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
    let pid = server.process.as_ref().unwrap().id();
    drop(server);
    assert!(!super::processes::alive(pid));
}
