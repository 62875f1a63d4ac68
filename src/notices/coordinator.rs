//! One poller for all processes of a domain: who asks, who reads, and when that changes.
//!
//! ```text
//! 1  root's cache first, where there is one with a beat: then nothing else is done
//! 2  the seat is free: take it, publish a beat at once, ask
//! 3  it is not: read what its holder publishes; try again when its file is closed, and once a second
//! 4  its holder is silent, and was a second ago: take the next number, which deposes it
//! 5  as poller, each second: still the highest number? publish, with or without an answer
//! 6  nobody answers this poller: give the seat up, and stay away for a while
//! 7  this process is about to be stopped: give the seat up, and take part again when it goes on
//! 8  no directory to use: ask by itself, rarely, and look again for one
//! ```
//!
//! Only a silent poller is replaced. A service that does not answer its poller is never a reason for
//! anybody else to ask.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::time::{Interval, sleep};

use super::cache::{Cache, Header, State};
use super::client::Client;
use super::directory::{Directory, Distrust};
use super::hearing::{Heard, Hearing};
use super::leavers;
use super::polling::{Polling, Step};
use super::seat::Candidate;
use super::settings::Settings;
use super::source::Role;
use super::teller::Teller;
use crate::clock::{BootClock, Clock, Instant};

mod reading;
mod serving;

use reading::Silence;

/// How often a process looks that hears of nothing.
const DEAF_LOOK: Duration = Duration::from_millis(250);
const DEAF: &str = "scheduled events: the kernel has no inotify instance to spare (fs.inotify.max_user_instances); \
                    looking four times a second instead";
/// How long a poller that is cut off stays away, and how soon it may return when nobody else came.
const AWAY: Duration = Duration::from_secs(60);
const NOBODY_CAME: Duration = Duration::from_secs(5);
/// Until a directory that could not be used is tried again.
const DIRECTORY_AGAIN: Duration = Duration::from_secs(30);
const MOST_FAILED_WRITES: u32 = 3;

/// What this process does at the moment.
#[derive(Debug)]
enum Post {
    /// It reads, and would take the seat.
    Reader(Reading),
    /// It has the seat.
    Poller(Box<Polling>),
    /// It asks by itself, until a directory is tried again.
    Direct(Box<Polling>, Instant),
}

#[derive(Debug, Default)]
struct Reading {
    candidate: Option<Candidate>,
    silence: Silence,
    /// When to try for the seat: the kernel tells of a close before it drops the lock.
    tries: Vec<Instant>,
    /// When to depose the holder of this number.
    depose: Option<(Instant, u32)>,
}

/// This process is about to be stopped (Ctrl-Z).
#[derive(Debug)]
pub(super) struct Pause {
    /// Told when the seat has been given back.
    pub(super) away: oneshot::Sender<()>,
    /// Told when this process takes part again.
    pub(super) comes_back: oneshot::Receiver<()>,
}

/// The whole of it, for one process.
#[derive(Debug)]
pub(super) struct Coordinator {
    settings: Settings,
    teller: Teller,
    directory: Option<Directory>,
    hearing: Option<Hearing>,
    hears_upper: bool,
    post: Post,
    failed_writes: u32,
    trouble_told: bool,
    left_at: Option<Instant>,
}

impl Coordinator {
    pub(super) fn new(settings: Settings, teller: Teller) -> Self {
        let hearing = Hearing::new(settings.watch);
        Self {
            settings,
            teller,
            directory: None,
            hearing,
            hears_upper: false,
            post: Post::Reader(Reading::default()),
            failed_writes: 0,
            trouble_told: false,
            left_at: None,
        }
    }

    /// Goes on until it is dropped.
    pub(super) async fn run(mut self, mut tick: Interval, mut pauses: UnboundedReceiver<Pause>) {
        if self.hearing.is_none() {
            self.teller.detail(DEAF);
        }
        let mut ticked = false;
        loop {
            let wake_at = self.work(ticked);
            ticked = false;
            let wake = wake_at.map(|at| at.since(BootClock.now()));
            tokio::select! {
                _ = tick.tick() => ticked = true,
                step = step(&mut self.post) => self.follow(step),
                heard = hear(self.hearing.as_ref()) => self.heard(&heard),
                Some(pause) = pauses.recv() => self.stand_aside(pause).await,
                () = pause(wake) => {}
            }
        }
    }

    /// A stopped poller is silent for seconds before it is deposed. One that gives the seat back first is
    /// replaced at once.
    async fn stand_aside(&mut self, pause: Pause) {
        if matches!(self.post, Post::Poller(_)) {
            self.post = Post::Reader(Reading::default());
            self.teller
                .role(Role::Reader, "this process is about to be stopped");
        }
        pause.away.send(()).ok();
        // Nothing is done until then: with the next tick it would have the seat again.
        pause.comes_back.await.ok();
    }

    /// One round; when the next is due by itself.
    fn work(&mut self, ticked: bool) -> Option<Instant> {
        if self.reads_upper() {
            if !matches!(self.post, Post::Reader(_)) {
                self.post = Post::Reader(Reading::default());
            }
            return self
                .hears_upper
                .then_some(())
                .map_or_else(|| self.deaf(), |()| None);
        }
        if let Err(distrust) = self.open() {
            self.go_alone(&distrust);
        }
        match &self.post {
            Post::Reader(_) => self.read(ticked),
            Post::Poller(_) => self.poll(ticked),
            Post::Direct(..) => self.ask_alone(),
        }
    }

    fn deaf(&self) -> Option<Instant> {
        Some(BootClock.now() + DEAF_LOOK)
    }

    /// Whether another domain's cache, which goes before ours, tells us.
    fn reads_upper(&mut self) -> bool {
        let Some((path, trusted)) = &self.settings.upper else {
            return false;
        };
        if !self.hears_upper {
            let hearing = self.hearing.as_ref();
            self.hears_upper = hearing.is_some_and(|hearing| hearing.add(path));
        }
        let cache = match Directory::open(path, *trusted) {
            Ok(Some(directory)) => directory.cache(&self.settings.boot),
            Ok(None) => Ok(None),
            Err(distrust) => Err(distrust),
        };
        match cache {
            Ok(Some(cache)) if cache.header.has_beat(BootClock.now()) => {
                self.tell(&cache);
                true
            }
            Ok(_) => false,
            Err(distrust) => {
                self.distrust(&distrust);
                false
            }
        }
    }

    fn distrust(&mut self, distrust: &Distrust) {
        self.teller
            .warn(format!("scheduled events: {distrust}; it is not used"));
    }

    /// What another process published.
    fn tell(&mut self, cache: &Cache) {
        let now = BootClock.now();
        match cache.header.fresh(now) {
            Some(at) => {
                self.teller
                    .role(Role::Reader, "another process asks the service");
                self.teller.document(&cache.answer, &cache.header.vm, at);
            }
            None if cache.header.state == State::Starting => {
                self.teller
                    .role(Role::Reader, "another process asks the service");
            }
            None => self
                .teller
                .role(Role::Stale, "the service does not answer the poller"),
        }
    }

    /// Opens our own directory, unless it is open or not its time.
    fn open(&mut self) -> Result<(), Distrust> {
        let due = match &self.post {
            Post::Direct(_, again_at) => BootClock.now() >= *again_at,
            _ => self.directory.is_none(),
        };
        let Some(path) = self.settings.own.as_ref().filter(|_| due) else {
            if self.settings.own.is_none() && !matches!(self.post, Post::Direct(..)) {
                self.alone("there is no coordination", Instant::NEVER);
            }
            return Ok(());
        };
        let directory = Directory::open_or_make(path)?;
        leavers::keep_for_all_users(&directory);
        if let Some(hearing) = &self.hearing
            && !hearing.add(directory.path())
        {
            self.teller.detail(DEAF);
            self.hearing = None;
        }
        self.directory = Some(directory);
        self.failed_writes = 0;
        self.post = Post::Reader(Reading::default());
        Ok(())
    }

    fn go_alone(&mut self, distrust: &Distrust) {
        self.distrust(distrust);
        self.directory = None;
        self.alone(
            "no directory can be shared",
            BootClock.now() + DIRECTORY_AGAIN,
        );
    }

    fn alone(&mut self, why: &str, again_at: Instant) {
        let before = std::mem::replace(&mut self.post, Post::Reader(Reading::default()));
        let polling = match before {
            // The pace goes on: who looks for a directory twice a minute does not ask at once each time.
            Post::Direct(polling, _) => polling,
            _ => Box::new(Polling::new(
                self.client(),
                None,
                self.header(0),
                None,
                None,
            )),
        };
        self.post = Post::Direct(polling, again_at);
        self.teller.role(Role::Direct, why);
    }

    fn client(&self) -> Client {
        Client::new(self.settings.address, self.settings.api_version.clone())
    }

    fn header(&self, seat: u32) -> Header {
        Header::new(self.settings.boot.clone(), seat)
    }

    fn ask_alone(&mut self) -> Option<Instant> {
        match &mut self.post {
            Post::Direct(polling, _) => polling.begin(BootClock.now()),
            _ => None,
        }
    }
}

async fn step(post: &mut Post) -> Step {
    match post {
        Post::Poller(polling) | Post::Direct(polling, _) => polling.step().await,
        Post::Reader(_) => std::future::pending().await,
    }
}

async fn hear(hearing: Option<&Hearing>) -> Heard {
    match hearing {
        Some(hearing) => hearing.next().await,
        None => std::future::pending().await,
    }
}

async fn pause(span: Option<Duration>) {
    match span {
        // Never shorter: whatever is due at once is due in a moment too, and nothing spins.
        Some(span) => sleep(span.max(Duration::from_millis(1))).await,
        None => std::future::pending().await,
    }
}
