//! What only a store on a Redis server promises, against a real one: the line of waiters, the guard after a
//! loss of data, and what happens to a command when the server or the way to it fails.

mod advice;
mod ambiguous;
mod clock;
mod cluster;
mod example;
mod faults;
mod guard;
mod hostile;
mod late;
mod line;
mod network;
mod nodes;
mod redirected;
mod refusals;
mod replicas;
mod rights;
mod scene;
mod sentinel;
mod storm;
mod tls;
mod verbs;
mod watched;

use std::sync::Arc;
use std::time::Duration;

use leasectl::lease::{Claim, LeaseStore};
use leasectl::store::redis::{Config, RedisStore};
use leasectl::store::url::StoreUrl;
use libtest_mimic::Trial;

use crate::conformance::stores::claim;
use crate::support::run::run;

pub(crate) fn trials() -> Vec<Trial> {
    [
        advice::trials(),
        ambiguous::trials(),
        clock::trials(),
        cluster::trials(),
        example::trials(),
        faults::trials(),
        guard::trials(),
        hostile::trials(),
        late::trials(),
        line::trials(),
        network::trials(),
        redirected::trials(),
        refusals::trials(),
        replicas::trials(),
        rights::trials(),
        sentinel::trials(),
        storm::trials(),
        tls::trials(),
        verbs::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A client of its own.
fn client(url: &str) -> Arc<dyn LeaseStore> {
    let url = StoreUrl::parse(url).unwrap();
    Arc::new(RedisStore::new(Config::from_url(&url).unwrap()))
}

/// A claim on the lease `a` that lives so long.
fn claim_for(ttl: Duration) -> Claim {
    Claim { ttl, ..claim("a") }
}
