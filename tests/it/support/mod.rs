//! What the tests stand on: a place to run leasectl in, and ways to look at what it left behind.

#[macro_use]
pub(crate) mod trial;
#[macro_use]
pub(crate) mod containment;

pub(crate) mod alone;
pub(crate) mod azurite;
pub(crate) mod events;
pub(crate) mod lab;
pub(crate) mod manager;
pub(crate) mod metadata;
pub(crate) mod needs;
pub(crate) mod network;
pub(crate) mod pattern;
pub(crate) mod processes;
pub(crate) mod proxy;
pub(crate) mod puppet;
pub(crate) mod random;
pub(crate) mod redis;
pub(crate) mod run;
pub(crate) mod source;
pub(crate) mod spoiler;
pub(crate) mod systemd;
pub(crate) mod times;
pub(crate) mod witness;

use libtest_mimic::Trial;

/// The tests of the tools themselves: a tool that sees nothing would make every test pass.
pub(crate) fn trials() -> Vec<Trial> {
    [
        azurite::trials(),
        events::trials(),
        lab::trials(),
        manager::trials(),
        metadata::tests::trials(),
        needs::trials(),
        network::trials(),
        pattern::trials(),
        processes::trials(),
        random::trials(),
        redis::trials(),
        puppet::trials(),
        source::trials(),
        witness::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
