//! Machines of a test's own, and cables between them that can be cut in one direction.
//!
//! A machine is a network namespace, which lives as long as the process that stands in it. The server's has a
//! cable to each of the others. Nothing leaves them, and nothing of this machine's own network is touched.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use libtest_mimic::Trial;

use super::lab::PATIENCE;
use super::needs::needs;
use super::processes::{Killed, wait_until};

pub(crate) fn trials() -> Vec<Trial> {
    trials![what_is_dropped_does_not_arrive]
}

/// Which way packets get lost.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lost {
    /// To the server.
    Requests,
    /// From the server.
    Answers,
}

/// A server's machine, and others with a cable to it.
#[derive(Debug)]
pub(crate) struct Network {
    server: Machine,
    hosts: Vec<Machine>,
}

#[derive(Debug)]
struct Machine(Killed);

impl Network {
    /// A server's machine and so many hosts. First line of a test, as [`needs`] is.
    #[track_caller]
    pub(crate) fn of(hosts: usize) -> Self {
        needs("root");
        needs("netns");
        for program in ["ip", "iptables", "nsenter"] {
            needs(program);
        }
        let network = Self {
            server: Machine::new(),
            hosts: (0..hosts).map(|_| Machine::new()).collect(),
        };
        network.server.run("ip link set lo up");
        for (number, host) in network.hosts.iter().enumerate() {
            let far = host.0.id();
            // Made in the server's namespace: in this machine's own the name could be taken.
            network.server.run(&format!(
                "ip link add to{number} type veth peer name wire netns {far} && \
                 ip addr add 10.77.{number}.1/24 dev to{number} && ip link set to{number} up"
            ));
            host.run("ip link set lo up");
            host.run(&format!(
                "ip addr add 10.77.{number}.2/24 dev wire && ip link set wire up"
            ));
        }
        network
    }

    /// The words before a command that is to run on the server's machine.
    pub(crate) fn at_the_server(&self) -> Vec<String> {
        self.server.enter()
    }

    /// Runs a script on the server's machine.
    #[track_caller]
    pub(crate) fn prepare(&self, script: &str) {
        self.server.run(script);
    }

    /// The words before a command that is to run on a host.
    pub(crate) fn at(&self, host: usize) -> Vec<String> {
        self.hosts[host].enter()
    }

    /// The path of a host's namespace, after `script` was run there.
    #[track_caller]
    pub(crate) fn namespace(&self, host: usize, script: &str) -> String {
        self.hosts[host].run(script);
        format!("/proc/{}/ns/net", self.hosts[host].0.id())
    }

    /// The server's address for a host.
    pub(crate) fn address(&self, host: usize) -> String {
        assert!(host < self.hosts.len());
        format!("10.77.{host}.1")
    }

    /// From now on packets between a host and the server get lost.
    pub(crate) fn cut(&self, host: usize, lost: Lost) {
        let rule = match lost {
            Lost::Requests => "INPUT -s",
            Lost::Answers => "OUTPUT -d",
        };
        self.server
            .run(&format!("iptables -w -A {rule} 10.77.{host}.2 -j DROP"));
    }

    /// Everything arrives again.
    pub(crate) fn heal(&self) {
        self.server.run("iptables -w -F");
    }
}

impl Machine {
    fn new() -> Self {
        let mut command = Command::new("unshare");
        command.args(["--net", "sleep", "600"]);
        let machine = Self(Killed::spawn(command.stdin(Stdio::null())).unwrap());
        let own = Path::new("/proc/self/ns/net").read_link().unwrap();
        let its = format!("/proc/{}/ns/net", machine.0.id());
        wait_until(PATIENCE, "a network namespace", || {
            Path::new(&its).read_link().is_ok_and(|its| its != own)
        });
        machine
    }

    fn enter(&self) -> Vec<String> {
        let namespace = format!("--net=/proc/{}/ns/net", self.0.id());
        vec!["nsenter".to_owned(), namespace]
    }

    #[track_caller]
    fn run(&self, script: &str) {
        let words = self.enter();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(["sh", "-c", script]);
        let done = command.output().unwrap();
        assert!(done.status.success(), "{script}: {done:?}");
    }
}

fn what_is_dropped_does_not_arrive() {
    needs("python3");
    let network = Network::of(2);
    let words = network.at_the_server();
    let serve = "import socket\n\
        s = socket.create_server(('0.0.0.0', 7000))\n\
        while True: s.accept()[0].send(b'x')";
    let mut server = Command::new(&words[0]);
    server.args(&words[1..]).args(["python3", "-c", serve]);
    let _server = Killed::spawn(&mut server).unwrap();
    let answered = |host: usize| {
        let words = network.at(host);
        let ask = format!(
            "import socket\n\
             s = socket.create_connection(('{}', 7000), 0.3)\n\
             s.settimeout(0.3)\n\
             assert s.recv(1)",
            network.address(host)
        );
        let mut client = Command::new(&words[0]);
        client.args(&words[1..]).args(["python3", "-c", &ask]);
        client.stderr(Stdio::null()).status().unwrap().success()
    };
    wait_until(PATIENCE, "the server to listen", || answered(0));
    for lost in [Lost::Requests, Lost::Answers] {
        network.cut(0, lost);
        assert!(!answered(0), "{lost:?}");
        wait_until(Duration::from_secs(20), "the other host", || answered(1));
        network.heal();
        wait_until(Duration::from_secs(20), "it heals", || answered(0));
    }
}
