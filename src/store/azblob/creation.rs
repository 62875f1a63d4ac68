//! A lease whose blob is not there, or never had a token: whether that can be believed, and how long it takes.
//!
//! A leased blob cannot be deleted, so a missing one is new, was deleted while it was free, or its container was
//! deleted with live leases in it. Against the last of these nobody gets a lease in a container that is younger than
//! the guard. Against the same token twice nobody gets one in a blob that is younger than the service's seconds show.

use std::time::Duration;

use super::acquire::{refused, went_away};
use super::look::{self, Blob};
use super::metadata::Metadata;
use super::store::AzblobStore;
use super::trouble::Trouble;
use super::verdict::{self, Asked as Op, Verdict};
use super::wire::Request;
use crate::lease::{Attempt, Claim, Observation, RefusedWhy};

/// A later second cannot have been reached by the tokens of the one before; one more for front ends whose
/// clocks differ.
const YOUNG: u64 = 2;

/// When a container was made, as far as we may know.
enum Birth {
    At {
        modified: u64,
        date: u64,
    },
    /// We may see blobs only.
    Hidden,
}

impl AzblobStore {
    /// The blob, made if it was not there, once its lease may be taken.
    pub(super) async fn new_blob(
        &self,
        claim: &Claim,
        found: Option<Blob>,
    ) -> Result<Result<Blob, Attempt>, Trouble> {
        let guard = self.guard(claim.ttl);
        let wait = |why, left| {
            let left = Some(Duration::from_secs(left));
            let by = Observation {
                expires_in: left,
                ..Observation::untouched(claim.name.clone())
            };
            Ok(Err(refused(why, by, left)))
        };
        let birth = self.birth().await?;
        if let Birth::At { modified, date } = birth
            && let Some(left) = guarded(modified, date, guard)
        {
            return wait(RefusedWhy::Guard, left);
        }
        let blob = match found {
            Some(blob) => blob,
            None => self.made(claim).await?,
        };
        if let Birth::Hidden = birth {
            let born = blob.created.unwrap_or(blob.modified);
            if let Some(left) = guarded(born, blob.date, guard) {
                return wait(RefusedWhy::Guard, left);
            }
        }
        match (blob.modified + YOUNG).checked_sub(blob.date) {
            Some(left @ 1..) => wait(RefusedWhy::Young, left),
            _ => Ok(Ok(blob)),
        }
    }

    async fn birth(&self) -> Result<Birth, Trouble> {
        let request = Request::head_container();
        for _ in 0..2 {
            let answer = self.send(&request).await?;
            match verdict::of(Op::Look, &answer, true) {
                Verdict::Yes => {
                    let modified = answer.instant("last-modified");
                    let modified = modified.ok_or_else(|| {
                        Trouble::Garbled("its answer has no last-modified".to_owned())
                    })?;
                    let date = look::date(&answer)?;
                    return Ok(Birth::At { modified, date });
                }
                Verdict::Absent => self.make_the_container().await?,
                Verdict::No(Trouble::Denied(_)) => return Ok(Birth::Hidden),
                other => return Err(other.unexpected()),
            }
        }
        Err(went_away("container"))
    }

    /// Makes the container, if that is allowed.
    pub(super) async fn make_the_container(&self) -> Result<(), Trouble> {
        let container = &self.config.place.container;
        if !self.config.create {
            return Err(Trouble::Unfit(format!(
                "there is no container {container:?}, and create=no; make it with az storage container create"
            )));
        }
        let answer = self.send(&Request::create_container()).await?;
        match verdict::of(Op::Create, &answer, true) {
            Verdict::Yes | Verdict::Exists => Ok(()),
            Verdict::No(Trouble::Denied(why)) => Err(Trouble::Denied(format!(
                "there is no container {container:?}, and it may not be made: {why}"
            ))),
            other => Err(other.unexpected()),
        }
    }

    async fn made(&self, claim: &Claim) -> Result<Blob, Trouble> {
        let name = self.lease_at(&claim.name);
        if !self.config.create {
            return Err(Trouble::Unfit(format!(
                "there is no blob {name:?}, and create=no; make it with az storage blob upload, empty"
            )));
        }
        let answer = self
            .send(&Request::create(&name, &Metadata::default()))
            .await?;
        match verdict::of(Op::Create, &answer, true) {
            Verdict::Yes | Verdict::Exists => {}
            Verdict::Absent => return Err(went_away("container")),
            other => return Err(other.unexpected()),
        }
        let blob = self.look(&claim.name).await?;
        blob.ok_or_else(|| went_away("blob"))
    }
}

/// How long the guard of something that was made at `born` still lasts.
fn guarded(born: u64, date: u64, guard: Duration) -> Option<u64> {
    if guard.is_zero() {
        return None;
    }
    let whole = guard.as_secs() + u64::from(guard.subsec_nanos() > 0);
    let until = born.saturating_add(whole).saturating_add(1);
    until.checked_sub(date).filter(|left| *left > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guard_lasts_a_second_longer_than_it_is_told() {
        let guard = Duration::from_secs(15);
        assert_eq!(guarded(100, 100, guard), Some(16));
        assert_eq!(guarded(100, 115, guard), Some(1));
        assert_eq!(guarded(100, 116, guard), None);
        assert_eq!(guarded(100, 90, guard), Some(26));
        assert_eq!(guarded(100, 100, Duration::ZERO), None);
        assert_eq!(guarded(100, 115, Duration::from_millis(15_001)), Some(2));
    }
}
