//! Whatever comes over the socket pair between front and guardian: a tampered process is the end of the
//! conversation, never an order that nobody gave.

use std::os::fd::AsRawFd;

use nix::sys::socket::{MsgFlags, send};

use super::channel::{Channel, Received};
use super::message::{LENGTH, Order, Report};
use super::sys::Change;

/// The most datagrams of one input.
const MOST: usize = 64;

/// One datagram, and a conversation of whole messages.
pub(crate) fn messages(bytes: &[u8]) {
    one(bytes);
    over_the_channel(bytes);
    for message in bytes.chunks(LENGTH).take(MOST) {
        one(message);
        over_the_channel(message);
    }
}

/// What is understood is written the same way, and only whole messages are.
fn one(bytes: &[u8]) {
    if let Some(order) = Order::unpack(bytes) {
        assert_eq!(bytes.len(), LENGTH);
        assert_eq!(Order::unpack(&order.pack()), Some(order));
    }
    if let Some(report) = Report::unpack(bytes) {
        assert_eq!(bytes.len(), LENGTH);
        assert_eq!(Report::unpack(&report.pack()), Some(report));
        match report {
            // A signal to -1 would reach everybody. 0: nothing was started.
            Report::Started { pid, .. } => assert!(pid >= 0, "{pid}"),
            Report::Command(Change::Killed(signal) | Change::Stopped(signal)) => {
                assert!(signal > 0, "{signal}");
            }
            _ => {}
        }
    }
}

/// A datagram that has not the length of a message is none, however it begins.
fn over_the_channel(bytes: &[u8]) {
    let Ok((one, other)) = Channel::pair() else {
        return;
    };
    // A datagram that the kernel does not take is not received either.
    if send(one.as_raw_fd(), bytes, MsgFlags::MSG_DONTWAIT).is_err() || bytes.is_empty() {
        return;
    }
    match other.receive() {
        Received::Message(message, _) => assert_eq!(bytes, message),
        Received::End => assert_ne!(bytes.len(), LENGTH),
        Received::Nothing => panic!("what was sent did not arrive"),
    }
}
