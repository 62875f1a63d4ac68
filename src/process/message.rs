//! What front and guardian tell each other: one datagram each over a socket pair of their own.
//!
//! Messages are small, fixed and numbered, so that the guardian reads and writes them without
//! allocating. The peer is our own fork: a datagram that makes no sense is a bug or a tampered
//! process, and the reader treats it as the end of the conversation.

use std::time::Duration;

use super::sys::{Change, Pid};
use crate::clock::Instant;

/// The bytes of one message.
pub(super) const LENGTH: usize = 24;
/// One message, packed.
pub(super) type Packed = [u8; LENGTH];

/// What the front orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// The command must have its stop signal at `stop` and be killed at `kill`; the descriptor of a
    /// kernel lock may come with it.
    Arm { stop: Instant, kill: Instant },
    /// Start a part of the tree, with this fencing token; the descriptor that comes with it is its
    /// standard input.
    Go { token: u64, part: Part },
    /// Send a signal to the command.
    Signal(i32),
    /// Send the stop signal to the whole tree; SIGKILL after `grace`, never later than `kill`.
    Stop { grace: Duration },
    /// SIGKILL the tree now.
    Kill,
    /// What is left goes on unguarded.
    LetGo,
    /// We know that the command is stopped: stop us with this signal (0: do not), unless it has gone on.
    Pause(i32),
    /// Continue the command if it is stopped still, by the stop that we know of.
    Resume,
    /// Say that you are alive.
    Ping,
}

/// What is run in the tree, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The `acquired` hook. The command follows only when it has ended with exit code 0.
    Hook,
    /// The command. Nothing follows it: the guardian goes by itself as soon as the tree is empty.
    Command,
}

/// What the guardian reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// The command runs; whether it does so inside the cgroup made for it.
    Started { pid: Pid, contained: bool },
    /// The command could not be started: this errno; negative when it was not the command's fault.
    NotStarted(i32),
    /// The command's main process stopped, went on, or ended.
    Command(Change),
    /// The guardian's own timer said that it was time for the stop signal.
    StopDue,
    /// Nothing of the tree is left.
    Empty,
    /// I am alive.
    Pong,
}

fn pack(kind: u8, first: u64, second: u64) -> Packed {
    let mut packed = [0; LENGTH];
    packed[0] = kind;
    packed[8..16].copy_from_slice(&first.to_ne_bytes());
    packed[16..24].copy_from_slice(&second.to_ne_bytes());
    packed
}

fn unpack(bytes: &[u8]) -> Option<(u8, u64, u64)> {
    let packed: &Packed = bytes.try_into().ok()?;
    let word = |at: usize| Some(u64::from_ne_bytes(packed.get(at..at + 8)?.try_into().ok()?));
    Some((packed[0], word(8)?, word(16)?))
}

/// Signed numbers travel as their bits.
const fn bits(number: i32) -> u64 {
    number.cast_unsigned() as u64
}

fn signed(bits: u64) -> Option<i32> {
    u32::try_from(bits).ok().map(u32::cast_signed)
}

/// A process, or 0 where nothing was started. Below it a number means many, and a signal would reach them all.
fn one_process(bits: u64) -> Option<Pid> {
    signed(bits).filter(|pid| *pid >= 0)
}

/// A signal by which a process can end or stop.
fn signal(bits: u64) -> Option<i32> {
    signed(bits).filter(|number| *number > 0)
}

impl Order {
    pub(super) fn pack(self) -> Packed {
        match self {
            Self::Arm { stop, kill } => pack(1, stop.as_nanos(), kill.as_nanos()),
            Self::Go { token, part } => pack(2, token, u64::from(part == Part::Hook)),
            Self::Signal(number) => pack(3, bits(number), 0),
            Self::Stop { grace } => pack(4, u64::try_from(grace.as_nanos()).unwrap_or(u64::MAX), 0),
            Self::Kill => pack(5, 0, 0),
            Self::LetGo => pack(6, 0, 0),
            Self::Ping => pack(7, 0, 0),
            Self::Pause(signal) => pack(8, bits(signal), 0),
            Self::Resume => pack(9, 0, 0),
        }
    }

    pub(super) fn unpack(bytes: &[u8]) -> Option<Self> {
        let (kind, first, second) = unpack(bytes)?;
        Some(match kind {
            1 => Self::Arm {
                stop: Instant::from_nanos(first),
                kill: Instant::from_nanos(second),
            },
            2 => Self::Go {
                token: first,
                part: match second {
                    0 => Part::Command,
                    1 => Part::Hook,
                    _ => return None,
                },
            },
            3 => Self::Signal(signed(first)?),
            4 => Self::Stop {
                grace: Duration::from_nanos(first),
            },
            5 => Self::Kill,
            6 => Self::LetGo,
            7 => Self::Ping,
            8 => Self::Pause(signed(first)?),
            9 => Self::Resume,
            _ => return None,
        })
    }
}

impl Report {
    pub(super) fn pack(self) -> Packed {
        match self {
            Self::Started { pid, contained } => pack(1, bits(pid), u64::from(contained)),
            Self::NotStarted(errno) => pack(2, bits(errno), 0),
            Self::Command(Change::Exited(code)) => pack(3, 0, bits(code)),
            Self::Command(Change::Killed(signal)) => pack(3, 1, bits(signal)),
            Self::Command(Change::Stopped(signal)) => pack(3, 2, bits(signal)),
            Self::Command(Change::Continued) => pack(3, 3, 0),
            Self::StopDue => pack(4, 0, 0),
            Self::Empty => pack(5, 0, 0),
            Self::Pong => pack(6, 0, 0),
        }
    }

    pub(super) fn unpack(bytes: &[u8]) -> Option<Self> {
        let (kind, first, second) = unpack(bytes)?;
        Some(match (kind, first) {
            (1, pid) => Self::Started {
                pid: one_process(pid)?,
                contained: second == 1,
            },
            (2, errno) => Self::NotStarted(signed(errno)?),
            (3, 0) => Self::Command(Change::Exited(signed(second)?)),
            (3, 1) => Self::Command(Change::Killed(signal(second)?)),
            (3, 2) => Self::Command(Change::Stopped(signal(second)?)),
            (3, 3) => Self::Command(Change::Continued),
            (4, _) => Self::StopDue,
            (5, _) => Self::Empty,
            (6, _) => Self::Pong,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_survives_the_journey() {
        for order in [
            Order::Arm {
                stop: Instant::from_nanos(7),
                kill: Instant::NEVER,
            },
            Order::Go {
                token: (1 << 63) - 1,
                part: Part::Hook,
            },
            Order::Go {
                token: 1,
                part: Part::Command,
            },
            Order::Signal(15),
            Order::Stop {
                grace: Duration::from_millis(1500),
            },
            Order::Kill,
            Order::LetGo,
            Order::Ping,
            Order::Pause(20),
            Order::Resume,
        ] {
            assert_eq!(Order::unpack(&order.pack()), Some(order));
        }
        for report in [
            Report::Started {
                pid: 4711,
                contained: true,
            },
            Report::NotStarted(2),
            Report::Command(Change::Exited(255)),
            Report::Command(Change::Killed(64)),
            Report::Command(Change::Stopped(20)),
            Report::Command(Change::Continued),
            Report::StopDue,
            Report::Empty,
            Report::Pong,
        ] {
            assert_eq!(Report::unpack(&report.pack()), Some(report));
        }
    }

    #[test]
    fn nonsense_is_no_message() {
        assert_eq!(Order::unpack(&[]), None);
        assert_eq!(Order::unpack(&[0; LENGTH]), None);
        assert_eq!(Order::unpack(&[1; LENGTH + 1]), None);
        assert_eq!(Report::unpack(&pack(3, 9, 0)), None);
        for odd in [bits(-1), bits(i32::MIN)] {
            assert_eq!(Report::unpack(&pack(1, odd, 1)), None, "{odd}");
            assert_eq!(Report::unpack(&pack(3, 1, odd)), None, "{odd}");
        }
        assert_eq!(Report::unpack(&pack(3, 1, 0)), None);
        let pid = 0;
        let nobody = Report::Started {
            pid,
            contained: false,
        };
        assert_eq!(
            Report::unpack(&pack(1, 0, 0)),
            Some(nobody),
            "hold without --pid"
        );
    }
}
