//! What the suite needs of each store: two connections to one fresh state, and time.

use std::sync::Arc;
use std::time::Duration;

use leasectl::clock::{Clock, ManualClock};
use leasectl::lease::{
    Attempt, Claim, Ending, Hold, LeaseName, LeaseStore, OutcomeWord, OwnerId, Purpose, Refusal,
};
use leasectl::process::identity;

use crate::support::lab::PATIENCE;
use crate::support::processes::wait_until;
use crate::support::redis::RedisServer;

/// A fresh store with two clients, and its clock.
pub(crate) struct Bench {
    /// One client.
    pub(crate) one: Arc<dyn LeaseStore>,
    /// Another.
    pub(crate) two: Arc<dyn LeaseStore>,
    /// How long a lease that came free is kept for the one who is first in line.
    pub(crate) reservation: Duration,
    /// How exactly its time can be set: just before an end is this much before it.
    pub(crate) moment: Duration,
    clock: Arc<ManualClock>,
    another: Box<dyn Fn() -> Arc<dyn LeaseStore>>,
    server: Option<RedisServer>,
    _directory: Option<tempfile::TempDir>,
}

impl Bench {
    /// Lets the store's time pass.
    pub(crate) fn pass(&self, span: Duration) {
        self.clock.advance(span);
        if let Some(server) = &self.server {
            server.set_clock(micros(&self.clock));
        }
    }

    /// One client more.
    pub(crate) fn another(&self) -> Arc<dyn LeaseStore> {
        (self.another)()
    }
}

fn micros(clock: &ManualClock) -> u64 {
    clock.now().as_nanos() / 1_000
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(1_700_000_000_000_000_000))
}

#[cfg(feature = "file")]
pub(crate) fn file() -> Bench {
    use leasectl::store::file::{Config, FileStore, Origin};
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let config = Config {
        directory: directory.path().join("leases"),
        origin: Origin::Named,
    };
    let of_the_store = Arc::clone(&clock);
    let another = move || -> Arc<dyn LeaseStore> {
        Arc::new(FileStore::open(&config, Arc::<ManualClock>::clone(&of_the_store)).unwrap())
    };
    Bench {
        one: another(),
        two: another(),
        reservation: Duration::ZERO,
        moment: Duration::from_nanos(1),
        clock,
        another: Box::new(another),
        server: None,
        _directory: Some(directory),
    }
}

#[cfg(feature = "memory")]
pub(crate) fn memory() -> Bench {
    use leasectl::store::memory::{Config, MemoryStore};
    let clock = clock();
    let one = MemoryStore::new(Config::default(), Arc::<ManualClock>::clone(&clock));
    Bench {
        two: Arc::new(one.another_connection()),
        one: Arc::new(one.another_connection()),
        reservation: Duration::ZERO,
        moment: Duration::from_nanos(1),
        clock,
        another: Box::new(move || Arc::new(one.another_connection())),
        server: None,
        _directory: None,
    }
}

#[cfg(feature = "redis")]
pub(crate) fn redis() -> Bench {
    on_redis("redis-server", Duration::from_nanos(1))
}

/// The oldest that is still in use.
#[cfg(feature = "redis")]
pub(crate) fn redis62() -> Bench {
    on_redis("redis-server-6.2", Duration::from_nanos(1))
}

/// It adds what the processor counted to the time that it last read, and so goes on for a moment by itself.
#[cfg(feature = "redis")]
pub(crate) fn valkey() -> Bench {
    on_redis("valkey-server", Duration::from_secs(1))
}

/// A real server, whose clock is the test's. The guard after a restart has tests of its own.
#[cfg(feature = "redis")]
fn on_redis(program: &str, moment: Duration) -> Bench {
    use leasectl::store::redis::{Config, RedisStore};
    use leasectl::store::url::StoreUrl;
    let clock = clock();
    let server = RedisServer::with_clock_as(program, &[], micros(&clock));
    let url = StoreUrl::parse(&server.url("restart-guard=off")).unwrap();
    let config = Config::from_url(&url).unwrap();
    let another = move || -> Arc<dyn LeaseStore> { Arc::new(RedisStore::new(config.clone())) };
    Bench {
        one: another(),
        two: another(),
        reservation: Duration::from_secs(1),
        moment,
        clock,
        another: Box::new(another),
        server: Some(server),
        _directory: None,
    }
}

/// A cluster of one node, whose clock is the test's: all that is said differently to a cluster.
#[cfg(feature = "redis")]
pub(crate) fn redis_cluster() -> Bench {
    use leasectl::store::redis::{Config, RedisStore};
    use leasectl::store::url::StoreUrl;
    let clock = clock();
    let (server, port) =
        RedisServer::on_a_port_with_clock(&["--cluster-enabled", "yes"], micros(&clock));
    server.cli(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    wait_until(PATIENCE, "the cluster to be one", || {
        // It waits for two seconds first, to be told of others.
        clock.advance(Duration::from_millis(100));
        server.set_clock(micros(&clock));
        server
            .cli(&["CLUSTER", "INFO"])
            .contains("cluster_state:ok")
    });
    let url = format!("redis-cluster://127.0.0.1:{port}?restart-guard=off");
    let config = Config::from_url(&StoreUrl::parse(&url).unwrap()).unwrap();
    let another = move || -> Arc<dyn LeaseStore> { Arc::new(RedisStore::new(config.clone())) };
    Bench {
        one: another(),
        two: another(),
        reservation: Duration::from_secs(1),
        clock,
        another: Box::new(another),
        server: Some(server),
        _directory: None,
    }
}

/// A fresh claim on `name`.
pub(crate) fn claim(name: &str) -> Claim {
    Claim {
        name: LeaseName::new(name).unwrap(),
        owner: OwnerId::fresh().unwrap(),
        ttl: Duration::from_secs(30),
        min_hold: None,
        holder: identity::holder(None),
        purpose: Purpose {
            program: Some("./job.sh".to_owned()),
            ..Purpose::default()
        },
        unanswered: false,
    }
}

/// The claim with a minimum hold.
pub(crate) fn claim_held_for(name: &str, seconds: u64) -> Claim {
    Claim {
        min_hold: Some(Duration::from_secs(seconds)),
        ..claim(name)
    }
}

/// How a run ended.
pub(crate) fn ending(outcome: OutcomeWord) -> Ending {
    Ending {
        outcome,
        exit_code: (outcome == OutcomeWord::Completed).then_some(0),
        signal: None,
        ran: Some(Duration::from_millis(1_500)),
        renewals: 2,
        by: None,
        reason: None,
    }
}

/// A run that went well.
pub(crate) fn completed() -> Ending {
    ending(OutcomeWord::Completed)
}

/// Acquires, or fails the test.
pub(crate) async fn granted(store: &Arc<dyn LeaseStore>, claim: &Claim) -> Hold {
    match store.try_acquire(claim).await.unwrap() {
        Attempt::Granted(hold) => hold,
        Attempt::Refused(refusal) => panic!("refused: {refusal:?}"),
    }
}

/// Is refused, or fails the test.
pub(crate) async fn refused(store: &Arc<dyn LeaseStore>, claim: &Claim) -> Refusal {
    match store.try_acquire(claim).await.unwrap() {
        Attempt::Granted(hold) => panic!("granted: {hold:?}"),
        Attempt::Refused(refusal) => refusal,
    }
}
