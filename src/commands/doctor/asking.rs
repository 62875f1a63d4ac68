//! The live check of what an operator asks of a holder.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::finding::{Failure, Finding};
use super::live::{Examination, TOLD, Tried, short};
use crate::commands::operator::asker;
use crate::lease::{Ask, Asked, Change, Hold, HoldEvent, Renewal};

/// A holder that holds for so long listens on every store.
const LISTENS: Duration = Duration::from_millis(200);

impl Examination<'_> {
    /// An operator's request: pushed, or with the next renewal.
    pub(super) async fn ask(&mut self, hold: &Hold) -> Tried<()> {
        const WHAT: &str = "ask";
        let event = async {
            let event = timeout(LISTENS + TOLD, self.keeper.hold_event(hold)).await;
            (event, Instant::now())
        };
        let asked = async {
            sleep(LISTENS).await;
            let began = Instant::now();
            let asked = self.keeper.ask(&self.name, Ask::Stop, &asker(None)).await;
            (asked, began)
        };
        let ((event, told), (asked, began)) = tokio::join!(event, asked);
        match asked.map_err(|error| Failure::Store(WHAT, error))? {
            Asked::Told(token) if token == hold.token => {}
            other => {
                let why = format!("the holder is not asked ({other:?})");
                return Err(Failure::Broken(WHAT, why));
            }
        }
        match event {
            Ok(Ok(HoldEvent::StopAsked(_))) => {
                let took = short(told.saturating_duration_since(began));
                self.good(
                    WHAT,
                    format!("an operator's request reaches the holder after {took}"),
                );
            }
            Ok(Ok(HoldEvent::Lost(why))) => {
                let why = format!("the lease was lost ({}) when it was asked for", why.word());
                return Err(Failure::Broken(WHAT, why));
            }
            Ok(Err(_)) | Err(_) => self.hears_with_its_renewal(hold).await?,
        }
        Ok(())
    }

    async fn hears_with_its_renewal(&mut self, hold: &Hold) -> Tried<()> {
        const WHAT: &str = "ask";
        match self.keeper.renew(hold).await {
            Ok((_, Renewal::Extended { asked: Some(_), .. })) => {
                let seen =
                    "an operator's request reaches the holder with its next renewal".to_owned();
                (self.found)(if self.store.promises().change == Change::Pushed {
                    Finding::weak(WHAT, format!("{seen} only, though this store can push it"))
                } else {
                    Finding::good(WHAT, seen)
                });
                Ok(())
            }
            Ok(_) => Err(Failure::Broken(
                WHAT,
                "an operator's request does not reach the holder".to_owned(),
            )),
            Err(error) => Err(Failure::Store(WHAT, error)),
        }
    }
}
