//! What every store does with a release that goes unheard or comes twice: how it goes astray each store's own tests
//! bring about, between `shaky`, which asks over the way that fails, and `sure`, which does not.

use std::sync::Arc;
use std::time::Duration;

use leasectl::lease::{Attempt, Claim, Effect, Hold, LeaseStore, Release, Renewal, StoreError};

use super::stores::{claim, completed, refused};

/// One client and another.
pub(crate) type Pair<'a> = (&'a Arc<dyn LeaseStore>, &'a Arc<dyn LeaseStore>);

/// No answer, which is neither yes nor no.
#[track_caller]
pub(crate) fn assert_unknown<T: std::fmt::Debug>(answer: Result<T, StoreError>) {
    match answer {
        Err(StoreError::Unreachable {
            effect: Effect::Unknown,
            ..
        }) => {}
        other => panic!("{other:?}"),
    }
}

/// Acquires, and waits out what is bounded, by the clock on the wall.
pub(crate) async fn granted(store: &Arc<dyn LeaseStore>, claim: &Claim) -> Hold {
    loop {
        match store.try_acquire(claim).await.unwrap() {
            Attempt::Granted(hold) => return hold,
            Attempt::Refused(refusal) if refusal.why.is_bounded() => {
                tokio::time::sleep(refusal.look_again.unwrap_or(Duration::ZERO)).await;
            }
            Attempt::Refused(refusal) => panic!("refused: {refusal:?}"),
        }
    }
}

/// `spoil`: the answer to the next release is not heard.
pub(crate) async fn an_unheard_release_has_released((shaky, sure): Pair<'_>, spoil: impl Fn()) {
    let hold = granted(shaky, &claim("a")).await;
    spoil();
    assert_unknown(shaky.release(&hold, &completed()).await);
    let next = granted(sure, &claim("a")).await;
    let again = shaky.release(&hold, &completed()).await.unwrap();
    assert_eq!(again, Release::AlreadyOver);
    let renewed = sure.renew(&next).await.unwrap();
    assert_eq!(renewed.untimed(), Renewal::EXTENDED);
}

/// `spoil`: a copy of the next release is made. `comes`: it has come.
pub(crate) async fn a_late_copy_of_a_release_spares_the_next_hold(
    (shaky, sure): Pair<'_>,
    spoil: impl Fn(),
    comes: impl Future<Output = ()>,
) {
    let hold = granted(shaky, &claim("a")).await;
    spoil();
    let released = shaky.release(&hold, &completed()).await.unwrap();
    assert_eq!(released, Release::Released);
    let next = granted(sure, &claim("a")).await;
    comes.await;
    let renewed = sure.renew(&next).await.unwrap();
    assert_eq!(renewed.untimed(), Renewal::EXTENDED);
    let seen = sure.observe(&next.name).await.unwrap();
    assert_eq!(seen.record.unwrap().token, next.token);
    refused(shaky, &claim("a")).await;
}
