//! What operators do: ask, pause, resume, take away. They write the ask blob, and break leases.

use std::time::Duration;

use super::acquire::went_away;
use super::asks::{Asks, OfToken, PauseAsked};
use super::look::{AskBlob, Blob, Lease, cooldown_until};
use super::metadata::Metadata;
use super::names::{Named, lease_blob, read};
use super::store::AzblobStore;
use super::trouble::Trouble;
use super::verdict::{self, Asked as Op, Verdict};
use super::wire::Request;
use crate::lease::{Ask, Asked, Asker, Effect, FencingToken, LeaseName, Revoked};

impl AzblobStore {
    pub(super) async fn asked(
        &self,
        name: &LeaseName,
        what: Ask,
        asker: &Asker,
    ) -> Result<Asked, Trouble> {
        match what {
            Ask::Stop => self.asked_to_stop(name, asker).await,
            Ask::Pause { lasts } => self.paused(name, asker, lasts).await,
            Ask::Resume => self.resumed(name).await,
        }
    }

    async fn asked_to_stop(&self, name: &LeaseName, asker: &Asker) -> Result<Asked, Trouble> {
        let Some(blob) = self.look(name).await?.filter(Blob::is_locked) else {
            return Ok(Asked::AlreadySo);
        };
        let Some(token) = blob.held_under() else {
            return Ok(Asked::NobodyToTell);
        };
        let ask = self.asks(name).await?;
        let mut asks = ask.asks.clone().ok_or_else(|| {
            Trouble::Unfit(
                "what was asked of the lease before cannot be read; leasectl resume rewrites it"
                    .to_owned(),
            )
        })?;
        asks.stop = Some(OfToken {
            token,
            asker: asker.clone(),
            at: ask.date,
        });
        self.write_asks(name, ask, asks).await?;
        Ok(Asked::Told(token))
    }

    async fn paused(
        &self,
        name: &LeaseName,
        asker: &Asker,
        lasts: Option<Duration>,
    ) -> Result<Asked, Trouble> {
        let ask = self.asks(name).await?;
        let mut asks = ask.asks.clone().unwrap_or_default();
        let whole = |span: Duration| span.as_secs() + u64::from(span.subsec_nanos() > 0);
        asks.pause = Some(PauseAsked {
            asker: asker.clone(),
            at: ask.date,
            until: lasts.map(|lasts| ask.date.saturating_add(whole(lasts))),
        });
        self.write_asks(name, ask, asks).await?;
        Ok(Asked::Done)
    }

    /// Works while the lease is held: the lease's own blob is not touched.
    async fn resumed(&self, name: &LeaseName) -> Result<Asked, Trouble> {
        let blob = self.look(name).await?;
        let ask = self.asks(name).await?;
        let cooling = blob.as_ref().and_then(|blob| cooldown_until(blob, &ask));
        if ask.paused().is_none() && cooling.is_none() {
            return Ok(Asked::AlreadySo);
        }
        let mut asks = ask.asks.clone().unwrap_or_default();
        asks.pause = None;
        let token = blob.and_then(|blob| blob.metadata.token());
        asks.cleared = asks.cleared.max(token);
        self.write_asks(name, ask, asks).await?;
        Ok(Asked::Done)
    }

    /// Read, change, write: under a condition, because another operator may do the same.
    async fn write_asks(
        &self,
        name: &LeaseName,
        before: AskBlob,
        mut asks: Asks,
    ) -> Result<(), Trouble> {
        let cut = matches!(read(&lease_blob(name)), Some(Named::Cut { .. }));
        asks.lease = cut.then(|| name.clone());
        let metadata = fitting(&before.metadata, asks)?;
        let blob = self.ask_at(name);
        let request = match &before.etag {
            Some(etag) => Request::set_metadata(&blob, &metadata, etag),
            None => Request::create(&blob, &metadata),
        };
        let asked = before.etag.map_or(Op::Create, |_| Op::Ask);
        let mut answer = self.send(&request).await?;
        if asked == Op::Create && matches!(verdict::of(asked, &answer, true), Verdict::Absent) {
            self.make_the_container().await?;
            answer = self.send(&request).await?;
        }
        match verdict::of(asked, &answer, true) {
            Verdict::Yes => Ok(()),
            Verdict::Exists | Verdict::Again => Err(Trouble::Silent(
                Effect::None,
                "somebody else asked something at the same instant".to_owned(),
            )),
            Verdict::Absent => Err(went_away("ask blob")),
            other => Err(other.unexpected()),
        }
    }

    /// Compare and break, never blind. The first break lets nobody renew any more; the second ends what is left.
    pub(super) async fn revoked(
        &self,
        name: &LeaseName,
        token: FencingToken,
        asker: &Asker,
    ) -> Result<Revoked, Trouble> {
        let Some(blob) = self.look(name).await? else {
            return Ok(Revoked::NotHeld);
        };
        if blob.held_under() != Some(token) {
            return Ok(Revoked::NotHeld);
        }
        let revoked = self.broke(name, &blob).await?;
        if revoked == Revoked::NotHeld {
            return Ok(revoked);
        }
        // Its holder cannot write its end any more. For people only: it is taken away whatever becomes of this.
        self.noted(name, token, asker).await.ok();
        Ok(revoked)
    }

    /// The same for a lease that another tool took: never for one of ours.
    pub(super) async fn evicted(&self, name: &LeaseName) -> Result<Revoked, Trouble> {
        let found = self.look(name).await?;
        let strange = found.filter(|blob| blob.is_locked() && blob.held_under().is_none());
        let Some(blob) = strange else {
            return Ok(Revoked::NotHeld);
        };
        self.broke(name, &blob).await
    }

    /// Breaks the lease of a blob that is as it was seen.
    async fn broke(&self, name: &LeaseName, blob: &Blob) -> Result<Revoked, Trouble> {
        let mut within = None;
        for period in [None, Some(0)] {
            let request = Request::break_lease(&self.lease_at(name), period, &blob.etag);
            let answer = self.send(&request).await?;
            match verdict::of(Op::Break, &answer, true) {
                // Only the first says how much was left, in whole seconds.
                Verdict::Yes if period.is_none() && blob.lease != Lease::Infinite => {
                    let left = answer.header("x-ms-lease-time");
                    let left = left.and_then(|left| left.parse::<u64>().ok());
                    within = left.map(|left| Duration::from_secs(left.saturating_add(1)));
                }
                Verdict::Yes => {}
                // Over already: by the first of the two, or by itself.
                Verdict::Lost(_) | Verdict::Again | Verdict::Absent if period.is_none() => {
                    return Ok(Revoked::NotHeld);
                }
                Verdict::Lost(_) | Verdict::Again | Verdict::Absent => {}
                other => return Err(other.unexpected()),
            }
        }
        Ok(Revoked::Revoked { within })
    }

    async fn noted(
        &self,
        name: &LeaseName,
        token: FencingToken,
        asker: &Asker,
    ) -> Result<(), Trouble> {
        let ask = self.asks(name).await?;
        let Some(mut asks) = ask.asks.clone() else {
            return Ok(());
        };
        asks.revoked = Some(OfToken {
            token,
            asker: asker.clone(),
            at: ask.date,
        });
        // Whoever takes a lease away does not mean it to stay shut.
        asks.cleared = asks.cleared.max(Some(token));
        self.write_asks(name, ask, asks).await
    }

    pub(super) async fn forgotten(&self, name: &LeaseName) -> Result<(), Trouble> {
        for blob in [self.lease_at(name), self.ask_at(name)] {
            let answer = self.send(&Request::delete(&blob)).await?;
            match verdict::of(Op::Ask, &answer, true) {
                Verdict::Yes | Verdict::Absent => {}
                other => return Err(other.unexpected()),
            }
        }
        Ok(())
    }
}

/// Reasons are left out until it fits: they are for people.
fn fitting(before: &Metadata, mut asks: Asks) -> Result<Metadata, Trouble> {
    for left_out in 0..3 {
        match left_out {
            0 => {}
            1 => {
                let old = asks.revoked.iter_mut().chain(asks.stop.iter_mut());
                old.for_each(|asked| asked.asker.reason = None);
            }
            _ => asks
                .pause
                .iter_mut()
                .for_each(|pause| pause.asker.reason = None),
        }
        let metadata = before.clone().of_ask(&asks);
        if metadata.fits() {
            return Ok(metadata);
        }
    }
    Err(Trouble::Unfit(
        "the ask blob has so much metadata of somebody else that ours does not fit; remove some"
            .to_owned(),
    ))
}
