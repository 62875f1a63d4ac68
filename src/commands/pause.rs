//! `leasectl pause` and `resume`: keeping everyone out of a lease, and letting them in again.

use std::time::Duration;

use super::operator::Operator;
use crate::lease::{Ask, Asked, Asker, LeaseName, Observation, StoreError};

impl Operator {
    /// Keeps everyone out, and says what is to be seen then: a holder, perhaps, who is left alone.
    ///
    /// # Errors
    /// The store's.
    pub fn pause(
        &self,
        name: &LeaseName,
        lasts: Option<Duration>,
        asker: &Asker,
    ) -> Result<Observation, StoreError> {
        self.runtime.block_on(async {
            let _paused = self.keeper.ask(name, Ask::Pause { lasts }, asker).await?;
            self.keeper.observe(name).await
        })
    }

    /// Ends a pause and a minimum hold. `None`: there was neither; otherwise what was to be seen before.
    ///
    /// # Errors
    /// The store's.
    pub fn resume(
        &self,
        name: &LeaseName,
        asker: &Asker,
    ) -> Result<Option<Observation>, StoreError> {
        self.runtime.block_on(async {
            let before = self.keeper.observe(name).await?;
            let asked = self.keeper.ask(name, Ask::Resume, asker).await?;
            Ok((asked != Asked::AlreadySo).then_some(before))
        })
    }
}
