//! What each order of the supervisor means in the world.

use super::asked::HandBack;
use super::departure::Departure;
use super::driver::{Driver, claim};
use super::news::{Asked, News};
use super::requests::{self, Request};
use crate::clock::Instant;
use crate::lease::{Ending, Place, StoreError};
use crate::process::name_of;
use crate::supervisor::{
    Action, AskedBy, CommandEnd, Deadline, LossReason, Note, Outcome, StopWhy,
};

impl Driver<'_> {
    pub(super) async fn perform(&mut self, action: Action) {
        match action {
            Action::Acquire { anew } => self.request = Some(self.acquisition(anew)),
            Action::Wait { at_most } => self.wait(at_most),
            Action::Withdraw => self.withdraw().await,
            Action::Arm(deadline) => self.arm(deadline),
            Action::Prepare => self.prepare(),
            Action::Start => {
                if let Some(hold) = &self.hold {
                    self.start_ordered = true;
                    self.front.go(hold.token.get());
                }
            }
            Action::Renew => {
                if let Some(hold) = self.hold.clone() {
                    self.request = Some(requests::renew(self.keeper.clone(), hold));
                }
            }
            Action::Forward(number) => self.front.forward(number),
            Action::Stop { why, grace } => self.stop(why, grace),
            Action::Kill => self.kill(),
            Action::NameLeftovers => {
                let left = self.front.survivors();
                let of_hook = !self.start_ordered || self.is_hold();
                let left = left.as_slice();
                self.audience.hear(&News::Leftovers { left, of_hook });
            }
            Action::NameSurvivors => {
                let mut left = self.front.survivors();
                left.extend(self.front.charge());
                let held = !self.lost;
                self.audience.hear(&News::Survivors { left: &left, held });
            }
            Action::LetGo => {
                self.guardian_until = Instant::NEVER;
                self.front.let_go();
            }
            Action::Release(outcome) => self.release(outcome),
            Action::Note(note) => self.note(note),
            Action::Finish(outcome) => self.finish(outcome),
        }
    }

    fn finish(&mut self, outcome: Outcome) {
        self.end_is(outcome);
        if let (None, Some(event)) = (self.hold.as_ref(), self.departure.cause())
            && outcome == Outcome::Asked(AskedBy::ScheduledEvent)
        {
            self.audience.hear(&News::HeldBack { event });
        }
        if let Outcome::Refused(why) = outcome {
            let by = self.refused_by.as_ref();
            self.audience.hear(&News::Refused { why, by });
        }
        if outcome.lost_the_lease()
            && let Some(due) = self.audience.lost.take()
        {
            self.audience.due.push(due);
        }
        self.finished = Some(outcome);
    }

    /// The outcome is known: before the release when there is one.
    fn end_is(&mut self, outcome: Outcome) {
        let first = self.outcome.replace(outcome).is_none();
        let why = LossReason::NotRenewed;
        if first && outcome == (Outcome::Lost { why }) {
            let last_renewed_at = self.last_renewed_at;
            self.audience.hear(&News::NotRenewed { last_renewed_at });
        }
    }

    fn acquisition(&mut self, anew: bool) -> Request {
        let confirmed = matches!(self.given_back, Some(Ok(())));
        // What came too late to start is no hold of ours any more, and says nothing of the next.
        (self.hold, self.given_back) = (None, None);
        if anew {
            self.place = Place::default();
            match claim(self.plan) {
                Ok(claim) => {
                    let former = std::mem::replace(&mut self.claim, claim);
                    self.former = Some(former).filter(|_| !confirmed);
                }
                // Without randomness there is nobody to ask as.
                Err(error) => {
                    return requests::unable(StoreError::Misconfigured {
                        store: self.plan.store.label().clone(),
                        cause: error.into(),
                    });
                }
            }
        }
        match &self.former {
            Some(former) => requests::withdraw(self.keeper.clone(), former.clone()),
            None => requests::acquire(self.keeper.clone(), self.claim.clone()),
        }
    }

    fn wait(&mut self, at_most: Option<std::time::Duration>) {
        if let Some((why, by)) = self.refused_why.zip(self.refused_by.as_ref()) {
            self.audience.hear(&News::Waiting { why, by });
        }
        let place = std::mem::take(&mut self.place);
        let keeper = self.keeper.clone();
        self.request = Some(requests::wait(keeper, self.claim.clone(), place, at_most));
        self.look_on();
    }

    /// Frees what the store may believe we have. Its failure changes nothing: the store's own expiry
    /// does the same, later.
    async fn withdraw(&mut self) {
        self.request = None;
        self.place = Place::default();
        let former = async {
            match &self.former {
                Some(former) => self.keeper.withdraw(former).await,
                None => Ok(()),
            }
        };
        let (ours, former) = tokio::join!(self.keeper.withdraw(&self.claim), former);
        if let Err(error) = ours.and(former) {
            self.last_error.get_or_insert(error);
        }
    }

    fn arm(&mut self, deadline: Deadline) {
        // The tree carries the lock from its birth on: the guardian needs it once.
        let unborn = self.started_at.is_none();
        let lock = self
            .hold
            .as_ref()
            .and_then(|hold| hold.lock.as_deref())
            .filter(|_| unborn);
        self.front.arm(deadline.stop, deadline.kill, lock);
        // A quarter of the margin after the lease's kill instant the tree is gone, or the guardian is
        // stuck.
        let kill = self
            .supervisor
            .tenure()
            .map_or(deadline.kill, |tenure| tenure.kill());
        self.guardian_until = kill + self.plan.settings.timing.margin() / 4;
    }

    fn stop(&mut self, why: StopWhy, grace: std::time::Duration) {
        self.ran_out_stopped |= self.paused && why == StopWhy::NotRenewed;
        let kill_in = self.kill_in(grace);
        let asked = reason(&self.hand_back, self.departure, why);
        self.audience.hear(&News::Stopping {
            why,
            kill_in,
            asked,
        });
        self.front.stop(grace);
    }

    /// So long until SIGKILL when the stop signal is sent now; zero when we come too late to tell.
    fn kill_in(&self, grace: std::time::Duration) -> std::time::Duration {
        if self.ran_out_stopped {
            return std::time::Duration::ZERO;
        }
        let now = self.clock.now();
        let tenure = self.supervisor.tenure();
        grace.min(tenure.map_or(grace, |tenure| tenure.kill().since(now)))
    }

    /// Told only afterwards: a disk may take its time over a line (P11).
    fn kill(&mut self) {
        if self.lost {
            // Another may already run: a guardian that is stuck costs us its chance at once.
            let limit = self.clock.now() + self.plan.settings.timing.margin() / 4;
            self.guardian_until = self.guardian_until.min(limit);
        }
        self.front.kill();
        let why = self.supervisor.stop_why().unwrap_or(StopWhy::Internal);
        let asked = reason(&self.hand_back, self.departure, why);
        self.audience.hear(&News::Killing { why, asked });
    }

    fn release(&mut self, outcome: Outcome) {
        let Some(hold) = self.hold.clone() else {
            return;
        };
        self.end_is(outcome);
        let ending = self.ending(outcome);
        self.request = Some(requests::release(self.keeper.clone(), hold, ending));
    }

    fn ending(&self, outcome: Outcome) -> Ending {
        let (exit_code, signal) = match self.command_end() {
            Some(CommandEnd::Exited(code)) => (Some(code), None),
            Some(CommandEnd::Killed(number)) => (None, Some(name_of(number))),
            None => (None, None),
        };
        let handed_over = outcome == Outcome::Asked(AskedBy::Operator);
        let asked = self.hand_back.request().filter(|_| handed_over);
        let ended_at = self.ended_at.unwrap_or_else(|| self.clock.now());
        Ending {
            outcome: outcome.word(),
            exit_code,
            signal,
            ran: self.started_at.map(|started| ended_at.since(started)),
            renewals: self.renewals,
            by: asked.map(|asked| asked.asker.by.clone()),
            reason: asked.and_then(|asked| asked.asker.reason.clone()),
        }
    }

    fn note(&mut self, note: Note) {
        let error = self.last_error.as_ref();
        let last_renewed_at = self.last_renewed_at;
        let news = match note {
            Note::StoreSilent => News::StoreSilent { error },
            Note::TooLate => News::TooLate,
            Note::Doubt { stop } => News::Doubt {
                remaining: stop.since(self.clock.now()),
            },
            Note::DoubtEnded => News::DoubtEnded,
            Note::Lost(why) => News::Lost {
                why,
                last_renewed_at,
            },
            Note::StoppedByGuardian => {
                self.ran_out_stopped |= self.paused;
                News::Stopping {
                    why: StopWhy::NotRenewed,
                    kill_in: self.kill_in(self.plan.settings.timing.expiry_grace()),
                    asked: None,
                }
            }
            Note::SecondSignalGivesUp => News::SecondSignalGivesUp,
            Note::GaveUp => News::GaveUp,
            Note::ReleaseUncertain => News::ReleaseUncertain {
                error: self
                    .given_back
                    .as_ref()
                    .and_then(|said| said.as_ref().err()),
                renewals: self.renewals,
                held: self.held(),
            },
        };
        self.audience.hear(&news);
    }
}

/// Who or what the command is being stopped for.
fn reason<'a>(
    hand_back: &'a HandBack,
    departure: &'a Departure,
    why: StopWhy,
) -> Option<Asked<'a>> {
    match why {
        StopWhy::Operator => hand_back.request().map(Asked::Operator),
        StopWhy::ScheduledEvent => departure.cause().map(Asked::Event),
        _ => None,
    }
}
