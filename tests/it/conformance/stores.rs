//! What the suite needs of each store: two connections to one fresh state, and time.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use leasectl::clock::{Clock, ManualClock};
use leasectl::lease::{
    Attempt, Claim, Ending, Hold, LeaseName, LeaseStore, OutcomeWord, OwnerId, Purpose, Refusal,
};
use leasectl::process::identity;

use crate::support::azurite::Azurite;
use crate::support::lab;
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
    /// How much longer than asked a minimum hold may last, because the store's clock is that coarse.
    pub(crate) grain: Duration,
    clock: Arc<ManualClock>,
    another: Box<dyn Fn() -> Arc<dyn LeaseStore>>,
    server: Option<Box<dyn Server>>,
    _directory: Option<tempfile::TempDir>,
}

impl Bench {
    /// Lets the store's time pass.
    pub(crate) fn pass(&self, span: Duration) {
        self.clock.advance(span);
        if let Some(server) = &self.server {
            server.set_micros(micros(&self.clock));
        }
    }

    /// One client more.
    pub(crate) fn another(&self) -> Arc<dyn LeaseStore> {
        (self.another)()
    }
}

/// A server whose clock goes only when it is told.
trait Server {
    fn set_micros(&self, micros: u64);
}

impl Server for RedisServer {
    fn set_micros(&self, micros: u64) {
        self.set_clock(micros);
    }
}

impl Server for Arc<Azurite> {
    fn set_micros(&self, micros: u64) {
        self.set_clock(micros);
    }
}

type Patience = Option<Box<dyn Fn(Duration)>>;

thread_local! {
    /// How the time of the store of this thread's test passes.
    static PATIENCE: RefCell<Patience> = const { RefCell::new(None) };
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
        grain: Duration::ZERO,
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
        grain: Duration::ZERO,
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
        grain: Duration::ZERO,
        clock,
        another: Box::new(another),
        server: Some(Box::new(server)),
        _directory: None,
    }
}

/// A cluster of one node, whose clock is the test's: all that is said differently to a cluster.
#[cfg(feature = "redis")]
pub(crate) fn redis_cluster() -> Bench {
    on_a_cluster("redis-server", Duration::from_nanos(1))
}

#[cfg(feature = "redis")]
pub(crate) fn valkey_cluster() -> Bench {
    on_a_cluster("valkey-server", Duration::from_secs(1))
}

#[cfg(feature = "redis")]
fn on_a_cluster(program: &str, moment: Duration) -> Bench {
    use leasectl::store::redis::{Config, RedisStore};
    use leasectl::store::url::StoreUrl;
    let clock = clock();
    let options = ["--cluster-enabled", "yes"];
    let (server, port) = RedisServer::on_a_port_with_clock_as(program, &options, micros(&clock));
    server.cli(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    wait_until(lab::PATIENCE, "the cluster to be one", || {
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
        moment,
        grain: Duration::ZERO,
        clock,
        another: Box::new(another),
        server: Some(Box::new(server)),
        _directory: None,
    }
}

/// A real server, whose clock is the test's. The guard in a young container has tests of its own; the one in a
/// young blob is waited out.
#[cfg(feature = "azblob")]
pub(crate) fn azblob() -> Bench {
    use leasectl::store::azblob::{AzblobStore, Config, Surroundings};
    use leasectl::store::url::StoreUrl;
    let clock = clock();
    let server = Arc::new(Azurite::with_clock(micros(&clock)));
    let url = StoreUrl::parse(&server.url("restart-guard=off&poll=200ms")).unwrap();
    let config = Config::from_url(&url, &Surroundings::default()).unwrap();
    let another = move || -> Arc<dyn LeaseStore> { Arc::new(AzblobStore::new(config.clone())) };
    // It must not keep the server: nobody drops what is a thread's own when the tests end.
    let (of_patience, at) = (Arc::downgrade(&server), Arc::clone(&clock));
    PATIENCE.set(Some(Box::new(move |span| {
        at.advance(span);
        if let Some(server) = of_patience.upgrade() {
            server.set_clock(micros(&at));
        }
    })));
    Bench {
        one: another(),
        two: another(),
        reservation: Duration::ZERO,
        grain: Duration::from_secs(1),
        moment: Duration::from_nanos(1),
        clock,
        another: Box::new(another),
        server: Some(Box::new(server)),
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

/// Acquires, or fails the test. What ends by itself is waited out, as by every `run`.
pub(crate) async fn granted(store: &Arc<dyn LeaseStore>, claim: &Claim) -> Hold {
    loop {
        match store.try_acquire(claim).await.unwrap() {
            Attempt::Granted(hold) => return hold,
            Attempt::Refused(refusal) if refusal.why.is_bounded() => wait_it_out(&refusal),
            Attempt::Refused(refusal) => panic!("refused: {refusal:?}"),
        }
    }
}

/// Lets the store's time pass until what keeps everyone out has ended.
pub(crate) fn wait_it_out(refusal: &Refusal) {
    let span = refusal.look_again.unwrap();
    PATIENCE.with_borrow(|pass| match pass {
        Some(pass) => pass(span),
        None => panic!("refused: {refusal:?}"),
    });
}

/// Is refused, or fails the test.
pub(crate) async fn refused(store: &Arc<dyn LeaseStore>, claim: &Claim) -> Refusal {
    match store.try_acquire(claim).await.unwrap() {
        Attempt::Granted(hold) => panic!("granted: {hold:?}"),
        Attempt::Refused(refusal) => refusal,
    }
}
