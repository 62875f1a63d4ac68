//! What the tortured tell the judge: one datagram each, so that it arrives whole, and in order.

use std::fmt;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The command began, alone as far as the witness could tell.
    Begin,
    /// The command began although the witness's lock was taken.
    Overlap,
    /// A process of the command is alive, and writes under its token.
    Write,
    /// The command's main process ends by itself.
    End,
}

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) what: What,
    pub(crate) lease: u64,
    pub(crate) contender: u64,
    pub(crate) token: u64,
    pub(crate) pid: u32,
    /// When, on the raw clock.
    pub(crate) at: u64,
    /// With [`What::Overlap`]: the contender that had the lock.
    pub(crate) other: u64,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::Begin => 'b',
            What::Overlap => 'o',
            What::Write => 'w',
            What::End => 'e',
        };
        let (lease, contender, token) = (self.lease, self.contender, self.token);
        let (pid, at, other) = (self.pid, self.at, self.other);
        write!(f, "{what} {lease} {contender} {token} {pid} {at} {other}")
    }
}

impl Message {
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let text = str::from_utf8(bytes).ok()?;
        let mut words = text.split(' ');
        let what = match words.next()? {
            "b" => What::Begin,
            "o" => What::Overlap,
            "w" => What::Write,
            "e" => What::End,
            _ => return None,
        };
        let mut number = || words.next()?.parse::<u64>().ok();
        Some(Self {
            what,
            lease: number()?,
            contender: number()?,
            token: number()?,
            pid: u32::try_from(number()?).ok()?,
            at: number()?,
            other: number()?,
        })
    }
}
