//! leasectl on an Azurite: what a store on the leases of a service has beyond the promises of every store.

mod ambiguous;
mod answers;
mod canary;
mod contenders;
mod example;
mod faults;
mod identity;
mod requests;
mod scene;
mod settings;
mod sign_in;
mod stranger;
mod verbs;
mod ways;

use std::sync::Arc;

use leasectl::lease::{Attempt, Claim, Hold, LeaseStore};
use leasectl::store::azblob::{AzblobStore, Config, Surroundings};
use leasectl::store::url::StoreUrl;
use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    [
        ambiguous::trials(),
        answers::trials(),
        canary::trials(),
        contenders::trials(),
        example::trials(),
        faults::trials(),
        requests::trials(),
        settings::trials(),
        sign_in::trials(),
        stranger::trials(),
        verbs::trials(),
        ways::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

type Store = Arc<dyn LeaseStore>;

/// A client of its own.
fn store(url: &str) -> Store {
    let url = StoreUrl::parse(url).unwrap();
    let config = Config::from_url(&url, &Surroundings::default()).unwrap();
    Arc::new(AzblobStore::new(config))
}

/// Acquires, and waits out what is bounded.
async fn granted(store: &Store, claim: &Claim) -> Hold {
    loop {
        match store.try_acquire(claim).await.unwrap() {
            Attempt::Granted(hold) => return hold,
            Attempt::Refused(refusal) if refusal.why.is_bounded() => {
                tokio::time::sleep(refusal.look_again.unwrap()).await;
            }
            Attempt::Refused(refusal) => panic!("refused: {refusal:?}"),
        }
    }
}

/// Runs one test to its end.
fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(test);
}
