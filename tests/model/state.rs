//! What there is at one moment: machines, a store, messages on their way. Time is in it only as what is left, so
//! that the states are finitely many. All of it fits a number of 128 bits, which is what the checker keeps.

use std::array;

/// No more than these fit (`State::pack`).
pub(crate) const MOST_MACHINES: usize = 3;
pub(crate) const MOST_MESSAGES: usize = 4;
pub(crate) const LONGEST_TTL: u8 = 6;
pub(crate) const MOST_ACQUISITIONS: u8 = 3;
pub(crate) const MOST_GRANTS: u8 = 15;

/// Where a machine is with its run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    #[default]
    Idle,
    /// Asks for the lease.
    Seeking,
    /// The command runs, and the guardian has its deadline.
    Running,
    /// The guardian kills it; nothing undoes that (P10).
    Stopping,
    /// The front is dead. The guardian has the deadline, and nobody renews.
    Orphaned,
    /// The machine has slept beyond the deadline, and its tree lives until the guardian runs: no time passes.
    Woken,
    /// Stopping was undone: only a mistake comes here.
    Regained,
}

impl Stage {
    const ALL: [Self; 7] = [
        Self::Idle,
        Self::Seeking,
        Self::Running,
        Self::Stopping,
        Self::Orphaned,
        Self::Woken,
        Self::Regained,
    ];
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) stage: Stage,
    /// The owner id: the number of this machine's acquisition, none used twice.
    pub(crate) owner: u8,
    pub(crate) token: u8,
    /// Ticks of this machine's clock until its tree has to be gone.
    pub(crate) left: u8,
    /// Of the request that is waited for: ticks of this machine's clock since it was sent.
    pub(crate) waiting: Option<u8>,
    /// Ticks until this machine's clock may miss one.
    pub(crate) steady: u8,
    pub(crate) asleep: bool,
}

impl Machine {
    /// Some process of the command lives.
    pub(crate) const fn has_tree(self) -> bool {
        !matches!(self.stage, Stage::Idle | Stage::Seeking)
    }

    /// Some process of the command runs.
    pub(crate) const fn executes(self) -> bool {
        self.has_tree() && !self.asleep
    }
}

/// Who holds the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) machine: usize,
    pub(crate) owner: u8,
    pub(crate) token: u8,
    /// Ticks of the store's clock until it runs out; never 0.
    pub(crate) left: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Store {
    pub(crate) held: Option<Held>,
    /// What it counts tokens from.
    pub(crate) last_token: u8,
    /// The highest that it has ever given.
    pub(crate) highest: u8,
    /// Ticks in which it grants nothing, because it has lost its data.
    pub(crate) guard: u8,
    /// It loses its data once.
    pub(crate) was_emptied: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    #[default]
    Nothing,
    Acquire,
    Renew,
    Free,
    Granted,
    Refused,
    Extended,
    Lost,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Nothing,
        Self::Acquire,
        Self::Renew,
        Self::Free,
        Self::Granted,
        Self::Refused,
        Self::Extended,
        Self::Lost,
    ];

    pub(crate) const fn is_request(self) -> bool {
        matches!(self, Self::Acquire | Self::Renew | Self::Free)
    }
}

/// A request on its way to the store, or an answer on its way back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) kind: Kind,
    pub(crate) machine: usize,
    pub(crate) owner: u8,
    pub(crate) token: u8,
    /// It belongs to the request that its machine waits for now, and not to one that was given up.
    pub(crate) current: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) machines: [Machine; MOST_MACHINES],
    pub(crate) store: Store,
    pub(crate) messages: [Message; MOST_MESSAGES],
}

impl State {
    pub(crate) fn place(&self, most: usize) -> Option<usize> {
        let free = |message: &Message| message.kind == Kind::Nothing;
        self.messages.iter().take(most).position(free)
    }

    /// The same for all states that differ only in which machine is called what, and in the order of messages.
    pub(crate) fn pack(&self, machines: usize) -> u128 {
        let orders: &[[usize; MOST_MACHINES]] = match machines {
            2 => &[[0, 1, 2], [1, 0, 2]],
            _ => &[
                [0, 1, 2],
                [0, 2, 1],
                [1, 0, 2],
                [1, 2, 0],
                [2, 0, 1],
                [2, 1, 0],
            ],
        };
        let each = self.machines.map(pack_machine);
        let packed = orders.iter().map(|new_name| self.pack_as(each, new_name));
        packed.min().unwrap_or_default()
    }

    fn pack_as(&self, each: [u64; MOST_MACHINES], new_name: &[usize; MOST_MACHINES]) -> u128 {
        let mut machines = [0_u64; MOST_MACHINES];
        for old in 0..MOST_MACHINES {
            machines[new_name[old]] = each[old];
        }
        let mut messages = self.messages.map(|message| pack_message(message, new_name));
        // The empty places last.
        messages.sort_unstable_by(|one, other| other.cmp(one));
        let mut all = pack_store(&self.store, new_name).into();
        for machine in machines {
            all = all << 19 | u128::from(machine);
        }
        for message in messages {
            all = all << 12 | u128::from(message);
        }
        all
    }

    pub(crate) fn unpack(mut all: u128) -> Self {
        let mut take = |bits: u32| {
            let part = all as u64 & ((1 << bits) - 1);
            all >>= bits;
            part
        };
        let mut messages: [Message; MOST_MESSAGES] = array::from_fn(|_| unpack_message(take(12)));
        messages.reverse();
        let mut machines: [Machine; MOST_MACHINES] = array::from_fn(|_| unpack_machine(take(19)));
        machines.reverse();
        Self {
            machines,
            store: unpack_store(take(23)),
            messages,
        }
    }
}

fn pack_machine(machine: Machine) -> u64 {
    let waiting = machine.waiting.map_or(0, |age| age + 1);
    (machine.stage as u64) << 16
        | u64::from(machine.owner) << 14
        | u64::from(machine.token) << 10
        | u64::from(machine.left) << 7
        | u64::from(waiting) << 4
        | u64::from(machine.steady) << 1
        | u64::from(machine.asleep)
}

fn unpack_machine(packed: u64) -> Machine {
    let part = |from: u32, bits: u32| (packed >> from) as u8 & ((1 << bits) - 1);
    Machine {
        stage: Stage::ALL[usize::from(part(16, 3))],
        owner: part(14, 2),
        token: part(10, 4),
        left: part(7, 3),
        waiting: part(4, 3).checked_sub(1),
        steady: part(1, 3),
        asleep: part(0, 1) == 1,
    }
}

fn pack_store(store: &Store, new_name: &[usize; MOST_MACHINES]) -> u64 {
    let held = store.held.map_or(0, |held| {
        (new_name[held.machine] as u64) << 21
            | u64::from(held.owner) << 19
            | u64::from(held.token) << 15
            | u64::from(held.left) << 12
    });
    held | u64::from(store.last_token) << 8
        | u64::from(store.highest) << 4
        | u64::from(store.guard) << 1
        | u64::from(store.was_emptied)
}

fn unpack_store(packed: u64) -> Store {
    let part = |from: u32, bits: u32| (packed >> from) as u8 & ((1 << bits) - 1);
    let held = Held {
        machine: part(21, 2).into(),
        owner: part(19, 2),
        token: part(15, 4),
        left: part(12, 3),
    };
    Store {
        held: (held.left > 0).then_some(held),
        last_token: part(8, 4),
        highest: part(4, 4),
        guard: part(1, 3),
        was_emptied: part(0, 1) == 1,
    }
}

fn pack_message(message: Message, new_name: &[usize; MOST_MACHINES]) -> u64 {
    if message.kind == Kind::Nothing {
        return 0;
    }
    (message.kind as u64) << 9
        | (new_name[message.machine] as u64) << 7
        | u64::from(message.owner) << 5
        | u64::from(message.token) << 1
        | u64::from(message.current)
}

fn unpack_message(packed: u64) -> Message {
    let part = |from: u32, bits: u32| (packed >> from) as u8 & ((1 << bits) - 1);
    Message {
        kind: Kind::ALL[usize::from(part(9, 3))],
        machine: part(7, 2).into(),
        owner: part(5, 2),
        token: part(1, 4),
        current: part(0, 1) == 1,
    }
}
