//! The fencing counter: tokens that rise across crashes, reboots and power cuts (P7), nearly always
//! without waiting for the disk.
//!
//! Tokens are *reserved* on the disk in blocks and *taken* from the block in memory only:
//!
//! - A **reservation** says that every token up to its number may have been used. It is flushed
//!   before the first token of its block is granted. There are two slots for it, written in turn, so
//!   that a write torn by a power cut leaves the one before it.
//! - The **region** says which token is next, and of which boot that is true. It is not flushed: a
//!   killed process leaves its writes with the kernel, and after a power cut the boot id no longer
//!   matches. Then, or when the region is torn, counting goes on above the reservation.
//!
//! The region also remembers how far the reservation is *known* to be on the disk. A process killed
//! between writing a slot and flushing it leaves a slot that reads well and may yet be lost.

use std::time::Duration;

use nix::errno::Errno;

use super::wire::{Image, MinHold, REGION_AT, Region, SLOTS_AT, region, slot};
use crate::clock::{Instant, WallTime};
use crate::lease::FencingToken;

/// Tokens reserved by one flush.
pub(super) const BLOCK: u64 = 1024;
/// No reservation goes beyond: a number up here was never counted, it was damaged.
const HIGHEST: u64 = (1 << 63) - 1;

/// The counter's file, as the algorithm needs it.
pub(super) trait Medium {
    fn read(&self) -> Result<Vec<u8>, Errno>;
    fn write(&self, at: u64, bytes: &[u8]) -> Result<(), Errno>;
    fn flush(&self) -> Result<(), Errno>;
}

/// The present time, by both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) boot: Instant,
    pub(super) wall: WallTime,
}

/// Why there is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CounterError {
    /// The file could not be read, written or flushed.
    Os(Errno),
    /// Neither slot is whole, or one has a number that cannot have been counted.
    Damaged,
}

impl From<Errno> for CounterError {
    fn from(errno: Errno) -> Self {
        Self::Os(errno)
    }
}

/// The counter of one lease, opened by whoever has that lease's lock.
#[derive(Debug)]
pub(super) struct Counter<M> {
    medium: M,
    slots: [Option<u64>; 2],
    region: Region,
}

/// How long the minimum hold still lasts for one who reads `region` during boot `boot`.
pub(super) fn rest_of(region: &Region, boot: &str, now: Now) -> Duration {
    let Some(hold) = region.hold else {
        return Duration::ZERO;
    };
    let rest = if region.boot == boot {
        hold.boot.since(now.boot)
    } else {
        hold.wall.since(now.wall)
    };
    rest.min(hold.span)
}

impl<M: Medium> Counter<M> {
    /// Reads the counter. In a new boot, or after damage to the region, reserves anew.
    pub(super) fn open(medium: M, boot: &str, now: Now) -> Result<Self, CounterError> {
        let Image { slots, region } = Image::read(&medium.read()?);
        if slots == [None, None] || slots.iter().flatten().any(|&number| number > HIGHEST) {
            return Err(CounterError::Damaged);
        }
        let reserved = slots.into_iter().flatten().max().unwrap_or(HIGHEST);
        match region {
            Some(region)
                if region.boot == boot
                    && region.next > 0
                    && region.synced <= reserved
                    && region.next <= region.synced.saturating_add(1) =>
            {
                Ok(Self {
                    medium,
                    slots,
                    region,
                })
            }
            left => Self::begin_boot(medium, slots, left, boot, now),
        }
    }

    fn begin_boot(
        medium: M,
        slots: [Option<u64>; 2],
        left: Option<Region>,
        boot: &str,
        now: Now,
    ) -> Result<Self, CounterError> {
        // A process of this very boot may have been killed before it flushed the slot that we read.
        // Flushed now, it is safe to write over the other one.
        medium.flush()?;
        // The wall clock is asked once; from here on the boot clock measures what is left.
        let rest = left.as_ref().map(|region| rest_of(region, boot, now));
        let hold = rest.filter(|rest| !rest.is_zero()).map(|rest| MinHold {
            boot: now.boot + rest,
            wall: now.wall.plus(rest),
            span: rest,
        });
        let told = left.map_or(0, |region| region.next.saturating_sub(1).min(HIGHEST));
        let used = slots.into_iter().flatten().max().unwrap_or(0).max(told);
        let mut counter = Self {
            medium,
            slots,
            region: Region {
                boot: boot.to_owned(),
                next: used + 1,
                synced: used,
                hold,
            },
        };
        counter.reserve(used)?;
        counter.write_region()?;
        Ok(counter)
    }

    /// The last token that was given.
    pub(super) const fn last(&self) -> u64 {
        self.region.next.saturating_sub(1)
    }

    /// How long others are still kept out.
    pub(super) fn rest(&self, now: Now) -> Duration {
        rest_of(&self.region, &self.region.boot, now)
    }

    /// The next token, never given before and never again, with the minimum hold that comes with it.
    pub(super) fn take(
        &mut self,
        min_hold: Option<Duration>,
        now: Now,
    ) -> Result<FencingToken, CounterError> {
        if self.region.next > self.region.synced {
            let used = self.slots.into_iter().flatten().max().unwrap_or(0);
            self.reserve(used)?;
        }
        let token = FencingToken::new(self.region.next).map_err(|_| CounterError::Damaged)?;
        self.region.next += 1;
        self.region.hold = min_hold.map(|span| MinHold {
            boot: now.boot + span,
            wall: now.wall.plus(span),
            span,
        });
        self.write_region()?;
        if min_hold.is_some()
            && let Err(errno) = self.medium.flush()
        {
            // Nothing is granted, so nobody may be kept out either.
            self.clear_hold()?;
            return Err(errno.into());
        }
        Ok(token)
    }

    /// Ends the minimum hold. Not flushed: after a power cut it may run on, which harms nobody.
    pub(super) fn clear_hold(&mut self) -> Result<(), CounterError> {
        if self.region.hold.take().is_some() {
            self.write_region()?;
        }
        Ok(())
    }

    fn write_region(&self) -> Result<(), CounterError> {
        Ok(self.medium.write(REGION_AT, &region(&self.region))?)
    }

    /// Puts a reservation above `used` on the disk.
    fn reserve(&mut self, used: u64) -> Result<(), CounterError> {
        let reserved = used.saturating_add(BLOCK);
        if reserved > HIGHEST {
            return Err(CounterError::Damaged);
        }
        // Never the slot that is known to be on the disk: until the flush is through it is all we
        // have. Neither is known in a new boot; then `open` has flushed and the greater one is.
        let kept = match self.slots {
            [first, _] if first == Some(self.region.synced) => 0,
            [_, second] if second == Some(self.region.synced) => 1,
            [first, second] => usize::from(second > first),
        };
        let (index, at) = if kept == 0 {
            (1, SLOTS_AT[1])
        } else {
            (0, SLOTS_AT[0])
        };
        let written = self.medium.write(at, &slot(reserved));
        if let Err(errno) = written.and_then(|()| self.medium.flush()) {
            // The disk has the old slot or a torn one, the kernel the new one: put the old one back,
            // so that nobody takes for durable what never was. This is an attempt; the region, which
            // still has the old `synced`, protects where it fails.
            let old = self.slots[index].map_or([0; super::wire::SECTOR], slot);
            let _put_back = self.medium.write(at, &old);
            return Err(errno.into());
        }
        self.slots[index] = Some(reserved);
        self.region.synced = reserved;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
