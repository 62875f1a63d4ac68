//! The safety case of `leasectl run`, with real processes and real signals: whatever happens to front
//! or guardian, the whole command is gone before the lease can be somebody else's (P1 to P5, P9).
//!
//! Instants come from the boot clock; nothing waits for luck. What is measured is printed; what is
//! asserted leaves room for a busy machine, except where the promise itself is an instant.

mod both_killed;
mod containment;
mod front_frozen;
mod front_killed;
mod groups;
mod guardian_killed;
mod leftovers;
mod namespaces;
mod scene;
mod signals;
mod start;
mod stopping;
mod storms;
mod strangers;
mod systemd;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    [
        both_killed::trials(),
        containment::trials(),
        front_frozen::trials(),
        front_killed::trials(),
        groups::trials(),
        guardian_killed::trials(),
        leftovers::trials(),
        namespaces::trials(),
        signals::trials(),
        start::trials(),
        stopping::trials(),
        storms::trials(),
        strangers::trials(),
        systemd::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
