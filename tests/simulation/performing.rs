//! What the supervisor's orders do to a machine, and what happens to it from outside.

use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use leasectl::clock::Clock;
use leasectl::lease::{Release, Tenure};
use leasectl::supervisor::{Action, CommandEnd, Deadline, Event, Outcome};

use crate::machine::{Kind, Machine, NEVER, Reply, SLOWEST_KILL};
use crate::mutant::Mutant;
use crate::random::{Random, nanos};
use crate::scene::ending;
use crate::tally::Tally;

impl Machine {
    /// The first poll sends; nothing can have been answered yet.
    fn ask(&mut self, kind: Kind, mut future: Pin<Box<dyn Future<Output = Reply>>>) {
        let limit = self.clock.now() + self.settings.timing.attempt();
        let mut context = Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(&mut context).is_pending());
        self.request = Some((kind, future, limit));
    }

    pub(crate) fn perform(
        &mut self,
        action: Action,
        now: u64,
        dice: &mut Random,
        tally: &mut Tally,
    ) {
        if action == (Action::Acquire { anew: true }) {
            self.claim_anew();
        }
        let (keeper, claim) = (self.keeper.clone(), self.claim.clone());
        let local = self.clock.now();
        match action {
            Action::Acquire { .. } => self.ask(
                Kind::Acquire,
                Box::pin(async move {
                    match keeper.acquire(&claim).await {
                        Ok((at, attempt)) => Reply::Acquired(at, Box::new(attempt)),
                        Err(_) => Reply::Nothing,
                    }
                }),
            ),
            Action::Renew => {
                self.link.mail.lock().unwrap().copies.clear();
                self.renew();
            }
            Action::Release(_) => self.release(),
            Action::Wait { at_most } => {
                let longest = at_most
                    .unwrap_or(Duration::MAX)
                    .min(Duration::from_millis(700));
                self.look_again_at = now + nanos(longest) / 2 + dice.span(longest / 2);
            }
            Action::Withdraw => self.withdraw(),
            Action::Arm(deadline) => self.arm(deadline),
            Action::Start => self.start(now, dice),
            Action::Stop { grace, .. } if self.guardian.stop(local, grace) => {
                self.stop_signal(now, grace, dice);
            }
            Action::Kill if self.undone() => {}
            Action::Kill => {
                self.guardian.kill();
                self.kill_tree(now, dice);
            }
            Action::Finish(outcome) => self.finish(outcome, now, dice, tally),
            _ => {}
        }
    }

    /// It is sent, and nobody waits for what becomes of it.
    fn withdraw(&mut self) {
        let (keeper, claim) = (self.keeper.clone(), self.claim.clone());
        self.request = None;
        let mut withdrawal = Box::pin(async move { keeper.withdraw(&claim).await });
        let mut context = Context::from_waker(Waker::noop());
        assert!(withdrawal.as_mut().poll(&mut context).is_pending());
    }

    fn arm(&mut self, deadline: Deadline) {
        let tenure = self.supervisor.tenure();
        self.guardian.arm(match tenure {
            Some(tenure) if self.undone() => Deadline {
                stop: tenure.stop(),
                kill: tenure.kill(),
            },
            _ => deadline,
        });
    }

    /// The mistake is to take the lease's new end for a reason to go on.
    fn undone(&self) -> bool {
        let regained = |tenure: Tenure| tenure.stop() > self.clock.now();
        self.mutant == Some(Mutant::StoppingUndone)
            && self.supervisor.tenure().is_some_and(regained)
    }

    /// The mistake is to repeat a renewal where nobody sees it, and to count from the last copy.
    pub(crate) fn repeats_by_itself(&mut self, kind: Kind) -> bool {
        /// As clients do if nobody tells them otherwise.
        const COPIES: usize = 3;
        if self.mutant != Some(Mutant::ClientRetries) || kind != Kind::Renew || self.hold.is_none()
        {
            return false;
        }
        {
            let mut mail = self.link.mail.lock().unwrap();
            let Some((id, _)) = mail.current.filter(|_| mail.copies.len() < COPIES) else {
                return false;
            };
            mail.copies.push(id);
        }
        self.renew();
        true
    }

    fn renew(&mut self) {
        let (keeper, hold) = (self.keeper.clone(), self.hold.clone().unwrap());
        self.ask(
            Kind::Renew,
            Box::pin(async move {
                match keeper.renew(&hold).await {
                    Ok((at, renewal)) => Reply::Renewed(at, renewal),
                    Err(_) => Reply::Nothing,
                }
            }),
        );
    }

    fn release(&mut self) {
        let Some(hold) = self.hold.clone() else {
            return;
        };
        let keeper = self.keeper.clone();
        self.ask(
            Kind::Release,
            Box::pin(async move {
                match keeper.release(&hold, &ending()).await {
                    Ok(Release::Released | Release::AlreadyOver) => Reply::Released,
                    Err(_) => Reply::Nothing,
                }
            }),
        );
    }

    fn start(&mut self, now: u64, dice: &mut Random) {
        if self.guardian.start(self.clock.now()) {
            self.ends_at = now + dice.span(self.longest_run);
            self.stopped_by = NEVER;
            self.inbox.push_back(Event::CommandStarted { pid: 7 });
        } else {
            let errno = 62;
            self.inbox.push_back(Event::CommandNotStarted { errno });
            self.inbox.push_back(Event::TreeEmpty);
        }
    }

    /// The command heeds it at once, after a while, or not at all.
    pub(crate) fn stop_signal(&mut self, now: u64, grace: Duration, dice: &mut Random) {
        let ends_by = now + self.pace.lasts(nanos(grace)) + nanos(SLOWEST_KILL * 2);
        self.stopped_by = self.stopped_by.min(ends_by);
        let heeds = dice.below(3);
        if heeds < 2 {
            let after = dice.span(self.settings.timing.expiry_grace()) * heeds;
            self.ends_at = self.ends_at.min(now + after);
        } else {
            self.ends_at = NEVER;
        }
        if self.mutant == Some(Mutant::ReleasedBeforeEmpty) && self.running {
            self.release();
        }
    }

    pub(crate) fn kill_tree(&mut self, now: u64, dice: &mut Random) {
        let dies_at = now + dice.span(SLOWEST_KILL);
        if self.mutant == Some(Mutant::KillsOnlyTheCommand) && self.guardian.alive {
            self.ends_tree_late = now + nanos(self.settings.timing.ttl() * 2);
            self.ends_at = self.ends_tree_late;
            self.inbox.push_back(Event::TreeEmpty);
        } else {
            self.ends_at = self.ends_at.min(dies_at);
        }
        if !self.guardian.alive {
            self.inbox.push_back(Event::TreeEmpty);
        }
    }

    pub(crate) fn tree_ended(&mut self, now: u64) {
        self.guardian.alive = false;
        if now != self.ends_tree_late {
            let end = CommandEnd::Exited(0);
            self.inbox.push_back(Event::CommandExited(end));
        }
        self.inbox.push_back(Event::TreeEmpty);
        self.ends_at = NEVER;
    }

    fn finish(&mut self, outcome: Outcome, now: u64, dice: &mut Random, tally: &mut Tally) {
        tally.finished(outcome);
        self.rest(now + dice.span(Duration::from_millis(500)));
    }

    /// No front, until then.
    fn rest(&mut self, until: u64) {
        self.running = false;
        self.request = None;
        self.look_again_at = NEVER;
        self.begins_at = until;
    }

    /// SIGKILL of the front.
    pub(crate) fn lose_front(&mut self, now: u64, until: u64, dice: &mut Random) {
        self.rest(until);
        if self.guardian.lose_front(self.clock.now()) {
            self.stop_signal(now, self.settings.timing.expiry_grace(), dice);
        }
    }

    /// The power fails.
    pub(crate) fn crash(&mut self, until: u64) {
        self.guardian.alive = false;
        self.ends_at = NEVER;
        self.rest(until);
    }

    pub(crate) fn sleep(&mut self, now: u64, until: u64) {
        self.asleep_until = until;
        if self.mutant == Some(Mutant::ClockStopsInSuspend) {
            self.pace.stand_still(now, until);
        }
    }
}
