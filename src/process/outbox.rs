//! Reports that the front could not take at once: it may be stopped for as long as it likes, and what
//! became of the command must not be lost over it.
//!
//! A run has few reports that count, and each at most once or twice; of the many that only say whether
//! the command is stopped right now, the last one is enough. So the room is fixed (P11).

use super::channel::{Channel, Sent};
use super::message::{Packed, Report};
use super::sys::Change;

/// More than a run has: started or not started, stop due, ended, empty.
const ROOM: usize = 8;

/// What waits to be sent.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: [Option<Packed>; ROOM],
    /// Whether the command is stopped, when that could not be said.
    job: Option<Packed>,
}

impl Outbox {
    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.job.is_none() && self.waiting.iter().all(Option::is_none)
    }

    /// Sends a report after all that wait, or has it wait.
    pub(super) fn send(&mut self, channel: &Channel, report: Report) {
        self.flush(channel);
        let packed = report.pack();
        if self.is_empty() && channel.send(&packed) != Sent::Full {
            return;
        }
        match report {
            Report::Pong => {}
            Report::Command(Change::Stopped(_) | Change::Continued) => self.job = Some(packed),
            _ => {
                // What ended needs no word of having been stopped before.
                self.job = None;
                if let Some(free) = self.waiting.iter_mut().find(|place| place.is_none()) {
                    *free = Some(packed);
                }
            }
        }
    }

    /// Sends what waits, as far as the front takes it.
    pub(super) fn flush(&mut self, channel: &Channel) {
        for place in self.waiting.iter_mut().chain([&mut self.job]) {
            if let Some(packed) = place {
                if channel.send(packed) == Sent::Full {
                    return;
                }
                *place = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::channel::Received;
    use super::*;

    #[test]
    fn what_counts_arrives_in_order_once_the_front_listens_again() {
        let (ours, theirs) = Channel::pair().unwrap();
        while ours.send(&Report::Pong.pack()) == Sent::Done {}
        let mut outbox = Outbox::default();
        for _ in 0..100 {
            outbox.send(&ours, Report::Command(Change::Stopped(20)));
            outbox.send(&ours, Report::Command(Change::Continued));
        }
        let last = [Report::Command(Change::Exited(7)), Report::Empty];
        for report in last {
            outbox.send(&ours, report);
        }
        assert!(!outbox.is_empty());
        let mut heard = Vec::new();
        loop {
            outbox.flush(&ours);
            match theirs.receive() {
                Received::Message(bytes, _) => heard.push(Report::unpack(&bytes).unwrap()),
                _ => break,
            }
        }
        assert!(outbox.is_empty());
        heard.retain(|report| *report != Report::Pong);
        assert_eq!(heard, last);
    }
}
