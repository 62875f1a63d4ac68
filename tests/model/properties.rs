//! What has to be true in every state, and what has to have been seen for that to say anything.

use std::fmt;
use std::ops::BitOr;

use crate::bounds::Bounds;
use crate::state::{Kind, Machine, Stage, State};

/// What is wrong with a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// P1: two commands run at the same time.
    Overlap,
    /// P1: a command runs while the store has its lease for nobody, or for another.
    NotHeld,
    /// P7: a machine that woke too late writes with a token that is not older than the holder's.
    StaleTokenAccepted,
    /// P7: a token that does not rise.
    TokenTwice,
    /// P5: the lease is given back while the tree lives.
    FreedTooEarly,
    /// P10: stopping was undone.
    Regained,
    /// Nothing can happen any more.
    Stuck,
}

impl Broken {
    pub(crate) const ALL: [Self; 7] = [
        Self::Overlap,
        Self::NotHeld,
        Self::StaleTokenAccepted,
        Self::TokenTwice,
        Self::FreedTooEarly,
        Self::Regained,
        Self::Stuck,
    ];
}

/// After a sleep the guardian kills as soon as it runs; until then only the token protects (DESIGN P1).
fn is_guarded(machine: &Machine) -> bool {
    machine.executes() && machine.stage != Stage::Woken
}

/// Whether `state` is broken in this way. A token given twice is seen when it is given (`Protocol::handle`), and a
/// stuck state by the checker.
pub(crate) fn is_broken(broken: Broken, state: &State, bounds: &Bounds) -> bool {
    let machines = &state.machines[..bounds.machines];
    let mut guarded = machines.iter().enumerate().filter(|(_, it)| is_guarded(it));
    match broken {
        Broken::Overlap => guarded.nth(1).is_some(),
        Broken::NotHeld => guarded.any(|(index, it)| !has_the_lease(state, index, it)),
        Broken::StaleTokenAccepted => guarded.any(|(_, holder)| {
            let stale = |it: &Machine| it.executes() && it.stage == Stage::Woken;
            machines
                .iter()
                .any(|it| stale(it) && it.token >= holder.token)
        }),
        Broken::FreedTooEarly => state.messages.iter().any(|message| {
            let machine = &machines[message.machine.min(machines.len() - 1)];
            message.kind == Kind::Free && machine.has_tree() && machine.owner == message.owner
        }),
        Broken::Regained => machines.iter().any(|it| it.stage == Stage::Regained),
        Broken::TokenTwice | Broken::Stuck => false,
    }
}

/// A store that has lost its data keeps everyone out instead.
fn has_the_lease(state: &State, index: usize, machine: &Machine) -> bool {
    let held = state.store.held;
    let its = held.is_some_and(|held| held.machine == index && held.token == machine.token);
    its || state.store.guard > 0
}

/// A set of things that happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen(u16);

impl Seen {
    pub(crate) const NOTHING: Self = Self(0);
    pub(crate) const EXPIRY: Self = Self(1);
    pub(crate) const HAND_OVER: Self = Self(1 << 1);
    pub(crate) const ASKED_TWICE: Self = Self(1 << 2);
    pub(crate) const TOO_LATE: Self = Self(1 << 4);
    pub(crate) const ANSWER_WHILE_STOPPING: Self = Self(1 << 5);
    pub(crate) const LOSS: Self = Self(1 << 6);
    pub(crate) const GUARD: Self = Self(1 << 7);
    /// A machine that woke too late beside the next holder.
    pub(crate) const STALE_BESIDE_HOLDER: Self = Self(1 << 8);
    /// A command without a front.
    pub(crate) const ORPHAN: Self = Self(1 << 9);

    const NAMES: [(Self, &str); 9] = [
        (Self::EXPIRY, "a lease ran out"),
        (Self::HAND_OVER, "the lease went on"),
        (Self::ASKED_TWICE, "a claim was granted again"),
        (Self::TOO_LATE, "a grant came too late to start"),
        (
            Self::ANSWER_WHILE_STOPPING,
            "a renewal was answered while stopping",
        ),
        (Self::LOSS, "a loss was heard of"),
        (Self::GUARD, "a store without its data refused"),
        (
            Self::STALE_BESIDE_HOLDER,
            "a machine woke beside the next holder",
        ),
        (Self::ORPHAN, "a front was killed"),
    ];

    /// What can be seen of a state.
    pub(crate) fn of(state: &State, bounds: &Bounds) -> Self {
        let machines = &state.machines[..bounds.machines];
        let woken = machines
            .iter()
            .any(|it| it.executes() && it.stage == Stage::Woken);
        let orphaned = machines.iter().any(|it| it.stage == Stage::Orphaned);
        let mut seen = Self::NOTHING;
        if woken && machines.iter().any(is_guarded) {
            seen = seen | Self::STALE_BESIDE_HOLDER;
        }
        if orphaned {
            seen = seen | Self::ORPHAN;
        }
        seen
    }

    /// What was not seen.
    pub(crate) fn missing(self) -> Vec<&'static str> {
        let absent = |(one, _): &&(Self, &str)| self.0 & one.0 == 0;
        let names = Self::NAMES.iter().filter(absent);
        names.map(|(_, name)| *name).collect()
    }
}

impl BitOr for Seen {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
