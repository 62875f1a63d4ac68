//! What a Redis server is asked: by one hand-over, and while nothing happens, however many wait. The clients
//! are the library's, all in this process: a thousand processes would measure the machine.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use leasectl::lease::{
    Attempt, Claim, DEFAULT_TTL, Ending, Hold, LeaseName, LeaseStore, OutcomeWord, OwnerId, Place,
    Purpose, Release,
};
use leasectl::process::identity;
use leasectl::registry::{OpenContext, open};
use leasectl::store::url::StoreUrl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::Outcome;
use crate::peers::Peers;
use crate::report::Report;
use crate::servers::Server;

const WAITERS: [u16; 4] = [1, 10, 100, 1_000];
/// A waiter looks about every ten seconds: so long until all are spread out, and then two looks of each.
const SPREAD: Duration = Duration::from_secs(10);
const WATCHED: Duration = Duration::from_secs(20);
const A_MINUTE: Duration = Duration::from_secs(60);

/// How often one command was called.
pub(crate) fn of(calls: &[(String, u64)], command: &str) -> u64 {
    let mut calls = calls.iter();
    calls
        .find(|(name, _)| name == command)
        .map_or(0, |(_, calls)| *calls)
}

/// What clients have sent. What the scripts call is counted by the server, too, under other names.
pub(crate) fn sent(calls: &[(String, u64)]) -> u64 {
    let commands = ["evalsha", "eval", "subscribe", "unsubscribe", "hello"];
    commands.iter().map(|command| of(calls, command)).sum()
}

/// Four servers at once, one for each number of waiters.
pub(crate) fn operations(peers: &mut Peers, report: &mut Report) -> Outcome<()> {
    let Some(program) = peers.path("redis-server").map(Path::to_owned) else {
        return Ok(());
    };
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(4_000.min(hard)), hard)?;
    let measured: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = WAITERS
            .iter()
            .map(|&waiters| {
                let program = &program;
                scope.spawn(move || alone(program, waiters).map_err(|error| error.to_string()))
            })
            .collect();
        threads
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect()
    });
    let mut found = Vec::new();
    for (waiters, answer) in WAITERS.iter().zip(measured) {
        match answer.unwrap_or_else(|_| Err("it panicked".to_owned())) {
            Ok((of_a_hand_over, of_an_hour)) => found.push((waiters, of_a_hand_over, of_an_hour)),
            Err(why) => peers.without(&format!("Redis with {waiters} waiters"), why),
        }
    }
    for (waiters, commands, _) in &found {
        let who = format!("{waiters} waiting");
        report.add("Redis commands of one hand-over", &who, "", vec![*commands]);
    }
    for (waiters, _, commands) in &found {
        let who = format!("1 holding, {waiters} waiting");
        report.add("Redis commands in an hour", &who, "", vec![*commands]);
    }
    Ok(())
}

fn alone(program: &Path, waiters: u16) -> Outcome<(f64, f64)> {
    let server = Server::redis(program)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(counted(&server, waiters))
}

type Store = Arc<dyn LeaseStore>;

async fn counted(server: &Server, waiters: u16) -> Outcome<(f64, f64)> {
    let holder = client(server)?;
    let hold = granted(&holder, &claim()?).await?;
    // The first of each kind makes its script known to the server.
    release(&holder, &hold).await?;
    let mut hold = granted(&holder, &claim()?).await?;
    let mut of_the_last = holder;
    let mut line = VecDeque::new();
    for _ in 0..=waiters {
        line.push_back(in_line(server).await?);
    }
    let last = line.pop_back();
    let before = sent(&server.calls()?);
    release(&of_the_last, &hold).await?;
    if let Some((store, claim)) = line.pop_front() {
        hold = granted(&store, &claim).await?;
        of_the_last = store;
    }
    let of_a_hand_over = sent(&server.calls()?) - before;
    line.extend(last);
    let mut waiting = JoinSet::new();
    for (at, (store, claim)) in line.into_iter().enumerate() {
        let late = SPREAD.mul_f64(at as f64 / f64::from(waiters));
        waiting.spawn(async move {
            sleep(late).await;
            granted(&store, &claim).await.is_ok()
        });
    }
    sleep(SPREAD).await;
    let before = sent(&server.calls()?);
    let mut renewals = 0;
    let until = tokio::time::Instant::now() + WATCHED;
    while tokio::time::timeout_at(until, sleep(DEFAULT_TTL / 5))
        .await
        .is_ok()
    {
        let _renewal = of_the_last.renew(&hold).await?;
        renewals += 1;
    }
    let in_all = sent(&server.calls()?) - before;
    waiting.shutdown().await;
    let per_hour = |span: Duration, count: u64| -> Outcome<f64> {
        Ok(f64::from(u32::try_from(count)?) * 3600.0 / span.as_secs_f64())
    };
    // Of renewals it is known how often they are; three of them do not fill the time that was watched.
    let hourly = per_hour(WATCHED, in_all - renewals)? + per_hour(DEFAULT_TTL / 5, 1)?;
    Ok((f64::from(u32::try_from(of_a_hand_over)?), hourly.round()))
}

/// Somebody who waits.
async fn in_line(server: &Server) -> Outcome<(Store, Claim)> {
    let (store, claim) = (client(server)?, claim()?);
    if !matches!(store.try_acquire(&claim).await?, Attempt::Refused(_)) {
        return Err("two hold the lease".into());
    }
    store
        .wait_for_turn(&claim, &mut Place::default(), Duration::ZERO)
        .await?;
    Ok((store, claim))
}

fn client(server: &Server) -> Outcome<Store> {
    let url = format!("redis://127.0.0.1:{}/0?restart-guard=off", server.port);
    Ok(open(
        &StoreUrl::parse(&url)?,
        &OpenContext::of_this_process(),
    )?)
}

fn claim() -> Outcome<Claim> {
    Ok(Claim {
        name: LeaseName::new("a")?,
        owner: OwnerId::fresh()?,
        ttl: DEFAULT_TTL,
        min_hold: None,
        holder: identity::holder(None),
        purpose: Purpose::default(),
        unanswered: false,
    })
}

async fn granted(store: &Store, claim: &Claim) -> Outcome<Hold> {
    loop {
        if let Attempt::Granted(hold) = store.try_acquire(claim).await? {
            return Ok(hold);
        }
        store
            .wait_for_turn(claim, &mut Place::default(), A_MINUTE)
            .await?;
    }
}

async fn release(store: &Store, hold: &Hold) -> Outcome<()> {
    let ending = Ending {
        outcome: OutcomeWord::Completed,
        exit_code: Some(0),
        signal: None,
        ran: None,
        renewals: 0,
        by: None,
        reason: None,
    };
    match store.release(hold, &ending).await? {
        Release::Released => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}
