//! The table and all that stands below it, for any leases.

use super::style::finished;
use super::table::text;
use crate::clock::WallTime;
use crate::lease::{Observation, StoreLabel};

/// Its lines, wide and narrow, without colours.
pub(in crate::cli) fn table(
    store: &StoreLabel,
    now: WallTime,
    seen: &[Observation],
) -> Vec<String> {
    let texts = [None, Some(40)].map(|width| finished(&text(store, now, seen, width), false));
    texts
        .iter()
        .flat_map(|text| text.lines())
        .map(str::to_owned)
        .collect()
}
