//! Looking on: nothing is pushed, so whoever looks looks again.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::listing::list;
use super::look::{Lease, observation};
use super::store::AzblobStore;
use super::trouble::Trouble;
use crate::lease::{Effect, LeaseName, Observation};

/// Between two looks, at first and at most. Too short costs requests, which are billed; too long shows old news.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long one look may take: nobody else limits it.
const LOOK: Duration = Duration::from_secs(3);
/// Between taking a lease and writing who has it lies one request, and between writing and giving back too.
const A_MOMENT: Duration = Duration::from_millis(200);

/// One look at one lease. Nobody is called a stranger who is only starting or ending this instant.
pub(super) async fn seen(store: &AzblobStore, name: &LeaseName) -> Result<Observation, Trouble> {
    let mut blob = store.look(name).await?;
    let strange =
        |seen: &super::look::Blob| seen.lease == Lease::Fixed && seen.held_under().is_none();
    if blob.as_ref().is_some_and(strange) {
        sleep(A_MOMENT).await;
        blob = store.look(name).await?;
    }
    let ask = store.asks(name).await?;
    Ok(observation(name, blob.as_ref(), &ask))
}

/// Looks until something else is to be seen than what was `seen`, at most `at_most`.
pub(super) async fn changed(
    store: &AzblobStore,
    before: &[Observation],
    prefix: Option<&str>,
    at_most: Duration,
) -> Result<(), Trouble> {
    let began = Instant::now();
    let mut pause = SHORTEST_PAUSE;
    loop {
        let other = timeout(LOOK, differs(store, before, prefix)).await;
        let other = other.map_err(|_| {
            let why = format!("no answer within {}", humantime::format_duration(LOOK));
            Trouble::Silent(Effect::Unknown, why)
        })??;
        let left = at_most.saturating_sub(began.elapsed());
        if other || left.is_zero() {
            return Ok(());
        }
        sleep(pause.min(left)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn differs(
    store: &AzblobStore,
    before: &[Observation],
    prefix: Option<&str>,
) -> Result<bool, Trouble> {
    // One list shows more than two looks for each.
    let Some(prefix) = prefix else {
        for one in before {
            if !seen(store, &one.name).await?.shows_the_same_as(one) {
                return Ok(true);
            }
        }
        return Ok(false);
    };
    let listed = list(store, prefix).await?;
    for one in before {
        let now = listed.iter().find(|now| now.name == one.name);
        let same = match now {
            Some(now) => now.shows_the_same_as(one),
            None if one.name.as_str().starts_with(prefix) => {
                Observation::untouched(one.name.clone()).shows_the_same_as(one)
            }
            None => seen(store, &one.name).await?.shows_the_same_as(one),
        };
        if !same {
            return Ok(true);
        }
    }
    let known = |name: &LeaseName| before.iter().any(|one| one.name == *name);
    Ok(listed.iter().any(|listed| !known(&listed.name)))
}
