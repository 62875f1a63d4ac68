//! Which leases are looked at, and one look at them.

use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::clock::BootClock;
use crate::keeper::Keeper;
use crate::lease::{LeaseName, LeaseState, LeaseStore, Observation, StoreError};
use crate::registry::OpenError;

/// One request may take so long. Shorter, and a slow network looks like a dead store; longer, and a dead
/// one keeps an operator from looking elsewhere.
const ATTEMPT: Duration = Duration::from_secs(3);

/// Which leases are looked at: these names, and those that begin with the prefix.
#[derive(Clone, Debug)]
pub struct Selection {
    names: Vec<LeaseName>,
    prefix: Option<String>,
}

impl Selection {
    /// What was named; all leases when nothing was.
    #[must_use]
    pub fn new(mut names: Vec<LeaseName>, prefix: Option<String>) -> Self {
        names.sort();
        names.dedup();
        let everything = names.is_empty() && prefix.is_none();
        Self {
            names,
            prefix: if everything {
                Some(String::new())
            } else {
                prefix
            },
        }
    }

    pub(super) fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref()
    }
}

/// What was seen, by name.
#[derive(Debug, Default)]
pub struct Picture {
    /// The leases.
    pub seen: Vec<Observation>,
    /// Those that were named and could not be looked at.
    pub failed: Vec<(LeaseName, StoreError)>,
}

/// Opens the store without making it; `None` while there is nothing to look at.
pub type Opener = Box<dyn Fn() -> Result<Option<Arc<dyn LeaseStore>>, OpenError>>;

/// An onlooker's view of some leases of one store.
pub struct View {
    open: Opener,
    selection: Selection,
    keeper: Option<Keeper>,
    runtime: Rc<Runtime>,
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("View").field(&self.selection).finish()
    }
}

impl View {
    /// Of a store that is opened with the first look.
    ///
    /// # Errors
    /// No descriptor or memory to be had.
    pub fn new(open: Opener, selection: Selection) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self {
            open,
            selection,
            keeper: None,
            runtime: Rc::new(runtime),
        })
    }

    pub(super) fn runtime(&self) -> Rc<Runtime> {
        Rc::clone(&self.runtime)
    }

    fn keeper(&mut self) -> Result<Option<&Keeper>, OpenError> {
        if self.keeper.is_none() {
            let store = (self.open)()?;
            self.keeper = store.map(|store| Keeper::new(store, Arc::new(BootClock), ATTEMPT));
        }
        Ok(self.keeper.as_ref())
    }

    /// Looks once.
    ///
    /// # Errors
    /// The store's, when it cannot be asked at all.
    pub fn look(&mut self) -> Result<Picture, OpenError> {
        self.runtime().block_on(self.see())
    }

    pub(super) async fn see(&mut self) -> Result<Picture, OpenError> {
        let selection = self.selection.clone();
        let Some(keeper) = self.keeper()? else {
            return Ok(selection.untouched());
        };
        let mut picture = Picture::default();
        if let Some(prefix) = selection.prefix() {
            picture.seen = keeper.list(prefix).await?;
        }
        for name in selection.names {
            if picture.seen.iter().any(|seen| seen.name == name) {
                continue;
            }
            match keeper.observe(&name).await {
                Ok(seen) => picture.seen.push(seen),
                Err(error) => picture.failed.push((name, error)),
            }
        }
        picture.seen.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(picture)
    }

    /// Waits until there is something else to see than what was `seen`, at most `at_most`.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn wait(
        &mut self,
        seen: &[Observation],
        at_most: Duration,
    ) -> Result<(), OpenError> {
        /// How often it is asked whether there is a store by now: its first holder makes it.
        const IS_IT_THERE: Duration = Duration::from_secs(1);
        let prefix = self.selection.prefix.clone();
        match self.keeper()? {
            Some(keeper) => {
                let waited = keeper.wait_for_any_change(seen, prefix.as_deref(), at_most);
                Ok(waited.await?)
            }
            None => {
                tokio::time::sleep(at_most.min(IS_IT_THERE)).await;
                Ok(())
            }
        }
    }
}

impl Selection {
    /// The view of a store that is not there.
    fn untouched(self) -> Picture {
        let seen = self.names.into_iter().map(Observation::untouched);
        Picture {
            seen: seen.collect(),
            failed: Vec::new(),
        }
    }
}

/// Whether a lease exists: somebody had it once, or it is kept from everyone.
pub(super) fn exists(seen: &Observation) -> bool {
    seen.record.is_some() || seen.state != LeaseState::Free || seen.paused.is_some()
}
