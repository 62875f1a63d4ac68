//! What operators want of a lease in memory, and its transitions.

use super::wire::{Leases, Now};
use crate::clock::Instant;
use crate::lease::{
    Ask, Asked, Asker, Ending, FencingToken, LeaseName, LeaseState, Observation, OutcomeWord,
    Pause, Revoked, StopRequest,
};

/// What is asked of one lease.
#[derive(Debug, Default)]
pub(super) struct Asks {
    stop: Option<(FencingToken, StopRequest)>,
    pause: Option<(Instant, Pause)>,
    /// The hold that was taken away last.
    broken: Option<FencingToken>,
}

impl Asks {
    pub(super) fn forget_what_is_over(&mut self, now: Instant) {
        self.pause.take_if(|(until, _)| *until <= now);
    }

    pub(super) fn paused_until(&self, now: Instant) -> Option<Instant> {
        let until = self.pause.as_ref().map(|(until, _)| *until);
        until.filter(|until| *until > now)
    }

    pub(super) fn pause(&self, now: Instant) -> Option<&Pause> {
        let pause = self.pause.as_ref().filter(|(until, _)| *until > now);
        pause.map(|(_, pause)| pause)
    }

    pub(super) fn stop_of(&self, token: FencingToken) -> Option<&StopRequest> {
        let stop = self.stop.as_ref().filter(|(asked, _)| *asked == token);
        stop.map(|(_, request)| request)
    }

    pub(super) fn has_broken(&self, token: FencingToken) -> bool {
        self.broken == Some(token)
    }
}

impl Leases {
    pub(super) fn ask(&mut self, name: &LeaseName, what: Ask, asker: &Asker, now: Now) -> Asked {
        let lease = self.lease(name, now);
        match what {
            Ask::Stop => {
                let Some(held) = lease.held else {
                    return Asked::AlreadySo;
                };
                let request = StopRequest {
                    asker: asker.clone(),
                    at: now.wall,
                };
                lease.asks.stop = Some((held.token, request));
                Asked::Told(held.token)
            }
            Ask::Pause { lasts } => {
                let pause = Pause {
                    asker: asker.clone(),
                    at: now.wall,
                    until_at: lasts.map(|lasts| now.wall.plus(lasts)),
                };
                let until = lasts.map_or(Instant::NEVER, |lasts| now.boot + lasts);
                lease.asks.pause = Some((until, pause));
                Asked::Done
            }
            Ask::Resume => {
                let shut = [
                    lease.asks.pause.take().is_some(),
                    lease.cooldown_until.take().is_some(),
                ];
                if let Some(record) = &mut lease.record {
                    record.not_before_at = None;
                }
                if shut.contains(&true) {
                    Asked::Done
                } else {
                    Asked::AlreadySo
                }
            }
        }
    }

    /// Compare and delete; the record tells who did it, and its minimum hold is over, as with any
    /// hand-over.
    pub(super) fn revoke(
        &mut self,
        name: &LeaseName,
        token: FencingToken,
        asker: &Asker,
        now: Now,
    ) -> Revoked {
        let lease = self.lease(name, now);
        if lease.held.is_none_or(|held| held.token != token) {
            return Revoked::NotHeld;
        }
        (lease.held, lease.cooldown_until) = (None, None);
        lease.asks.broken = Some(token);
        if let Some(record) = &mut lease.record {
            let ending = Ending {
                outcome: OutcomeWord::Operator,
                renewals: record.renewals,
                by: Some(asker.by.clone()),
                reason: asker.reason.clone(),
                ..Ending::withdrawn()
            };
            record.end(&ending, now.wall);
        }
        Revoked::Revoked { within: None }
    }

    /// All that are held or shut, or have a record, by name.
    pub(super) fn list(&self, prefix: &str, now: Now) -> Vec<Observation> {
        let names = self.by_name.keys();
        let mut names: Vec<_> = names
            .filter(|name| name.as_str().starts_with(prefix))
            .collect();
        names.sort();
        let seen = names.into_iter().map(|name| self.observe(name, now));
        seen.filter(|seen| seen.record.is_some() || seen.state != LeaseState::Free)
            .collect()
    }
}
