//! What the store answers, and what a machine makes of an answer.

use crate::mistakes::Mistake;
use crate::properties::{Broken, Seen};
use crate::protocol::{Action, Next, Protocol, is_enough};
use crate::state::{Held, Kind, Message, Stage, State};

/// The answer, its token, what it showed, and what it broke.
type Answered = (Kind, u8, Seen, Option<Broken>);

impl Protocol {
    /// Carries a request out. None: the bounds end here.
    pub(crate) fn handle(&self, state: &mut State, message: Message) -> Option<Answered> {
        let its = |held: &Held| {
            let by_machine = self.makes(Mistake::OwnerReused);
            held.machine == message.machine && (by_machine || held.owner == message.owner)
        };
        let store = &mut state.store;
        let (is_held, guarded) = (store.held.is_some(), store.guard > 0);
        let mine = store.held.as_mut().filter(|held| its(held));
        Some(match (message.kind, mine) {
            (Kind::Acquire, Some(held)) => {
                held.left = self.bounds.ttl;
                held.owner = message.owner;
                (Kind::Granted, held.token, Seen::ASKED_TWICE, None)
            }
            (Kind::Renew, Some(held)) if self.knows(held, message) => {
                held.left = self.bounds.ttl;
                (Kind::Extended, held.token, Seen::NOTHING, None)
            }
            (Kind::Renew, _) => (Kind::Lost, 0, Seen::NOTHING, None),
            (Kind::Free, mine) => {
                if mine.is_some() {
                    store.held = None;
                }
                (Kind::Nothing, 0, Seen::NOTHING, None)
            }
            _ if guarded => (Kind::Refused, 0, Seen::GUARD, None),
            _ if is_held => (Kind::Refused, 0, Seen::NOTHING, None),
            _ => return self.grant(state, message),
        })
    }

    fn knows(&self, held: &Held, message: Message) -> bool {
        self.makes(Mistake::OwnerReused) || held.token == message.token
    }

    fn grant(&self, state: &mut State, message: Message) -> Option<Answered> {
        let store = &mut state.store;
        if store.last_token >= self.bounds.grants {
            return None;
        }
        store.last_token += 1;
        let token = store.last_token;
        let broken = (token <= store.highest).then_some(Broken::TokenTwice);
        let seen = match store.highest {
            0 => Seen::NOTHING,
            _ => Seen::HAND_OVER,
        };
        store.highest = store.highest.max(token);
        store.held = Some(Held {
            machine: message.machine,
            owner: message.owner,
            token,
            left: self.bounds.ttl,
        });
        Some((Kind::Granted, token, seen, broken))
    }

    /// An answer moves something only when it is that to the request that is waited for.
    pub(crate) fn at_the_machine(
        &self,
        mut state: State,
        message: Message,
        action: Action,
        nexts: &mut Vec<Next>,
    ) {
        let index = message.machine;
        let machine = &mut state.machines[index];
        let Some(age) = machine.waiting else {
            return;
        };
        let left = self.left(age);
        let mut seen = Seen::NOTHING;
        match (message.kind, machine.stage) {
            (Kind::Granted, Stage::Seeking) if !is_enough(left) => {
                let why = (action, Seen::TOO_LATE);
                self.is_over(state, index, why, nexts);
                return;
            }
            (Kind::Granted, Stage::Seeking) => {
                machine.token = message.token;
                machine.left = left;
                machine.stage = Stage::Running;
            }
            (Kind::Extended, Stage::Running) => machine.left = machine.left.max(left),
            (Kind::Extended, Stage::Stopping) => {
                seen = Seen::ANSWER_WHILE_STOPPING;
                if self.makes(Mistake::Regained) && is_enough(left) {
                    machine.left = left;
                    machine.stage = Stage::Regained;
                }
            }
            // P9: another may have it already. The tree is killed in this tick.
            (Kind::Lost, Stage::Running | Stage::Stopping) => {
                seen = Seen::LOSS;
                machine.stage = Stage::Stopping;
                machine.left = 1;
            }
            _ => return,
        }
        self.give_up(&mut state, index);
        nexts.push(Next {
            action,
            state,
            seen,
            broken: None,
        });
    }
}
