//! What only the token protects from, because of what befell the server: told apart from other overlaps, and no
//! further than it goes.

use crate::judge::{History, REMEMBERED};

/// A hold that ended at the server before its time, by a fault that is outside the assumptions. Only the token
/// protects then, and only for as long as the holder may not know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lapse {
    pub(crate) lease: u64,
    pub(crate) token: u64,
    pub(crate) from: u64,
    pub(crate) until: u64,
    /// The clock was set forward; otherwise the server was emptied in the first moments of a grant.
    pub(crate) stepped: bool,
}

impl History {
    pub(crate) fn explain(&mut self, lease: u64, contender: u64) {
        if let Some(run) = self.run(lease, contender) {
            run.explained = true;
        }
    }

    /// What befell the server explains that this hold was not the only one at that time.
    pub(crate) fn lapse(&self, lease: u64, token: u64, at: u64) -> Option<Lapse> {
        let mut lapses = self.lapses.iter();
        let during = |lapse: &&Lapse| (lapse.from..lapse.until).contains(&at);
        lapses
            .find(|lapse| (lapse.lease, lapse.token) == (lease, token) && during(lapse))
            .copied()
    }

    /// A hold has ended at the server, and its holder may not know for a while.
    pub(crate) fn has_lapsed(&mut self, lapse: Lapse) {
        self.lapses
            .retain(|old| old.until + REMEMBERED > lapse.from);
        self.lapses.push(lapse);
    }
}
