//! The socket pair between front and guardian: whole messages, in order, and an end that is seen.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

use super::message::{LENGTH, Packed};
use super::sys;

/// One end.
#[derive(Debug)]
pub(super) struct Channel(OwnedFd);

/// What was waiting on the channel.
#[derive(Debug)]
pub(super) enum Received {
    /// Nothing.
    Nothing,
    /// A message, and the descriptor that came with it.
    Message(Packed, Option<OwnedFd>),
    /// The other side is gone, or sends what is no message.
    End,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Sent {
    /// It is on its way.
    Done,
    /// The other side does not read, and there is no more room.
    Full,
    /// There is no other side any more.
    Gone,
}

impl Channel {
    /// Two ends. Neither is inherited by what is executed.
    pub(super) fn pair() -> io::Result<(Self, Self)> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let (one, other) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
        Ok((Self(one), Self(other)))
    }

    /// Sends a message. Never waits.
    pub(super) fn send(&self, message: &Packed) -> Sent {
        self.send_with(message, None)
    }

    /// Sends a message, and a descriptor if there is one. Never waits.
    pub(super) fn send_with(&self, message: &Packed, descriptor: Option<BorrowedFd<'_>>) -> Sent {
        match sys::send_datagram(self.0.as_fd(), message, descriptor) {
            Ok(()) => Sent::Done,
            Err(error) => match error.raw_os_error() {
                // The memory for a message can be short, and be there again a moment later.
                Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM) => Sent::Full,
                _ => Sent::Gone,
            },
        }
    }

    /// Takes what is waiting. Never waits itself.
    pub(super) fn receive(&self) -> Received {
        let mut message = [0; LENGTH];
        loop {
            return match sys::receive_datagram(self.0.as_fd(), &mut message) {
                Ok((LENGTH, descriptor)) => Received::Message(message, descriptor),
                Ok(_) => Received::End,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // The other side closed with something of ours unread: the kernel says so once, and
                // before it hands out what that side had sent. Its last words come after this.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Received::Nothing,
                Err(_) => Received::End,
            };
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Channel {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_descriptors_arrive_and_the_end_is_seen() {
        let (one, other) = Channel::pair().unwrap();
        assert!(matches!(other.receive(), Received::Nothing));
        assert_eq!(one.send(&[7; LENGTH]), Sent::Done);
        let file = tempfile::tempfile().unwrap();
        assert_eq!(one.send_with(&[8; LENGTH], Some(file.as_fd())), Sent::Done);
        assert!(matches!(other.receive(), Received::Message([7, ..], None)));
        let Received::Message([8, ..], Some(copy)) = other.receive() else {
            panic!("no descriptor")
        };
        let mode = |fd: BorrowedFd<'_>| nix::sys::stat::fstat(fd).unwrap().st_ino;
        assert_eq!(mode(copy.as_fd()), mode(file.as_fd()));
        drop(one);
        assert!(matches!(other.receive(), Received::End));
    }

    #[test]
    fn last_words_are_heard_even_from_one_who_did_not_listen() {
        let (one, other) = Channel::pair().unwrap();
        assert_eq!(other.send(&[1; LENGTH]), Sent::Done);
        for word in [7, 8] {
            assert_eq!(one.send(&[word; LENGTH]), Sent::Done);
        }
        drop(one);
        assert!(matches!(other.receive(), Received::Message([7, ..], None)));
        assert!(matches!(other.receive(), Received::Message([8, ..], None)));
        assert!(matches!(other.receive(), Received::End));
    }

    #[test]
    fn sending_never_waits() {
        let (one, _other) = Channel::pair().unwrap();
        while one.send(&[0; LENGTH]) == Sent::Done {}
    }
}
