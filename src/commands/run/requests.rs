//! Requests to the store while everything else goes on, and what their answers mean to the
//! supervisor.

use std::pin::Pin;

use super::driver::Driver;
use super::news::News;
use super::onlooker::{self, Onlooker};
use crate::clock::{Instant, spread};
use crate::keeper::Keeper;
use crate::lease::{
    Attempt, Claim, Ending, Hold, Jump, LostWhy, Observation, Place, Reading, Refusal, Release,
    Renewal, ServerTime, StoreError,
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
            Answer::Renewed(Ok((asked_at, Renewal::Extended { server_time, asked }))) => {
                let jump = self.jump(asked_at, server_time);
                let rate = jump.map_or(1.0, |jump| jump.rate);
                self.renewed(asked_at, rate);
                if let Some(jump) = jump {
                    self.audience.hear(&News::ClockJump { jump });
                }
                if let Some(request) = asked {
                    self.hand_back.asked(request);
                }
                Event::Renewed { asked_at, rate }
            }
            Answer::Renewed(Ok((asked_at, Renewal::Lost { server_time, why }))) => {
                self.lost = true;
                let jump = self.jump(asked_at, server_time);
                let by_the_clock = why == LostWhy::Expired && jump.is_some_and(|it| it.forward);
                Event::RenewalLost(if by_the_clock {
                    LostWhy::ClockJump
                } else {
                    why
                })
            }
            Answer::Renewed(Err(error)) => {
                self.not_renewed(error);
                Event::RenewalUnanswered
            }
            Answer::Released(Ok(Release::Released | Release::AlreadyOver)) => {
                let (renewals, held) = (self.renewals, self.held());
                self.audience.hear(&News::Released { renewals, held });
                Event::Released { certain: true }
            }
            Answer::Released(Err(error)) => {
                self.release_error = Some(error);
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
        self.hold = Some(hold);
    }

    /// What the store's clock has done since the last renewal that two clocks of the same rate do not.
    fn jump(&mut self, asked_at: Instant, server_time: Option<ServerTime>) -> Option<Jump> {
        let reading = Reading {
            asked_at,
            heard_at: self.clock.now(),
            shown: server_time?,
        };
        let drift = self.plan.settings.timing.drift();
        self.server_clock.read(reading, drift)
    }

    fn renewed(&mut self, asked_at: Instant, rate: f64) {
        self.renewals += 1;
        self.unanswered = 0;
        self.last_renewed_at = self.clock.wall();
        // The answer moves the deadline, and the supervisor has not heard of it yet.
        let tenure = self.supervisor.tenure();
        let kill = tenure.map_or(Instant::NEVER, |tenure| {
            tenure.extended(asked_at, rate).kill()
        });
        let now = self.clock.now();
        self.audience.hear(&News::Renewed {
            renewals: self.renewals,
            took: now.since(asked_at),
            remaining: (kill != Instant::NEVER).then(|| kill.since(now)),
        });
    }

    fn not_renewed(&mut self, error: StoreError) {
        self.unanswered += 1;
        let remaining = self.until_stop();
        self.audience.hear(&News::RenewFailed {
            attempt: self.unanswered,
            error: &error,
            remaining,
            last_renewed_at: self.last_renewed_at,
        });
        self.last_error = Some(error);
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
