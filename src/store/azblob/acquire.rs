//! Asking for a lease: look, take, look again, write. The steps are those of the folder's `mod.rs`.

use std::time::Duration;

use super::asks::at;
use super::look::{self, AskBlob, Blob, cooldown_until, observation, told_how_it_ended};
use super::metadata::Metadata;
use super::names::lease_id;
use super::store::{AzblobStore, Grant, LONGEST_TTL, SHORTEST_TTL};
use super::trouble::Trouble;
use super::verdict::{self, Asked as Op, Verdict};
use super::wire::Request;
use crate::lease::{
    Attempt, Claim, Effect, FencingToken, Hold, LeaseRecord, Observation, Place, Refusal,
    RefusedWhy,
};

/// How often one attempt begins again when somebody wrote between two of its steps.
const ROUNDS: usize = 3;
/// A second has a million tokens, and a new holder's is at least the service's second times a million.
const TOKENS_A_SECOND: u64 = 1_000_000;
/// The service's date has whole seconds: what lasts from one of them ends up to one second early without this.
const A_SECOND: u64 = 1;

/// What one round came to.
enum Round {
    Over(Attempt),
    /// Somebody wrote meanwhile, perhaps we ourselves.
    Again(Observation),
}

/// What is known of a lease before it is taken.
pub(super) struct Before {
    blob: Blob,
    ask: AskBlob,
    /// An earlier attempt of this claim has written its grant.
    mine: bool,
}

impl AzblobStore {
    pub(super) async fn acquired(&self, claim: &Claim) -> Result<Attempt, Trouble> {
        suits(claim.ttl)?;
        let mut seen = None;
        for _ in 0..ROUNDS {
            match self.round(claim).await? {
                Round::Over(attempt) => return Ok(attempt),
                Round::Again(by) => seen = Some(by),
            }
        }
        let by = seen.unwrap_or_else(|| Observation::untouched(claim.name.clone()));
        Ok(refused(RefusedWhy::Held, by, None))
    }

    async fn round(&self, claim: &Claim) -> Result<Round, Trouble> {
        if let Some(refusal) = self.still_paused(claim).await? {
            return Ok(Round::Over(refusal));
        }
        let found = self.look(&claim.name).await?;
        let mine = found
            .as_ref()
            .is_some_and(|blob| blob.metadata.is_held_by(&claim.owner));
        if let Some(blob) = found.as_ref().filter(|blob| blob.is_locked())
            && !mine
            && !claim.unanswered
        {
            let by = observation(&claim.name, Some(blob), &AskBlob::none(blob.date));
            return Ok(Round::Over(refused(RefusedWhy::Held, by, None)));
        }
        let ask = self.asks(&claim.name).await?;
        if let Some(refusal) = shut(claim, found.as_ref(), &ask, mine) {
            if mine || claim.unanswered {
                self.withdrawn(claim).await?;
            } else if ask.paused().is_some() {
                self.pauses().insert(claim.owner, found);
            }
            return Ok(Round::Over(refusal));
        }
        let blob = match found {
            Some(blob) if blob.metadata.token().is_some() => blob,
            found => match self.new_blob(claim, found).await? {
                Ok(blob) => blob,
                Err(refusal) => return Ok(Round::Over(refusal)),
            },
        };
        self.take(claim, Before { blob, ask, mine }).await
    }

    /// Whoever waits for the end of a pause asks for nothing else: one request, and not two, each time.
    async fn still_paused(&self, claim: &Claim) -> Result<Option<Attempt>, Trouble> {
        let found = self.pauses().remove(&claim.owner);
        let Some(found) = found.filter(|_| !claim.unanswered) else {
            return Ok(None);
        };
        let ask = self.asks(&claim.name).await?;
        if ask.paused().is_none() {
            return Ok(None);
        }
        let refusal = shut(claim, found.as_ref(), &ask, false);
        self.pauses().insert(claim.owner, found);
        Ok(refusal)
    }

    /// Step 3. The condition makes what was seen valid without a second look, and a late copy of this request
    /// harmless: every hold changes the ETag, and the lease itself never does.
    async fn take(&self, claim: &Claim, before: Before) -> Result<Round, Trouble> {
        let id = lease_id(&claim.owner);
        let blob_name = self.lease_at(&claim.name);
        let etag = &before.blob.etag;
        let request = Request::acquire(&blob_name, &id, claim.ttl.as_secs(), etag);
        let answer = self.send(&request).await?;
        let seen = || observation(&claim.name, Some(&before.blob), &before.ask);
        match verdict::of(Op::Acquire, &answer, answer.is_of(&id)) {
            Verdict::Yes => {
                let date = look::date(&answer).map_err(Trouble::after_an_effect)?;
                let round = self.write(claim, before, date).await;
                round.map_err(Trouble::after_an_effect)
            }
            // What was seen is older than whoever has it now.
            Verdict::Held => {
                let by = Observation {
                    state: crate::lease::LeaseState::Held,
                    record: None,
                    ends_unseen: true,
                    ..seen()
                };
                Ok(Round::Over(refused(RefusedWhy::Held, by, None)))
            }
            Verdict::Again | Verdict::Absent => Ok(Round::Again(seen())),
            other => Err(other.unexpected()),
        }
    }

    /// Steps 4 and 5. Only a look after the lease was taken decides a pause: one before it could miss a pause
    /// that had already been confirmed to its operator.
    async fn write(&self, claim: &Claim, before: Before, date: u64) -> Result<Round, Trouble> {
        let Before { blob, ask, mine } = before;
        let since = self.asks_since(&claim.name, ask.etag.as_deref()).await?;
        let ask = since.unwrap_or(ask);
        if ask.paused().is_some() {
            self.withdrawn(claim).await?;
            let by = observation(&claim.name, None, &ask);
            let left = ask.pause_left().map(Duration::from_secs);
            return Ok(Round::Over(refused(RefusedWhy::Paused, by, left)));
        }
        if let (true, Some(token)) = (mine, blob.metadata.token()) {
            let record = blob.metadata.record(&claim.name);
            return Ok(self.granted(claim, token, Grant::new(blob, record)));
        }
        let id = lease_id(&claim.owner);
        let (metadata, record) = match begun(claim, &blob, &ask, date) {
            Ok(begun) => begun,
            Err(trouble) => {
                self.gave_back(&claim.name, &claim.owner).await.ok();
                return Err(trouble);
            }
        };
        let request = Request::set_metadata(&self.lease_at(&claim.name), &metadata, &blob.etag);
        let answer = self.send(&request.header("x-ms-lease-id", &id)).await?;
        match verdict::of(Op::Record, &answer, true) {
            Verdict::Yes => {
                let etag = answer.header("etag").unwrap_or_default().to_owned();
                let token = record.token;
                let blob = Blob {
                    etag,
                    metadata,
                    ..blob
                };
                Ok(self.granted(claim, token, Grant::new(blob, Some(record))))
            }
            // Our own lost answer: the next round finds it.
            Verdict::Again => Ok(Round::Again(observation(&claim.name, Some(&blob), &ask))),
            Verdict::Lost(_) | Verdict::Absent => {
                let by = Observation::untouched(claim.name.clone());
                Ok(Round::Over(refused(RefusedWhy::Held, by, None)))
            }
            other => {
                // Ours, and of no use to anybody. Where this fails too, it runs out.
                self.gave_back(&claim.name, &claim.owner).await.ok();
                Err(other.unexpected())
            }
        }
    }

    fn granted(&self, claim: &Claim, token: FencingToken, grant: Grant) -> Round {
        self.grants().insert(claim.owner, grant);
        Round::Over(Attempt::Granted(Hold {
            name: claim.name.clone(),
            owner: claim.owner,
            token,
            ttl: Some(claim.ttl),
            lock: None,
        }))
    }
}

/// Azure's limits. The command line names them before anything is asked; this is for everybody else.
fn suits(ttl: Duration) -> Result<(), Trouble> {
    let whole = ttl.subsec_nanos() == 0;
    if whole && (SHORTEST_TTL..=LONGEST_TTL).contains(&ttl) {
        return Ok(());
    }
    Err(Trouble::Unfit(format!(
        "a lease of {} cannot be had: a blob's is 15 to 60 whole seconds; correct --ttl",
        humantime::format_duration(ttl)
    )))
}

/// Whether a pause or a minimum hold keeps everyone out.
fn shut(claim: &Claim, blob: Option<&Blob>, ask: &AskBlob, mine: bool) -> Option<Attempt> {
    if ask.paused().is_some() {
        let left = ask.pause_left().map(Duration::from_secs);
        let by = observation(&claim.name, blob, ask);
        return Some(refused(RefusedWhy::Paused, by, left));
    }
    let blob = blob.filter(|_| !mine)?;
    let until = cooldown_until(blob, ask)?;
    // An unanswered attempt of ours may hold it without having written yet: it is not held by anybody else.
    let left = until.saturating_sub(ask.date);
    let by = observation(&claim.name, Some(blob), ask);
    let left = Some(Duration::from_secs(left));
    Some(refused(RefusedWhy::Cooldown, by, left))
}

/// What the new holder writes.
fn begun(
    claim: &Claim,
    blob: &Blob,
    ask: &AskBlob,
    date: u64,
) -> Result<(Metadata, LeaseRecord), Trouble> {
    let previous = blob.metadata.token().map_or(0, FencingToken::get);
    let token = previous
        .saturating_add(1)
        .max(date.saturating_mul(TOKENS_A_SECOND));
    let token = FencingToken::new(token).map_err(|_| {
        Trouble::Unfit("the blob's token is as large as one can be; remove the blob".to_owned())
    })?;
    let mut before = blob.metadata.record(&claim.name);
    if let Some(record) = &mut before {
        told_how_it_ended(record, ask);
    }
    let mut record = LeaseRecord::of_grant(claim, token, at(date), before.as_ref());
    let not_before = claim.min_hold.map(|span| {
        let whole = span.as_secs() + u64::from(span.subsec_nanos() > 0);
        date.saturating_add(whole).saturating_add(A_SECOND)
    });
    record.not_before_at = not_before.map(at);
    let mut metadata = blob.metadata.clone();
    metadata.begin(&claim.owner, &record, not_before);
    if !metadata.has_room_for_the_end() {
        let why =
            "the blob has so much metadata of somebody else that ours does not fit; remove some";
        return Err(Trouble::Unfit(why.to_owned()));
    }
    Ok((metadata, record))
}

pub(super) fn refused(why: RefusedWhy, by: Observation, look_again: Option<Duration>) -> Attempt {
    Attempt::Refused(Refusal {
        why,
        by,
        look_again,
        place: Place::default(),
    })
}

/// A thing that somebody else takes away while we look at it is looked for again by whoever asked.
pub(super) fn went_away(what: &str) -> Trouble {
    Trouble::Silent(
        Effect::None,
        format!("the {what} went away while it was looked at"),
    )
}
