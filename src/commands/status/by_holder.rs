//! `--by-holder`: who has how many leases.

use std::collections::BTreeMap;

use crate::lease::{LeaseState, Observation};

/// A holder and what it holds.
#[derive(Debug, PartialEq)]
pub struct Group<'a> {
    /// Label and host; `None`: whoever left no record.
    pub who: Option<(&'a str, &'a str)>,
    /// The names, in order.
    pub leases: Vec<&'a str>,
}

/// The holders, the one with the most leases first.
#[must_use]
pub fn by_holder(seen: &[Observation]) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for one in seen.iter().filter(|one| one.state == LeaseState::Held) {
        let record = one.record.as_ref();
        let who = record.map(|record| (record.holder.label.as_str(), record.holder.host.as_str()));
        groups.entry(who).or_default().push(one.name.as_str());
    }
    let groups = groups
        .into_iter()
        .map(|(who, leases)| Group { who, leases });
    let mut groups: Vec<_> = groups.collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.leases.len()));
    groups
}
