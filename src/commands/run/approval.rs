//! `--ack-when-done`: the event that we have left for may begin, once nobody of this machine needs the time
//! that is left.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::driver::Driver;
use super::news::{News, Unapproved};
use super::notices::{self, LeaveFor};
use crate::notices::{NotApproved, Notice};
use crate::process::{Front, FrontEvent};
use crate::supervisor::{AskedBy, Outcome, asks_to_end};

/// From the first sight of the event on, others get so long to see it too. Without this, whoever was quick
/// approved before the others had said that they leave.
const OTHERS_SEE_IT: Duration = Duration::from_secs(2);
/// How long approving may take. The lease has been given back: nothing is lost but an early beginning.
const LONGEST: Duration = Duration::from_secs(10);

impl Driver<'_> {
    /// Approves the event, if that was asked for. Only after a release that the store has confirmed (P8).
    pub(super) async fn let_it_begin(&mut self, outcome: Outcome) {
        let plan = self.plan;
        let Some(leave_for) = plan.leave_for.as_ref().filter(|how| how.ack_when_done) else {
            return;
        };
        if outcome != Outcome::Asked(AskedBy::ScheduledEvent) {
            return;
        }
        // Without a hold there was nothing to give back, and nobody left for the event.
        if self.hold.is_none() {
            return;
        }
        // Nobody answered, or a signal ended the wait for the answer.
        let given_back = matches!(self.given_back, Some(Ok(())));
        let Some(event) = self.departure.cause().cloned() else {
            return;
        };
        if !self.departure.is_to_come(&event) {
            return;
        }
        let approved = if given_back {
            self.approve(&event).await
        } else {
            Err(Why::NotGivenBack)
        };
        match approved {
            Ok(true) => self.audience.hear(&News::Approved { event: &event }),
            Ok(false) => {}
            Err(why) => {
                let why = why.as_news(leave_for);
                self.audience
                    .hear(&News::NotApproved { event: &event, why });
            }
        }
    }

    /// Whether it was approved; it need not be, when it has begun or is gone meanwhile.
    async fn approve(&mut self, event: &Notice) -> Result<bool, Why> {
        if event.resources.len() != 1 {
            return Err(Why::OfOthersToo);
        }
        let seen_at = self.departure.seen_at(event).unwrap_or(self.began);
        let wait = (seen_at + OTHERS_SEE_IT).since(self.clock.now());
        if !self.listen_for(wait).await {
            return Err(Why::NotWaitedFor);
        }
        if !self.departure.is_to_come(event) {
            return Ok(false);
        }
        let Some(source) = &mut self.source else {
            return Ok(false);
        };
        if !source.has_left_last(&event.id) {
            return Err(Why::NotTheLast);
        }
        let ids = [event.id.clone()];
        tokio::select! {
            approved = timeout(LONGEST, source.approve(&ids)) => match approved {
                Ok(approved) => approved.map(|()| true).map_err(Why::Failed),
                Err(_) => Err(Why::Failed(NotApproved::Unanswered(
                    "no answer within 10s".to_owned(),
                ))),
            },
            () = told_to_end(&mut self.front) => {
                self.told_to_end = true;
                Err(Why::NotWaitedFor)
            }
        }
    }

    /// Goes on hearing of events for so long; whether no signal ended that.
    async fn listen_for(&mut self, span: Duration) -> bool {
        let over = sleep(span);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return true,
                news = notices::told(&mut self.source) => self.hear_of_the_machine(news),
                () = told_to_end(&mut self.front) => {
                    self.told_to_end = true;
                    return false;
                }
            }
        }
    }
}

/// Comes back when a signal asks us to end.
async fn told_to_end(front: &mut Front) {
    loop {
        match front.next().await {
            Ok(FrontEvent::Signal(heard)) if asks_to_end(heard.number) => return,
            Ok(_) => {}
            // Signals can no longer be read: nobody could end this.
            Err(_) => return,
        }
    }
}

/// Why it was not approved.
enum Why {
    OfOthersToo,
    NotTheLast,
    NotGivenBack,
    NotWaitedFor,
    Failed(NotApproved),
}

impl Why {
    const fn as_news<'a>(&'a self, how: &'a LeaveFor) -> Unapproved<'a> {
        match self {
            Self::OfOthersToo => Unapproved::OfOthersToo(&how.endpoint),
            Self::NotTheLast => Unapproved::NotTheLast,
            Self::NotGivenBack => Unapproved::NotGivenBack,
            Self::NotWaitedFor => Unapproved::NotWaitedFor,
            Self::Failed(why) => Unapproved::Failed(why),
        }
    }
}
