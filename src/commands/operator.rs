//! A store as an operator's verbs use it: asked now, with a limit of seconds, on a runtime of one thread.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::clock::BootClock;
use crate::keeper::Keeper;
use crate::lease::{Asker, LeaseStore, StoreLabel};
use crate::process::identity;

/// One request may take so long. Shorter, and a slow network looks like a dead store; longer, and a dead
/// one keeps an operator from looking elsewhere.
const ATTEMPT: Duration = Duration::from_secs(3);

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

/// Who asks: the user and the host of this process.
#[must_use]
pub fn asker(reason: Option<String>) -> Asker {
    let holder = identity::holder(None);
    Asker {
        by: format!("{}@{}", holder.user, holder.host),
        reason,
    }
}
