//! Looking on: nothing is pushed to those who only look, because listening where holders are told things would
//! count as a holder.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::listing::{list, look};
use super::store::{RedisStore, limited};
use super::trouble::Trouble;
use crate::lease::{LeaseName, Observation};

/// Between two looks, at first and at most. Too short burdens the server, as every onlooker asks for itself;
/// too long shows old news.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Looks until something else is to be seen than what was `seen`, at most `at_most`.
pub(super) async fn changed(
    store: &RedisStore,
    seen: &[Observation],
    prefix: Option<&str>,
    at_most: Duration,
) -> Result<(), Trouble> {
    let began = Instant::now();
    let mut pause = SHORTEST_PAUSE;
    loop {
        let other = limited(differs(store, seen, prefix)).await?;
        let left = at_most.saturating_sub(began.elapsed());
        if other || left.is_zero() {
            return Ok(());
        }
        sleep(pause.min(left)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn differs(
    store: &RedisStore,
    seen: &[Observation],
    prefix: Option<&str>,
) -> Result<bool, Trouble> {
    let names: Vec<LeaseName> = seen.iter().map(|seen| seen.name.clone()).collect();
    let now = look(store, &names).await?;
    let before = |name: &LeaseName| seen.iter().find(|seen| seen.name == *name);
    let other = now
        .iter()
        .any(|now| before(&now.name).is_some_and(|before| !now.shows_the_same_as(before)));
    let Some(prefix) = prefix.filter(|_| !other) else {
        return Ok(other);
    };
    let listed = list(store, prefix).await?;
    Ok(listed.iter().any(|listed| before(&listed.name).is_none()))
}
