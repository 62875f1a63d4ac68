//! Lines on their way to one place, counted.

use std::io;

use super::body::{Body, LogLevel};
use super::line;
use crate::clock::{BootClock, Clock};
use crate::lease::FencingToken;
use crate::process::Outlet;
use crate::run_id::run_id;

/// What all lines of one process begin with.
#[derive(Clone, Debug)]
pub struct Heading {
    /// 16 hexadecimal digits, the same for all lines of this process.
    pub(super) run: String,
    pub(super) lease: String,
    /// The store's printable label, once it is open.
    pub(super) store: Option<String>,
    /// From the acquisition to the end of the tenure.
    pub(super) token: Option<FencingToken>,
}

impl Heading {
    /// The heading of this process, which wants `lease`.
    #[must_use]
    pub fn of(lease: &str) -> Self {
        Self {
            run: run_id().to_owned(),
            lease: lease.to_owned(),
            store: None,
            token: None,
        }
    }
}

/// A place for lines, and how many there have been.
#[derive(Debug)]
pub struct Stream {
    pub(super) heading: Heading,
    seq: u64,
    outlet: Option<Outlet>,
    has_lost: bool,
    /// Why the first line that was lost could not be written, until somebody has asked.
    loss: Option<io::Error>,
}

impl Stream {
    /// Lines go to `outlet`; without one they are only counted.
    #[must_use]
    pub const fn new(heading: Heading, outlet: Option<Outlet>) -> Self {
        Self {
            heading,
            seq: 0,
            outlet,
            has_lost: false,
            loss: None,
        }
    }

    /// The store's label is known now.
    pub fn in_store(&mut self, label: &str) {
        self.heading.store = Some(label.to_owned());
    }

    /// The lease is ours, under this token; `None`: the tenure is over, and what follows belongs to none.
    pub const fn under(&mut self, token: Option<FencingToken>) {
        self.heading.token = token;
    }

    /// Counts an event, writes it if there is somewhere to write it, and hands the line out.
    pub(super) fn say(&mut self, body: &Body) -> String {
        self.seq += 1;
        let now = (BootClock.now(), BootClock.wall());
        let line = line::of(&self.heading, self.seq, now, body);
        if let Some(outlet) = &mut self.outlet {
            // A line that cannot be written is lost; the next one's number tells.
            let put = outlet.put(&line);
            if let (Err(why), false) = (put, self.has_lost) {
                (self.has_lost, self.loss) = (true, Some(why));
            }
        }
        line
    }

    /// A message, in the form of an event.
    pub fn log(&mut self, level: LogLevel, message: &str) {
        let message = message.to_owned();
        self.say(&Body::Log { level, message });
    }

    /// Why a line was lost, told once in the life of the stream: if no line gets through, no number tells.
    pub(super) const fn first_loss(&mut self) -> Option<io::Error> {
        self.loss.take()
    }

    /// Where the lines go.
    #[must_use]
    pub const fn outlet(&self) -> Option<&Outlet> {
        self.outlet.as_ref()
    }
}
