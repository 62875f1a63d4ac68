//! `--by-holder` for people.

use super::grid::aligned;
use crate::cli::{named, printable};
use crate::commands::status::by_holder;
use crate::lease::{Observation, StoreLabel};

pub(super) fn text(store: &StoreLabel, seen: &[Observation]) -> String {
    let groups = by_holder(seen);
    let held: usize = groups.iter().map(|group| group.leases.len()).sum();
    let store = printable(store.as_str());
    let others = seen.len() - held;
    let mut lines = vec![format!("{store}: {held} held, {others} not")];
    if !groups.is_empty() {
        let mut rows = vec![["HOLDER", "LEASES", "NAMES"].map(str::to_owned)];
        rows.extend(groups.iter().map(|group| {
            let who = match group.who {
                None => "no record".to_owned(),
                Some((label, host)) if label == host => printable(host),
                Some((label, host)) => format!("{} on {}", printable(label), printable(host)),
            };
            let names: Vec<String> = group.leases.iter().map(|name| named(name)).collect();
            [who, names.len().to_string(), names.join(" ")]
        }));
        lines.extend(aligned(&rows));
    }
    lines.into_iter().map(|line| line + "\n").collect()
}
