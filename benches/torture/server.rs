//! The servers that the store is on: their own directory, a free port, stopped by their own number.

use std::fs::{self, File};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::Outcome;
use crate::clock::ServerClock;
use crate::processes::send;

/// How long a server may take to start on a busy machine.
const START: Duration = Duration::from_secs(20);

/// A Redis or an etcd server.
#[derive(Debug)]
pub(crate) struct Server {
    directory: String,
    pub(crate) port: u16,
    password: String,
    etcd: bool,
    /// Redis's own, which can be set.
    clock: Option<ServerClock>,
    process: Option<Child>,
}

/// A port that nobody listens on.
fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

impl Server {
    /// Starts one that keeps its data in `directory`, which is made.
    pub(crate) fn start(directory: String, password: &str, etcd: bool) -> Outcome<Self> {
        fs::create_dir(&directory)?;
        let clock = (!etcd).then(|| ServerClock::new(&directory)).transpose()?;
        let mut server = Self {
            clock,
            directory,
            port: free_port()?,
            password: password.to_owned(),
            etcd,
            process: None,
        };
        server.up()?;
        Ok(server)
    }

    /// Starts it with the data that it finds.
    pub(crate) fn up(&mut self) -> Outcome<()> {
        let mut command = if self.etcd {
            self.etcd()?
        } else {
            self.redis()
        };
        let log = File::create(format!("{}/log", self.directory))?;
        command
            .stdin(Stdio::null())
            .stderr(log.try_clone()?)
            .stdout(log);
        self.process = Some(command.spawn()?);
        let began = Instant::now();
        while !self.answers() {
            if began.elapsed() > START {
                return Err(format!("the server in {} does not answer", self.directory).into());
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn redis(&self) -> Command {
        let mut command = Command::new("redis-server");
        // What it has answered is in the file: enough for a server that is killed on a machine that is not.
        command
            .args([
                "--bind",
                "127.0.0.1",
                "--port",
                &self.port.to_string(),
                "--save",
                "",
            ])
            .args([
                "--appendonly",
                "yes",
                "--appendfsync",
                "no",
                "--maxclients",
                "4000",
            ])
            .args(["--requirepass", &self.password, "--dir", &self.directory]);
        command.envs(self.clock.iter().flat_map(ServerClock::environment));
        command
    }

    /// Sets its clock, and asks whether it goes by that.
    pub(crate) fn set_clock(&mut self, by: i64, link: &mut redis::Connection) -> Outcome<()> {
        let clock = self.clock.as_mut().ok_or("the server has no clock")?;
        clock.step(by)?;
        let before = clock.now()?;
        let (seconds, micros) = redis::cmd("TIME").query::<(i64, i64)>(link)?;
        let shown = seconds * 1_000_000 + micros;
        if (before..=clock.now()?).contains(&shown) {
            return Ok(());
        }
        Err(format!("the server shows {shown} where its clock was set to {before}").into())
    }

    /// Whether its clock was set back and has not caught up.
    pub(crate) fn is_behind(&self) -> Outcome<bool> {
        self.clock
            .as_ref()
            .map_or(Ok(false), ServerClock::is_behind)
    }

    fn etcd(&self) -> Outcome<Command> {
        let url = format!("http://127.0.0.1:{}", self.port);
        let peers = format!("http://127.0.0.1:{}", free_port()?);
        let mut command = Command::new("etcd");
        command
            .args([
                "--data-dir",
                &format!("{}/data", self.directory),
                "--unsafe-no-fsync",
            ])
            .args([
                "--listen-client-urls",
                &url,
                "--advertise-client-urls",
                &url,
            ])
            .args([
                "--listen-peer-urls",
                &peers,
                "--initial-advertise-peer-urls",
                &peers,
            ])
            .args(["--initial-cluster", &format!("default={peers}")]);
        Ok(command)
    }

    fn answers(&self) -> bool {
        if self.etcd {
            let url = format!("127.0.0.1:{}", self.port);
            let mut asked = Command::new("etcdctl");
            asked
                .env("ETCDCTL_API", "3")
                .args(["--endpoints", &url, "get", "x"]);
            let asked = asked.stdout(Stdio::null()).stderr(Stdio::null()).status();
            return asked.is_ok_and(|status| status.success());
        }
        self.connection()
            .and_then(|mut link| Ok(redis::cmd("PING").query::<String>(&mut link)?))
            .is_ok()
    }

    /// A way to it that no fault is on.
    pub(crate) fn connection(&self) -> Outcome<redis::Connection> {
        connection(self.port, &self.password)
    }

    /// Kills it. Its directory stays.
    pub(crate) fn down(&mut self) {
        if let Some(mut process) = self.process.take() {
            // Both fail only when it has ended and was reaped.
            drop(process.kill());
            drop(process.wait());
        }
    }

    /// Takes its data away. Only while it is down.
    pub(crate) fn lose_its_data(&self) -> Outcome<()> {
        let data = if self.etcd { "data" } else { "appendonlydir" };
        Ok(fs::remove_dir_all(format!("{}/{data}", self.directory))?)
    }

    pub(crate) fn send(&self, signal: Signal) {
        if let Some(process) = &self.process {
            send(process.id(), signal);
        }
    }
}

/// A connection to the Redis server on this port.
pub(crate) fn connection(port: u16, password: &str) -> Outcome<redis::Connection> {
    let client = redis::Client::open(format!("redis://:{password}@127.0.0.1:{port}/0"))?;
    let link = client.get_connection_with_timeout(Duration::from_millis(500))?;
    link.set_read_timeout(Some(Duration::from_millis(500)))?;
    Ok(link)
}

impl Drop for Server {
    fn drop(&mut self) {
        self.down();
    }
}
