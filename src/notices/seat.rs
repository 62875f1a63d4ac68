//! The seat: an open file description lock on the highest numbered file, which the kernel frees when its
//! holder dies. Whoever has it asks the service for all. It is a plain lock and no lease: no token, no
//! record, and closed in every command that is started.

use std::os::fd::OwnedFd;

use nix::fcntl::OFlag;
use nix::sys::stat::fstat;
use nix::sys::uio::{pread, pwrite};

use super::directory::{Directory, Distrust};
use super::lock::{self, Kind, Part};
use crate::clock::Instant;

/// The stamp has 20 digits: any number of nanoseconds, and the same length each time.
const LONGEST_CONTENT: usize = 80;

/// A seat file that is kept open, whether it is ours or not: closing it tells everybody who watches it
/// that its holder may be gone, and all of them would try for it.
#[derive(Debug)]
pub(super) struct Candidate {
    number: u32,
    fd: OwnedFd,
}

/// The seat, ours. Dropped, it is free.
#[derive(Debug)]
pub(super) struct Seat {
    number: u32,
    fd: OwnedFd,
}

/// What became of a try.
#[derive(Debug)]
#[must_use]
pub(super) enum Try {
    Taken(Seat),
    /// Somebody has it.
    Held(Candidate),
}

pub(super) fn name(number: u32) -> String {
    format!("seat.{number}")
}

impl Candidate {
    /// Its number.
    pub(super) const fn number(&self) -> u32 {
        self.number
    }

    /// The seat that is in force: the highest. `kept` is the one from before.
    pub(super) fn find(directory: &Directory, kept: Option<Self>) -> Result<Self, Distrust> {
        /// A file that goes between two looks is found again soon, or somebody plays with us.
        const MOST: usize = 8;
        let mut kept = kept;
        for _ in 0..MOST {
            let highest = directory.seats()?.last().copied();
            if let Some(kept) = kept.take_if(|kept| Some(kept.number) == highest) {
                return Ok(kept);
            }
            let number = highest.unwrap_or(1);
            let fd = match highest {
                Some(_) => directory.open_file(&name(number), OFlag::O_RDWR)?,
                None => directory.make_file(&name(number))?,
            };
            if let Some(fd) = fd {
                return Ok(Self { number, fd });
            }
        }
        // Taken up again with the next look.
        Err(Distrust::keeps_changing(directory))
    }

    /// Takes the lock if it is free.
    pub(super) fn try_take(self, directory: &Directory) -> Result<Try, Distrust> {
        if !lock::set(&self.fd, Part::Whole, Kind::Alone) {
            return Ok(Try::Held(self));
        }
        let seat = Seat {
            number: self.number,
            fd: self.fd,
        };
        // Somebody may have been deposed and this file removed between our look and the lock: then the lock
        // says nothing. Dropping it gives it back.
        if seat.is_in_force(directory) {
            Ok(Try::Taken(seat))
        } else {
            Err(Distrust::keeps_changing(directory))
        }
    }
}

impl Seat {
    /// Its number.
    pub(super) const fn number(&self) -> u32 {
        self.number
    }

    /// Deposes a silent poller: the next number, if nobody else has it yet.
    pub(super) fn above(directory: &Directory, silent: u32) -> Result<Option<Self>, Distrust> {
        let number = silent.saturating_add(1);
        let Some(fd) = directory.make_file(&name(number))? else {
            return Ok(None);
        };
        let seat = Self { number, fd };
        // In between another may have found the file and locked it: then that one is poller.
        let ours = lock::set(&seat.fd, Part::Whole, Kind::Alone) && seat.is_in_force(directory);
        Ok(ours.then_some(seat))
    }

    /// Whether no higher seat has been taken, and this is still the file of its name.
    pub(super) fn is_in_force(&self, directory: &Directory) -> bool {
        let linked = fstat(&self.fd).is_ok_and(|stat| stat.st_nlink > 0);
        let seats = directory.seats().unwrap_or_default();
        linked && seats.last() == Some(&self.number)
    }

    /// Removes the seats below: whoever has one is deposed.
    pub(super) fn clear_below(&self, directory: &Directory) {
        for lower in directory.seats().unwrap_or_default() {
            if lower < self.number {
                directory.remove(&name(lower));
            }
        }
    }

    /// Notes that a request is about to be sent.
    pub(super) fn stamp(&self, boot: &str, at: Instant) {
        let text = format!("{boot} {:020}", at.as_nanos());
        // Without the stamp a successor may ask a little early; the slot keeps the machine's limit.
        pwrite(&self.fd, text.as_bytes(), 0).ok();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // Closing would leave it with whoever got a copy of the descriptor by a fork.
        lock::set(&self.fd, Part::Whole, Kind::Free);
    }
}

/// When, by the stamps of all seats, the service was last asked in this boot.
pub(super) fn last_asked(directory: &Directory, boot: &str, now: Instant) -> Option<Instant> {
    let stamps = directory
        .seats()
        .unwrap_or_default()
        .into_iter()
        .filter_map(|number| {
            let fd = directory.open_file(&name(number), OFlag::O_RDONLY).ok()??;
            let mut bytes = [0; LONGEST_CONTENT];
            let read = pread(&fd, &mut bytes, 0).ok()?;
            let text = std::str::from_utf8(bytes.get(..read)?).ok()?;
            let (of, at) = text.split_once(' ')?;
            let at = Instant::from_nanos(at.parse().ok()?);
            (of == boot && at <= now).then_some(at)
        });
    stamps.max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(around: &tempfile::TempDir) -> Directory {
        Directory::open_or_make(&around.path().join("d")).unwrap()
    }

    fn take(directory: &Directory) -> Try {
        let candidate = Candidate::find(directory, None).unwrap();
        candidate.try_take(directory).unwrap()
    }

    #[test]
    fn a_seat_has_one_holder() {
        let around = tempfile::tempdir().unwrap();
        let directory = directory(&around);
        let Try::Taken(seat) = take(&directory) else {
            panic!("the first seat is held");
        };
        let Try::Held(other) = take(&directory) else {
            panic!("two have it");
        };
        drop(seat);
        assert_eq!(other.number(), 1);
        let kept = Candidate::find(&directory, Some(other)).unwrap();
        assert!(matches!(kept.try_take(&directory), Ok(Try::Taken(_))));
    }

    #[test]
    fn the_next_number_deposes_who_is_silent() {
        let around = tempfile::tempdir().unwrap();
        let directory = directory(&around);
        let Try::Taken(silent) = take(&directory) else {
            panic!("the first seat is held");
        };
        let next = Seat::above(&directory, 1).unwrap().unwrap();
        assert!(Seat::above(&directory, 1).unwrap().is_none());
        assert!(!silent.is_in_force(&directory) && next.is_in_force(&directory));
        next.clear_below(&directory);
        assert_eq!(directory.seats(), Ok(vec![2]));
        let Try::Held(found) = take(&directory) else {
            panic!("the deposed seat was taken");
        };
        assert_eq!(found.number(), 2);
    }

    #[test]
    fn the_last_request_is_known_to_the_next_holder() {
        let around = tempfile::tempdir().unwrap();
        let directory = directory(&around);
        let Try::Taken(seat) = take(&directory) else {
            panic!("the first seat is held");
        };
        let now = Instant::from_nanos(1_000);
        assert_eq!(last_asked(&directory, "b", now), None);
        seat.stamp("b", Instant::from_nanos(700));
        drop(seat);
        assert_eq!(
            last_asked(&directory, "b", now),
            Some(Instant::from_nanos(700))
        );
        // Of another boot, or of the future: no word on this one.
        assert_eq!(last_asked(&directory, "c", now), None);
        assert_eq!(last_asked(&directory, "b", Instant::from_nanos(699)), None);
    }
}
