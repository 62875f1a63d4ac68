//! The table for people.

use crate::cli::phrases::span;
use crate::cli::printable;
use crate::cli::status::aligned;
use crate::clock::WallTime;
use crate::commands::scheduled_events::Listed;
use crate::notices::Notice;

const HEAD: [&str; 7] = [
    "EVENT",
    "TYPE",
    "STATUS",
    "NOT BEFORE",
    "TAKES",
    "RESOURCES",
    "DESCRIPTION",
];

/// What is announced. `all`: how many events there are, for whomever.
pub(super) fn text(now: WallTime, listed: &Listed, all: usize) -> String {
    let machine = listed
        .machine
        .as_deref()
        .map_or_else(|| "a machine whose name is not known".to_owned(), printable);
    let shown = listed.notices.len();
    let counted = match shown {
        0 => "nothing is announced".to_owned(),
        1 => "1 event".to_owned(),
        more => format!("{more} events"),
    };
    let others = match all - shown {
        0 => String::new(),
        1 => "; 1 more is not shown (--all-resources)".to_owned(),
        more => format!("; {more} more are not shown (--all-resources)"),
    };
    let mut lines = vec![format!("{machine}: {counted}{others}")];
    if shown > 0 {
        let head = HEAD.map(str::to_owned);
        let rows = listed.notices.iter().map(|notice| row(now, notice));
        let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
        lines.extend(aligned(&rows));
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

fn row(now: WallTime, notice: &Notice) -> [String; 7] {
    let date = match notice.not_before {
        Some(at) if at > now => format!("in {}", span(at.since(now))),
        Some(_) => "any moment".to_owned(),
        None if notice.has_started() => "begun".to_owned(),
        None => "any moment".to_owned(),
    };
    let takes = match u64::try_from(notice.duration_s) {
        Ok(seconds) => format!("{seconds}s"),
        Err(_) => "?".to_owned(),
    };
    [
        printable(&notice.id),
        printable(&notice.event_type),
        printable(&notice.status),
        date,
        takes,
        printable(&notice.resources.join(" ")),
        printable(&notice.description),
    ]
}
