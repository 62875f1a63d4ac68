//! leasectl on an Azurite: what a store on the leases of a service has beyond the promises of every store.

mod faults;
mod scene;
mod settings;
mod sign_in;
mod stranger;
mod verbs;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    let mut all = faults::trials();
    all.extend(settings::trials());
    all.extend(sign_in::trials());
    all.extend(stranger::trials());
    all.extend(verbs::trials());
    all
}
