//! The source that shares one poller: a [`Coordinator`] in a task of its own, so that it beats, asks and takes
//! over however busy its owner is.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::client::Client;
use super::coordinator::{Coordinator, Pause};
use super::directory::{Directory, Trusted};
use super::endpoint::Endpoint;
use super::file::FileSource;
use super::leavers::Leavers;
use super::settings::{Opening, ROOT_DIRECTORY, Settings, Sharing};
use super::slot::Slot;
use super::source::{Aside, News, NotApproved, NoticeSource};
use super::teller::{Known, Teller};
use crate::clock::Instant;

/// Between two looks and two beats.
const TICK: Duration = Duration::from_secs(1);

/// Opens the source that an endpoint stands for. Call inside the runtime.
#[must_use]
pub fn open(endpoint: &Endpoint, opening: Opening) -> Box<dyn NoticeSource> {
    match endpoint {
        Endpoint::File(path) => Box::new(FileSource::new(path.clone(), opening.names)),
        Endpoint::Service(address) => {
            let (own, upper) = directories(opening.sharing);
            Box::new(Coordinated::new(Settings {
                address: *address,
                api_version: opening.api_version,
                names: opening.names,
                own,
                upper,
                boot: opening.boot,
                watch: opening.watch,
            }))
        }
    }
}

type Upper = (PathBuf, Trusted);

/// Our own directory, and the one that goes before it.
fn directories(sharing: Sharing) -> (Option<PathBuf>, Option<Upper>) {
    let root = PathBuf::from(ROOT_DIRECTORY);
    match sharing {
        Sharing::Alone => (None, None),
        Sharing::Default(own) if own == root => (Some(own), None),
        Sharing::Default(own) => (Some(own), Some((root, Trusted::RootAndUs))),
        Sharing::Named { directory, own } => {
            let found = Directory::open(&directory, Trusted::ItsOwner);
            // One that is not there is ours to make; one that is not fit says so when it is opened.
            if found.is_ok_and(|found| found.is_some_and(|found| !found.is_writable())) {
                (Some(own), Some((directory, Trusted::ItsOwner)))
            } else {
                (Some(directory), None)
            }
        }
    }
}

#[derive(Debug)]
struct Coordinated {
    news: UnboundedReceiver<News>,
    known: Arc<Mutex<Known>>,
    client: Client,
    leavers: Leavers,
    own: Option<PathBuf>,
    upper: Option<Upper>,
    pauses: UnboundedSender<Pause>,
    task: JoinHandle<()>,
}

impl Coordinated {
    fn new(settings: Settings) -> Self {
        let (sender, news) = unbounded_channel();
        let known = Arc::new(Mutex::new(Known::default()));
        let teller = Teller::new(settings.names.clone(), sender, Arc::clone(&known));
        let client = Client::new(settings.address, settings.api_version.clone());
        let (own, upper) = (settings.own.clone(), settings.upper.clone());
        let mut tick = interval(TICK);
        // Ticks that were slept through are not made up for: two in a row are two seconds.
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (pauses, asked_to_pause) = unbounded_channel();
        let task = tokio::spawn(Coordinator::new(settings, teller).run(tick, asked_to_pause));
        Self {
            news,
            known,
            client,
            leavers: Leavers::default(),
            own,
            upper,
            pauses,
            task,
        }
    }
}

impl Drop for Coordinated {
    fn drop(&mut self) {
        // The seat goes with the task; the cache stays, and is good for a few seconds.
        self.task.abort();
    }
}

#[async_trait]
impl NoticeSource for Coordinated {
    async fn next(&mut self) -> News {
        match self.news.recv().await {
            Some(news) => news,
            None => std::future::pending().await,
        }
    }

    fn good_at(&self) -> Option<Instant> {
        let known = self.known.lock();
        known.unwrap_or_else(PoisonError::into_inner).good_at
    }

    fn machine(&self) -> Option<String> {
        let known = self.known.lock();
        known
            .unwrap_or_else(PoisonError::into_inner)
            .machine
            .clone()
    }

    fn incarnation(&self) -> Option<i64> {
        let known = self.known.lock();
        known.unwrap_or_else(PoisonError::into_inner).incarnation
    }

    fn leaves(&mut self, id: &str) {
        let upper = self.upper.as_ref();
        let upper = upper.map(|(path, trusted)| (path.as_path(), *trusted));
        self.leavers.enter(id, self.own.as_deref(), upper);
    }

    fn has_left_last(&mut self, id: &str) -> bool {
        self.leavers.leave(id)
    }

    async fn step_aside(&mut self) -> Aside {
        let ((away, has_gone), (back, comes_back)) = (oneshot::channel(), oneshot::channel());
        let pause = Pause { away, comes_back };
        if self.pauses.send(pause).is_ok() {
            // Whoever is no longer there has no seat either.
            has_gone.await.ok();
        }
        Aside::until_dropped(back)
    }

    async fn approve(&mut self, ids: &[String]) -> Result<(), NotApproved> {
        let slot = Slot::take().await;
        let approved = self.client.approve(ids).await;
        slot.keep().await;
        approved
    }
}
