//! The tree is being stopped. There is no way back from here (P10), and no end to the killing before
//! the tree is gone or somebody has to be told that it will not go (P5).

use std::time::Duration;

use super::action::{Action, Deadline, Note, StopWhy};
use super::event::Event;
use super::outcome::Outcome;
use super::releasing::Releasing;
use super::running::Run;
use super::settings::{Guards, Settings};
use super::state::{Done, Moment, State};
use crate::clock::Instant;
use crate::lease::LostWhy;

/// From SIGKILL to naming what is still alive. Shorter, and every slow exit would be named.
const FIRST_NAMING: Duration = Duration::from_secs(2);
/// From one naming to the next.
const NEXT_NAMING: Duration = Duration::from_secs(60);
/// From SIGKILL to giving up while the lease is still being renewed (P5). Shorter, and a disk that
/// hangs for minutes would set the lease free under a process that is about to write.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// From a SIGKILL that is ordered after the lease's end to giving up. We were stopped or frozen then, and
/// what the guardian has done meanwhile waits to be heard. Not longer than the least margin: a kill in time
/// is given up at the lease's end as ever.
const LAST_LOOK: Duration = Duration::from_millis(250);

/// The stop signal or SIGKILL has been ordered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopping {
    run: Run,
    why: StopWhy,
    outcome: Outcome,
    began: Instant,
    grace: Duration,
    /// A renewal has been answered since: the lease is ours for longer than it seemed.
    extended: bool,
    killed: Option<Killed>,
}

/// SIGKILL has been ordered.
#[derive(Clone, Copy, Debug)]
struct Killed {
    at: Instant,
    name_at: Instant,
    insisted: Insisted,
}

/// How far somebody at the keyboard has insisted, counted from SIGKILL on; the step after `Once` is
/// giving up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Insisted {
    No,
    Once,
}

impl Stopping {
    /// Stop signal now, SIGKILL after a grace. `own`: how the command had already ended by itself.
    pub(super) fn gracefully(
        moment: &mut Moment<'_>,
        run: Run,
        why: StopWhy,
        own: Option<Outcome>,
    ) -> State {
        let stopping = Self::begin(moment, run, why, own);
        let grace = stopping.grace;
        moment.order(Action::Stop { why, grace });
        State::Stopping(stopping)
    }

    /// As [`gracefully`](Self::gracefully), because the machine is about to go away: SIGKILL by then.
    pub(super) fn leaving(
        moment: &mut Moment<'_>,
        run: Run,
        kill_by: Instant,
        own: Option<Outcome>,
    ) -> State {
        let why = StopWhy::ScheduledEvent;
        let mut stopping = Self::begin(moment, run, why, own);
        let grace = stopping.grace.min(kill_by.since(moment.now));
        stopping.grace = grace;
        moment.order(Action::Stop { why, grace });
        State::Stopping(stopping)
    }

    /// The guardian has sent the stop signal by itself.
    pub(super) fn by_guardian(moment: &mut Moment<'_>, run: Run) -> State {
        moment.note(Note::StoppedByGuardian);
        State::Stopping(Self::begin(moment, run, StopWhy::NotRenewed, None))
    }

    /// The lease may already be somebody else's: SIGKILL now, and no grace (P9).
    pub(super) fn lost(moment: &mut Moment<'_>, mut run: Run, why: LostWhy) -> State {
        run.renewals.lose();
        let mut stopping = Self::begin(moment, run, StopWhy::Lost(why), None);
        stopping.end_at_once(moment);
        moment.note(Note::Lost(why));
        State::Stopping(stopping)
    }

    /// Nothing runs unguarded: SIGKILL now, by the driver.
    pub(super) fn unguarded(moment: &mut Moment<'_>, run: Run, own: Option<Outcome>) -> State {
        let mut stopping = Self::begin(moment, run, StopWhy::Internal, own);
        stopping.end_at_once(moment);
        State::Stopping(stopping)
    }

    /// SIGKILL now, for a reason of our own: the outcome stands.
    pub(super) fn at_once(moment: &mut Moment<'_>, run: Run, why: StopWhy, own: Outcome) -> State {
        let mut stopping = Self::begin(moment, run, why, Some(own));
        stopping.kill(moment);
        State::Stopping(stopping)
    }

    /// SIGKILL for what we started. A process that is not ours gets the stop signal now, and the time to
    /// obey that it has at the lease's end: P9 is a promise of `run`.
    fn end_at_once(&mut self, moment: &mut Moment<'_>) {
        if moment.settings.guards == Guards::Command || self.killed.is_some() {
            return self.kill(moment);
        }
        let grace = moment.settings.timing.expiry_grace();
        self.grace = self.grace.min(moment.now.since(self.began) + grace);
        moment.order(Action::Stop {
            why: self.why,
            grace: (self.began + self.grace).since(moment.now),
        });
    }

    fn begin(moment: &Moment<'_>, run: Run, why: StopWhy, own: Option<Outcome>) -> Self {
        let (began, grace) = if why == StopWhy::NotRenewed {
            // The guardian's timer did not wait for us if we are late, and the grace runs from there.
            let began = moment.now.min(run.renewals.tenure().stop());
            (began, moment.settings.timing.expiry_grace())
        } else {
            (moment.now, moment.settings.grace)
        };
        Self {
            run,
            why,
            outcome: Outcome::of_stop(why, own),
            began,
            grace,
            extended: false,
            killed: None,
        }
    }

    pub(super) const fn why(&self) -> StopWhy {
        self.why
    }

    pub(super) const fn run(&self) -> &Run {
        &self.run
    }

    /// When SIGKILL is sent: after the grace, and never out of time that is not ours (P9, P10).
    fn kill_at(&self) -> Instant {
        let grace_ends = self.began + self.grace;
        grace_ends.min(self.run.renewals.tenure().kill())
    }

    /// Whether there is nothing to renew any more, so that only the lease's own end is waited for.
    fn runs_out(&self) -> bool {
        let silent = self.why == StopWhy::NotRenewed && !self.extended;
        // A hold that ends with its process has no end to wait for; patience has to do.
        let ends = self.run.renewals.tenure().dead() != Instant::NEVER;
        ends && (self.run.renewals.lost() || silent)
    }

    /// When a tree that is still alive is given up (P5).
    fn give_up_at(&self, killed: Killed) -> Instant {
        let dead = self.run.renewals.tenure().dead();
        if self.runs_out() {
            dead.max(killed.at + LAST_LOOK)
        } else {
            dead.min(killed.at + PATIENCE)
        }
    }

    pub(super) fn wake_at(&self, settings: &Settings) -> Instant {
        let renew = self.run.renewals.next_at(&settings.timing);
        let next = match self.killed {
            None => self.kill_at(),
            Some(killed) => killed.name_at.min(self.give_up_at(killed)),
        };
        renew.min(next)
    }

    pub(super) fn due(mut self, moment: &mut Moment<'_>) -> Option<State> {
        match self.killed {
            None if moment.now >= self.kill_at() => {
                self.kill(moment);
                return Some(State::Stopping(self));
            }
            None => {}
            Some(killed) if moment.now >= self.give_up_at(killed) => {
                return Some(self.give_up(moment));
            }
            Some(mut killed) if moment.now >= killed.name_at => {
                moment.order(Action::NameSurvivors);
                killed.name_at = moment.now + NEXT_NAMING;
                self.killed = Some(killed);
                return Some(State::Stopping(self));
            }
            Some(_) => {}
        }
        let ordered = self.run.renewals.renew_if_due(moment);
        ordered.then_some(State::Stopping(self))
    }

    pub(super) fn hear(mut self, moment: &mut Moment<'_>, event: Event) -> State {
        match event {
            Event::Renewed { asked_at, rate } => self.renewed(moment, asked_at, rate),
            Event::RenewalUnanswered => {
                // Nobody has to be told of a doubt: the worst it could lead to is under way.
                let _begins = self.run.renewals.unanswered();
            }
            Event::RenewalLost(why) if !self.run.renewals.lost() => {
                self.run.renewals.lose();
                self.why = StopWhy::Lost(why);
                self.outcome = Outcome::of_stop(self.why, None);
                if self.killed.is_none() {
                    self.end_at_once(moment);
                }
                moment.note(Note::Lost(why));
            }
            // Whoever killed so far is gone; the driver takes over, so it is told even if it was
            // told before.
            Event::GuardianLost => self.end_at_once(moment),
            Event::CommandStarted { .. } => {
                self.run.started_at.get_or_insert(moment.now);
            }
            Event::CommandExited(end) => self.run.end = Some(end),
            // Why it began stands; only the grace that is left may be too long for the machine.
            Event::MachineGoes { kill_by } if self.killed.is_none() && kill_by < self.kill_at() => {
                self.grace = kill_by.since(self.began);
                moment.order(Action::Stop {
                    why: StopWhy::ScheduledEvent,
                    grace: kill_by.since(moment.now),
                });
            }
            Event::TreeEmpty => return Releasing::begin(moment, self.run, self.outcome),
            Event::Signal { number, .. } => return self.signalled(moment, number),
            _ => {}
        }
        State::Stopping(self)
    }

    /// A late good answer: it may move SIGKILL later within the grace, and does nothing else (P10).
    fn renewed(&mut self, moment: &mut Moment<'_>, asked_at: Instant, rate: f64) {
        let answered = self.run.renewals.answered(moment.now, asked_at, rate);
        self.extended |= answered.moved;
        if answered.moved && self.killed.is_none() {
            moment.order(Action::Arm(Deadline {
                stop: self.began,
                kill: self.kill_at(),
            }));
        }
    }

    /// One graceful stop is enough, so a signal before SIGKILL says nothing new. Once people have been
    /// told what does not die, the second one says that nobody wants to wait any longer. Before that,
    /// signals that come fast would leave the lease to a tree that is gone in a moment.
    fn signalled(mut self, moment: &mut Moment<'_>, number: i32) -> State {
        let runs_out = self.runs_out();
        if let Some(killed) = &mut self.killed
            && moment.now >= killed.at + FIRST_NAMING
            && asks_to_end(number)
            && !runs_out
        {
            if killed.insisted == Insisted::Once {
                return self.give_up(moment);
            }
            killed.insisted = Insisted::Once;
            moment.note(Note::SecondSignalGivesUp);
        }
        State::Stopping(self)
    }

    fn kill(&mut self, moment: &mut Moment<'_>) {
        moment.order(Action::Kill);
        self.killed.get_or_insert(Killed {
            at: moment.now,
            name_at: moment.now + FIRST_NAMING,
            insisted: Insisted::No,
        });
    }

    /// The lease is not given back: what is left of the tree has it until it runs out.
    fn give_up(self, moment: &mut Moment<'_>) -> State {
        moment.note(Note::GaveUp);
        Done::finish(moment, self.run, Outcome::NotShownDead)
    }
}

/// Whether a signal asks for the end, and not for something of the command's own.
#[must_use]
pub const fn asks_to_end(number: i32) -> bool {
    matches!(
        number,
        libc::SIGHUP | libc::SIGINT | libc::SIGQUIT | libc::SIGTERM
    )
}
