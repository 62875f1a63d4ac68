//! A source of notices and the runtime that it lives in, for the verbs that look.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::clock::{BootClock, Clock};
use crate::notices::{
    Change, Endpoint, Names, News, NotApproved, Notice, NoticeSource, Opening, Role, Sharing,
    Update, open,
};
use crate::process::{self, SignalStream, ask_ourselves_to_stop, identity, stop_as_asked};

/// How long a list is waited for: the service's first answer may take two minutes.
const LONGEST: Duration = Duration::from_secs(135);
/// And after somebody was told what is in its way.
const AFTER_TROUBLE: Duration = Duration::from_secs(5);
/// After this time people are told what they wait for.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long the right to a request is kept, which went out a moment ago.
const SLOT: Duration = Duration::from_millis(334);
/// How often it is asked whether anybody still reads.
const TICK: Duration = Duration::from_secs(1);
/// How often it is looked whether the name is known.
const LOOK: Duration = Duration::from_millis(50);

/// What is announced.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The events.
    pub notices: Vec<Notice>,
    /// By which name this machine is meant.
    pub machine: Option<String>,
    /// Whether another process had asked.
    pub from_cache: bool,
    /// How long ago the service gave the answer.
    pub age: Option<Duration>,
    /// The number of the document.
    pub incarnation: Option<i64>,
}

/// Nothing can be listed: why is what was told last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unlisted;

/// A source, and the runtime that it lives in.
#[derive(Debug)]
pub struct Session {
    // First: what lives in the runtime goes before it.
    source: Box<dyn NoticeSource>,
    runtime: Runtime,
    role: Option<Role>,
    ctrl_z: Option<(SignalStream, AsyncFd<OwnedFd>)>,
}

impl Session {
    /// Opens a source.
    ///
    /// # Errors
    /// The kernel's, when there is no runtime to be had, or this boot has no id.
    pub fn new(
        endpoint: &Endpoint,
        api_version: String,
        names: Names,
        sharing: Sharing,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let opening = Opening {
            api_version,
            names,
            sharing,
            boot: identity::boot_id()?,
            watch: process::watch,
        };
        let source = {
            let _inside = runtime.enter();
            open(endpoint, opening)
        };
        Ok(Self {
            source,
            runtime,
            role: None,
            ctrl_z: None,
        })
    }

    /// From now on Ctrl-Z is heard, so that a poller gives its seat back before it stops. Call before there are
    /// threads.
    ///
    /// # Errors
    /// The kernel's, when no descriptor can be had.
    pub fn hear_ctrl_z(&mut self) -> io::Result<()> {
        let _inside = self.runtime.enter();
        let stream = SignalStream::of_ctrl_z()?;
        let ready = process::watch(stream.as_fd())?;
        self.ctrl_z = Some((stream, ready));
        Ok(())
    }

    /// What is announced now. `tell` hears what is in the way; `None`: it takes its time.
    ///
    /// # Errors
    /// Nobody said anything in time.
    pub fn list(&mut self, tell: &mut dyn FnMut(Option<&News>)) -> Result<Listed, Unlisted> {
        let Self {
            source,
            runtime,
            role,
            ..
        } = self;
        let found = runtime.block_on(async {
            let mut end = Instant::now() + LONGEST;
            let mut impatient = Some(Instant::now() + PATIENCE);
            loop {
                let word = impatient.unwrap_or(end);
                tokio::select! {
                    news = source.next() => match news {
                        News::Updates(updates) => return Some(updates),
                        News::Role { role: now, .. } => *role = Some(now),
                        News::Detail(_) => {}
                        warning @ News::Warning(_) => {
                            tell(Some(&warning));
                            end = end.min(Instant::now() + AFTER_TROUBLE);
                            impatient = None;
                        }
                    },
                    () = sleep_until(word) => {
                        impatient.take()?;
                        tell(None);
                    }
                }
            }
        });
        let mut updates = found.ok_or(Unlisted)?;
        updates.extend(self.learn_the_name());
        let mut notices: Vec<Notice> = Vec::new();
        for update in updates {
            notices.retain(|notice| !notice.is_same_as(&update.notice));
            if update.change != Change::Gone {
                notices.push(update.notice);
            }
        }
        let source = &self.source;
        Ok(Listed {
            notices,
            machine: source.machine(),
            from_cache: matches!(self.role, Some(Role::Reader | Role::Stale)),
            age: source.good_at().map(|at| BootClock.now().since(at)),
            incarnation: source.incarnation(),
        })
    }

    /// Waits a moment for the name of this machine, when a busy service has told of events first; what is
    /// news by then.
    fn learn_the_name(&mut self) -> Vec<Update> {
        let Self {
            source, runtime, ..
        } = self;
        runtime.block_on(async {
            let mut news = Vec::new();
            let end = Instant::now() + AFTER_TROUBLE;
            while source.machine().is_none() && Instant::now() < end {
                if let Ok(News::Updates(updates)) = timeout(LOOK, source.next()).await {
                    news.extend(updates);
                }
            }
            // The name is known a moment before what follows from it is told.
            while let Ok(more) = timeout(Duration::ZERO, source.next()).await {
                if let News::Updates(updates) = more {
                    news.extend(updates);
                }
            }
            news
        })
    }

    /// Hands on all news until `hear` has had enough. It is asked once a second, with none.
    pub fn watch(&mut self, mut hear: impl FnMut(Option<&News>) -> bool) {
        let Self {
            source,
            runtime,
            ctrl_z,
            ..
        } = self;
        runtime.block_on(async {
            loop {
                let news = tokio::select! {
                    news = timeout(TICK, source.next()) => news.ok(),
                    signal = stopped(ctrl_z.as_mut()) => {
                        ask_ourselves_to_stop(signal);
                        let aside = source.step_aside().await;
                        stop_as_asked(signal);
                        drop(aside);
                        continue;
                    }
                };
                if !hear(news.as_ref()) {
                    return;
                }
            }
        });
    }

    /// Lets events begin.
    ///
    /// # Errors
    /// Why they may not.
    pub fn approve(&mut self, ids: &[String]) -> Result<(), NotApproved> {
        self.runtime.block_on(self.source.approve(ids))
    }

    /// Keeps the right to the last request to its end, so that nobody else has it as well.
    pub fn close(self) {
        if matches!(self.role, Some(Role::Poller | Role::Direct)) {
            self.runtime.block_on(async { sleep(SLOT).await });
        }
    }
}

/// Comes back when we are to stop, with the signal that says so.
async fn stopped(ctrl_z: Option<&mut (SignalStream, AsyncFd<OwnedFd>)>) -> i32 {
    let Some((stream, ready)) = ctrl_z else {
        return std::future::pending().await;
    };
    loop {
        if let Ok(Some(heard)) = stream.next() {
            return heard.number;
        }
        match ready.readable().await {
            Ok(mut ready) => ready.clear_ready(),
            // Signals can no longer be read: nothing stops this process but SIGSTOP.
            Err(_) => return std::future::pending().await,
        }
    }
}
