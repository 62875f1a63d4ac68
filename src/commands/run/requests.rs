//! Requests to the store while everything else goes on, and what their answers mean to the
//! supervisor.

use std::pin::Pin;

use super::driver::Driver;
use super::news::News;
use super::onlooker::{self, Onlooker};
use crate::clock::{Instant, spread};
use crate::keeper::Keeper;
use crate::lease::{
    Attempt, Claim, Ending, Hold, Observation, Place, Refusal, Release, Renewal, StoreError,
};
use crate::supervisor::{Event, Fatal};

/// A request on its way. There is never more than one.
pub(super) struct Request {
    answer: Pin<Box<dyn Future<Output = Answer>>>,
    /// Who looks on while we wait: gone as soon as the wait is over or given up.
    onlooker: Option<Onlooker>,
}

/// What came back.
#[derive(Debug)]
pub(super) enum Answer {
    Acquired(Result<(Instant, Attempt), StoreError>),
    Waited(Place, Result<(), StoreError>),
    Renewed(Result<(Instant, Renewal), StoreError>),
    Released(Result<Release, StoreError>),
    /// Of the claim before.
    Withdrawn(Result<(), StoreError>),
    /// No answer: somebody else holds now, while we go on waiting.
    Seen(Observation),
}

impl Request {
    fn new(answer: impl Future<Output = Answer> + 'static) -> Self {
        Self {
            answer: Box::pin(answer),
            onlooker: None,
        }
    }

    /// The same, with somebody who looks on.
    pub(super) fn watched_by(self, onlooker: Onlooker) -> Self {
        Self {
            onlooker: Some(onlooker),
            ..self
        }
    }
}

/// In place of an acquisition for which there is no owner.
pub(super) fn unable(error: StoreError) -> Request {
    Request::new(async move { Answer::Acquired(Err(error)) })
}

pub(super) fn acquire(keeper: Keeper, claim: Claim) -> Request {
    Request::new(async move { Answer::Acquired(keeper.acquire(&claim).await) })
}

pub(super) fn wait(
    keeper: Keeper,
    claim: Claim,
    mut place: Place,
    at_most: Option<std::time::Duration>,
) -> Request {
    Request::new(async move {
        let answer = keeper.wait(&claim, &mut place, at_most).await;
        Answer::Waited(place, answer)
    })
}

pub(super) fn renew(keeper: Keeper, hold: Hold) -> Request {
    Request::new(async move { Answer::Renewed(keeper.renew(&hold).await) })
}

pub(super) fn release(keeper: Keeper, hold: Hold, ending: Ending) -> Request {
    Request::new(async move { Answer::Released(keeper.release(&hold, &ending).await) })
}

/// Frees what the store may believe that an earlier claim has.
pub(super) fn withdraw(keeper: Keeper, former: Claim) -> Request {
    Request::new(async move { Answer::Withdrawn(keeper.withdraw(&former).await) })
}

/// Waits for the answer of the request on its way; for ever when there is none.
pub(super) async fn answer(request: &mut Option<Request>) -> Answer {
    let Some(on_its_way) = request else {
        return std::future::pending().await;
    };
    let answer = tokio::select! {
        // The answer comes first: what is seen beside it is only for people.
        biased;
        answer = &mut on_its_way.answer => answer,
        seen = onlooker::sees(&mut on_its_way.onlooker) => return Answer::Seen(seen),
    };
    *request = None;
    answer
}

impl Driver<'_> {
    /// Turns an answer into the supervisor's words, and keeps what only we can keep: the hold, the
    /// place in the queue, the last error.
    pub(super) fn understand(&mut self, answer: Answer) -> Option<Event> {
        Some(match answer {
            Answer::Seen(by) => {
                self.seen(by);
                return None;
            }
            Answer::Acquired(Ok((asked_at, Attempt::Granted(hold)))) => {
                let ttl = hold.ttl;
                self.granted(hold);
                Event::Granted { asked_at, ttl }
            }
            Answer::Acquired(Ok((_, Attempt::Refused(refusal)))) => self.refused(refusal),
            Answer::Acquired(Err(error)) => {
                self.claim.unanswered |= error.may_have_happened();
                self.failed(error)
            }
            Answer::Waited(place, Ok(())) => {
                self.place = place;
                Event::LookAgain
            }
            Answer::Waited(place, Err(error)) => {
                self.place = place;
                self.failed(error)
            }
            Answer::Renewed(answer) => self.renewal_answered(answer),
            Answer::Withdrawn(answer) => {
                self.former = self.former.take().filter(|_| answer.is_err());
                // If that was in vain, what is asked for now is refused, or says why.
                let claim = self.claim.clone();
                self.request = Some(acquire(self.keeper.clone(), claim));
                return None;
            }
            Answer::Released(Ok(Release::Released | Release::AlreadyOver)) => {
                let (renewals, held) = (self.renewals, self.held());
                self.audience.hear(&News::Released { renewals, held });
                self.given_back = Some(Ok(()));
                Event::Released { certain: true }
            }
            Answer::Released(Err(error)) => {
                self.given_back = Some(Err(error));
                Event::Released { certain: false }
            }
        })
    }

    fn granted(&mut self, hold: Hold) {
        self.acquired_at = self.clock.now();
        self.last_renewed_at = self.clock.wall();
        self.audience.hear(&News::Acquired {
            lease: &self.plan.lease,
            store: self.plan.store.label(),
            token: hold.token,
            ttl: hold.ttl,
            waited: self.clock.now().since(self.began),
        });
        self.hand_back.listen(self.keeper.clone(), hold.clone());
        // One hold at a time: that of the claim before is over.
        self.former = None;
        self.hold = Some(hold);
    }

    /// How long the lease has been ours.
    pub(super) fn held(&self) -> std::time::Duration {
        self.clock.now().since(self.acquired_at)
    }

    fn refused(&mut self, refusal: Refusal) -> Event {
        let Refusal {
            why,
            by,
            look_again,
            place,
        } = refusal;
        self.place = place;
        self.refused_by = Some(by);
        self.refused_why = Some(why);
        Event::Refused { why, look_again }
    }

    fn failed(&mut self, error: StoreError) -> Event {
        let event = match &error {
            StoreError::Unreachable { effect, .. } => Event::AttemptUnanswered {
                effect: *effect,
                spread: spread(0.2),
            },
            StoreError::Denied { .. } => Event::AttemptFailed(Fatal::Denied),
            StoreError::Misconfigured { .. } => Event::AttemptFailed(Fatal::Misconfigured),
            StoreError::Garbled { .. } => Event::AttemptFailed(Fatal::Garbled),
        };
        self.last_error = Some(error);
        event
    }
}
