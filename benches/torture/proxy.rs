//! The ways to the server, one for each place of a contender, and what can go wrong on each.
//!
//! What is held back arrives when the fault is over, as it does with TCP: late requests and late answers.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::Outcome;

/// How a way is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Weather {
    /// Connections are closed as they come.
    pub(crate) cut: bool,
    pub(crate) requests_held: bool,
    pub(crate) answers_held: bool,
    pub(crate) delay: Duration,
    /// Connections of earlier epochs are closed.
    pub(crate) epoch: u64,
}

/// One way.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub(crate) port: u16,
    weather: watch::Sender<Weather>,
    /// The next answer is lost, and its connection closed.
    loses: Arc<AtomicBool>,
    /// Answers that were lost.
    lost: Arc<AtomicU64>,
}

impl Lane {
    pub(crate) fn set(&self, change: impl FnOnce(&mut Weather)) {
        self.weather.send_modify(change);
    }

    /// Good weather.
    pub(crate) fn heal(&self) {
        self.loses.store(false, Ordering::SeqCst);
        self.set(|weather| {
            *weather = Weather {
                epoch: weather.epoch,
                ..Weather::default()
            };
        });
    }

    pub(crate) fn lose_the_next_answer(&self) {
        self.loses.store(true, Ordering::SeqCst);
    }

    /// How many answers were lost after their request was carried out.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::SeqCst)
    }
}

/// Opens `count` ways to the server on `port`. They stay until the process ends.
pub(crate) fn lanes(count: u64, port: u16) -> Outcome<Vec<Lane>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let served = runtime.and_then(|runtime| runtime.block_on(serve(count, port, &sender)));
        drop(served.inspect_err(|error| eprintln!("torture: the proxy ended: {error}")));
    });
    let opened: Vec<Lane> = receiver.iter().take(usize::try_from(count)?).collect();
    Ok(opened)
}

async fn serve(count: u64, port: u16, opened: &mpsc::Sender<Lane>) -> io::Result<()> {
    for _ in 0..count {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let lane = Lane {
            port: listener.local_addr()?.port(),
            weather: watch::Sender::new(Weather::default()),
            loses: Arc::default(),
            lost: Arc::default(),
        };
        opened.send(lane.clone()).map_err(io::Error::other)?;
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if !lane.weather.borrow().cut {
                    tokio::spawn(connect(client, lane.clone(), port));
                }
            }
        });
    }
    std::future::pending().await
}

async fn connect(client: TcpStream, lane: Lane, port: u16) -> io::Result<()> {
    let mut weather = lane.weather.subscribe();
    let epoch = weather.borrow_and_update().epoch;
    let server = TcpStream::connect(("127.0.0.1", port)).await?;
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        passed = pass(from_client, to_server, &lane, false) => passed,
        passed = pass(from_server, to_client, &lane, true) => passed,
        _ = weather.wait_for(|weather| weather.cut || weather.epoch != epoch) => Ok(()),
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    lane: &Lane,
    answers: bool,
) -> io::Result<()> {
    let mut weather = lane.weather.subscribe();
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut bytes).await?;
        if length == 0 {
            return Ok(());
        }
        if answers && lane.loses.swap(false, Ordering::SeqCst) {
            lane.lost.fetch_add(1, Ordering::SeqCst);
            return Ok(());
        }
        let held = |weather: &Weather| match answers {
            true => weather.answers_held,
            false => weather.requests_held,
        };
        let now = weather
            .wait_for(|weather| !held(weather))
            .await
            .map_err(io::Error::other)?
            .delay;
        sleep(now).await;
        to.write_all(bytes.get(..length).unwrap_or_default())
            .await?;
    }
}
