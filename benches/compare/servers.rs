//! Servers of our own: free ports, their own directories, stopped by their own numbers.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::Outcome;

/// A server that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    pub(crate) port: u16,
    _directory: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.process.id()) {
            kill(Pid::from_raw(pid), Signal::SIGTERM).ok();
        }
        let started = Instant::now();
        while matches!(self.process.try_wait(), Ok(None)) {
            if started.elapsed() > Duration::from_secs(5) {
                self.process.kill().ok();
            }
            sleep(Duration::from_millis(5));
        }
    }
}

impl Server {
    /// Redis, without any file.
    pub(crate) fn redis(program: &Path) -> Outcome<Self> {
        let port = free_port()?;
        let directory = tempfile::tempdir()?;
        let mut command = Command::new(program);
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
        command.args(["--save", "", "--appendonly", "no", "--maxclients", "5000"]);
        command.arg("--dir").arg(directory.path());
        Self::start(command, directory, port, |server| {
            server.ask("PING").is_ok()
        })
    }

    /// etcd, one node.
    pub(crate) fn etcd(program: &Path) -> Outcome<Self> {
        let (port, other) = (free_port()?, free_port()?);
        let directory = tempfile::tempdir()?;
        let (clients, peers) = (
            format!("http://127.0.0.1:{port}"),
            format!("http://127.0.0.1:{other}"),
        );
        let mut command = Command::new(program);
        command.arg("--data-dir").arg(directory.path().join("data"));
        command.args([
            "--listen-client-urls",
            &clients,
            "--advertise-client-urls",
            &clients,
        ]);
        command.args([
            "--listen-peer-urls",
            &peers,
            "--initial-advertise-peer-urls",
            &peers,
        ]);
        command.args(["--initial-cluster", &format!("default={peers}")]);
        Self::start(command, directory, port, Self::is_healthy)
    }

    fn start(
        mut command: Command,
        directory: TempDir,
        port: u16,
        answers: impl Fn(&Self) -> bool,
    ) -> Outcome<Self> {
        let log = File::create(directory.path().join("log"))?;
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let mut server = Self {
            process: command.spawn()?,
            port,
            _directory: directory,
        };
        let started = Instant::now();
        while !answers(&server) {
            // A port that somebody else has taken answers, too.
            if server.process.try_wait()?.is_some() || started.elapsed() > Duration::from_secs(30) {
                return Err("it does not start".into());
            }
            sleep(Duration::from_millis(10));
        }
        match server.process.try_wait()? {
            None => Ok(server),
            Some(status) => Err(format!("it ended with {status}").into()),
        }
    }

    fn connect(&self) -> Outcome<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        Ok(stream)
    }

    fn is_healthy(&self) -> bool {
        let ask = || -> Outcome<String> {
            let mut stream = self.connect()?;
            stream.write_all(b"GET /health HTTP/1.0\r\n\r\n")?;
            let mut said = String::new();
            stream.read_to_string(&mut said)?;
            Ok(said)
        };
        ask().is_ok_and(|said| said.contains("true"))
    }

    /// Redis's answer to one line: a simple string, or the text of a bulk string.
    pub(crate) fn ask(&self, line: &str) -> Outcome<String> {
        let mut stream = self.connect()?;
        stream.write_all(format!("{line}\r\n").as_bytes())?;
        let mut reader = BufReader::new(stream);
        let mut first = String::new();
        reader.read_line(&mut first)?;
        let Some(length) = first.strip_prefix('$') else {
            return Ok(first.trim().to_owned());
        };
        let mut text = vec![0; length.trim().parse()?];
        reader.read_exact(&mut text)?;
        Ok(String::from_utf8(text)?)
    }

    /// How often Redis was sent each command. What scripts call is in it.
    pub(crate) fn calls(&self) -> Outcome<Vec<(String, u64)>> {
        let stats = self.ask("INFO commandstats")?;
        let calls = stats.lines().filter_map(|line| {
            let (command, numbers) = line.strip_prefix("cmdstat_")?.split_once(':')?;
            let calls = numbers.strip_prefix("calls=")?.split(',').next()?;
            Some((command.to_owned(), calls.parse().ok()?))
        });
        Ok(calls.collect())
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// One number of a section of Redis's INFO.
    pub(crate) fn number(&self, section: &str, key: &str) -> Outcome<u64> {
        let info = self.ask(&format!("INFO {section}"))?;
        let mut lines = info.lines();
        let found = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        Ok(found.ok_or("Redis does not tell")?.trim().parse()?)
    }
}

fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
