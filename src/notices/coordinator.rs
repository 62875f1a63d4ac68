//! One poller for all processes of a domain: who asks, who reads, and when that changes.
//!
//! ```text
//! 1  root's cache first, where there is one with a beat: then nothing else is done
//! 2  the seat is free: take it, publish a beat at once, ask
//! 3  it is not: read what its holder publishes; try again when its file is closed, and once a second
//! 4  its holder is silent for two of our own ticks in a row: take the next number, which deposes it
//! 5  as poller, each second: still the highest number? publish, with or without an answer
//! 6  nobody answers this poller: give the seat up, and stay away for a while
//! 7  no directory to use: ask by itself, rarely, and look again for one
//! ```
//!
//! Only a silent poller is replaced. A service that does not answer its poller is never a reason for
//! anybody else to ask.

use std::time::Duration;

use tokio::time::{Interval, sleep};

use super::cache::{Cache, Header, State, encode};
use super::client::Client;
use super::directory::{Directory, Distrust};
use super::hearing::{Heard, Hearing};
use super::polling::{Followed, Polling, Step, a_moment};
use super::seat::{self, Candidate, Seat, Try};
use super::settings::Settings;
use super::source::Role;
use super::teller::Teller;
use crate::clock::{BootClock, Clock, Instant};

/// How often a process looks that hears of nothing.
const DEAF_LOOK: Duration = Duration::from_millis(250);
/// How long a poller that is cut off stays away, and how soon it may return when nobody else came.
const AWAY: Duration = Duration::from_secs(60);
const NOBODY_CAME: Duration = Duration::from_secs(5);
/// Until a directory that could not be used is tried again.
const DIRECTORY_AGAIN: Duration = Duration::from_secs(30);
/// So many ticks in a row without a beat: our own sleep, a suspend or a SIGCONT is one.
const SILENT_TICKS: u32 = 2;
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
    silent_ticks: u32,
    /// When to try for the seat: the kernel tells of a close before it drops the lock.
    tries: Vec<Instant>,
    /// When to depose the holder of this number.
    depose: Option<(Instant, u32)>,
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
    pub(super) async fn run(mut self, mut tick: Interval) {
        let mut ticked = false;
        loop {
            let wake_at = self.work(ticked);
            ticked = false;
            let wake = wake_at.map(|at| at.since(BootClock.now()));
            tokio::select! {
                _ = tick.tick() => ticked = true,
                step = step(&mut self.post) => self.follow(step),
                heard = hear(self.hearing.as_ref()) => self.heard(&heard),
                () = pause(wake) => {}
            }
        }
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
        if let Some(hearing) = &self.hearing
            && !hearing.add(directory.path())
        {
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

/// The reader.
impl Coordinator {
    fn read(&mut self, ticked: bool) -> Option<Instant> {
        match self.look(ticked) {
            Ok(()) => {}
            Err(distrust) if distrust.may_pass() => {}
            Err(distrust) => self.go_alone(&distrust),
        }
        let deaf = self.hearing.is_none().then(|| BootClock.now() + DEAF_LOOK);
        match &self.post {
            Post::Reader(reading) => {
                let next = reading.tries.iter().copied();
                next.chain(reading.depose.map(|(at, _)| at))
                    .chain(deaf)
                    .min()
            }
            // The next round begins at once.
            _ => Some(BootClock.now()),
        }
    }

    fn look(&mut self, ticked: bool) -> Result<(), Distrust> {
        let Some(directory) = &self.directory else {
            return Ok(());
        };
        let cache = match directory.cache(&self.settings.boot) {
            Ok(cache) => cache,
            Err(distrust) => {
                self.teller
                    .warn(format!("scheduled events: {distrust}; it is not used"));
                None
            }
        };
        let now = BootClock.now();
        let alive = cache.as_ref().filter(|cache| cache.header.has_beat(now));
        if let Some(cache) = alive {
            let cache = cache.clone();
            self.tell(&cache);
        }
        let silent = alive.is_none();
        let kept_away = self.is_kept_away(now, silent);
        let (Post::Reader(reading), Some(directory)) = (&mut self.post, &self.directory) else {
            return Ok(());
        };
        if !silent {
            (reading.silent_ticks, reading.depose) = (0, None);
        } else if ticked {
            reading.silent_ticks += 1;
        }
        let due = reading.tries.iter().any(|at| *at <= now);
        reading.tries.retain(|at| *at > now);
        if kept_away {
            return Ok(());
        }
        if ticked || due {
            let candidate = Candidate::find(directory, reading.candidate.take())?;
            match candidate.try_take(directory)? {
                Try::Taken(seat) => return self.sit_down(seat, cache, "the seat was free"),
                Try::Held(candidate) => reading.candidate = Some(candidate),
            }
        }
        let number = reading.candidate.as_ref().map(Candidate::number);
        match (reading.depose, number) {
            (Some((at, number)), _) if at <= now => {
                reading.depose = None;
                if let Some(seat) = Seat::above(directory, number)? {
                    return self.sit_down(seat, cache, "the poller was silent");
                }
            }
            (None, Some(number)) if reading.silent_ticks >= SILENT_TICKS => {
                reading.depose = Some((now + a_moment(Duration::from_millis(500)), number));
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether others with a better network should have the seat.
    fn is_kept_away(&mut self, now: Instant, silent: bool) -> bool {
        let Some(left_at) = self.left_at else {
            return false;
        };
        let span = now.since(left_at);
        let kept = span < AWAY && !(silent && span >= NOBODY_CAME);
        if !kept {
            self.left_at = None;
        }
        kept
    }

    fn sit_down(&mut self, seat: Seat, cache: Option<Cache>, why: &str) -> Result<(), Distrust> {
        let Some(directory) = &self.directory else {
            return Ok(());
        };
        let now = BootClock.now();
        let last_asked = seat::last_asked(directory, &self.settings.boot, now);
        seat.clear_below(directory);
        let header = self.header(seat.number());
        let polling = Polling::new(self.client(), Some(seat), header, cache, last_asked);
        if let Some(at) = polling.header.fresh(now) {
            self.teller
                .document(&polling.answer, &polling.header.vm, at);
        }
        self.post = Post::Poller(Box::new(polling));
        self.teller.role(Role::Poller, why);
        self.publish();
        Ok(())
    }

    fn heard(&mut self, heard: &Heard) {
        if let Post::Reader(reading) = &mut self.post
            && let Some(candidate) = &reading.candidate
            && heard.closed.contains(&seat::name(candidate.number()))
        {
            // All readers hear of it at once; the lock goes a moment after the close is told.
            let now = BootClock.now();
            let soon = now + a_moment(Duration::from_millis(20));
            let later = now + Duration::from_millis(50) + a_moment(Duration::from_millis(50));
            reading
                .tries
                .extend([soon, later, now + Duration::from_millis(300)]);
        }
    }
}

/// The poller.
impl Coordinator {
    fn poll(&mut self, ticked: bool) -> Option<Instant> {
        if !self.still_sits() {
            self.post = Post::Reader(Reading::default());
            self.teller
                .role(Role::Reader, "another process has taken the seat");
            return Some(BootClock.now());
        }
        if ticked {
            self.publish();
        }
        match &mut self.post {
            Post::Poller(polling) => polling.begin(BootClock.now()),
            _ => Some(BootClock.now()),
        }
    }

    fn still_sits(&self) -> bool {
        match (&self.post, &self.directory) {
            (Post::Poller(polling), Some(directory)) => polling
                .seat
                .as_ref()
                .is_some_and(|seat| seat.is_in_force(directory)),
            _ => false,
        }
    }

    /// The beat, with or without an answer.
    fn publish(&mut self) {
        let (Post::Poller(polling), Some(directory)) = (&mut self.post, &self.directory) else {
            return;
        };
        let there = directory.cache(&self.settings.boot).ok().flatten();
        // Written by somebody who asked later: we are deposed, and see it in a moment.
        if there.is_some_and(|there| there.header.asked_ns > polling.header.asked_ns) {
            return;
        }
        polling.header.beat_ns = BootClock.now().as_nanos();
        let bytes = encode(&polling.header, &polling.answer);
        match directory.put_cache(&bytes) {
            Ok(()) => self.failed_writes = 0,
            Err(distrust) => {
                self.failed_writes += 1;
                if self.failed_writes >= MOST_FAILED_WRITES {
                    self.go_alone(&distrust);
                }
            }
        }
    }

    /// A request has come a step further.
    fn follow(&mut self, step: Step) {
        let sits = self.still_sits();
        let (Post::Poller(polling) | Post::Direct(polling, _)) = &mut self.post else {
            return;
        };
        // Whoever was deposed while it waited neither asks nor tells.
        if polling.seat.is_some() && !sits {
            return;
        }
        let followed = match step {
            Step::Slot(slot) => {
                polling.send(slot);
                return;
            }
            Step::Name(answer) => {
                polling.named(answer);
                Followed::Nothing
            }
            Step::Events(answer) => polling.answered(answer),
        };
        let cut_off = polling.is_cut_off() && polling.seat.is_some();
        match followed {
            Followed::Nothing => {}
            Followed::Good => {
                self.trouble_told = false;
                let at = Instant::from_nanos(polling.header.good_ns);
                self.teller
                    .document(&polling.answer, &polling.header.vm, at);
            }
            Followed::Trouble(trouble) if !self.trouble_told => {
                self.trouble_told = true;
                self.teller.warn(trouble.to_string());
            }
            Followed::Trouble(_) => {}
        }
        self.publish();
        if cut_off {
            self.left_at = Some(BootClock.now());
            self.post = Post::Reader(Reading::default());
            self.teller
                .role(Role::Stale, "nobody answers this process; another may try");
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
