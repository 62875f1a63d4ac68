//! A store as its contract has it (`LeaseStore`): one lease, one answer to each request, expiry by its own
//! clock. What it keeps survives a restart.

use std::time::Duration;

use leasectl::lease::OwnerId;

use crate::mutant::Mutant;
use crate::random::nanos;

/// What is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Acquire(OwnerId),
    Renew(OwnerId, u64),
    Release(OwnerId, u64),
    Withdraw(OwnerId),
}

impl Ask {
    pub(crate) const fn is_renewal(self) -> bool {
        matches!(self, Self::Renew(..))
    }
}

/// What it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Granted(u64),
    Refused(Duration),
    Extended,
    Lost,
    Done,
}

/// A hold, by the server's clock.
#[derive(Clone, Copy, Debug)]
struct Held {
    owner: OwnerId,
    token: u64,
    expires: u64,
}

/// What a request has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Nothing,
    /// Granted with this token; whether the hold before had run out rather than been given back.
    Granted {
        token: u64,
        expired: bool,
    },
}

#[derive(Debug)]
pub(crate) struct Server {
    ttl: u64,
    held: Option<Held>,
    last_token: u64,
    mutant: Option<Mutant>,
}

impl Server {
    pub(crate) fn new(ttl: Duration, mutant: Option<Mutant>) -> Self {
        Self {
            ttl: nanos(ttl),
            held: None,
            last_token: 0,
            mutant,
        }
    }

    pub(crate) fn restart(&mut self) {
        if self.mutant == Some(Mutant::TokensForgotten) {
            self.last_token = 0;
        }
    }

    /// Carries a request out at `now` by the server's clock.
    pub(crate) fn handle(&mut self, now: u64, ask: Ask) -> (Answer, Change) {
        let expired = self.held.is_some_and(|held| held.expires <= now);
        self.held = self.held.filter(|_| !expired);
        let expires = now + self.ttl;
        let answer = match ask {
            Ask::Acquire(owner) => return self.acquire(now, owner, expired),
            Ask::Renew(owner, token) => match self.held_by(owner, token) {
                Some(held) => {
                    held.expires = expires;
                    Answer::Extended
                }
                None => Answer::Lost,
            },
            Ask::Release(owner, token) => {
                let blind = self.mutant == Some(Mutant::BlindRelease);
                if blind || self.held_by(owner, token).is_some() {
                    self.held = None;
                }
                Answer::Done
            }
            Ask::Withdraw(owner) => {
                self.held = self.held.filter(|held| held.owner != owner);
                Answer::Done
            }
        };
        (answer, Change::Nothing)
    }

    fn acquire(&mut self, now: u64, owner: OwnerId, expired: bool) -> (Answer, Change) {
        let expires = now + self.ttl;
        match &mut self.held {
            Some(held) if held.owner == owner => {
                // The deadline is counted from the attempt that is answered, so the expiry starts anew.
                if self.mutant != Some(Mutant::OldExpiryKept) {
                    held.expires = expires;
                }
                (Answer::Granted(held.token), Change::Nothing)
            }
            Some(held) => {
                let rest = Duration::from_nanos(held.expires - now);
                (Answer::Refused(rest), Change::Nothing)
            }
            None => {
                self.last_token += 1;
                let token = self.last_token;
                self.held = Some(Held {
                    owner,
                    token,
                    expires,
                });
                (Answer::Granted(token), Change::Granted { token, expired })
            }
        }
    }

    fn held_by(&mut self, owner: OwnerId, token: u64) -> Option<&mut Held> {
        let held = self.held.as_mut();
        // Who reuses its owner id has nothing else to be known by.
        let by_owner = self.mutant == Some(Mutant::OwnerReused);
        held.filter(|held| held.owner == owner && (by_owner || held.token == token))
    }
}
