//! What reaches a hold without its having asked: that an operator wants it back, and that it is over.
//!
//! Where a store cannot tell, or listening fails, nothing is lost: the next renewal says the same.

use std::fmt;
use std::io;
use std::pin::Pin;

use super::driver::Driver;
use crate::keeper::Keeper;
use crate::lease::{Hold, HoldEvent, StopRequest, StoreError};
use crate::supervisor::Event;

/// What an operator wants of a hold.
#[derive(Default)]
pub(super) struct HandBack {
    listening: Option<Listening>,
    request: Option<StopRequest>,
    /// The supervisor knows.
    passed_on: bool,
}

type Listening = Pin<Box<dyn Future<Output = Result<HoldEvent, StoreError>>>>;

impl HandBack {
    /// Listens from now on.
    pub(super) fn listen(&mut self, keeper: Keeper, hold: Hold) {
        self.listening = Some(Box::pin(async move { keeper.hold_event(&hold).await }));
    }

    /// The first request counts: one graceful stop is enough.
    pub(super) fn asked(&mut self, request: StopRequest) {
        self.listening = None;
        self.request.get_or_insert(request);
    }

    /// Who asked, when, and why.
    pub(super) const fn request(&self) -> Option<&StopRequest> {
        self.request.as_ref()
    }

    pub(super) fn into_request(self) -> Option<StopRequest> {
        self.request
    }
}

impl fmt::Debug for HandBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandBack")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}

/// What the store tells of the hold; never, when nobody listens.
pub(super) async fn told(hand_back: &mut HandBack) -> HoldEvent {
    if let Some(listening) = &mut hand_back.listening {
        let told = listening.await;
        hand_back.listening = None;
        if let Ok(event) = told {
            return event;
        }
    }
    std::future::pending().await
}

impl Driver<'_> {
    pub(super) async fn hear_of_the_hold(&mut self, told: HoldEvent) -> io::Result<()> {
        self.hear_what_waits().await?;
        match told {
            HoldEvent::StopAsked(request) => {
                self.hand_back.asked(request);
                self.pass_the_request_on().await;
            }
            HoldEvent::Lost(why) => {
                self.lost = true;
                self.tell(Event::RenewalLost(why)).await;
            }
        }
        Ok(())
    }

    /// Tells the supervisor once.
    pub(super) async fn pass_the_request_on(&mut self) {
        if self.hand_back.request.is_some() && !self.hand_back.passed_on {
            self.hand_back.passed_on = true;
            self.tell(Event::StopAsked).await;
        }
    }
}
