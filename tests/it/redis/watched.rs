//! A primary, a replica, and three Sentinels that watch them.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};
use std::thread;

use tempfile::TempDir;

use crate::support::lab::PATIENCE;
use crate::support::processes::{Killed, wait_until};
use crate::support::redis::{RedisServer, free_port};

const REDIS: &str = "redis-server";
/// What the Sentinels call the primary.
pub(super) const NAME: &str = "main";

/// All of it.
pub(super) struct Watched {
    pub(super) primary: RedisServer,
    pub(super) replica: RedisServer,
    replicas_port: u16,
    sentinels: Vec<Sentinel>,
}

/// One Sentinel. Stopped by its own number when dropped.
pub(super) struct Sentinel {
    _process: Killed,
    _directory: TempDir,
    pub(super) port: u16,
    password: Option<&'static str>,
}

impl Watched {
    #[track_caller]
    pub(super) fn start() -> Self {
        Self::of(REDIS, None)
    }

    /// With a password that the Sentinels want.
    #[track_caller]
    pub(super) fn with_password(password: &'static str) -> Self {
        Self::of(REDIS, Some(password))
    }

    /// All of another program than Redis.
    #[track_caller]
    pub(super) fn valkey() -> Self {
        Self::of("valkey-server", None)
    }

    fn of(program: &str, password: Option<&'static str>) -> Self {
        let at_once = ["--repl-diskless-sync-delay", "0"];
        let (primary, port) = RedisServer::on_a_port_as(program, &at_once);
        let of = port.to_string();
        let follows = ["--replicaof", "127.0.0.1", &of, at_once[0], at_once[1]];
        let (replica, replicas_port) = RedisServer::on_a_port_as(program, &follows);
        let mut watched = Self {
            primary,
            replica,
            replicas_port,
            sentinels: Vec::new(),
        };
        watched.has_caught_up();
        for _ in 0..3 {
            let with = password.map(|password| {
                format!("requirepass {password}\nsentinel sentinel-pass {password}\n")
            });
            let mut sentinel = Sentinel::start_as(program, port, &with.unwrap_or_default());
            sentinel.password = password;
            watched.sentinels.push(sentinel);
        }
        wait_until(PATIENCE, "the Sentinels to know each other", || {
            let replica = replicas_port.to_string();
            watched.sentinels.iter().all(|sentinel| {
                sentinel.cli(&["CKQUORUM"]).starts_with("OK 3 usable")
                    && sentinel.cli(&["REPLICAS"]).contains(&replica)
            })
        });
        watched
    }

    /// The replica has all that the primary has.
    #[track_caller]
    pub(super) fn has_caught_up(&self) {
        wait_until(PATIENCE, "the replica to catch up", || {
            let offset = |server: &RedisServer, key| server.info("replication", key);
            self.replica.info("replication", "master_link_status") == "up"
                && offset(&self.primary, "master_repl_offset")
                    == offset(&self.replica, "slave_repl_offset")
        });
    }

    /// The Sentinels, as they stand in a URL.
    pub(super) fn hosts(&self) -> String {
        let hosts = self.sentinels.iter();
        let hosts: Vec<_> = hosts
            .map(|sentinel| format!("127.0.0.1:{}", sentinel.port))
            .collect();
        hosts.join(",")
    }

    /// The URL; `options` are those after the `?`.
    pub(super) fn url(&self, options: &str) -> String {
        format!("redis-sentinel://{}/{NAME}/0?{options}", self.hosts())
    }

    /// Has the replica promoted.
    pub(super) fn fail_over(&self) {
        let first = self.sentinels.first().unwrap();
        assert_eq!(first.cli(&["FAILOVER"]), "OK");
    }

    /// Returns when all Sentinels name the former replica.
    #[track_caller]
    pub(super) fn has_failed_over(&self) {
        let port = self.replicas_port.to_string();
        wait_until(PATIENCE, "the fail-over", || {
            self.sentinels
                .iter()
                .all(|sentinel| sentinel.cli(&["GET-MASTER-ADDR-BY-NAME"]).ends_with(&port))
        });
    }

    /// The port of the replica.
    pub(super) const fn replicas_port(&self) -> u16 {
        self.replicas_port
    }
}

impl Sentinel {
    /// Watches what listens on the port `primary`; `more` are lines of its configuration.
    pub(super) fn start(primary: u16, more: &str) -> Self {
        Self::start_as(REDIS, primary, more)
    }

    fn start_as(program: &str, primary: u16, more: &str) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("sentinel-")
            .tempdir()
            .unwrap();
        let port = free_port();
        let config = directory.path().join("conf");
        let listens = if more.contains("tls-replication") {
            "port 0\ntls-port"
        } else {
            "port"
        };
        let text = format!(
            "{listens} {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor {NAME} 127.0.0.1 {primary} 2\n\
             sentinel down-after-milliseconds {NAME} 1000\nsentinel failover-timeout {NAME} 3000\n{more}",
            directory.path().display()
        );
        fs::write(&config, text).unwrap();
        let mut command = Command::new(program);
        command.arg(config).arg("--sentinel");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Self {
            _process: Killed::spawn(&mut command).unwrap(),
            _directory: directory,
            port,
            password: None,
        }
    }

    /// What redis-cli prints to `SENTINEL WORD main`.
    fn cli(&self, words: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &self.port.to_string()]);
        if let Some(password) = self.password {
            command.args(["--no-auth-warning", "-a", password]);
        }
        command.arg("SENTINEL").args(words).arg(NAME);
        let output = command.output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// Somebody that listens, and does this with each connection.
fn listener(with: impl Fn(std::net::TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().flatten().for_each(with));
    port
}

/// One that never answers.
pub(super) fn mute() -> u16 {
    listener(std::mem::forget)
}

/// One that takes every request for the question where the primary is, and always says the same.
pub(super) fn one_that_says(port: u16) -> u16 {
    listener(move |mut stream| {
        thread::spawn(move || {
            let digits = port.to_string();
            let answer = format!("*2\r\n$9\r\n127.0.0.1\r\n${}\r\n{digits}\r\n", digits.len());
            while stream.read(&mut [0; 1024]).is_ok_and(|read| read > 0) {
                if stream.write_all(answer.as_bytes()).is_err() {
                    return;
                }
            }
        });
    })
}
