//! What the world knows by itself about a run, kept apart from the machine under test.

use std::time::Duration;

use crate::clock::Instant;
use crate::lease::Timing;
use crate::supervisor::{CommandEnd, Deadline, Outcome, Phase, StopWhy};

/// The command's tree, as it really is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    NeverStarted,
    /// The `acquired` hook runs.
    Preparing,
    /// It has ended well.
    Prepared,
    Ordered,
    Running,
    /// The command has ended or could not start; something may be left.
    Ended,
    Gone,
}

/// What was ordered and reported so far.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) tree: Tree,
    pub(super) started_at: Option<Instant>,
    pub(super) end: Option<CommandEnd>,
    /// The latest asking among the answers that were good.
    pub(super) asked: Option<Asked>,
    /// The same before the event at hand: what had passed until then is acted on first.
    pub(super) asked_before: Option<Asked>,
    /// The hold ends with its process.
    pub(super) endless: bool,
    pub(super) armed: Option<Deadline>,
    /// What the guardian may still have had when the last deadline was on its way to it.
    pub(super) armed_before: Option<Deadline>,
    /// When the hook was ordered.
    pub(super) prepared_at: Option<Instant>,
    pub(super) starts: u32,
    pub(super) stop: Option<Stopped>,
    pub(super) killed: Option<Instant>,
    pub(super) hook_too_slow: bool,
    pub(super) guardian_lost: bool,
    pub(super) lost: bool,
    pub(super) let_go: bool,
    /// Signals that ask to end, since SIGKILL.
    pub(super) insisted: u32,
    pub(super) releases: u32,
    pub(super) last_release: Option<Instant>,
    pub(super) last_renewal: Option<Instant>,
    /// It was said that the machine stays.
    pub(super) stays: bool,
    /// The store may know of us without our holding anything.
    pub(super) known: bool,
    /// A release was ordered since the lease was last asked for.
    pub(super) given_back: bool,
    pub(super) acquiring: Option<Instant>,
    pub(super) renewing: Option<Instant>,
    pub(super) releasing: bool,
    pub(super) waiting: bool,
    /// The asking of a renewal that was given up, and may be answered late.
    pub(super) given_up: Option<Instant>,
    pub(super) finished: Option<Outcome>,
    pub(super) phase: Phase,
}

/// A good answer: when it was asked for, and how fast the store's clock was seen to run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) at: Instant,
    pub(super) rate: f64,
}

/// What follows from it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    pub(super) renew: Instant,
    pub(super) stop: Instant,
    pub(super) kill: Instant,
    pub(super) dead: Instant,
}

/// Stopping has begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopped {
    pub(super) at: Instant,
    /// When the guardian may have begun by itself; at most `at`.
    pub(super) began: Instant,
    pub(super) grace: Duration,
    pub(super) why: Option<StopWhy>,
    /// The command had ended by itself before.
    pub(super) after_end: bool,
}

impl Ledger {
    pub(super) const fn new() -> Self {
        Self {
            tree: Tree::NeverStarted,
            started_at: None,
            end: None,
            asked: None,
            asked_before: None,
            endless: false,
            armed: None,
            armed_before: None,
            prepared_at: None,
            starts: 0,
            stop: None,
            killed: None,
            hook_too_slow: false,
            guardian_lost: false,
            lost: false,
            let_go: false,
            insisted: 0,
            releases: 0,
            last_release: None,
            last_renewal: None,
            stays: false,
            known: false,
            given_back: false,
            acquiring: None,
            renewing: None,
            releasing: false,
            waiting: false,
            given_up: None,
            finished: None,
            phase: Phase::Seeking,
        }
    }

    /// The deadlines, which P3 counts from the last good asking.
    pub(super) fn after_asking(&self, timing: &Timing) -> Deadlines {
        self.count(self.asked, timing)
    }

    /// The same as they stood before the event at hand.
    pub(super) fn before_event(&self, timing: &Timing) -> Deadlines {
        self.count(self.asked_before, timing)
    }

    /// What counts at the event at hand: those before it, unless it has brought them nearer, as an answer by a
    /// fast clock does.
    pub(super) fn due(&self, timing: &Timing) -> Deadlines {
        let (before, after) = (self.before_event(timing), self.after_asking(timing));
        Deadlines {
            renew: before.renew.min(after.renew),
            stop: before.stop.min(after.stop),
            kill: before.kill.min(after.kill),
            dead: before.dead.min(after.dead),
        }
    }

    fn count(&self, asked: Option<Asked>, timing: &Timing) -> Deadlines {
        let Some(Asked { at, rate }) = asked.filter(|_| !self.endless) else {
            let renew = asked.map_or(Instant::NEVER, |asked| {
                asked.at + timing.renew_every().div_f64(asked.rate)
            });
            return Deadlines {
                renew,
                stop: Instant::NEVER,
                kill: Instant::NEVER,
                dead: Instant::NEVER,
            };
        };
        let dead = timing.dead_after().div_f64(rate);
        let kill = dead.saturating_sub(timing.margin());
        let mut grace = timing.expiry_grace();
        if rate > 1.0 {
            grace = grace.min(kill / 2);
        }
        let stop = kill.saturating_sub(grace);
        Deadlines {
            renew: at + timing.renew_every().div_f64(rate),
            stop: at + stop,
            kill: at + kill,
            dead: at + dead,
        }
    }

    /// A span of the store's clock, as long as it is for us, before or after the event at hand.
    pub(super) fn at_its_rate(&self, span: Duration) -> Duration {
        let rates = [self.asked, self.asked_before].into_iter().flatten();
        span.div_f64(rates.map(|asked| asked.rate).fold(1.0, f64::max))
    }

    /// Whether anything was ordered under a grant.
    pub(super) const fn has_begun(&self) -> bool {
        self.starts > 0 || self.prepared_at.is_some()
    }

    /// Whether something may run that has to be guarded.
    pub(super) fn guarded(&self) -> bool {
        let alive = !matches!(self.tree, Tree::NeverStarted | Tree::Gone);
        alive && !self.let_go && self.finished.is_none()
    }
}
