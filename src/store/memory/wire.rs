//! The state behind a memory store and its transitions: what would be the server's scripts.
//!
//! Pure: time comes in as an argument, nothing waits here.

use std::collections::HashMap;
use std::time::Duration;

use super::asks::Asks;
use crate::clock::{Instant, WallTime};
use crate::lease::{
    Claim, Ending, FencingToken, Hold, HoldEvent, LeaseName, LeaseRecord, LeaseState, LostWhy,
    Observation, OwnerId, RefusedWhy, Release, Renewal,
};

/// How a store that has fallen silent treats a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// The request is lost: nothing happens.
    BeforeTheRequest,
    /// The request is carried out and its answer is lost.
    BeforeTheAnswer,
}

/// The present time, by both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) boot: Instant,
    pub(super) wall: WallTime,
}

/// All leases of one memory store.
#[derive(Debug, Default)]
pub(super) struct Leases {
    pub(super) by_name: HashMap<LeaseName, Lease>,
    last_token: u64,
    /// Fault drill: good renewals that are left.
    renewals_left: Option<u64>,
}

#[derive(Debug, Default)]
pub(super) struct Lease {
    pub(super) held: Option<Held>,
    pub(super) record: Option<LeaseRecord>,
    pub(super) cooldown_until: Option<Instant>,
    pub(super) asks: Asks,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    owner: OwnerId,
    pub(super) token: FencingToken,
    ttl: Duration,
    expires: Instant,
}

/// The answer to an acquisition.
#[derive(Debug)]
pub(super) enum Answer {
    Granted(Hold),
    Refused(RefusedWhy, Duration),
}

impl Lease {
    /// Takes away a hold whose time has run out, and forgets a minimum hold and a pause that are over.
    fn expire(&mut self, now: Instant) {
        self.held = self.held.filter(|held| held.expires > now);
        self.cooldown_until = self.cooldown_until.filter(|until| *until > now);
        self.asks.forget_what_is_over(now);
    }

    /// What keeps everyone out although nobody holds, and until when.
    fn shut(&self, now: Instant) -> Option<(RefusedWhy, Instant)> {
        let paused = self.asks.paused_until(now);
        let paused = paused.map(|until| (RefusedWhy::Paused, until));
        let cooldown = self.cooldown_until.filter(|until| *until > now);
        paused.or_else(|| cooldown.map(|until| (RefusedWhy::Cooldown, until)))
    }

    fn is_held_by(&self, hold: &Hold) -> bool {
        self.held
            .is_some_and(|held| held.owner == hold.owner && held.token == hold.token)
    }

    fn why_lost(&self, hold: &Hold) -> LostWhy {
        if self.asks.has_broken(hold.token) {
            LostWhy::Broken
        } else if self.held.is_some() {
            LostWhy::Taken
        } else {
            LostWhy::Expired
        }
    }
}

impl Leases {
    pub(super) fn new(renewals_left: Option<u64>) -> Self {
        Self {
            renewals_left,
            ..Self::default()
        }
    }

    pub(super) fn lease(&mut self, name: &LeaseName, now: Now) -> &mut Lease {
        let lease = self.by_name.entry(name.clone()).or_default();
        lease.expire(now.boot);
        lease
    }

    pub(super) fn acquire(&mut self, claim: &Claim, now: Now) -> Answer {
        let next = self.last_token + 1;
        let lease = self.lease(&claim.name, now);
        if let Some(held) = &mut lease.held {
            if held.owner != claim.owner {
                return Answer::Refused(RefusedWhy::Held, held.expires.since(now.boot));
            }
            held.ttl = claim.ttl;
            held.expires = now.boot + claim.ttl;
            return Answer::Granted(hold_of(claim, held.token));
        }
        if let Some((why, until)) = lease.shut(now.boot) {
            return Answer::Refused(why, until.since(now.boot));
        }
        // Numbers below 2^63 do not run out in the life of a process; were they to, nobody gets it.
        let Ok(token) = FencingToken::new(next) else {
            return Answer::Refused(RefusedWhy::Cooldown, Duration::MAX);
        };
        lease.held = Some(Held {
            owner: claim.owner,
            token,
            ttl: claim.ttl,
            expires: now.boot + claim.ttl,
        });
        lease.cooldown_until = claim.min_hold.map(|span| now.boot + span);
        let before = lease.record.take();
        lease.record = Some(LeaseRecord::of_grant(
            claim,
            token,
            now.wall,
            before.as_ref(),
        ));
        self.last_token = next;
        Answer::Granted(hold_of(claim, token))
    }

    pub(super) fn renew(&mut self, hold: &Hold, now: Now) -> Renewal {
        let drill = self.renewals_left == Some(0);
        self.renewals_left = self.renewals_left.map(|left| left.saturating_sub(1));
        if !self.by_name.contains_key(&hold.name) {
            return Renewal::lost(LostWhy::Vanished);
        }
        let lease = self.lease(&hold.name, now);
        if !lease.is_held_by(hold) {
            return Renewal::lost(lease.why_lost(hold));
        }
        if drill {
            lease.held = None;
            return Renewal::lost(LostWhy::Taken);
        }
        if let Some(held) = &mut lease.held {
            held.expires = now.boot + held.ttl;
        }
        if let Some(record) = &mut lease.record {
            record.renewed_at = Some(now.wall);
            record.renewals += 1;
        }
        let asked = lease.asks.stop_of(hold.token).cloned();
        Renewal::Extended {
            server_time: None,
            asked,
        }
    }

    /// What its holder has to know of a hold.
    pub(super) fn event_of(&mut self, hold: &Hold, now: Now) -> Option<HoldEvent> {
        let lease = self.lease(&hold.name, now);
        if !lease.is_held_by(hold) {
            return Some(HoldEvent::Lost(lease.why_lost(hold)));
        }
        let asked = lease.asks.stop_of(hold.token).cloned();
        asked.map(HoldEvent::StopAsked)
    }

    pub(super) fn release(&mut self, hold: &Hold, ending: &Ending, now: Now) -> Release {
        let lease = self.lease(&hold.name, now);
        if !lease.is_held_by(hold) {
            return Release::AlreadyOver;
        }
        lease.held = None;
        if let Some(record) = &mut lease.record {
            record.end(ending, now.wall);
        }
        if ending.clears_min_hold() {
            lease.cooldown_until = None;
        }
        Release::Released
    }

    /// Frees a grant of this claim's owner. Nothing was run under it, so its minimum hold goes too.
    pub(super) fn withdraw(&mut self, claim: &Claim, now: Now) {
        let Some(lease) = self.by_name.get_mut(&claim.name) else {
            return;
        };
        lease.expire(now.boot);
        if lease.held.is_some_and(|held| held.owner == claim.owner) {
            lease.held = None;
            lease.cooldown_until = None;
            if let Some(record) = &mut lease.record {
                record.end(&Ending::withdrawn(), now.wall);
                record.not_before_at = None;
            }
        }
    }

    pub(super) fn observe(&self, name: &LeaseName, now: Now) -> Observation {
        let untouched = Observation::untouched(name.clone());
        let Some(lease) = self.by_name.get(name) else {
            return untouched;
        };
        let held = lease.held.filter(|held| held.expires > now.boot);
        let shut = lease.shut(now.boot).map(|(why, _)| why);
        let state = match (held, shut) {
            (Some(_), _) => LeaseState::Held,
            (None, Some(RefusedWhy::Paused)) => LeaseState::Paused,
            (None, Some(_)) => LeaseState::Cooldown,
            (None, None) => LeaseState::Free,
        };
        let cooldown = lease.cooldown_until.filter(|until| *until > now.boot);
        Observation {
            state,
            record: lease.record.clone(),
            expires_in: held.map(|held| held.expires.since(now.boot)),
            cooldown_until: cooldown.map(|until| now.wall.plus(until.since(now.boot))),
            paused: lease.asks.pause(now.boot).cloned(),
            stop_request: held.and_then(|held| lease.asks.stop_of(held.token).cloned()),
            ..untouched
        }
    }

    /// How long until the state of a lease changes if nobody does anything.
    pub(super) fn until_time_changes_it(&self, name: &LeaseName, now: Now) -> Duration {
        let Some(lease) = self.by_name.get(name) else {
            return Duration::MAX;
        };
        let ends = [
            lease.held.map(|held| held.expires),
            lease.cooldown_until,
            lease.asks.paused_until(now.boot),
        ];
        let next = ends.into_iter().flatten().filter(|end| *end > now.boot);
        next.min().map_or(Duration::MAX, |end| end.since(now.boot))
    }

    /// How long `owner` has at least to wait if nothing is released; zero when it may try.
    pub(super) fn rest(&self, claim: &Claim, now: Now) -> Duration {
        let Some(lease) = self.by_name.get(&claim.name) else {
            return Duration::ZERO;
        };
        let until = match lease.held.filter(|held| held.expires > now.boot) {
            Some(held) if held.owner == claim.owner => None,
            Some(held) => Some(held.expires),
            None => lease.shut(now.boot).map(|(_, until)| until),
        };
        until.map_or(Duration::ZERO, |until| until.since(now.boot))
    }
}

fn hold_of(claim: &Claim, token: FencingToken) -> Hold {
    Hold {
        name: claim.name.clone(),
        owner: claim.owner,
        token,
        ttl: Some(claim.ttl),
        lock: None,
    }
}
