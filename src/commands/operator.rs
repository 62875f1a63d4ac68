//! A store as an operator's verbs use it: asked now, with a limit of seconds, on a runtime of one thread.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, sleep};

use crate::clock::BootClock;
use crate::keeper::Keeper;
use crate::lease::{Ask, Asked, Asker, Effect, LeaseName, LeaseStore, StoreError, StoreLabel};
use crate::process::identity;

/// One request may take so long. Shorter, and a slow network looks like a dead store; longer, and a dead
/// one keeps an operator from looking elsewhere.
const ATTEMPT: Duration = Duration::from_secs(3);

/// How long, and how often, a request is made again that certainly was not carried out.
const AGAIN_FOR: Duration = Duration::from_secs(1);
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// An operator at a store.
#[derive(Debug)]
pub struct Operator {
    pub(super) keeper: Keeper,
    pub(super) runtime: Runtime,
    label: StoreLabel,
}

impl Operator {
    /// At this store.
    ///
    /// # Errors
    /// No descriptor or memory to be had.
    pub fn at(store: Arc<dyn LeaseStore>) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let label = store.label().clone();
        let keeper = Keeper::new(store, Arc::new(BootClock), ATTEMPT);
        Ok(Self {
            keeper,
            runtime,
            label,
        })
    }

    /// The store's, printable.
    #[must_use]
    pub const fn label(&self) -> &StoreLabel {
        &self.label
    }
}

impl Operator {
    /// Asks, and asks again for a moment where it is certain that nothing was done: two operators may be
    /// writing at once.
    ///
    /// # Errors
    /// The store's last.
    pub(super) async fn ask(
        &self,
        name: &LeaseName,
        what: Ask,
        asker: &Asker,
    ) -> Result<Asked, StoreError> {
        let began = Instant::now();
        loop {
            let asked = self.keeper.ask(name, what, asker).await;
            let again = matches!(
                asked,
                Err(StoreError::Unreachable {
                    effect: Effect::None,
                    ..
                })
            );
            if !again || began.elapsed() >= AGAIN_FOR {
                return asked;
            }
            sleep(AGAIN_AFTER).await;
        }
    }
}

/// Who asks: the user and the host of this process.
#[must_use]
pub fn asker(reason: Option<String>) -> Asker {
    let holder = identity::holder(None);
    Asker {
        by: format!("{}@{}", holder.user, holder.host),
        reason,
    }
}
