//! Every state that can be reached, nearest first, so that a counterexample is a shortest one.
//!
//! States are kept whole and compared whole: a hash that is the same by chance hides nothing.

use crate::properties::{Broken, Seen, is_broken};
use crate::protocol::{Action, Next, Protocol};
use crate::state::State;

/// What was explored.
#[derive(Debug)]
pub(crate) struct Explored {
    pub(crate) states: usize,
    pub(crate) steps: u64,
    pub(crate) depth: usize,
    pub(crate) seen: Seen,
    /// What was broken first, and how it comes to that.
    pub(crate) counterexample: Option<(Broken, Vec<(Action, State)>)>,
}

/// States in the order in which they were reached.
#[derive(Debug, Default)]
struct Reached {
    states: Vec<u128>,
    from: Vec<u32>,
    /// Open addressing: one more than a state's number, or 0.
    slots: Vec<u32>,
}

impl Reached {
    /// False when it was known.
    fn add(&mut self, state: u128, from: u32) -> bool {
        if self.states.len() * 3 >= self.slots.len() * 2 {
            self.grow();
        }
        let slot = self.slot(state);
        if self.slots[slot] != 0 {
            return false;
        }
        self.states.push(state);
        self.from.push(from);
        self.slots[slot] = u32::try_from(self.states.len()).expect("fewer than 2^32 states");
        true
    }

    fn slot(&self, state: u128) -> usize {
        let mask = self.slots.len() - 1;
        let folded = (state as u64) ^ ((state >> 64) as u64).rotate_left(29);
        let mixed = folded.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        let mut slot = (mixed >> 20) as usize & mask;
        while self.slots[slot] != 0 && self.states[self.slots[slot] as usize - 1] != state {
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn grow(&mut self) {
        self.slots = vec![0; (self.slots.len() * 2).max(1 << 16)];
        for number in 0..self.states.len() {
            let slot = self.slot(self.states[number]);
            self.slots[slot] = number as u32 + 1;
        }
    }

    fn path(&self, mut at: u32) -> Vec<u128> {
        let mut path = vec![self.states[at as usize]];
        while at != 0 {
            at = self.from[at as usize];
            path.push(self.states[at as usize]);
        }
        path.reverse();
        path
    }
}

/// Explores until everything was, or until one of `sought` is found.
pub(crate) fn explore(protocol: &Protocol, sought: &[Broken]) -> Explored {
    let machines = protocol.bounds.machines;
    let mut reached = Reached::default();
    reached.add(State::default().pack(machines), 0);
    let mut explored = Explored {
        states: 0,
        steps: 0,
        depth: 0,
        seen: Seen::NOTHING,
        counterexample: None,
    };
    let mut nexts: Vec<Next> = Vec::new();
    let mut level_ends = 1;
    let mut at = 0;
    while at < reached.states.len() {
        if at == level_ends {
            explored.depth += 1;
            level_ends = reached.states.len();
        }
        let state = State::unpack(reached.states[at]);
        debug_assert_eq!(state.pack(machines), reached.states[at], "nothing is lost");
        nexts.clear();
        protocol.nexts(&state, &mut nexts);
        explored.steps += nexts.len() as u64;
        let stuck = nexts.is_empty() && sought.contains(&Broken::Stuck);
        let mut found = stuck.then_some((Broken::Stuck, None));
        for next in &nexts {
            explored.seen = explored.seen | next.seen;
            let packed = next.state.pack(machines);
            let is_new = reached.add(packed, at as u32);
            if let Some(broken) = broken_by(next, is_new, protocol, sought) {
                found = Some((broken, Some(packed)));
                break;
            }
            if is_new {
                explored.seen = explored.seen | Seen::of(&next.state, &protocol.bounds);
            }
        }
        if let Some((broken, last)) = found {
            let mut path = reached.path(at as u32);
            path.extend(last);
            explored.counterexample = Some((broken, retrace(protocol, &path)));
            break;
        }
        at += 1;
    }
    explored.states = reached.states.len();
    explored
}

/// A state that is known was looked at when it was new.
fn broken_by(next: &Next, is_new: bool, protocol: &Protocol, sought: &[Broken]) -> Option<Broken> {
    let by_step = next.broken.filter(|broken| sought.contains(broken));
    let by_state = || {
        let mut each = sought.iter().copied().filter(|_| is_new);
        each.find(|broken| is_broken(*broken, &next.state, &protocol.bounds))
    };
    by_step.or_else(by_state)
}

/// The actions along a path, with the machines called the same from its beginning to its end.
fn retrace(protocol: &Protocol, path: &[u128]) -> Vec<(Action, State)> {
    let mut state = State::default();
    let mut steps = Vec::new();
    for packed in &path[1..] {
        let mut nexts = Vec::new();
        protocol.nexts(&state, &mut nexts);
        let leads_there = |next: &&Next| next.state.pack(protocol.bounds.machines) == *packed;
        let next = nexts.iter().find(leads_there).expect("a step of the path");
        state = next.state;
        steps.push((next.action, state));
    }
    steps
}
