//! `hold`: until when somebody needs the lease.
//!
//! It is over with a signal, with `--for`, with the end of `--pid` and with the end of input. While the
//! lease is still being sought that ends the wait; afterwards what is guarded goes on without it.

use std::future::pending;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;

use super::driver::Driver;
use crate::clock::Instant;
use crate::process::{Charge, Subject, watch};
use crate::supervisor::{Event, Guards, Phase};

/// Until when a hold is needed, besides signals and the end of its process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Needed {
    /// `--for`, counted from the instant in which it holds.
    pub lasts: Option<Duration>,
    /// `--until-eof`.
    pub until_eof: bool,
}

/// Whether it is needed still.
#[derive(Debug)]
pub(super) struct Need {
    over: bool,
    /// The supervisor knows.
    passed_on: bool,
    lasts: Option<Duration>,
    until: Instant,
    process: Option<AsyncFd<OwnedFd>>,
    input: Option<oneshot::Receiver<()>>,
}

impl Need {
    /// Call inside the runtime.
    pub(super) fn new(needed: Needed, subject: &Subject) -> io::Result<Self> {
        let process = match subject {
            Subject::Charge(Some(charge)) => Some(watch(Charge::as_fd(charge))?),
            Subject::Charge(None) | Subject::Command(_) => None,
        };
        Ok(Self {
            over: false,
            passed_on: false,
            lasts: needed.lasts,
            until: Instant::NEVER,
            process,
            input: needed.until_eof.then(end_of_input).transpose()?,
        })
    }

    /// It holds from now on.
    pub(super) fn begins(&mut self, now: Instant) {
        self.until = self.lasts.map_or(Instant::NEVER, |lasts| now + lasts);
    }

    pub(super) const fn wake_at(&self) -> Instant {
        self.until
    }

    pub(super) const fn is_over(&self) -> bool {
        self.over
    }

    /// Nobody needs it any more.
    pub(super) const fn ends(&mut self) {
        self.over = true;
        self.until = Instant::NEVER;
    }

    pub(super) fn on_time(&mut self, now: Instant) {
        if now >= self.until {
            self.ends();
        }
    }
}

/// Waits until the process or the input has ended.
pub(super) async fn over(need: &mut Need) {
    let process = async {
        match &need.process {
            Some(process) => process
                .readable()
                .await
                .map(|mut ready| ready.clear_ready()),
            None => pending().await,
        }
    };
    let input = async {
        match &mut need.input {
            Some(input) => input.await.unwrap_or(()),
            None => pending().await,
        }
    };
    tokio::select! {
        ended = process => {
            // One that cannot be watched is watched by the guardian.
            if ended.is_err() {
                need.process = None;
                return pending().await;
            }
            need.process = None;
        }
        () = input => need.input = None,
    }
    need.ends();
}

/// Reads what comes on standard input, to its end, on a thread that nothing waits for.
fn end_of_input() -> io::Result<oneshot::Receiver<()>> {
    let (told, ends) = oneshot::channel();
    std::thread::Builder::new()
        .name("input".to_owned())
        .spawn(move || {
            let mut room = [0; 4096];
            let mut input = io::stdin().lock();
            // A descriptor that fails has no more to say, but for one that is in non-blocking mode.
            loop {
                match input.read(&mut room) {
                    Ok(0) => break,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait_for_input(),
                    Err(error) if error.kind() != io::ErrorKind::Interrupted => break,
                    Ok(_) | Err(_) => {}
                }
            }
            told.send(()).ok();
        })?;
    Ok(ends)
}

fn wait_for_input() {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let input = io::stdin();
    let mut fds = [PollFd::new(input.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::NONE).ok();
}

impl Driver<'_> {
    /// Whether a process is guarded that was there before, or nobody.
    pub(super) fn is_hold(&self) -> bool {
        self.plan.settings.guards == Guards::Process
    }

    /// Whether nothing has begun to end yet.
    pub(super) fn is_held(&self) -> bool {
        let phase = self.supervisor.phase();
        matches!(phase, Phase::Holding | Phase::Doubting | Phase::Settling)
    }

    /// Tells the supervisor once, as soon as it can make use of it: what runs before the hold is told of
    /// (the hook) is not cut short, and the store's first word decides how a hold ends for which there was no
    /// need from the beginning.
    pub(super) async fn pass_the_need_on(&mut self) {
        let listens = match self.supervisor.phase() {
            Phase::Seeking => self.refused_why.is_some() || self.last_error.is_some(),
            Phase::Holding | Phase::Doubting => true,
            _ => false,
        };
        if self.need.over && !self.need.passed_on && listens {
            self.need.passed_on = true;
            self.tell(Event::NotNeeded).await;
        }
    }
}
