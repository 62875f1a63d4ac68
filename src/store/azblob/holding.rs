//! Renewing a hold, and giving it back.

use tokio::time::{Instant, timeout};

use super::look::Blob;
use super::names::lease_id;
use super::store::{AzblobStore, Grant};
use super::trouble::Trouble;
use super::verdict::{self, Asked as Op, Verdict};
use super::wire::Request;
use crate::clock::{BootClock, Clock};
use crate::lease::{
    Claim, Ending, Hold, LeaseName, LeaseRecord, OwnerId, Release, Renewal, StopRequest,
};

impl Grant {
    pub(super) const fn new(blob: Blob, record: Option<LeaseRecord>) -> Self {
        Self {
            blob,
            record,
            ask_etag: None,
            asked: None,
        }
    }
}

impl AzblobStore {
    /// One request: it writes nothing but the lease. What operators ask is a second one, which may fail.
    pub(super) async fn renewed(&self, hold: &Hold) -> Result<Renewal, Trouble> {
        let began = Instant::now();
        let id = lease_id(&hold.owner);
        let answer = self
            .send(&Request::renew(&self.lease_at(&hold.name), &id))
            .await?;
        // Azurite renews an expired lease of somebody else, and says whose: that is a loss, and no renewal.
        match verdict::of(Op::Renew, &answer, answer.is_of(&id)) {
            Verdict::Yes => {
                // Half an attempt, and what the renewal took is taken from it: whoever waits for us would otherwise
                // take a renewal that was answered for one that was not.
                let left = (hold.ttl.unwrap_or_default() / 20).saturating_sub(began.elapsed());
                let asked = timeout(left, self.asked_of(hold)).await;
                let asked = asked.unwrap_or_else(|_| self.known(hold));
                Ok(Renewal::Extended {
                    server_time: None,
                    asked,
                })
            }
            Verdict::Lost(why) => Ok(Renewal::lost(why)),
            other => Err(other.unexpected()),
        }
    }

    async fn asked_of(&self, hold: &Hold) -> Option<StopRequest> {
        let etag = self
            .grants()
            .get(&hold.owner)
            .and_then(|grant| grant.ask_etag.clone());
        let Ok(Some(ask)) = self.asks_since(&hold.name, etag.as_deref()).await else {
            return self.known(hold);
        };
        let asked = ask.stop_request(hold.token);
        if let Some(grant) = self.grants().get_mut(&hold.owner) {
            grant.ask_etag = ask.etag;
            grant.asked.clone_from(&asked);
        }
        asked
    }

    fn known(&self, hold: &Hold) -> Option<StopRequest> {
        self.grants().get(&hold.owner)?.asked.clone()
    }

    /// Writes how it ended, and gives it back.
    pub(super) async fn released(&self, hold: &Hold, ending: &Ending) -> Result<Release, Trouble> {
        if let Some(mut grant) = self.grant(&hold.name, &hold.owner).await?
            && let Some(mut record) = grant.record.take()
        {
            record.end(ending, BootClock.wall());
            let wrote = self.wrote_the_end(&hold.name, &hold.owner, (grant, record));
            if !wrote.await? {
                // It was broken or has expired: the service lets its id go all the same, and says yes.
                let _released = self.gave_back(&hold.name, &hold.owner).await?;
                return Ok(Release::AlreadyOver);
            }
        }
        self.gave_back(&hold.name, &hold.owner).await
    }

    /// Gives back what may have been granted, with its minimum hold: nothing was run under it.
    pub(super) async fn withdrawn(&self, claim: &Claim) -> Result<(), Trouble> {
        let written = self.grants().contains_key(&claim.owner);
        if (written || claim.min_hold.is_some())
            && let Some(mut grant) = self.grant(&claim.name, &claim.owner).await?
            && let Some(mut record) = grant.record.take()
        {
            record.not_before_at = None;
            record.end(&Ending::withdrawn(), BootClock.wall());
            self.wrote_the_end(&claim.name, &claim.owner, (grant, record))
                .await?;
        }
        let _released = self.gave_back(&claim.name, &claim.owner).await?;
        Ok(())
    }

    /// The blob as its holder last wrote it; `None`: the hold is not that of `owner`.
    async fn grant(&self, name: &LeaseName, owner: &OwnerId) -> Result<Option<Grant>, Trouble> {
        if let Some(grant) = self.grants().get(owner) {
            return Ok(Some(grant.clone()));
        }
        let found = self.look(name).await?;
        let ours = found.filter(|blob| blob.metadata.is_held_by(owner));
        Ok(ours.map(|blob| {
            let record = blob.metadata.record(name);
            Grant::new(blob, record)
        }))
    }

    /// Whether the hold was still on. Whatever the answer says, the lease is given back after it: this is for
    /// people.
    async fn wrote_the_end(
        &self,
        name: &LeaseName,
        owner: &OwnerId,
        (grant, record): (Grant, LeaseRecord),
    ) -> Result<bool, Trouble> {
        let mut metadata = grant.blob.metadata;
        metadata.end(&record);
        let request = Request::set_metadata(&self.lease_at(name), &metadata, &grant.blob.etag);
        let request = request.header("x-ms-lease-id", &lease_id(owner));
        let answer = self.send(&request).await?;
        let over = matches!(verdict::of(Op::Record, &answer, true), Verdict::Lost(_));
        Ok(!over)
    }

    pub(super) async fn gave_back(
        &self,
        name: &LeaseName,
        owner: &OwnerId,
    ) -> Result<Release, Trouble> {
        let request = Request::release(&self.lease_at(name), &lease_id(owner));
        let answer = self.send(&request).await?;
        let release = match verdict::of(Op::Release, &answer, true) {
            Verdict::Yes => Release::Released,
            Verdict::Lost(_) | Verdict::Again | Verdict::Absent => Release::AlreadyOver,
            other => return Err(other.unexpected()),
        };
        self.grants().remove(owner);
        Ok(release)
    }
}
