//! A machine's end of the line to the store: the real keeper asks here, and what it asks goes on the network.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use leasectl::lease::{
    self, Asked, Asker, Attempt, Claim, Ending, Expiry, Fencing, FencingToken, Hold, HoldEvent,
    LARGEST_TTL, LeaseName, LeaseStore, LostWhy, Observation, Place, Promises, Refusal, RefusedWhy,
    Release, Renewal, Revoked, SMALLEST_TTL, StoreError, StoreLabel,
};

use crate::server::{Answer, Ask};

/// Requests that wait to be sent, and answers that have arrived.
#[derive(Debug, Default)]
pub(crate) struct Mail {
    pub(crate) outbox: Vec<(u64, Ask)>,
    pub(crate) answers: HashMap<u64, Answer>,
    /// The request whose answer is waited for.
    pub(crate) current: Option<(u64, Ask)>,
    /// Earlier copies of it, which the client has sent by itself.
    pub(crate) copies: Vec<u64>,
    last: u64,
}

#[derive(Debug)]
pub(crate) struct Link {
    label: StoreLabel,
    pub(crate) mail: Arc<Mutex<Mail>>,
}

impl Link {
    pub(crate) fn new() -> Self {
        Self {
            label: StoreLabel::new("simulation:".to_owned()),
            mail: Arc::default(),
        }
    }

    async fn send(&self, ask: Ask) -> Answer {
        let id = {
            let mut mail = self.mail.lock().unwrap();
            mail.last += 1;
            let id = mail.last;
            mail.outbox.push((id, ask));
            if mail.current.is_none_or(|(_, before)| before != ask) {
                mail.copies.clear();
            }
            mail.current = Some((id, ask));
            id
        };
        poll_fn(|_| {
            let answer = self.mail.lock().unwrap().answers.remove(&id);
            answer.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

fn nonsense(answer: Answer) -> ! {
    panic!("the store answered something else than it was asked: {answer:?}")
}

#[async_trait]
impl LeaseStore for Link {
    fn label(&self) -> &StoreLabel {
        &self.label
    }

    fn promises(&self) -> Promises {
        Promises {
            shortest_ttl: SMALLEST_TTL,
            longest_ttl: LARGEST_TTL,
            fencing: Fencing::ThisProcess,
            expiry: Expiry::StoreClock,
            change: lease::Change::Polled,
            onlookers: lease::Change::Polled,
            broken_by: &[],
        }
    }

    async fn try_acquire(&self, claim: &Claim) -> Result<Attempt, StoreError> {
        Ok(match self.send(Ask::Acquire(claim.owner)).await {
            Answer::Granted(token) => Attempt::Granted(Hold {
                name: claim.name.clone(),
                owner: claim.owner,
                token: FencingToken::new(token).unwrap(),
                ttl: Some(claim.ttl),
                lock: None,
            }),
            Answer::Refused(rest) => Attempt::Refused(Refusal {
                why: RefusedWhy::Held,
                by: Observation::untouched(claim.name.clone()),
                look_again: Some(rest),
                place: Place::default(),
            }),
            other => nonsense(other),
        })
    }

    async fn renew(&self, hold: &Hold) -> Result<Renewal, StoreError> {
        Ok(
            match self.send(Ask::Renew(hold.owner, hold.token.get())).await {
                Answer::Extended => Renewal::EXTENDED,
                Answer::Lost => Renewal::lost(LostWhy::Expired),
                other => nonsense(other),
            },
        )
    }

    async fn release(&self, hold: &Hold, _: &Ending) -> Result<Release, StoreError> {
        let ask = Ask::Release(hold.owner, hold.token.get());
        match self.send(ask).await {
            Answer::Done => Ok(Release::Released),
            other => nonsense(other),
        }
    }

    async fn withdraw(&self, claim: &Claim) -> Result<(), StoreError> {
        self.send(Ask::Withdraw(claim.owner)).await;
        Ok(())
    }

    async fn wait_for_turn(&self, _: &Claim, _: &mut Place, _: Duration) -> Result<(), StoreError> {
        unreachable!("the world wakes who waits")
    }

    async fn hold_event(&self, _: &Hold) -> Result<HoldEvent, StoreError> {
        unreachable!()
    }

    async fn observe(&self, _: &LeaseName) -> Result<Observation, StoreError> {
        unreachable!()
    }

    async fn list(&self, _: &str) -> Result<Vec<Observation>, StoreError> {
        unreachable!()
    }

    async fn wait_for_change(&self, _: &Observation, _: Duration) -> Result<(), StoreError> {
        unreachable!()
    }

    async fn wait_for_any_change(
        &self,
        _: &[Observation],
        _: Option<&str>,
        _: Duration,
    ) -> Result<(), StoreError> {
        unreachable!()
    }

    async fn ask(&self, _: &LeaseName, _: lease::Ask, _: &Asker) -> Result<Asked, StoreError> {
        unreachable!()
    }

    async fn forget(&self, _: &LeaseName) -> Result<(), StoreError> {
        unreachable!()
    }

    async fn revoke(
        &self,
        _: &LeaseName,
        _: FencingToken,
        _: &Asker,
    ) -> Result<Revoked, StoreError> {
        unreachable!()
    }
}
