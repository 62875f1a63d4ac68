//! Asking for a lease, and standing in line for it.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::answer::{self, Acquired};
use super::inbox::Word;
use super::keys::Keys;
use super::line::Standing;
use super::link::Link;
use super::store::{RedisStore, limited};
use super::trouble::Trouble;
use super::wire::{Mode, Request};
use crate::clock::spread;
use crate::lease::{Attempt, Claim, Effect, FencingToken, Hold, Place, Refusal};

/// A waiter that was told nothing looks again after so long, plus or minus a tenth: the only way to the
/// lease when what it was told was lost.
const FALL_BACK: Duration = Duration::from_secs(10);
/// Whoever looks when a lease ends looks so much later, so that it has ended by the server's clock too.
const AFTER_THE_END: Duration = Duration::from_millis(2);
/// A grant has this part of its time to live to reach the replicas: half of what an attempt may take.
const FOR_REPLICAS: u32 = 20;

impl RedisStore {
    pub(super) async fn acquired(&self, claim: &Claim) -> Result<Attempt, Trouble> {
        let keys = self.keys(&claim.name);
        let link = self.link(&keys).await?;
        if self.line.forget_what_is_over(&claim.name) {
            // Whoever listens there counts as a holder.
            link.unsubscribe(&keys.holders).await?;
        }
        let standing = self.line.standing(&claim.owner);
        let (mode, ticket) = match &standing {
            Some(standing) => (Mode::Wait, standing.queued.ticket.as_str()),
            None => (Mode::Try, ""),
        };
        match self.ask(&link, &keys, claim, (mode, ticket)).await? {
            Acquired::Granted(token) => self.granted(&link, &keys, claim, token).await,
            Acquired::Turn => Err(Trouble::Garbled("it was not asked for a turn".to_owned())),
            Acquired::Refused {
                why,
                by,
                rest,
                queued,
            } => {
                if mode == Mode::Wait {
                    self.line.stands(claim.owner, Standing::new(queued, rest));
                }
                Ok(Attempt::Refused(Refusal {
                    why,
                    by: *by,
                    look_again: rest,
                    place: Place::default(),
                }))
            }
        }
    }

    /// One question. Whoever stands in line listens first: the other way round, word that came in between
    /// would not be heard.
    async fn ask(
        &self,
        link: &Link,
        keys: &Keys,
        claim: &Claim,
        how: (Mode, &str),
    ) -> Result<Acquired, Trouble> {
        if how.0 != Mode::Try {
            let own = keys.waiter(&claim.owner);
            self.inbox.open(&own);
            link.subscribe(&own).await?;
            // What was said before this question is answered by it.
            self.inbox.clear(&own);
        }
        let guard = self.guard(claim);
        let request = Request::acquire(keys, claim, &link.server, how, guard);
        answer::acquired(link.run(&request).await?, &claim.name)
    }

    /// Listens where holders are told things, and only then says that the lease is ours.
    async fn granted(
        &self,
        link: &Link,
        keys: &Keys,
        claim: &Claim,
        token: FencingToken,
    ) -> Result<Attempt, Trouble> {
        self.inbox.begin(&keys.holders);
        if let Err(trouble) = link.subscribe(&keys.holders).await {
            // A hold that cannot be told of its end is none. Where this cannot be sent either, the lease
            // runs out.
            let back = Request::withdraw(keys, &claim.name, &claim.owner, &link.server);
            link.run(&back).await.ok();
            return Err(trouble);
        }
        if let Err(trouble) = self.replicated(link, claim).await {
            let back = Request::withdraw(keys, &claim.name, &claim.owner, &link.server);
            link.run(&back).await?;
            // Whoever listens there counts as a holder.
            link.unsubscribe(&keys.holders).await?;
            return Err(trouble);
        }
        self.line.holds(claim.owner, claim.name.clone());
        if self.line.leaves(&claim.owner) {
            let own = keys.waiter(&claim.owner);
            self.inbox.close(&own);
            // We hold, whatever becomes of this: a connection that broke is seen by the next renewal.
            link.unsubscribe(&own).await.ok();
        }
        Ok(Attempt::Granted(Hold {
            name: claim.name.clone(),
            owner: claim.owner,
            token,
            ttl: Some(claim.ttl),
            lock: None,
        }))
    }

    /// Whether as many replicas have the grant as the URL asks for: what fewer have, a fail-over could forget.
    async fn replicated(&self, link: &Link, claim: &Claim) -> Result<(), Trouble> {
        let wanted = self.config.replicas;
        if wanted == 0 {
            return Ok(());
        }
        let at_most = claim.ttl / FOR_REPLICAS;
        let have = link.replicas_with_it(wanted, at_most).await?;
        if have >= wanted {
            return Ok(());
        }
        Err(Trouble::Silent(
            Effect::None,
            format!(
                "{have} of the {wanted} replicas that replicas={wanted} asks for had the grant within {}, \
                 so it was given back; see INFO replication",
                humantime::format_duration(at_most)
            ),
        ))
    }

    /// Stands in line until it is our turn or worth looking again.
    pub(super) async fn queued(&self, claim: &Claim, at_most: Duration) -> Result<(), Trouble> {
        let now = Instant::now();
        let keys = self.keys(&claim.name);
        let own = keys.waiter(&claim.owner);
        let Some((link, standing)) = limited(self.followed(|| self.stood(claim, &keys))).await?
        else {
            return Ok(());
        };
        let end = now.checked_add(at_most);
        let mut look = Instant::now() + FALL_BACK.mul_f64(spread(0.1));
        if let Some(free_at) = standing.free_at.filter(|_| standing.queued.watches) {
            look = look.min(free_at + AFTER_THE_END);
        }
        loop {
            // Enlisted before the look: the other way round, word in between would be slept through.
            let mut told = pin!(self.inbox.told.notified());
            told.as_mut().enable();
            match self.inbox.word(&own) {
                Some(Word::Now) => return Ok(()),
                Some(Word::After(span)) => {
                    let later = Instant::now().checked_add(span + AFTER_THE_END);
                    look = later.unwrap_or(look);
                }
                None => {}
            }
            if link.is_broken() {
                // The next attempt connects again, and comes back to its place.
                return Ok(());
            }
            let until = end.map_or(look, |end| end.min(look));
            if timeout_at(until, told).await.is_err() {
                return Ok(());
            }
        }
    }

    /// Our place in line, taken if we have none; `None`: it is our turn.
    async fn stood(
        &self,
        claim: &Claim,
        keys: &Keys,
    ) -> Result<Option<(std::sync::Arc<Link>, Standing)>, Trouble> {
        let link = self.link(keys).await?;
        let known = self.line.standing(&claim.owner);
        let ticket = match known {
            Some(standing) if link.hears(&keys.waiter(&claim.owner)) => {
                return Ok(Some((link, standing)));
            }
            Some(standing) => standing.queued.ticket,
            None => String::new(),
        };
        match self.ask(&link, keys, claim, (Mode::Join, &ticket)).await? {
            Acquired::Turn => Ok(None),
            Acquired::Refused { rest, queued, .. } => {
                let standing = Standing::new(queued, rest);
                self.line.stands(claim.owner, standing.clone());
                Ok(Some((link, standing)))
            }
            Acquired::Granted(_) => {
                let why = "it grants a lease to one who only stands in line";
                Err(Trouble::Garbled(why.to_owned()))
            }
        }
    }
}
