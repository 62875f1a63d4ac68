//! Which fault comes when, to whom and for how long: nothing but the seed decides.
//!
//! What a fault meets is up to the machine, so that the same schedule does not end the same way twice. That it
//! is the same schedule is told by its digest, which every run prints.

use std::time::Duration;

use crate::options::{Options, Profile, Store};
use crate::random::Random;

/// One kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// SIGKILL of the holder's leasectl.
    KillFront,
    /// SIGKILL of the holder's guardian.
    KillGuardian,
    /// SIGKILL of the command's main process.
    KillCommand,
    /// SIGKILL of somebody who waits.
    KillWaiter,
    /// SIGTERM to the holder's leasectl.
    TermFront,
    /// SIGSTOP, and SIGCONT after a while.
    StopFront,
    StopGuardian,
    StopCommand,
    StopWaiter,
    /// Front and guardian at once: nothing can stop the command then, and only the token protects.
    StopBoth,
    /// An operator's `leasectl release`.
    Release,
    /// The lease is deleted on the server.
    DeleteKey,
    /// SIGKILL of the server, which comes back with its data.
    ServerRestart,
    /// SIGKILL of the server, which comes back without its data.
    ServerEmpty,
    /// SIGSTOP of the server, and SIGCONT after a while.
    ServerStop,
    /// FLUSHALL: all data is gone, and the server goes on.
    FlushAll,
    /// The server's clock is set back.
    ClockBack,
    /// It is set forward, which is outside the assumptions: what was held may be over at once.
    ClockForward,
    /// The holder's connections are closed, and new ones too, for a while.
    Cut,
    /// All that the holder sends and gets arrives late.
    Delay,
    /// What the holder sends arrives only after a while; what it gets, at once.
    HoldRequests,
    /// What the holder gets arrives only after a while; what it sends, at once.
    HoldAnswers,
    /// The holder's connections are closed, once.
    Reset,
    /// The next answer is lost after its request was carried out.
    LoseAnswer,
}

use Fault::{
    ClockBack, ClockForward, Cut, Delay, DeleteKey, FlushAll, HoldAnswers, HoldRequests,
    KillCommand, KillFront, KillGuardian, KillWaiter, LoseAnswer, Release, Reset, ServerEmpty,
    ServerRestart, ServerStop, StopBoth, StopCommand, StopFront, StopGuardian, StopWaiter,
    TermFront,
};

/// What happens to processes: on every store.
const PROCESSES: &[(Fault, u64)] = &[
    (KillFront, 14),
    (KillGuardian, 14),
    (KillCommand, 8),
    (KillWaiter, 6),
    (TermFront, 5),
    (StopFront, 12),
    (StopGuardian, 12),
    (StopCommand, 5),
    (StopWaiter, 4),
    (Release, 3),
];

/// What happens to a server and on the way to it.
const SERVER: &[(Fault, u64)] = &[
    (Cut, 9),
    (Delay, 7),
    (HoldRequests, 6),
    (HoldAnswers, 6),
    (Reset, 6),
    (LoseAnswer, 8),
    (DeleteKey, 5),
];

/// The server is everybody's: these are rare, so that the leases have lives of their own between them.
const EVERYBODY: &[(Fault, u64)] = &[
    (ServerRestart, 3),
    (ServerStop, 3),
    (ServerEmpty, 1),
    (FlushAll, 4),
    (ClockBack, 5),
    (ClockForward, 3),
];

/// Pauses longer than the lease, and nothing else.
const PAUSES: &[(Fault, u64)] = &[(StopFront, 1), (StopGuardian, 1), (StopBoth, 1)];

impl Fault {
    /// Whether it takes away one of the two who stop the command. Nobody is hit by two of these.
    pub(crate) const fn is_local(self) -> bool {
        matches!(
            self,
            KillFront | KillGuardian | StopFront | StopGuardian | StopBoth
        )
    }

    /// Whether it befalls the server, and with it everybody.
    pub(crate) const fn is_of_the_server(self) -> bool {
        matches!(
            self,
            ServerRestart | ServerEmpty | ServerStop | FlushAll | ClockBack | ClockForward
        )
    }

    /// Whether it happens on the holder's way to the server.
    pub(crate) const fn is_network(self) -> bool {
        matches!(
            self,
            Cut | Delay | HoldRequests | HoldAnswers | Reset | LoseAnswer
        )
    }
}

/// What is done next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Injection {
    /// How long after the one before.
    pub(crate) after: Duration,
    /// Which lease; where nobody there can be hit, the next one on which somebody can.
    pub(crate) lease: u64,
    pub(crate) fault: Fault,
    /// For those that last; how far, for those of the clock.
    pub(crate) lasts: Duration,
}

/// The endless schedule of a seed.
#[derive(Debug)]
pub(crate) struct Schedule {
    random: Random,
    faults: Vec<(Fault, u64)>,
    leases: u64,
    gap: Duration,
    ttl: Duration,
    pauses: bool,
    digest: u64,
}

impl Schedule {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            random: Random::new(options.seed, 1),
            faults: faults_of(options),
            leases: options.leases,
            gap: options.gap,
            ttl: options.ttl,
            pauses: options.profile == Profile::Pauses,
            digest: 0xcbf2_9ce4_8422_2325,
        }
    }

    pub(crate) fn next(&mut self) -> Injection {
        let total = self.faults.iter().map(|(_, weight)| weight).sum();
        let mut at = self.random.below(total);
        let mut fault = KillFront;
        for (one, weight) in &self.faults {
            if at < *weight {
                fault = *one;
                break;
            }
            at -= weight;
        }
        let lasts = self.lasts(fault);
        let injection = Injection {
            after: self.random.span(Duration::ZERO, self.gap * 2),
            lease: self.random.below(self.leases),
            fault,
            lasts,
        };
        self.note(&injection);
        injection
    }

    fn lasts(&mut self, fault: Fault) -> Duration {
        let ttl = self.ttl;
        match fault {
            ServerRestart | ServerEmpty => self.random.span(Duration::from_millis(20), ttl / 4),
            ServerStop => self.random.span(Duration::from_millis(20), ttl / 2),
            Delay => self.random.span(Duration::from_millis(5), ttl / 6),
            // A little, and more than any lease has left.
            ClockBack | ClockForward => self.random.span(ttl / 8, ttl * 3),
            // Longer than the lease, whatever was left of it.
            _ if self.pauses => self.random.span(ttl + ttl / 10, ttl * 3 / 2),
            // Most are short and are survived; the others outlast the lease.
            _ if self.random.once_in(3) => self.random.span(ttl, ttl * 3 / 2),
            _ => self.random.span(Duration::from_millis(5), ttl / 3),
        }
    }

    /// All that has been scheduled so far, as one number (FNV-1a).
    pub(crate) const fn digest(&self) -> u64 {
        self.digest
    }

    fn note(&mut self, injection: &Injection) {
        for byte in format!("{injection:?}").bytes() {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// Those that this campaign consists of, and how often each comes.
pub(crate) fn faults_of(options: &Options) -> Vec<(Fault, u64)> {
    let mut faults = match options.profile {
        Profile::Mixed => PROCESSES.to_vec(),
        Profile::Pauses => PAUSES.to_vec(),
        Profile::Guardian => vec![(KillGuardian, 1)],
    };
    if options.profile == Profile::Mixed && options.store != Store::File {
        faults.extend_from_slice(SERVER);
        for (_, weight) in &mut faults {
            *weight *= 10;
        }
        faults.extend_from_slice(EVERYBODY);
    }
    if !options.subject.is_leasectl() {
        let ours = |fault| matches!(fault, KillGuardian | StopGuardian | StopBoth | Release);
        faults.retain(|(fault, _)| !ours(*fault));
    }
    if options.store == Store::Etcd {
        faults.retain(|(fault, _)| {
            !matches!(
                fault,
                DeleteKey | ServerEmpty | FlushAll | ClockBack | ClockForward
            )
        });
    }
    faults
}
