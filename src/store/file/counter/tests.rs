//! The counter against a disk that is cut off at every point and tears every write that it was not
//! told to flush.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use proptest::prelude::*;

use super::super::wire::{COUNTER_LENGTH, SECTOR, new_counter};
use super::*;

/// The name of a boot. No two boots have the same: an old region would be taken for a new one.
fn boot_id(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

/// What happens at one operation of the medium.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// The process is killed; the kernel keeps what was written.
    Kill,
    /// The operation fails and does nothing; a flush that fails also forgets what it had to write.
    Fail,
}

#[derive(Debug, Default)]
struct Disk {
    kernel: RefCell<Vec<u8>>,
    durable: RefCell<Vec<u8>>,
    /// What was written to each part since the last flush, in order.
    pending: RefCell<Vec<(usize, Vec<u8>)>>,
    /// What a failed flush forgot: it may be on the disk, in part too, and no later flush puts it there.
    forgotten: RefCell<Vec<(usize, Vec<u8>)>>,
    operations: Cell<usize>,
    fault: Cell<Option<(usize, Fault)>>,
    /// A mistake: whoever flushes does not.
    never_flushed: Cell<bool>,
}

impl Disk {
    fn new(bytes: Vec<u8>) -> Rc<Self> {
        let disk = Self::default();
        *disk.kernel.borrow_mut() = bytes.clone();
        *disk.durable.borrow_mut() = bytes;
        Rc::new(disk)
    }

    fn created(start: u64) -> Rc<Self> {
        let region = Region {
            boot: boot_id(0),
            next: start,
            synced: start + BLOCK - 1,
            hold: None,
        };
        Self::new(new_counter(start + BLOCK - 1, &region))
    }

    fn operation(&self) -> Result<(), Errno> {
        let number = self.operations.replace(self.operations.get() + 1);
        match self.fault.get() {
            Some((at, Fault::Kill)) if number >= at => Err(Errno::EINTR),
            Some((at, Fault::Fail)) if number == at => Err(Errno::EIO),
            _ => Ok(()),
        }
    }

    fn arm(&self, fault: Option<(usize, Fault)>) {
        self.operations.set(0);
        self.fault.set(fault);
    }

    /// What part `at` may hold after a power cut: the old bytes, or one of the writes since the last
    /// flush, cut off after some bytes and continued by what was there before it.
    fn part_after_power_cut(&self, at: usize, cuts: &[usize]) -> Vec<Vec<u8>> {
        let mut outcomes = vec![self.durable.borrow()[at..at + SECTOR].to_vec()];
        let forgotten = self.forgotten.borrow();
        let pending = self.pending.borrow();
        let unsure = forgotten.iter().chain(pending.iter());
        for (_, bytes) in unsure.filter(|(to, _)| *to == at) {
            for before in outcomes.clone() {
                for &cut in cuts {
                    let mut torn = before.clone();
                    let cut = cut.min(bytes.len());
                    torn[..cut].copy_from_slice(&bytes[..cut]);
                    if !outcomes.contains(&torn) {
                        outcomes.push(torn);
                    }
                }
            }
        }
        outcomes
    }

    /// Every combination of what the three parts may hold, one after another.
    fn after_power_cut(&self, cuts: &[usize], mut check: impl FnMut(Vec<u8>)) {
        let [first, second, region] = [0, 4096, 8192].map(|at| self.part_after_power_cut(at, cuts));
        let mut bytes = self.durable.borrow().clone();
        for first in &first {
            bytes[..SECTOR].copy_from_slice(first);
            for second in &second {
                bytes[4096..4096 + SECTOR].copy_from_slice(second);
                for region in [region.first(), region.get(region.len() / 2), region.last()] {
                    bytes[8192..].copy_from_slice(region.unwrap());
                    check(bytes.clone());
                }
            }
        }
    }
}

impl Medium for Rc<Disk> {
    fn read(&self) -> Result<Vec<u8>, Errno> {
        self.operation()?;
        Ok(self.kernel.borrow().clone())
    }

    fn write(&self, at: u64, bytes: &[u8]) -> Result<(), Errno> {
        self.operation()?;
        let at = usize::try_from(at).unwrap();
        self.kernel.borrow_mut()[at..at + bytes.len()].copy_from_slice(bytes);
        self.pending.borrow_mut().push((at, bytes.to_vec()));
        Ok(())
    }

    fn flush(&self) -> Result<(), Errno> {
        if self.never_flushed.get() {
            return self.operation();
        }
        let pending = self.pending.borrow().clone();
        let done = self.operation();
        if done != Err(Errno::EINTR) {
            // Failed, the kernel forgets that it ever had to write them (fsync(2) on Linux).
            self.pending.borrow_mut().clear();
        }
        if done == Err(Errno::EIO) {
            self.forgotten.borrow_mut().extend(pending.clone());
        }
        done?;
        // What is written after it and flushed well lies above what was forgotten.
        let written = |to: usize| pending.iter().any(|(at, _)| *at == to);
        self.forgotten.borrow_mut().retain(|(to, _)| !written(*to));
        for (at, bytes) in pending {
            self.durable.borrow_mut()[at..at + bytes.len()].copy_from_slice(&bytes);
        }
        Ok(())
    }
}

fn now(seconds: u64) -> Now {
    Now {
        boot: Instant::from_nanos(seconds * 1_000_000_000),
        wall: WallTime::from_unix_millis(seconds * 1_000),
    }
}

fn acquire(disk: &Rc<Disk>, boot: usize) -> Result<u64, CounterError> {
    let mut counter = Counter::open(Rc::clone(disk), &boot_id(boot), now(1))?;
    counter.take(None, now(1)).map(FencingToken::get)
}

/// Uses up tokens so that the next acquisition has to reserve.
fn exhaust(disk: &Rc<Disk>, boot: usize) -> u64 {
    let mut counter = Counter::open(Rc::clone(disk), &boot_id(boot), now(1)).unwrap();
    counter.take(None, now(1)).unwrap();
    counter.region.next = counter.region.synced;
    counter.write_region().unwrap();
    acquire(disk, boot).unwrap()
}

#[test]
fn tokens_rise_by_one_and_flush_once_a_block() {
    let disk = Disk::created(1);
    let tokens: Vec<u64> = (0..BLOCK).map(|_| acquire(&disk, 0).unwrap()).collect();
    assert_eq!(tokens, (1..=BLOCK).collect::<Vec<_>>());
    assert!(!disk.pending.borrow().is_empty(), "nothing was flushed");
    assert_eq!(acquire(&disk, 0), Ok(BLOCK + 1));
    assert_eq!(
        disk.pending.borrow().len(),
        1,
        "only the region is unflushed"
    );
}

#[test]
fn a_reboot_and_a_torn_region_skip_above_the_reservation() {
    let disk = Disk::created(1);
    assert_eq!(acquire(&disk, 0), Ok(1));
    assert_eq!(acquire(&disk, 1), Ok(BLOCK + 1));
    disk.kernel.borrow_mut()[8192 + 60] ^= 1;
    assert_eq!(acquire(&disk, 1), Ok(2 * BLOCK + 1));
}

#[test]
fn damage_is_refused_and_never_guessed() {
    for bytes in [
        vec![0; COUNTER_LENGTH],
        vec![b'7'; 3],
        vec![0xff; COUNTER_LENGTH],
    ] {
        assert_eq!(acquire(&Disk::new(bytes), 0), Err(CounterError::Damaged));
    }
    let beyond = Disk::created(1);
    beyond.kernel.borrow_mut()[..SECTOR].copy_from_slice(&slot(1 << 63));
    assert_eq!(acquire(&beyond, 0), Err(CounterError::Damaged));
    let full = Disk::created(HIGHEST - BLOCK);
    assert!(acquire(&full, 0).is_ok());
    assert_eq!(acquire(&full, 1), Err(CounterError::Damaged));
    let half = Disk::created(1);
    half.kernel.borrow_mut()[..SECTOR].fill(0);
    assert_eq!(acquire(&half, 0), Ok(1), "one whole slot is enough");
}

/// Two acquisitions one after the other, each with a fault anywhere, and after each a power cut that
/// tears anything: no token comes back.
#[test]
fn no_token_is_repeated_whatever_is_torn() {
    // Inside the magic, the number and the checksum of a slot, inside a region, and whole.
    let cuts = [4, 9, 10, 20, 60, SECTOR];
    // Blocks used up before: after two and after three it is another slot that counts.
    for spent in 0..4 {
        for boot in [0, 1] {
            for fault in [Fault::Kill, Fault::Fail] {
                for first in 0..8 {
                    for second in 0..8 {
                        faults_then_power_cut(spent, boot, fault, [first, second], &cuts);
                    }
                }
            }
        }
    }
}

fn faults_then_power_cut(spent: usize, boot: usize, fault: Fault, at: [usize; 2], cuts: &[usize]) {
    let disk = Disk::created(1);
    let mut highest = acquire(&disk, 0).unwrap();
    for _ in 0..spent {
        highest = exhaust(&disk, 0);
    }
    for at in at {
        disk.arm(Some((at, fault)));
        if let Ok(token) = acquire(&disk, boot) {
            assert!(token > highest);
            highest = token;
        }
        disk.arm(None);
        let repeated = repeated_after_power_cut(&disk, highest, cuts);
        assert_eq!(
            repeated, None,
            "spent {spent}, boot {boot}, {fault:?} at {at}"
        );
    }
    let token = acquire(&disk, boot).unwrap();
    assert!(token > highest, "the process after them goes on");
}

/// What an acquisition after a power cut gets, where that is not a token above `highest`.
fn repeated_after_power_cut(
    disk: &Rc<Disk>,
    highest: u64,
    cuts: &[usize],
) -> Option<Result<u64, CounterError>> {
    let mut repeated = None;
    disk.after_power_cut(cuts, |bytes| {
        let token = acquire(&Disk::new(bytes), 2);
        if !token.is_ok_and(|token| token > highest) {
            repeated = Some(token);
        }
    });
    repeated
}

/// The mistake is found as soon as a block is used up: what was reserved was never on the disk.
#[test]
fn a_counter_that_is_never_flushed_is_found_out() {
    let disk = Disk::created(1);
    disk.never_flushed.set(true);
    acquire(&disk, 0).unwrap();
    assert_eq!(
        repeated_after_power_cut(&disk, 1, &[SECTOR]),
        None,
        "reserved when created"
    );
    exhaust(&disk, 0);
    let highest = acquire(&disk, 0).unwrap();
    let repeated = repeated_after_power_cut(&disk, highest, &[SECTOR]);
    assert_eq!(repeated, Some(Ok(highest)));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn tokens_rise_through_any_history(
        steps in prop::collection::vec((0_usize..6, 0_usize..9, 0_usize..SECTOR, any::<bool>()), 1..12),
    ) {
        let mut disk = Disk::created(1);
        let mut boot = 0;
        let mut highest = 0;
        for (what, at, cut, spend) in steps {
            if spend {
                disk.arm(None);
                highest = highest.max(exhaust(&disk, boot));
            }
            disk.arm(match what {
                0 | 4 => Some((at, Fault::Kill)),
                1 | 5 => Some((at, Fault::Fail)),
                _ => None,
            });
            if let Ok(token) = acquire(&disk, boot) {
                prop_assert!(token > highest, "{token} after {highest}");
                highest = token;
            }
            if what >= 3 {
                boot += 1;
                let mut outcomes = Vec::new();
                disk.after_power_cut(&[cut, SECTOR], |bytes| outcomes.push(bytes));
                let which = at * outcomes.len() / 9;
                disk = Disk::new(outcomes[which].clone());
            }
        }
    }
}

#[test]
fn a_minimum_hold_survives_a_crash_and_a_reboot() {
    let disk = Disk::created(1);
    let open = |boot: usize, at: Now| Counter::open(Rc::clone(&disk), &boot_id(boot), at).unwrap();
    let minute = Duration::from_secs(60);
    open(0, now(100)).take(Some(minute), now(100)).unwrap();
    assert!(disk.pending.borrow().is_empty(), "flushed");
    assert_eq!(open(0, now(130)).rest(now(130)), Duration::from_secs(30));
    assert_eq!(open(0, now(160)).rest(now(160)), Duration::ZERO);
    let later = Now {
        boot: Instant::from_nanos(5_000_000_000),
        wall: WallTime::from_unix_millis(120_000),
    };
    assert_eq!(
        open(1, later).rest(later),
        Duration::from_secs(40),
        "wall clock"
    );
    let even_later = Now {
        boot: Instant::from_nanos(25_000_000_000),
        wall: WallTime::from_unix_millis(0),
    };
    assert_eq!(
        open(1, even_later).rest(even_later),
        Duration::from_secs(20),
        "boot clock again"
    );
    let set_back = WallTime::from_unix_millis(0);
    let again = Now {
        wall: set_back,
        ..even_later
    };
    assert_eq!(
        open(2, again).rest(again),
        Duration::from_secs(40),
        "never longer than it was"
    );
    open(2, again).clear_hold().unwrap();
    assert_eq!(open(2, again).rest(again), Duration::ZERO);
}

#[test]
fn a_minimum_hold_that_cannot_be_flushed_keeps_nobody_out() {
    let disk = Disk::created(1);
    let mut counter = Counter::open(Rc::clone(&disk), &boot_id(0), now(1)).unwrap();
    disk.arm(Some((1, Fault::Fail)));
    let taken = counter.take(Some(Duration::from_secs(60)), now(1));
    assert_eq!(taken, Err(CounterError::Os(Errno::EIO)));
    disk.arm(None);
    let mut counter = Counter::open(Rc::clone(&disk), &boot_id(0), now(1)).unwrap();
    assert_eq!(counter.rest(now(1)), Duration::ZERO);
    assert_eq!(counter.take(None, now(1)).map(FencingToken::get), Ok(2));
}
