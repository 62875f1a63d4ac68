//! The keys and channels of a lease; pure.
//!
//! The hash tag is one of 16 shards and not the name: so the index can be written by the same script that
//! creates the lease, in a cluster too, and a list needs neither KEYS nor SCAN.

use super::cluster;
use crate::lease::{LeaseName, OwnerId};

/// Fixed for records of version 1: another number would lose every lease.
pub(super) const SHARDS: u32 = 16;

/// What a lease is called on the server.
#[derive(Debug)]
pub(super) struct Keys {
    /// The hash with the lease and its record.
    pub(super) lease: Vec<u8>,
    /// The sorted set of those who wait.
    pub(super) queue: Vec<u8>,
    /// The sorted set of all names of the shard.
    pub(super) index: Vec<u8>,
    /// The channel that holders listen on. Whoever listens there counts as one.
    pub(super) holders: Vec<u8>,
    /// What the channel of each waiter begins with.
    pub(super) waiters: Vec<u8>,
    /// Where all of them are in a cluster.
    pub(super) slot: u16,
    /// Whether they are in a cluster, where a channel belongs to a slot.
    pub(super) sharded: bool,
}

impl Keys {
    pub(super) fn of(prefix: &str, name: &LeaseName) -> Self {
        let shard = fnv(name.as_str().as_bytes()) % SHARDS;
        let key = |kind: &str| format!("{}:{kind}:{name}", tag(prefix, shard)).into_bytes();
        Self {
            lease: key("l"),
            queue: key("q"),
            index: index(prefix, shard),
            holders: key("h"),
            waiters: format!("{}:w:", tag(prefix, shard)).into_bytes(),
            slot: slot_of(prefix, shard),
            sharded: false,
        }
    }

    /// The channel of one waiter.
    pub(super) fn waiter(&self, owner: &OwnerId) -> Vec<u8> {
        [self.waiters.as_slice(), hex(owner).as_bytes()].concat()
    }
}

/// The key of the index of one shard.
pub(super) fn index(prefix: &str, shard: u32) -> Vec<u8> {
    format!("{}:i", tag(prefix, shard)).into_bytes()
}

/// Where a shard is in a cluster.
pub(super) fn slot_of(prefix: &str, shard: u32) -> u16 {
    cluster::slot(format!("{prefix}:{shard:02}").as_bytes())
}

/// An owner as it stands on the wire.
pub(super) fn hex(owner: &OwnerId) -> String {
    let digits = owner.bytes().iter();
    digits.map(|byte| format!("{byte:02x}")).collect()
}

fn tag(prefix: &str, shard: u32) -> String {
    format!("{{{prefix}:{shard:02}}}")
}

/// FNV-1a with 32 bits.
fn fnv(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a() {
        // The published test vectors.
        assert_eq!(fnv(b""), 0x811c_9dc5);
        assert_eq!(fnv(b"a"), 0xe40c_292c);
        assert_eq!(fnv(b"foobar"), 0xbf9c_f968);
    }

    #[test]
    fn all_keys_of_a_lease_are_in_one_shard() {
        let name = LeaseName::new("night {ly}: *").unwrap();
        let keys = Keys::of("leasectl", &name);
        let tag = |key: &[u8]| key.split(|byte| *byte == b'}').next().map(<[u8]>::to_vec);
        let of_the_lease = tag(&keys.lease);
        for key in [&keys.queue, &keys.index, &keys.holders, &keys.waiters] {
            assert_eq!(tag(key), of_the_lease);
        }
        assert!(keys.lease.ends_with(b"}:l:night {ly}: *"));
    }
}
