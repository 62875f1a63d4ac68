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

use leasectl::lease::LeaseStore;
use leasectl::store::azblob::{AzblobStore, Config, Surroundings};
use leasectl::store::url::StoreUrl;
use libtest_mimic::Trial;

use crate::conformance::doubt::granted;
use crate::support::run::run;

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
