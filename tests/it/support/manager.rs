//! A service manager, as far as its notification socket goes: hears what a service says of itself, and
//! who said it.

use std::io::{ErrorKind, IoSliceMut};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, UnixCredentials, recvmsg, setsockopt, sockopt::PassCred,
};

use super::lab::{Lab, PATIENCE};
use super::processes::wait_until;

pub(crate) fn trials() -> Vec<Trial> {
    trials![a_message_is_heard_with_its_sender]
}

/// One message.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) text: String,
    /// Whose it is, by the kernel's word.
    pub(crate) sender: u32,
    /// When it was read.
    pub(crate) at: Instant,
}

impl Message {
    /// Whether it has this line.
    pub(crate) fn has(&self, line: &str) -> bool {
        self.text.lines().any(|one| one == line)
    }

    /// The status in it.
    pub(crate) fn status(&self) -> Option<&str> {
        self.text
            .lines()
            .find_map(|line| line.strip_prefix("STATUS="))
    }
}

/// The socket, and what came through it so far.
pub(crate) struct Manager {
    name: String,
    socket: UnixDatagram,
    pub(crate) heard: Vec<Message>,
}

impl Manager {
    /// At a path in the lab.
    pub(crate) fn at_a_path(lab: &Lab) -> Self {
        let path = lab.path("notify");
        let address = SocketAddr::from_pathname(&path).unwrap();
        Self::bind(path.display().to_string(), &address)
    }

    /// Under a name that no file has.
    pub(crate) fn abstract_one() -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("leasectl-test-{}-{number}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        Self::bind(format!("@{name}"), &address)
    }

    fn bind(name: String, address: &SocketAddr) -> Self {
        let socket = UnixDatagram::bind_addr(address).unwrap();
        socket.set_nonblocking(true).unwrap();
        setsockopt(&socket, PassCred, &true).unwrap();
        Self {
            name,
            socket,
            heard: Vec::new(),
        }
    }

    /// Has a command find it.
    pub(crate) fn starts<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("NOTIFY_SOCKET", &self.name)
    }

    /// Takes what is in the queue.
    pub(crate) fn listen(&mut self) -> &[Message] {
        let before = self.heard.len();
        while let Some(message) = self.next() {
            self.heard.push(message);
        }
        &self.heard[before..]
    }

    fn next(&self) -> Option<Message> {
        let mut bytes = [0; 4096];
        let mut room = nix::cmsg_space!(UnixCredentials);
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let fd = self.socket.as_raw_fd();
        let received = recvmsg::<()>(fd, &mut parts, Some(&mut room), MsgFlags::empty());
        let (length, sender) = match received {
            Err(Errno::EAGAIN) => return None,
            Err(errno) => panic!("the notification socket: {errno}"),
            Ok(message) => {
                let sender = message.cmsgs().unwrap().find_map(|one| match one {
                    ControlMessageOwned::ScmCredentials(who) => u32::try_from(who.pid()).ok(),
                    _ => None,
                });
                (message.bytes, sender.unwrap())
            }
        };
        Some(Message {
            text: String::from_utf8(bytes[..length].to_vec()).unwrap(),
            sender,
            at: Instant::now(),
        })
    }

    /// Listens until a message is as wanted.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, what: &str, wanted: impl Fn(&Message) -> bool) {
        wait_until(PATIENCE, what, || {
            self.listen();
            self.heard.iter().any(&wanted)
        });
    }

    /// Listens until the status begins so.
    #[track_caller]
    pub(crate) fn wait_for_status(&mut self, start: &str) {
        self.wait_for(start, |message| {
            message.status().is_some_and(|text| text.starts_with(start))
        });
    }

    /// How many messages have this line.
    pub(crate) fn count(&self, line: &str) -> usize {
        self.heard
            .iter()
            .filter(|message| message.has(line))
            .count()
    }

    /// The longest time without a sign of life, from the first one to the last message.
    #[track_caller]
    pub(crate) fn longest_gap(&self) -> Duration {
        let fed = self
            .heard
            .iter()
            .filter(|message| message.has("WATCHDOG=1"));
        let mut fed: Vec<Instant> = fed.map(|message| message.at).collect();
        assert!(fed.len() >= 2, "never fed: {:?}", self.heard);
        fed.extend(self.heard.last().map(|message| message.at));
        let gaps = fed.windows(2).map(|pair| pair[1] - pair[0]);
        gaps.max().unwrap_or_default()
    }

    /// Fills the queue, as if nobody had read it for long.
    pub(crate) fn stop_reading(&self) {
        let sender = UnixDatagram::unbound().unwrap();
        sender.set_nonblocking(true).unwrap();
        sender
            .connect_addr(&self.socket.local_addr().unwrap())
            .unwrap();
        loop {
            match sender.send(b"NOISE=1") {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("the queue cannot be filled: {error}"),
            }
        }
    }
}

fn a_message_is_heard_with_its_sender() {
    let lab = Lab::new();
    for mut manager in [Manager::at_a_path(&lab), Manager::abstract_one()] {
        let sender = UnixDatagram::unbound().unwrap();
        sender
            .connect_addr(&manager.socket.local_addr().unwrap())
            .unwrap();
        sender.send(b"READY=1\nSTATUS=a=b").unwrap();
        let heard = manager.listen();
        assert_eq!(heard.len(), 1);
        assert_eq!(heard[0].sender, std::process::id());
        assert_eq!(
            (heard[0].has("READY=1"), heard[0].status()),
            (true, Some("a=b"))
        );
        manager.stop_reading();
        assert!(sender.set_nonblocking(true).is_ok() && sender.send(b"x").is_err());
    }
}
