//! What can happen next: what a machine, its guardian, the store and the network may do in a state.

use std::iter;

use crate::bounds::Bounds;
use crate::mistakes::Mistake;
use crate::properties::{Broken, Seen};
use crate::state::{Kind, Machine, Message, Stage, State};

/// Ticks at the end of a tenure in which the guardian kills, and the tree may live still.
const MARGIN: u8 = 1;
/// Ticks that a machine's clock may miss in one ttl, and the allowance for it.
const DRIFT: u8 = 1;

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A run begins, and asks for the lease with an owner of its own.
    Begin(usize),
    /// It asks for the lease again, or to renew it.
    Ask(usize),
    /// It waits no longer for the answer.
    GiveUp(usize),
    /// The command ends by itself, or SIGKILL has done it. The lease is given back, if anyone is there to do it.
    TreeEnds(usize),
    /// It withdraws its claim, or (a mistake) gives the lease back.
    Free(usize),
    /// SIGKILL of the front.
    KillFront(usize),
    Sleep(usize),
    Wake(usize),
    /// A message arrives. When it is kept, a copy of it arrives later.
    Deliver {
        message: Message,
        kept: bool,
    },
    /// The same to one that believes, by its wall clock, that the lease has run out (a mistake).
    TakeOver(Message),
    Lose(Message),
    /// The store loses its data.
    Empty,
    /// Time passes, but not on the clocks in this set.
    Tick {
        slow: u8,
    },
}

/// What an action leads to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Next {
    pub(crate) action: Action,
    pub(crate) state: State,
    pub(crate) seen: Seen,
    pub(crate) broken: Option<Broken>,
}

/// The protocol, or what a mistake makes of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Protocol {
    pub(crate) bounds: Bounds,
    pub(crate) mistake: Option<Mistake>,
}

impl Protocol {
    pub(crate) fn makes(&self, mistake: Mistake) -> bool {
        self.mistake == Some(mistake)
    }

    /// Everything that can happen in `state`.
    pub(crate) fn nexts(&self, state: &State, nexts: &mut Vec<Next>) {
        for index in 0..self.bounds.machines {
            self.of_machine(state, index, nexts);
        }
        self.of_network(state, nexts);
        if !state.store.was_emptied && state.store.held.is_some() {
            let mut state = *state;
            state.store.held = None;
            state.store.was_emptied = true;
            if !self.makes(Mistake::NoGuard) {
                state.store.guard = self.bounds.ttl;
            }
            if self.makes(Mistake::TokenNotDurable) {
                state.store.last_token = 0;
            }
            push(nexts, Action::Empty, state);
        }
        self.ticks(state, nexts);
    }

    fn of_machine(&self, state: &State, index: usize, nexts: &mut Vec<Next>) {
        let machine = state.machines[index];
        if machine.asleep {
            push(nexts, Action::Wake(index), self.woken(*state, index));
            return;
        }
        if machine.has_tree() {
            let mut asleep = *state;
            asleep.machines[index].asleep = true;
            push(nexts, Action::Sleep(index), asleep);
            self.is_over(
                *state,
                index,
                (Action::TreeEnds(index), Seen::NOTHING),
                nexts,
            );
        }
        let next_stage = match machine.stage {
            Stage::Running | Stage::Stopping => Some(Stage::Orphaned),
            Stage::Seeking => Some(Stage::Idle),
            _ => None,
        };
        if let Some(stage) = next_stage {
            let mut killed = *state;
            self.give_up(&mut killed, index);
            killed.machines[index].stage = stage;
            push(nexts, Action::KillFront(index), killed);
        }
        if machine.waiting.is_some() {
            let mut given_up = *state;
            self.give_up(&mut given_up, index);
            push(nexts, Action::GiveUp(index), given_up);
        }
        self.begins_and_asks(state, index, nexts);
    }

    fn begins_and_asks(&self, state: &State, index: usize, nexts: &mut Vec<Next>) {
        let machine = state.machines[index];
        let (kind, action) = match machine.stage {
            Stage::Idle if machine.owner < self.bounds.acquisitions => {
                (Kind::Acquire, Action::Begin(index))
            }
            Stage::Seeking if machine.waiting.is_none() => (Kind::Acquire, Action::Ask(index)),
            Stage::Running if machine.waiting.is_none() => (Kind::Renew, Action::Ask(index)),
            _ => (Kind::Nothing, Action::Ask(index)),
        };
        if kind != Kind::Nothing {
            let mut asking = *state;
            let it = &mut asking.machines[index];
            it.waiting = Some(0);
            if machine.stage == Stage::Idle {
                it.stage = Stage::Seeking;
                it.owner += 1;
            }
            if let Some(asked) = self.sent(asking, index, kind) {
                push(nexts, action, asked);
            }
        }
        let too_early = self.makes(Mistake::ReleasedBeforeEmpty);
        if machine.stage == Stage::Running && too_early {
            nexts.extend(self.sent(*state, index, Kind::Free).map(|state| Next {
                action: Action::Free(index),
                state,
                seen: Seen::NOTHING,
                broken: None,
            }));
        }
        if machine.stage == Stage::Seeking {
            self.is_over(*state, index, (Action::Free(index), Seen::NOTHING), nexts);
        }
    }

    /// Nothing of a run is left. The lease is given back, or left to run out.
    pub(crate) fn is_over(
        &self,
        mut state: State,
        index: usize,
        (action, seen): (Action, Seen),
        nexts: &mut Vec<Next>,
    ) {
        let orphaned = state.machines[index].stage == Stage::Orphaned;
        let freed = self.sent(state, index, Kind::Free).filter(|_| !orphaned);
        state = self.at_rest(state, index);
        let freed = freed.map(|freed| self.at_rest(freed, index));
        for state in iter::once(state).chain(freed) {
            nexts.push(Next {
                action,
                state,
                seen,
                broken: None,
            });
        }
    }

    fn sent(&self, mut state: State, index: usize, kind: Kind) -> Option<State> {
        let place = state.place(self.bounds.messages)?;
        let machine = state.machines[index];
        state.messages[place] = Message {
            kind,
            machine: index,
            owner: machine.owner,
            token: if kind == Kind::Renew {
                machine.token
            } else {
                0
            },
            current: true,
        };
        Some(state)
    }

    fn at_rest(&self, mut state: State, index: usize) -> State {
        self.give_up(&mut state, index);
        let machine = &mut state.machines[index];
        machine.stage = Stage::Idle;
        (machine.token, machine.left) = (0, 0);
        state
    }

    /// Whoever waits no longer has closed its connection: an answer that is on its way there reaches nobody.
    pub(crate) fn give_up(&self, state: &mut State, index: usize) {
        state.machines[index].waiting = None;
        for message in state.messages.iter_mut().filter(|it| it.machine == index) {
            message.current = false;
            if !message.kind.is_request() && !self.makes(Mistake::AnswerOfAnother) {
                *message = Message::default();
            }
        }
    }

    /// On waking, what is due is due at once.
    fn woken(&self, mut state: State, index: usize) -> State {
        let machine = &mut state.machines[index];
        machine.asleep = false;
        stop_when_due(machine);
        if machine.left == 0 {
            machine.stage = Stage::Woken;
            self.give_up(&mut state, index);
        }
        state
    }

    fn of_network(&self, state: &State, nexts: &mut Vec<Next>) {
        for place in 0..self.bounds.messages {
            let message = state.messages[place];
            if message.kind == Kind::Nothing {
                continue;
            }
            let mut without = *state;
            without.messages[place] = Message::default();
            push(nexts, Action::Lose(message), without);
            for (kept, base) in [(false, without), (true, *state)] {
                let action = Action::Deliver { message, kept };
                if message.kind.is_request() {
                    self.at_the_store(base, message, action, nexts);
                } else if !state.machines[message.machine].asleep {
                    self.at_the_machine(base, message, action, nexts);
                }
            }
        }
    }

    fn at_the_store(
        &self,
        mut state: State,
        message: Message,
        action: Action,
        nexts: &mut Vec<Next>,
    ) {
        let answered = self.handle(&mut state, message);
        let Some((kind, token, seen, broken)) = answered else {
            return;
        };
        let is_heard = message.current || self.makes(Mistake::AnswerOfAnother);
        if is_heard && !matches!(kind, Kind::Nothing | Kind::Refused) {
            let Some(place) = state.place(self.bounds.messages) else {
                return;
            };
            state.messages[place] = Message {
                kind,
                token,
                ..message
            };
        }
        nexts.push(Next {
            action,
            state,
            seen,
            broken,
        });
        let by_wall_clock = self.makes(Mistake::TakeOverByWallClock);
        if by_wall_clock && kind == Kind::Refused && state.store.guard == 0 {
            let mut taken = state;
            taken.store.held = None;
            self.at_the_store(taken, message, Action::TakeOver(message), nexts);
        }
    }

    /// Time passes, on any of the clocks that may be slow more slowly.
    fn ticks(&self, state: &State, nexts: &mut Vec<Next>) {
        let machines = &state.machines[..self.bounds.machines];
        let may_be_slow = |machine: &Machine| {
            let counts = |age| age < self.oldest_that_counts();
            machine.steady == 0 && (machine.left > 0 || machine.waiting.is_some_and(counts))
        };
        for slow in 0..1_u8 << machines.len() {
            let is_slow = |index: usize| slow & 1 << index != 0;
            let mut each = machines.iter().enumerate();
            let possible = each.all(|(index, machine)| {
                let slow = is_slow(index);
                (!slow || may_be_slow(machine)) && self.may_pass(machine, slow)
            });
            if !possible {
                continue;
            }
            let mut ticked = *state;
            for index in 0..machines.len() {
                self.tick_machine(&mut ticked.machines[index], is_slow(index));
            }
            let store = &mut ticked.store;
            store.guard = store.guard.saturating_sub(1);
            let mut seen = Seen::NOTHING;
            if let Some(held) = &mut store.held {
                held.left -= 1;
                if held.left == 0 {
                    seen = Seen::EXPIRY;
                    store.held = None;
                }
            }
            nexts.push(Next {
                action: Action::Tick { slow },
                state: ticked,
                seen,
                broken: None,
            });
        }
    }

    /// The guardian acts in time: no tick is over before it has.
    fn may_pass(&self, machine: &Machine, slow: bool) -> bool {
        if !machine.executes() {
            return true;
        }
        match machine.stage {
            Stage::Woken => false,
            Stage::Orphaned if self.makes(Mistake::NoGuardian) => true,
            _ => slow || machine.left > 1,
        }
    }

    fn tick_machine(&self, machine: &mut Machine, slow: bool) {
        if slow {
            machine.steady = self.bounds.ttl - 1;
            return;
        }
        machine.steady = machine.steady.saturating_sub(1);
        if machine.asleep && self.makes(Mistake::ClockStopsInSuspend) {
            return;
        }
        let oldest = self.oldest_that_counts();
        machine.left = machine.left.saturating_sub(1);
        machine.waiting = machine.waiting.map(|age| (age + 1).min(oldest));
        if !machine.asleep {
            stop_when_due(machine);
        }
    }

    /// The answer to a request this old, or older, is too late to start under or to live longer by.
    fn oldest_that_counts(&self) -> u8 {
        self.left(0) - MARGIN
    }

    /// The end that an answer gives, counted from when its request was sent.
    pub(crate) fn left(&self, age: u8) -> u8 {
        let drift = if self.makes(Mistake::NoDrift) {
            0
        } else {
            DRIFT
        };
        let age = if self.makes(Mistake::DeadlineFromAnswer) {
            0
        } else {
            age
        };
        (self.bounds.ttl - drift).saturating_sub(age)
    }
}

/// P4: what is left when the command starts.
pub(crate) const fn is_enough(left: u8) -> bool {
    left > MARGIN
}

const fn stop_when_due(machine: &mut Machine) {
    if matches!(machine.stage, Stage::Running) && machine.left <= MARGIN {
        machine.stage = Stage::Stopping;
    }
}

fn push(nexts: &mut Vec<Next>, action: Action, state: State) {
    nexts.push(Next {
        action,
        state,
        seen: Seen::NOTHING,
        broken: None,
    });
}
